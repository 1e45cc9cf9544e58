import type { InjectionOutcome, OutgoingContact, Target } from '../../domain/injection';
import { sendWindowMs } from '../../domain/injection';
import { addThroughApi } from './adding';
import { type Trouble, windowOver } from './answer';
import type { Timeouts } from './api';
import { createCalls } from './calls';
import { behindDoor, type DoorSettings, usualDoor } from './door';
import { isCut } from './fields';
import { findSubscribers } from './finding';
import { createInstances, type Instance } from './instances';
import { manyAtOnce, settleThroughApi, toPendingReason } from './settling';
import { readSubscriberPage, surveyLists } from './survey';
import type { FoundList, InstanceSettings, MailwizzGateway, SurveyedList } from './types';
import type { MailwizzLog, Way } from './way';

type Deps = {
  loadInstance: (instanceId: string) => Promise<InstanceSettings>;
  now: () => number;
  log?: MailwizzLog;
  /** Keeps a "come back later" where all workers see it; read back as `restUntilMs` of the settings. */
  sharedRest?: { note: (instanceId: string, untilMs: number) => Promise<void> };
  door?: Partial<DoorSettings>;
  timeouts?: Timeouts;
};
type List = { listId: number; listUid: string; fields: string[] };

/** A field added in MailWizz is filled at the latest after this time. */
const fieldsAgeMs = 600_000;

/** API first; MySQL only when nothing can have happened; `unknown` wherever it may have (design 6). */
export function createMailwizzGateway({ loadInstance, now, log, sharedRest, door, timeouts }: Deps): MailwizzGateway {
  const instances = createInstances({ loadInstance, now, noteRest, door: { ...usualDoor, ...door }, timeouts });
  const fieldsOf = new Map<string, { tags: ReadonlySet<string>; readAt: number }>();

  return {
    addSubscribers: async (target, contacts, signal) => noteCut(contacts, await addSubscribers(target, contacts, signal)),
    lookUpSubscribers: async (target, contacts, signal) => noteCut(contacts, await lookUpSubscribers(target, contacts, signal)),
    readLists,
    surveyLists: async (instanceId) => surveyLists(await instances.find(instanceId)),
    readSubscribers: async (target, cursor, limit) =>
      readSubscriberPage(await instances.find(target.instanceId), target.listId, { cursor, limit }),
    findSubscribers: async (target, sought) => findSubscribers(await instances.find(target.instanceId), target.listId, sought),
    callsOf: async (instanceId) => (await instances.find(instanceId)).calls,
    stateOf: async (instanceId) => (await instances.find(instanceId)).door.state(),
    close: () => instances.close(),
  };

  async function addSubscribers(target: Target, contacts: OutgoingContact[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    if (contacts.length === 0) return [];
    const untilMs = sendWindowOf(contacts);
    const instance = await instances.find(target.instanceId);
    const list = instance.settings.lists.find((candidate) => candidate.listId === target.listId);
    if (!list) return throughDatabase(instance, target.listId, contacts, { untilMs, apiReason: 'list_uid_not_known' });
    const way = await wayTo(instance, list, untilMs, signal);
    const { outcomes, unsent, stop } = 'kind' in way ? { outcomes: [], unsent: contacts, stop: way } : await addThroughApi(way, contacts);
    if (!stop) return outcomes;
    if (stop.kind === 'refused') instances.forget(target.instanceId);
    if (stop.kind !== 'nothing' || signal?.aborted)
      return [...outcomes, ...toPending(unsent, toPendingReason(stop))];
    return [...outcomes, ...(await throughDatabase(instance, target.listId, unsent, { untilMs, apiReason: stop.reason }))];
  }

  async function throughDatabase(
    { settings: { instanceId }, database }: Instance,
    listId: number,
    contacts: OutgoingContact[],
    { untilMs, apiReason }: { untilMs: number; apiReason: string },
  ): Promise<InjectionOutcome[]> {
    if (!database) return toPending(contacts, apiReason);
    const result = await database.addSubscribers(listId, contacts, untilMs);
    if (!('failed' in result)) return result;
    log?.warn({ instanceId, reason: result.failed }, 'API and MySQL are both away');
    return toPending(contacts, `API + MySQL failed: ${apiReason}, ${result.failed}`);
  }

  async function lookUpSubscribers(target: Target, contacts: OutgoingContact[], signal?: AbortSignal): Promise<InjectionOutcome[]> {
    if (contacts.length === 0) return [];
    const untilMs = now() + sendWindowMs;
    const instance = await instances.find(target.instanceId);
    const list = instance.settings.lists.find((candidate) => candidate.listId === target.listId);
    // Reading does no harm, so here MySQL may be asked whatever state the API is in.
    const tables = (left: OutgoingContact[]) => instance.database?.settle(target.listId, left, untilMs);
    const many = !list || contacts.length >= manyAtOnce;
    const early = many ? await tables(contacts) : undefined;
    if (early && !('failed' in early)) return early;
    const way = list ? await wayTo(instance, list, untilMs, signal) : windowOver;
    const { outcomes, left, trouble } =
      'kind' in way ? { outcomes: [], left: contacts, trouble: way } : await settleThroughApi(way, contacts);
    if (trouble?.kind === 'refused') instances.forget(target.instanceId);
    if (left.length === 0) return outcomes;
    const late = early ?? (await tables(left)) ?? { failed: toPendingReason(trouble) };
    return [...outcomes, ...('failed' in late ? toUnknown(left, trouble?.kind === 'refused' ? 'refused' : late.failed) : late)];
  }

  async function wayTo(instance: Instance, list: List, untilMs: number, signal: AbortSignal | undefined): Promise<Way | Trouble> {
    const known = await knownFields(instance, list);
    if ('kind' in known) return known;
    const api = behindDoor(instance.client, instance.door, untilMs);
    return { instance, api, calls: createCalls(api), listUid: list.listUid, known, untilMs, now, signal, log };
  }

  /** The tags of a list: as synced, else asked of the API and remembered. */
  async function knownFields(instance: Instance, list: List): Promise<ReadonlySet<string> | Trouble> {
    if (list.fields.length > 0) return new Set(list.fields);
    const key = `${instance.settings.instanceId}/${list.listUid}`;
    const known = fieldsOf.get(key);
    if (known && known.readAt + fieldsAgeMs > now()) return known.tags;
    const asked = await instance.calls.fields.readAll(list.listUid);
    // A list that is gone says so again, in the call that counts.
    if (asked.kind === 'absent') return new Set();
    if (asked.kind === 'rejected') return { kind: 'unknown', reason: `http_${asked.status}` };
    if (asked.kind !== 'done') return asked;
    const tags = new Set(asked.value.map((field) => field.tag));
    fieldsOf.set(key, { tags, readAt: now() });
    return tags;
  }

  async function readLists(instanceId: string): Promise<FoundList[]> {
    const instance = await instances.find(instanceId);
    if (instance.database) return instance.database.lists();
    return (await surveyLists(instance)).flatMap(({ listId, listUid, name, fields }: SurveyedList) =>
      listId === undefined ? [] : [{ listId, listUid, name, fields }],
    );
  }

  function noteRest(instanceId: string, untilMs: number): void {
    sharedRest?.note(instanceId, untilMs).catch(() => log?.warn({ instanceId }, 'a rest could not be shared with the other workers'));
  }

  function sendWindowOf(contacts: OutgoingContact[]): number {
    return sendWindowMs + contacts.reduce((earliest, { claimedAtMs }) => Math.min(earliest, claimedAtMs ?? earliest), now());
  }
}

/** Who arrived without some of its tags is told apart: segments that ask for those do not find it. */
function noteCut(contacts: OutgoingContact[], outcomes: InjectionOutcome[]): InjectionOutcome[] {
  const cut = new Set(contacts.filter((contact) => isCut(contact)).map(({ contactId }) => contactId));
  return outcomes.map((outcome) => (outcome.outcome === 'injected' && cut.has(outcome.contactId) ? { ...outcome, reason: 'tags_cut' } : outcome));
}

const toPending = (contacts: OutgoingContact[], reason: string) =>
  contacts.map(({ contactId }): InjectionOutcome => ({ contactId, outcome: 'pending', reason }));
const toUnknown = (contacts: OutgoingContact[], reason: string) =>
  contacts.map(({ contactId }): InjectionOutcome => ({ contactId, outcome: 'unknown', reason }));
