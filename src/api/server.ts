import { sql } from 'drizzle-orm';
import { openDatabase } from '../../db/client';
import { recordLists } from '../../db/queries/instances';
import { recordMailEvents } from '../../db/queries/mail-events';
import { createFields } from '../adapters/mailwizz/create-fields';
import { createMailwizzGateway } from '../adapters/mailwizz/gateway';
import { inspectInstance } from '../adapters/mailwizz/report';
import type { Vault } from '../adapters/vault';
import type { Config } from '../config';
import { className } from '../domain/errors';
import { createInstanceLoader } from '../instance-settings';
import type { Log } from '../log';
import { ensureSchedules, hasSchedules } from '../schedules';
import { ensureSearchAttributes } from '../search-attributes';
import { openTemporal } from '../temporal';
import { createApp } from './app';
import { createBatchStarter } from './batch-start';
import { createCampaignOrders } from './campaign-orders';
import { createContactActions } from './contact-actions';
import { createEventIntake } from './event-intake';
import { createHttpServer } from './http';
import type { InstanceChecks } from './instance-checks';
import { createIntake } from './intake';
import { requeueLostRuns } from './lost-runs';
import { startRelay } from './relay';
import { withinLimit } from './time-limit';
import { startUpkeep } from './upkeep';

/** Commits side by side, reads beside them, the relay. */
const connections = 20;
const stopLimitMs = 10_000;
/** A connection on which nothing moves; one that waits for its counts is given longer. */
const idleLimitMs = 60_000;
/** Who asks whether we are ready does not wait long. */
const readyLimitMs = 2_000;

export type RunningApi = { url: string; stop: () => Promise<void> };

/** Composition root of the API. Opens its parts in order, closes them in reverse. */
export async function startApi({ config, vault, log }: { config: Config; vault: Vault; log: Log }): Promise<RunningApi> {
  const { db, pool, close } = openDatabase(config.databaseUrl, connections, (error) => log.warn({ error: className(error) }, 'an idle database connection broke'));
  await refuseWeakDurability();
  const temporal = openTemporal(config);
  const starter = createBatchStarter({ client: temporal.client, taskQueue: config.taskQueue, log });
  const campaignOrders = createCampaignOrders({ db, client: temporal.client, taskQueue: config.taskQueue, log });
  const app = createApp({
    db,
    config,
    log,
    vault,
    intake: createIntake({ pool, db, starter, ingestWaitMs: config.ingestWaitMs, now: () => new Date() }),
    eventIntake: createEventIntake({ store: (events) => recordMailEvents(db, events), log }),
    contactActions: createContactActions({ db, client: temporal.client, taskQueue: config.taskQueue }),
    campaignOrders,
    instanceChecks: createInstanceChecks(),
    client: temporal.client,
    checks: {
      database: async () => void (await db.execute(sql`select 1 from import_batches limit 1`)),
      temporal: async () => void (await temporal.client.withDeadline(Date.now() + readyLimitMs, () => temporal.client.workflowService.getSystemInfo({}))),
    },
  });
  const server = createHttpServer(app, { idleLimitMs: idleLimitMs + config.ingestWaitMs });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(config.port, config.host, 1_024, resolve));
  const relay = startRelay({ db, starter, log });
  const upkeep = startUpkeep({
    isPrepared: () => withinLimit(temporal.client, () => hasSchedules(temporal.client)),
    prepare: prepareTemporal,
    requeueLostRuns: async () => (await requeueLostRuns({ db, client: temporal.client })) + (await campaignOrders.restartLost()),
    log,
  });
  const url = `http://${config.host}:${config.port}`;
  log.info({ url }, 'api is ready');

  return {
    url,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const limit = setTimeout(() => server.closeAllConnections(), stopLimitMs);
      await closed;
      clearTimeout(limit);
      upkeep.stop();
      await relay.stop();
      await temporal.close();
      await close();
    },
  };

  /** The tests an operator orders; each opens its connections and closes them. */
  function createInstanceChecks(): InstanceChecks {
    const loadInstance = createInstanceLoader({ db, vault });
    const syncLists = async (instanceId: string) => {
      const gateway = createMailwizzGateway({ loadInstance, now: Date.now, log });
      try {
        const lists = await gateway.surveyLists(instanceId);
        await recordLists(db, instanceId, lists.flatMap(({ listId, ...list }) => (listId === undefined ? [] : [{ listId, ...list }])));
      } finally {
        await gateway.close();
      }
    };
    return {
      inspect: async (instanceId) => inspectInstance(await loadInstance(instanceId)),
      createFields: async (instanceId, listUid, tags) => createFields(await loadInstance(instanceId), listUid, tags),
      syncLists,
    };
  }

  /** 202 means committed: with these settings off, Postgres would acknowledge what a crash then loses (reliability.md 1.1). */
  async function refuseWeakDurability(): Promise<void> {
    const { rows } = await pool.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes') and setting = 'off'`,
    );
    if (rows.length === 0) return;
    await close();
    throw new Error(`Postgres has ${rows.map((row) => `${row.name}=off`).join(', ')}: accepted contacts could be lost. Turn it on and start again.`);
  }

  async function prepareTemporal(): Promise<void> {
    const missing = await withinLimit(temporal.client, () => ensureSearchAttributes(temporal.connection, config.temporal.namespace));
    if (missing.length > 0) log.warn({ reason: missing.join(', ') }, 'search attributes may not be made by us: make those that are missing by hand (README), no batch starts without them');
    await withinLimit(temporal.client, () => ensureSchedules(temporal.client, config.taskQueue));
  }
}
