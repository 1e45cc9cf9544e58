import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import type { Trouble } from './answer';
import { callsAtOnce } from './api';
import { type BulkRecord, createBulk } from './calls/bulk';
import type { Called } from './calls/called';
import { toEmailKey } from './fields';
import { type RowOutcome, toRefusal } from './refusals';
import { type Row, toRows } from './rows';
import { settleRefused } from './settling';
import { toStanding } from './standing';
import { callWithin, type Way } from './way';

/** `unsent`: no call carried them, or the call surely did nothing; `stop` says why, and why no further call was made. */
export type Added = { outcomes: InjectionOutcome[]; unsent: OutgoingContact[]; stop?: Trouble };

/** One page through the API: bulk calls, a few side by side, until something stops us. */
export async function addThroughApi(way: Way, contacts: OutgoingContact[]): Promise<Added> {
  const { rows, judged } = toRows(contacts, way.known);
  const added: Added = { outcomes: judged, unsent: [] };
  let from = 0;
  const lane = async () => {
    while (!added.stop && from < rows.length) {
      const taken = way.instance.sizing.bulkMissing ? rows.slice(from, from + 1) : way.instance.sizing.take(rows, from);
      from += taken.length;
      join(added, await send(way, taken));
    }
  };
  await Promise.all(Array.from({ length: callsAtOnce }, lane));
  added.unsent.push(...contactsOf(rows.slice(from)));
  return added;
}

function join(added: Added, { outcomes, unsent, stop }: Added): void {
  added.outcomes.push(...outcomes);
  added.unsent.push(...unsent);
  // A denial weighs more than "not there": it must not be answered with MySQL.
  if (stop && added.stop?.kind !== 'refused') added.stop = stop;
}

async function send(way: Way, rows: Row[]): Promise<Added> {
  const [only, second] = rows;
  const answered = await (only && !second ? sendOne(way, only) : sendBulk(way, rows));
  if (!('kind' in answered)) return withRefused(way, rows, answered);
  const contacts = contactsOf(rows);
  if (answered.kind !== 'unknown') return { outcomes: [], unsent: contacts, stop: answered };
  way.log?.warn(
    { instanceId: way.instance.settings.instanceId, reason: answered.reason, contacts: contacts.length },
    'a call may have been done: its contacts will be looked up',
  );
  const outcomes = contacts.map(({ contactId }): InjectionOutcome => ({ contactId, outcome: 'unknown', reason: answered.reason }));
  // After a time-out the next call would hold us as long: what was not sent yet waits.
  return { outcomes, unsent: [], ...(answered.reason === 'timeout' && { stop: { kind: 'unknown', reason: 'api_slow' } }) };
}

/** A refusal names no uid, and may be about an address that is there already: it is looked up. */
async function withRefused(way: Way, rows: Row[], outcomes: RowOutcome[]): Promise<Added> {
  const refused = outcomes.flatMap((outcome) => (outcome.outcome === 'refused' ? [outcome] : []));
  const settled = outcomes.flatMap((outcome) => (outcome.outcome === 'refused' ? [] : [outcome]));
  if (refused.length > 0) settled.push(...(await settleRefused(way, rows, refused)));
  const full = settled.some((outcome) => outcome.outcome === 'pending' && outcome.reason === 'list_full');
  return { outcomes: settled, unsent: [], ...(full && { stop: { kind: 'limited', reason: 'list_full', retryAfterMs: 0 } }) };
}

async function sendBulk(way: Way, rows: Row[]): Promise<RowOutcome[] | Trouble> {
  const { instance, listUid, signal } = way;
  const called = await callWithin(way, () =>
    createBulk(
      way.api,
      listUid,
      rows.map((row) => row.values),
      signal,
    ),
  );
  switch (called.kind) {
    case 'done':
      return readAnswers(way, rows, called.value);
    case 'absent':
      return whenBulkIsAbsent(way, rows);
    case 'rejected':
      instance.sizing.noteRefused();
      return { kind: 'unknown', reason: `http_${called.status}` };
    case 'unknown':
      // A firewall may dislike one row of the call.
      if (/^foreign_4/.test(called.reason)) instance.sizing.noteRefused();
      return called;
    case 'nothing':
    case 'limited':
    case 'refused':
      return called;
  }
}

function readAnswers(way: Way, rows: Row[], answers: Map<string, BulkRecord>): RowOutcome[] {
  const answerOf = (row: Row) => answers.get(toEmailKey(row.contact.email));
  const answered = rows.filter(answerOf);
  // Answers to the first rows only: PHP dropped the end of the call, and the last row it saw may lack its own end, so that one is looked at again.
  const cut = answered.length > 0 && answered.length < rows.length && answered.every((row, index) => row === rows[index]);
  if (cut) way.instance.sizing.noteCut(answered);
  else if (answered.length === rows.length) way.instance.sizing.noteWhole();
  const torn = cut ? answered.at(-1) : undefined;
  return rows.map((row) => {
    const { contactId } = row.contact;
    const answer = answerOf(row);
    if (!answer) return { contactId, outcome: 'unknown', reason: 'no_answer' };
    if (answer.errors.size > 0) return toRefusal(contactId, answer.errors);
    if (row === torn) return { contactId, outcome: 'refused', exists: true };
    if (answer.uid === undefined) return { contactId, outcome: 'unknown', reason: 'no_uid' };
    return toStanding(contactId, { uid: answer.uid, status: answer.status ?? 'confirmed', method: 'api' });
  });
}

/** 404: the list is gone, or the installation is too old for bulk calls. The list itself tells. */
async function whenBulkIsAbsent(way: Way, rows: Row[]): Promise<RowOutcome[] | Trouble> {
  const { instance, listUid, signal } = way;
  const list = await callWithin(way, () => way.calls.lists.read(listUid, signal));
  if (list.kind === 'absent')
    return rows.map(({ contact: { contactId } }) => ({ contactId, outcome: 'rejected', reason: 'list_not_found' }));
  if (list.kind === 'rejected') return { kind: 'limited', reason: `http_${list.status}`, retryAfterMs: 0 };
  if (list.kind !== 'done') return list.kind === 'unknown' ? { kind: 'limited', reason: list.reason, retryAfterMs: 0 } : list;
  instance.sizing.bulkMissing = true;
  const outcomes: RowOutcome[] = [];
  for (const row of rows) {
    const answered = await sendOne(way, row);
    if ('kind' in answered)
      outcomes.push({
        contactId: row.contact.contactId,
        outcome: answered.kind === 'unknown' ? 'unknown' : 'pending',
        reason: answered.reason,
      });
    else outcomes.push(...answered);
  }
  return outcomes;
}

/** One create. */
async function sendOne(way: Way, { contact: { contactId }, values }: Row): Promise<RowOutcome[] | Trouble> {
  const { listUid, signal } = way;
  const called: Called<{ subscriberUid: string }> = await callWithin(way, () =>
    way.calls.subscribers.create(listUid, values, 'confirmed', signal),
  );
  switch (called.kind) {
    case 'done':
      return [{ contactId, outcome: 'injected', uid: called.value.subscriberUid, method: 'api' }];
    case 'absent':
      return [{ contactId, outcome: 'rejected', reason: 'list_not_found' }];
    case 'rejected':
      if (called.status === 400 || called.status === 409 || called.status === 422 || called.status < 300)
        return [toRefusal(contactId, called.messages, called.status)];
      return { kind: 'unknown', reason: `http_${called.status}` };
    case 'nothing':
    case 'limited':
    case 'refused':
    case 'unknown':
      return called;
  }
}

const contactsOf = (rows: Row[]) => rows.map((row) => row.contact);
