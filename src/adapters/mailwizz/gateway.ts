import { z } from 'zod';
import { EngineError } from '../../domain/errors';
import type { InjectionOutcome, OutgoingContact, Target } from '../../domain/injection';
import { type ApiClient, createApiClient } from './api';
import { type BulkOutcome, sendBulk, toCalls } from './bulk';
import { createDatabaseClient, type DatabaseClient } from './database';
import { lookUpThroughApi } from './lookup';
import type { InstanceSettings, MailwizzGateway } from './types';

type Log = { warn: (facts: object, message: string) => void };
type Instance = { settings: InstanceSettings; api: ApiClient; database: DatabaseClient | undefined; readAt: number; downUntil: number };

/** Settings may change at run time; this is how late we notice. */
const settingsAgeMs = 5_000;
/** After "connection refused" the API is left alone this long; then one call tries. */
const restMs = 2_000;
const callsAtOnce = 2;
const fieldsAnswer = z.object({ status: z.literal('success'), data: z.object({ records: z.array(z.object({ tag: z.string() })) }) });

/** API first; MySQL only when nothing can have happened; `unknown` wherever it may have (design 6). */
export function createMailwizzGateway({ loadInstance, now, log }: { loadInstance: (instanceId: string) => Promise<InstanceSettings>; now: () => number; log: Log }): MailwizzGateway {
  const instances = new Map<string, Instance>();
  const fieldsOf = new Map<string, Promise<ReadonlySet<string>>>();

  return { addSubscribers, lookUpSubscribers, readLists, close };

  async function addSubscribers(target: Target, contacts: OutgoingContact[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    if (contacts.length === 0) return [];
    const instance = await find(target.instanceId);
    const list = instance.settings.lists.find((candidate) => candidate.listId === target.listId);
    if (!list) return throughDatabase(instance, target.listId, contacts, 'list_uid_not_known');
    if (instance.downUntil > now()) return throughDatabase(instance, target.listId, contacts, 'api_resting');
    const known = await knownFields(instance, list);
    if (known === 'refused') return contacts.map((contact) => toPending(contact, 'refused'));
    if (known === undefined) return throughDatabase(instance, target.listId, contacts, 'api_away');
    const { calls, rejected } = toCalls(contacts, known);
    const outcomes = [...rejected];
    const unsent: OutgoingContact[] = [];
    let away: string | undefined;
    let refused: string | undefined;
    for (let from = 0; from < calls.length; from += callsAtOnce) {
      const batch = calls.slice(from, from + callsAtOnce);
      if (away !== undefined || refused !== undefined) {
        unsent.push(...batch.flat().map((row) => row.contact));
        continue;
      }
      for (const { rows, result } of await Promise.all(batch.map(async (rows) => ({ rows, result: await sendBulk(instance.api, list.listUid, rows, signal) })))) {
        const sent = rows.map((row) => row.contact);
        if (Array.isArray(result)) outcomes.push(...(await settleExisting(instance, list.listUid, sent, result, signal)));
        else if ('gone' in result) outcomes.push(...sent.map((contact) => ({ contactId: contact.contactId, outcome: 'rejected' as const, reason: 'list_not_found' })));
        else {
          if ('refused' in result) refused = result.refused;
          else away = result.nothing;
          unsent.push(...sent);
        }
      }
    }
    if (refused !== undefined) return [...outcomes, ...unsent.map((contact) => toPending(contact, 'refused'))];
    if (away === undefined) return outcomes;
    if (away === 'rate_limited' || away === 'locked') return [...outcomes, ...unsent.map((contact) => toPending(contact, away ?? ''))];
    instance.downUntil = now() + restMs;
    return [...outcomes, ...(await throughDatabase(instance, target.listId, unsent, away))];
  }

  /** A bulk answer names no uid for an address that is there already: it is looked up. */
  async function settleExisting(instance: Instance, listUid: string, contacts: OutgoingContact[], outcomes: BulkOutcome[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    const existing = new Set(outcomes.filter((outcome) => outcome.outcome === 'exists').map((outcome) => outcome.contactId));
    const settled = outcomes.flatMap((outcome): InjectionOutcome[] => (outcome.outcome === 'exists' ? [] : [outcome]));
    if (existing.size === 0) return settled;
    const there = contacts.filter((contact) => existing.has(contact.contactId));
    const found = await lookUpThroughApi(instance.api, listUid, there, signal);
    if ('nothing' in found) return [...settled, ...there.map((contact) => ({ contactId: contact.contactId, outcome: 'unknown' as const, reason: found.nothing }))];
    // Refused as "there" and yet absent: a refusal in words we do not know.
    return [...settled, ...found.map((outcome) => (outcome.outcome === 'pending' ? { contactId: outcome.contactId, outcome: 'rejected' as const, reason: 'refused_by_list' } : outcome))];
  }

  async function throughDatabase(instance: Instance, listId: number, contacts: OutgoingContact[], apiReason: string): Promise<InjectionOutcome[]> {
    if (!instance.database) return contacts.map((contact) => toPending(contact, apiReason));
    const result = await instance.database.addSubscribers(listId, contacts);
    if (!('failed' in result)) return result;
    log.warn({ instanceId: instance.settings.instanceId, reason: result.failed }, 'API and MySQL are both away');
    return contacts.map((contact) => toPending(contact, `API + MySQL failed: ${apiReason}, ${result.failed}`));
  }

  async function lookUpSubscribers(target: Target, contacts: OutgoingContact[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    if (contacts.length === 0) return [];
    const instance = await find(target.instanceId);
    const list = instance.settings.lists.find((candidate) => candidate.listId === target.listId);
    const found = list === undefined || instance.downUntil > now() ? { nothing: 'api_away' } : await lookUpThroughApi(instance.api, list.listUid, contacts, signal);
    if (!('nothing' in found)) return found;
    const inTables = instance.database ? await instance.database.lookUp(target.listId, contacts) : { failed: found.nothing };
    return 'failed' in inTables ? contacts.map((contact) => ({ contactId: contact.contactId, outcome: 'unknown', reason: inTables.failed })) : inTables;
  }

  async function readLists(instanceId: string) {
    return (await (await find(instanceId)).database?.lists()) ?? [];
  }

  /** The tags of a list: as synced, else asked of the API once. Undefined when the API is not there to be asked: nothing has been sent yet. */
  async function knownFields(instance: Instance, list: { listUid: string; fields: string[] }): Promise<ReadonlySet<string> | 'refused' | undefined> {
    if (list.fields.length > 0) return new Set(list.fields);
    const key = `${instance.settings.instanceId}/${list.listUid}`;
    const asked = fieldsOf.get(key) ?? askFields(instance.api, list.listUid);
    fieldsOf.set(key, asked);
    return asked.catch((error: unknown) => {
      fieldsOf.delete(key);
      return error instanceof EngineError && error.kind === 'refused' ? 'refused' : undefined;
    });
  }

  async function askFields(api: ApiClient, listUid: string): Promise<ReadonlySet<string>> {
    const answer = await api.request('GET', `/lists/${listUid}/fields`);
    if (answer.kind === 'refused') throw new EngineError('refused', 'the instance denies us');
    const parsed = fieldsAnswer.safeParse(answer.kind === 'answer' ? answer.body : undefined);
    if (!parsed.success) throw new EngineError('unavailable', 'the fields of a list could not be read');
    return new Set(parsed.data.data.records.map((field) => field.tag));
  }

  async function find(instanceId: string): Promise<Instance> {
    const known = instances.get(instanceId);
    if (known && known.readAt + settingsAgeMs > now()) return known;
    const settings = await loadInstance(instanceId);
    if (known && sameDoor(known.settings, settings)) {
      Object.assign(known, { settings, readAt: now() });
      return known;
    }
    const made: Instance = {
      settings,
      api: createApiClient(settings),
      database: settings.mysql && createDatabaseClient(settings.mysql, settings.allowPrivateNetwork),
      readAt: now(),
      downUntil: 0,
    };
    instances.set(instanceId, made);
    // Calls under way end on the old doors before these close.
    if (known) setTimeout(() => void closeInstance(known), 60_000).unref();
    return made;
  }

  async function close(): Promise<void> {
    for (const instance of instances.values()) await closeInstance(instance);
  }
}

const toPending = (contact: OutgoingContact, reason: string): InjectionOutcome => ({ contactId: contact.contactId, outcome: 'pending', reason });

const sameDoor = (a: InstanceSettings, b: InstanceSettings) => JSON.stringify({ ...a, lists: [] }) === JSON.stringify({ ...b, lists: [] });

async function closeInstance({ api, database }: Instance): Promise<void> {
  await api.close();
  await database?.close();
}
