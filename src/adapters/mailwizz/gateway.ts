import { z } from 'zod';
import type { InjectionOutcome, OutgoingContact, Target } from '../../domain/injection';
import type { ApiClient, Trouble } from './api';
import { createBulk, createOne, type Row, type RowOutcome, toCalls } from './bulk';
import { createInstances, type Instance } from './instances';
import { type LookUps, lookUpThroughApi } from './lookup';
import type { FoundList, InstanceSettings, MailwizzGateway } from './types';

type Deps = {
  loadInstance: (instanceId: string) => Promise<InstanceSettings>;
  now: () => number;
  log?: { warn: (facts: object, message: string) => void };
  /** How long the API must have been down before MySQL is used. */
  mysqlAfterMs?: number;
};
type Added = { outcomes: InjectionOutcome[]; unsent: OutgoingContact[]; stop?: Trouble };
type Fields = { tags: ReadonlySet<string>; readAt: number };

const callsAtOnce = 2;
/** A field added in MailWizz is filled at the latest after this time. */
const fieldsAgeMs = 600_000;
const fieldsAnswer = z.object({ status: z.literal('success'), data: z.object({ records: z.array(z.object({ tag: z.string() })) }) });

/** API first; MySQL only when nothing can have happened; `unknown` wherever it may have (design 6). */
export function createMailwizzGateway({ loadInstance, now, log, mysqlAfterMs = 0 }: Deps): MailwizzGateway {
  const instances = createInstances(loadInstance, now);
  const fieldsOf = new Map<string, Fields>();

  return { addSubscribers, lookUpSubscribers, readLists, close: () => instances.close() };

  async function addSubscribers(target: Target, contacts: OutgoingContact[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    if (contacts.length === 0) return [];
    const instance = await instances.find(target.instanceId);
    const list = instance.settings.lists.find((candidate) => candidate.listId === target.listId);
    if (!list) return throughDatabase(instance, target.listId, contacts, 'list_uid_not_known');
    const { outcomes, unsent, stop } = await throughApi(instance, list, contacts, signal);
    if (!stop) return outcomes;
    if (stop.kind !== 'nothing') return [...outcomes, ...toPending(unsent, stop.kind === 'refused' ? 'refused' : stop.reason)];
    if (instance.door.downForMs() < mysqlAfterMs) return [...outcomes, ...toPending(unsent, stop.reason)];
    return [...outcomes, ...(await throughDatabase(instance, target.listId, unsent, stop.reason))];
  }

  /** Calls two by two. What stops us stops before the next two; contacts of calls that were never made are `unsent`. */
  async function throughApi(instance: Instance, list: { listUid: string; fields: string[] }, contacts: OutgoingContact[], signal?: AbortSignal): Promise<Added> {
    const closed = instance.door.knock();
    if (closed) return { outcomes: [], unsent: contacts, stop: closed };
    const known = await knownFields(instance, list);
    if ('kind' in known) return { outcomes: [], unsent: contacts, stop: known };
    const { calls, rejected } = toCalls(contacts, known);
    const added: Added = { outcomes: rejected, unsent: [] };
    for (let from = 0; from < calls.length; from += callsAtOnce) {
      const pair = calls.slice(from, from + callsAtOnce);
      if (added.stop) added.unsent.push(...pair.flat().map((row) => row.contact));
      else for (const result of await Promise.all(pair.map((rows) => send(instance, list.listUid, rows, signal)))) join(added, result);
    }
    return added;
  }

  async function send(instance: Instance, listUid: string, rows: Row[], signal?: AbortSignal): Promise<Added> {
    const [only, second] = rows;
    const result = await (only && !second ? createOne(instance.api, listUid, only, signal) : createBulk(instance.api, listUid, rows, signal));
    instance.door.note(result);
    const contacts = rows.map((row) => row.contact);
    switch (result.kind) {
      case 'outcomes':
        return { outcomes: await settleRefused(instance, listUid, contacts, result.outcomes, signal), unsent: [] };
      case 'gone':
        return { outcomes: contacts.map(({ contactId }) => ({ contactId, outcome: 'rejected', reason: 'list_not_found' })), unsent: [] };
      case 'unknown':
        log?.warn({ instanceId: instance.settings.instanceId, reason: result.reason, contacts: contacts.length }, 'a call may have been done: its contacts will be looked up');
        // After a time-out the next call would hold us as long: what was not sent yet waits.
        return { outcomes: toUnknown(contacts, result.reason), unsent: [], ...(result.reason === 'timeout' && { stop: { kind: 'unknown', reason: 'api_slow' } }) };
      case 'nothing':
      case 'limited':
      case 'refused':
        return { outcomes: [], unsent: contacts, stop: result };
    }
  }

  /** A refusal names no uid, and may be about an address that is there already: it is looked up. */
  async function settleRefused(instance: Instance, listUid: string, contacts: OutgoingContact[], outcomes: RowOutcome[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    const sure = new Map(outcomes.flatMap((outcome) => (outcome.outcome === 'refused' ? [[outcome.contactId, outcome.sure] as const] : [])));
    const settled = outcomes.flatMap((outcome): InjectionOutcome[] => (outcome.outcome === 'refused' ? [] : [outcome]));
    if (sure.size === 0) return settled;
    const there = contacts.filter((contact) => sure.has(contact.contactId));
    const found = await lookUpThroughApi(instance.api, listUid, there, signal);
    // Refused in words we do not know, and not there: it is the list that does not take it. Said to exist and not there: gone in between.
    const judged = found.outcomes.map((outcome): InjectionOutcome =>
      outcome.outcome === 'pending' && sure.get(outcome.contactId) !== true ? { contactId: outcome.contactId, outcome: 'rejected', reason: 'refused_by_list' } : outcome,
    );
    return [...settled, ...judged, ...toUnknown(found.left, found.trouble?.reason ?? 'no_answer')];
  }

  async function throughDatabase(instance: Instance, listId: number, contacts: OutgoingContact[], apiReason: string): Promise<InjectionOutcome[]> {
    if (!instance.database) return toPending(contacts, apiReason);
    const result = await instance.database.addSubscribers(listId, contacts);
    if (!('failed' in result)) return result;
    log?.warn({ instanceId: instance.settings.instanceId, reason: result.failed }, 'API and MySQL are both away');
    return toPending(contacts, `API + MySQL failed: ${apiReason}, ${result.failed}`);
  }

  async function lookUpSubscribers(target: Target, contacts: OutgoingContact[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    if (contacts.length === 0) return [];
    const instance = await instances.find(target.instanceId);
    const list = instance.settings.lists.find((candidate) => candidate.listId === target.listId);
    const { outcomes, left, trouble }: LookUps = list ? await searchAll(instance, list.listUid, contacts, signal) : { outcomes: [], left: contacts };
    if (left.length === 0) return outcomes;
    // Reading does no harm, so here MySQL may be asked whatever the trouble was.
    const inTables = instance.database ? await instance.database.lookUp(target.listId, left) : { failed: trouble?.reason ?? 'no_answer' };
    return [...outcomes, ...('failed' in inTables ? toUnknown(left, inTables.failed) : inTables)];
  }

  async function searchAll(instance: Instance, listUid: string, contacts: OutgoingContact[], signal?: AbortSignal): Promise<LookUps> {
    const closed = instance.door.knock();
    if (closed) return { outcomes: [], left: contacts, trouble: closed };
    const found = await lookUpThroughApi(instance.api, listUid, contacts, signal);
    instance.door.note(found.trouble ?? { kind: 'answer' });
    return found;
  }

  /** Without MySQL the numbers of lists cannot be read: the known ones are what there is. */
  async function readLists(instanceId: string): Promise<FoundList[]> {
    const { database, settings } = await instances.find(instanceId);
    return database ? database.lists() : settings.lists.map((list) => ({ ...list, name: list.listUid }));
  }

  /** The tags of a list: as synced, else asked of the API and remembered. */
  async function knownFields(instance: Instance, list: { listUid: string; fields: string[] }): Promise<ReadonlySet<string> | Trouble> {
    if (list.fields.length > 0) return new Set(list.fields);
    const key = `${instance.settings.instanceId}/${list.listUid}`;
    const known = fieldsOf.get(key);
    if (known && known.readAt + fieldsAgeMs > now()) return known.tags;
    const asked = await listFields(instance.api, list.listUid);
    instance.door.note('kind' in asked ? asked : { kind: 'answer' });
    if ('kind' in asked) return asked;
    fieldsOf.set(key, { tags: asked, readAt: now() });
    return asked;
  }
}

export async function listFields(api: ApiClient, listUid: string): Promise<ReadonlySet<string> | Trouble> {
  const answer = await api.request('GET', `/lists/${listUid}/fields`);
  if (answer.kind !== 'answer') return answer;
  const parsed = fieldsAnswer.safeParse(answer.body);
  return parsed.success ? new Set(parsed.data.data.records.map((field) => field.tag)) : { kind: 'unknown', reason: 'fields_not_read' };
}

function join(added: Added, { outcomes, unsent, stop }: Added): void {
  added.outcomes.push(...outcomes);
  added.unsent.push(...unsent);
  // A denial weighs more than "not there": it must not be answered with MySQL.
  if (stop && added.stop?.kind !== 'refused') added.stop = stop;
}

const toPending = (contacts: OutgoingContact[], reason: string) => contacts.map(({ contactId }): InjectionOutcome => ({ contactId, outcome: 'pending', reason }));
const toUnknown = (contacts: OutgoingContact[], reason: string) => contacts.map(({ contactId }): InjectionOutcome => ({ contactId, outcome: 'unknown', reason }));
