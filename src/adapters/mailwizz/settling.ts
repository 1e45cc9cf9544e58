import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import type { Trouble } from './answer';
import { callsAtOnce } from './api';
import { toEmailKey, toFields } from './fields';
import { type Refused, toRefusal, wordsOnAddress } from './refusals';
import type { Row } from './rows';
import { toStanding } from './standing';
import { callWithin, type Way } from './way';

/** `left`: no clear answer was got, and why. */
export type Settled = { outcomes: InjectionOutcome[]; left: OutgoingContact[]; trouble?: Trouble };

/** An instance that answers nothing usable this often is left alone: at 15 s each, a page of look-ups would take a quarter of an hour. */
const troublesAllowed = 4;
/** From here on the tables are asked first, where we have them: one statement instead of two calls an address. */
export const manyAtOnce = 64;

/** Says of each address what it is in the list, and brings the fields of those who get mail up to date; a few side by side. Safe to repeat. */
export async function settleThroughApi(way: Way, contacts: OutgoingContact[]): Promise<Settled> {
  const settled: Settled = { outcomes: [], left: [] };
  let troubles = 0;
  const queue = contacts.values();
  // One iterator shared by all lanes: each takes the next contact when it is free.
  const lane = async () => {
    for (const contact of queue) {
      const hopeless = settled.trouble !== undefined && (settled.trouble.kind !== 'unknown' || troubles >= troublesAllowed);
      const found = hopeless ? undefined : await settleOne(way, contact);
      if (found && 'outcome' in found) settled.outcomes.push(found);
      else settled.left.push(contact);
      if (found && 'kind' in found) {
        settled.trouble = found;
        troubles += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: callsAtOnce }, lane));
  return settled;
}

async function settleOne(way: Way, contact: OutgoingContact): Promise<InjectionOutcome | Trouble> {
  const { instance, listUid, signal } = way;
  const { contactId, email } = contact;
  const absent: InjectionOutcome = { contactId, outcome: 'pending', reason: 'absent' };
  const found = await callWithin(way, () => way.calls.subscribers.search(listUid, email, signal));
  if (found.kind === 'absent') return absent;
  if (found.kind !== 'done') return toTrouble(found);
  const { subscriberUid: uid, status } = found.value;
  const standing = toStanding(contactId, { uid, status, method: 'api' });
  if (standing.outcome !== 'injected') return standing;

  // The search does not say whom it found, and MySQL compares loosely: only the row itself proves that it is this address.
  const there = await callWithin(way, () => way.calls.subscribers.read(listUid, uid, signal));
  if (there.kind === 'absent') return absent;
  if (there.kind !== 'done') return toTrouble(there);
  const { email: itsEmail = email, fields } = there.value;
  if (toEmailKey(itsEmail) !== toEmailKey(email)) return { contactId, outcome: 'rejected', reason: 'another_address_there' };
  const ours = [...toFields(contact, way.known)].filter(([tag]) => tag !== 'EMAIL');
  if (ours.every(([tag, value]) => fields.get(tag) === value)) return standing;

  // Whole, as nobody says what an update makes of a field that it does not carry.
  const values = new Map([...fields, ...ours, ['EMAIL', itsEmail]]);
  const updated = await callWithin(way, () => way.calls.subscribers.update(listUid, uid, values, signal));
  if (updated.kind === 'absent') return absent;
  if (updated.kind === 'done') return standing;
  if (updated.kind !== 'rejected') return updated;
  way.log?.warn({ instanceId: instance.settings.instanceId, status: updated.status }, 'the fields of a subscriber could not be updated');
  return standing;
}

const toTrouble = (called: Trouble | { kind: 'rejected'; status: number }): Trouble =>
  called.kind === 'rejected' ? { kind: 'unknown', reason: `http_${called.status}` } : called;

/** Rows that were refused in words that do not settle it: there already, blacklisted, or not wanted by the list. */
export async function settleRefused(way: Way, rows: Row[], refused: Refused[]): Promise<InjectionOutcome[]> {
  const words = new Map(refused.map((row) => [row.contactId, row]));
  const asked = rows.filter((row) => words.has(row.contact.contactId));
  const inTables = await settleManyInTables(way, asked);
  const settled = inTables.filter((outcome): boolean => outcome.outcome !== 'pending');
  const known = new Set(settled.map(({ contactId }) => contactId));
  const left = asked.filter((row) => !known.has(row.contact.contactId));
  const found = await settleThroughApi(
    way,
    left.map((row) => row.contact),
  );
  for (const outcome of found.outcomes) {
    const row = left.find((candidate) => candidate.contact.contactId === outcome.contactId);
    const said = words.get(outcome.contactId);
    // Said to exist and not there: gone in between.
    settled.push(outcome.outcome === 'pending' && row && said && !said.exists ? await judgeUnknownWords(way, row) : outcome);
  }
  // Refused is surely not created, so these may be tried again.
  return [
    ...settled,
    ...found.left.map(({ contactId }): InjectionOutcome => ({ contactId, outcome: 'pending', reason: toPendingReason(found.trouble) })),
  ];
}

/** With MySQL, a large page is settled by a few statements; what the tables do not show is asked of the API. */
async function settleManyInTables({ instance, listUid, untilMs, log }: Way, rows: Row[]): Promise<InjectionOutcome[]> {
  const list = instance.settings.lists.find((candidate) => candidate.listUid === listUid);
  if (!instance.database || !list || rows.length < manyAtOnce) return [];
  const result = await instance.database.settle(
    list.listId,
    rows.map((row) => row.contact),
    untilMs,
  );
  if (!('failed' in result)) return result;
  log?.warn({ instanceId: instance.settings.instanceId, reason: result.failed }, 'MySQL could not be asked; the API is');
  return [];
}

/**
 * Not there, and refused in words we do not know (another language). The row alone is tried once more, which is safe, as it is surely not there, and brings
 * the code that a bulk answer lacks: 409 means "exists" or "blacklisted", so what is not there is blacklisted.
 */
async function judgeUnknownWords(way: Way, { contact: { contactId }, values }: Row): Promise<InjectionOutcome> {
  const called = await callWithin(way, () => way.calls.subscribers.create(way.listUid, values, 'confirmed', way.signal));
  if (called.kind === 'done') return { contactId, outcome: 'injected', uid: called.value.subscriberUid, method: 'api' };
  if (called.kind === 'absent') return { contactId, outcome: 'rejected', reason: 'list_not_found' };
  if (called.kind === 'unknown') return { contactId, outcome: 'unknown', reason: called.reason };
  if (called.kind !== 'rejected') return { contactId, outcome: 'pending', reason: toPendingReason(called) };
  const again = toRefusal(contactId, called.messages, called.status);
  if (again.outcome !== 'refused') return again;
  if (again.exists) return { contactId, outcome: 'pending', reason: 'absent' };
  return called.status === 409 && wordsOnAddress(called.messages) !== ''
    ? { contactId, outcome: 'suppressed', reason: 'blacklisted' }
    : { contactId, outcome: 'rejected', reason: 'refused_by_list' };
}

/** `refused` is the word by which the instance is parked, whatever the denial was. */
export const toPendingReason = (trouble: Trouble | undefined) =>
  trouble?.kind === 'refused' ? 'refused' : (trouble?.reason ?? 'no_answer');
