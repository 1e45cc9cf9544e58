import { type Api, type ApiClient, createApiClient, type Timeouts } from './api';
import { type Calls, createCalls } from './calls';
import { createDatabaseClient, type DatabaseClient } from './database';
import { behindDoor, createDoor, type Door, type DoorSettings } from './door';
import { createSizing, type Sizing } from './rows';
import type { InstanceSettings } from './types';

export type Instance = {
  settings: InstanceSettings;
  client: ApiClient;
  /** Through the door, as are the calls. */
  api: Api;
  calls: Calls;
  database: DatabaseClient | undefined;
  door: Door;
  sizing: Sizing;
};

export type InstancesDeps = {
  loadInstance: (instanceId: string) => Promise<InstanceSettings>;
  now: () => number;
  /** Tells the other workers; they hear of it as `restUntilMs` of the settings. */
  noteRest: (instanceId: string, untilMs: number) => void;
  door: DoorSettings;
  timeouts: Timeouts | undefined;
};

/** Settings may change at run time; this is how late we notice. */
const settingsAgeMs = 5_000;
/** Longer than any call: those under way end on the old connections before these close. */
const retireMs = 60_000;

/** The open instances: settings re-read every few seconds, connections kept while the settings stay the same. */
export function createInstances({ loadInstance, now, noteRest, door: doorSettings, timeouts }: InstancesDeps) {
  const open = new Map<string, { readAt: number; instance: Promise<Instance> }>();
  const retired = new Set<Instance>();

  return { find, forget, close };

  function find(instanceId: string): Promise<Instance> {
    const known = open.get(instanceId);
    if (known && known.readAt + settingsAgeMs > now()) return known.instance;
    const entry = { readAt: now(), instance: refresh(instanceId, known?.instance) };
    open.set(instanceId, entry);
    // A failed reading is not remembered; what was open before stays open for the next one.
    entry.instance.catch(() => {
      if (open.get(instanceId) !== entry) return;
      if (known) open.set(instanceId, { ...known, readAt: 0 });
      else open.delete(instanceId);
    });
    return entry.instance;
  }

  /** The settings are read again for the next call: an instance that denied us may be parked by now. */
  function forget(instanceId: string): void {
    const known = open.get(instanceId);
    if (known) open.set(instanceId, { ...known, readAt: 0 });
  }

  async function close(): Promise<void> {
    for (const { instance } of open.values()) {
      const made = await instance.catch(() => undefined);
      if (made) await closeInstance(made);
    }
    for (const instance of retired) await closeInstance(instance);
    open.clear();
    retired.clear();
  }

  async function refresh(instanceId: string, before: Promise<Instance> | undefined): Promise<Instance> {
    const settings = await loadInstance(instanceId);
    const known = await before?.catch(() => undefined);
    const kept = known && connectionsOf(known.settings) === connectionsOf(settings);
    if (known && !kept) retire(known);
    const instance = kept ? { ...known, settings } : openInstance(settings);
    instance.door.park(settings.parked ?? false);
    if (settings.restUntilMs !== undefined) instance.door.rest(settings.restUntilMs);
    return instance;
  }

  function openInstance(settings: InstanceSettings): Instance {
    const { instanceId, apiUrl, apiKey, allowPrivateNetwork, mysql } = settings;
    const client = createApiClient({ apiUrl, apiKey, allowPrivateNetwork, ...(timeouts && { timeouts }) });
    const door = createDoor(now, (untilMs) => noteRest(instanceId, untilMs), doorSettings);
    const api = behindDoor(client, door);
    const database = mysql && createDatabaseClient(mysql, { allowPrivateNetwork, now });
    return { settings, client, api, calls: createCalls(api), database, door, sizing: createSizing() };
  }

  function retire(instance: Instance): void {
    retired.add(instance);
    const end = () => {
      if (retired.delete(instance)) void closeInstance(instance);
    };
    setTimeout(end, retireMs).unref();
  }
}

/** What connections are made of; lists, rests and park orders may change under them. */
const connectionsOf = ({ apiUrl, apiKey, allowPrivateNetwork, mysql }: InstanceSettings) =>
  JSON.stringify({ apiUrl, apiKey, allowPrivateNetwork, mysql });

async function closeInstance({ client, database }: Instance): Promise<void> {
  await client.close();
  await database?.close();
}
