import { type ApiClient, createApiClient, type Trouble } from './api';
import { createDatabaseClient, type DatabaseClient } from './database';
import type { InstanceSettings } from './types';

export type Instance = { settings: InstanceSettings; api: ApiClient; database: DatabaseClient | undefined; door: Door };
export type Door = ReturnType<typeof createDoor>;

/** Settings may change at run time; this is how late we notice. */
const settingsAgeMs = 5_000;
/** After "connection refused" the API is left alone this long; then one call tries. */
const restMs = 2_000;
/** Longer than any call: those under way end on the old connections before these close. */
const retireMs = 60_000;

/** The breaker of one API: shut for a moment after a call that could not be made, or for as long as they asked us to wait. */
export function createDoor(now: () => number) {
  let downSince: number | undefined;
  let tryAt = 0;
  let limitedUntil = 0;
  return {
    /** Undefined: come in. After a rest the first caller is the probe, and the others still wait. */
    knock(): Trouble | undefined {
      if (limitedUntil > now()) return { kind: 'limited', reason: 'rate_limited', retryAfterMs: limitedUntil - now() };
      if (downSince === undefined) return undefined;
      if (tryAt > now()) return { kind: 'nothing', reason: 'api_resting' };
      tryAt = now() + restMs;
      return undefined;
    },
    note({ kind, ...rest }: { kind: string; retryAfterMs?: number }): void {
      if (kind === 'limited') limitedUntil = now() + (rest.retryAfterMs ?? 0);
      if (kind === 'nothing') {
        downSince ??= now();
        tryAt = now() + restMs;
      } else downSince = undefined;
    },
    downForMs: () => (downSince === undefined ? 0 : now() - downSince),
  };
}

/** The open instances: settings re-read every few seconds, connections kept while the settings stay the same. */
export function createInstances(loadInstance: (instanceId: string) => Promise<InstanceSettings>, now: () => number) {
  const open = new Map<string, { readAt: number; instance: Promise<Instance> }>();
  const retired = new Set<Instance>();

  return {
    find(instanceId: string): Promise<Instance> {
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
    },
    async close(): Promise<void> {
      for (const { instance } of open.values()) {
        const made = await instance.catch(() => undefined);
        if (made) await closeInstance(made);
      }
      for (const instance of retired) await closeInstance(instance);
      open.clear();
      retired.clear();
    },
  };

  async function refresh(instanceId: string, before: Promise<Instance> | undefined): Promise<Instance> {
    const settings = await loadInstance(instanceId);
    const known = await before?.catch(() => undefined);
    if (known && connectionsOf(known.settings) === connectionsOf(settings)) return { ...known, settings };
    if (known) retire(known);
    return { settings, api: createApiClient(settings), database: settings.mysql && createDatabaseClient(settings.mysql, settings.allowPrivateNetwork), door: createDoor(now) };
  }

  function retire(instance: Instance): void {
    retired.add(instance);
    const end = () => {
      if (retired.delete(instance)) void closeInstance(instance);
    };
    setTimeout(end, retireMs).unref();
  }
}

/** What connections are made of; the lists may change under them. */
const connectionsOf = (settings: InstanceSettings) => JSON.stringify({ ...settings, lists: [] });

async function closeInstance({ api, database }: Instance): Promise<void> {
  await api.close();
  await database?.close();
}
