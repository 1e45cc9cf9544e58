import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { openDatabase, pageWork } from '../db/client';
import { listInstanceStates, recordRest } from '../db/queries/instances';
import { type Activities, createActivities } from './activities';
import { mapFailures } from './activities/failures';
import { createMailwizzCampaigns } from './adapters/mailwizz/campaigning';
import { createMailwizzGateway } from './adapters/mailwizz/gateway';
import { createVerifier } from './adapters/smtp';
import type { Vault } from './adapters/vault';
import type { Config } from './config';
import { verificationQueue } from './domain/batch';
import { campaignQueue } from './domain/campaign-run';
import { className } from './domain/errors';
import { instanceQueue } from './domain/injection';
import { createInstanceLoader } from './instance-settings';
import type { Log } from './log';
import { connectionOptions } from './temporal';
import { loadWorkflowBundle } from './workflow-bundle';

/** Activities of one page each run side by side; more would only queue at the database. */
const activitiesAtOnce = 6;
const injectionsAtOnce = 3;
/** Pages that may wait for mail servers at the same time; the verifier has limits of its own for connections. */
const verificationsAtOnce = 6;
/** Short calls about campaigns; the door of each instance has limits of its own. */
const campaignCallsAtOnce = 12;
/** Runs kept in memory, up to 0.8 MB each; one that is not there is replayed when something happens to it, and a campaign that waits for its day hears nothing. */
const cachedRuns = 100;
/** A new or reactivated instance is served after at most this time. */
const instanceLookMs = 5_000;
const syncAgainMs = 60_000;

export type RunningWorker = { stop: () => Promise<void>; failed: Promise<never> };

/** Composition root of the worker: config → adapters → activities → workers. Closes in reverse. */
export async function startWorker({ config, vault, log }: { config: Config; vault: Vault; log: Log }): Promise<RunningWorker> {
  Runtime.install({ logger: new DefaultLogger('ERROR', ({ level, message }) => log.warn({ level }, message)), shutdownSignals: [] });
  const database = openDatabase(config.databaseUrl, 16, (error) => log.warn({ error: error.name }, 'an idle database connection broke'), pageWork);
  const { db } = database;
  const mailwizz = createMailwizzGateway({
    loadInstance: createInstanceLoader({ db, vault }),
    now: Date.now,
    log,
    sharedRest: { note: (instanceId, untilMs) => recordRest(db, { instanceId, untilMs }) },
    door: { probeEveryMs: config.mailwizzProbeEveryMs },
  });
  const verifier = createVerifier({ ...config.verification, now: Date.now });
  const activities = createActivities({
    db,
    verifier,
    mailwizz,
    campaigns: createMailwizzCampaigns(mailwizz.callsOf),
    settings: { depth: config.verification.depth, waits: config.waits, injectionWaitsMs: config.injectionWaitsMs, dueBucketMs: config.dueBucketMs, campaignLookMs: config.campaignLookMs },
    now: () => new Date(),
    log,
  });
  const connection = await NativeConnection.connect(connectionOptions(config));
  const workflowBundle = await loadWorkflowBundle(config.dataDir);
  const shared = () => ({ connection, namespace: config.temporal.namespace, shutdownGraceTime: '20s' as const, interceptors: { activity: [mapFailures(log)] } });
  const main = await Worker.create({
    ...shared(),
    taskQueue: config.taskQueue,
    workflowBundle,
    activities,
    maxConcurrentActivityTaskExecutions: activitiesAtOnce,
    maxConcurrentWorkflowTaskExecutions: 20,
    maxCachedWorkflows: cachedRuns,
  });
  const verifying: Pick<Activities, 'verifyPage'> = activities;
  const verification = await Worker.create({
    ...shared(),
    taskQueue: verificationQueue(config.taskQueue),
    activities: verifying,
    maxConcurrentActivityTaskExecutions: verificationsAtOnce,
  });
  const campaigning: Pick<Activities, 'checkCampaign' | 'prepareSegment' | 'openLeg' | 'startLegs' | 'pauseLegs' | 'endLegs' | 'watchLegs' | 'decideTest' | 'chooseVariant'> = activities;
  const campaignCalls = await Worker.create({
    ...shared(),
    taskQueue: campaignQueue(config.taskQueue),
    activities: campaigning,
    maxConcurrentActivityTaskExecutions: campaignCallsAtOnce,
  });
  const injection: Pick<Activities, 'injectPage' | 'injectPlacements' | 'syncLists' | 'openReconciliations' | 'reconcileList'> = activities;
  const running = new Map<string, { worker: Worker; done: Promise<void> }>();
  const crash = withReject();
  const run = (name: string, worker: Worker) => running.set(name, { worker, done: worker.run().catch((error: unknown) => crash.reject(error)) });
  run('', main);
  run('verification', verification);
  run('campaigns', campaignCalls);
  const syncAgainAt = new Map<string, number>();
  const tryToServe = () => serveInstances().catch((error: unknown) => log.warn({ error: className(error) }, 'instances could not be read; they are looked at again'));
  const look = setInterval(() => void tryToServe(), instanceLookMs);
  await tryToServe();
  log.info({ taskQueue: config.taskQueue }, 'worker is ready');

  return {
    failed: crash.promise,
    async stop() {
      clearInterval(look);
      for (const { worker } of running.values()) if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all([...running.values()].map(({ done }) => done));
      await connection.close();
      verifier.close();
      await mailwizz.close();
      await database.close();
    },
  };

  async function serveInstances(): Promise<void> {
    for (const { instance_id: instanceId } of await listInstanceStates(db)) {
      await syncNow(instanceId);
      if (running.has(instanceId)) continue;
      const worker = await Worker.create({
        ...shared(),
        taskQueue: instanceQueue(config.taskQueue, instanceId),
        activities: injection,
        maxConcurrentActivityTaskExecutions: injectionsAtOnce,
      });
      run(instanceId, worker);
    }
  }

  /** Nothing is asked of an instance whose lists are known; of another one, now and then until they are. */
  async function syncNow(instanceId: string): Promise<void> {
    if (Date.now() < (syncAgainAt.get(instanceId) ?? 0)) return;
    syncAgainAt.set(instanceId, Date.now() + syncAgainMs);
    await activities.syncLists({ instanceId }).catch((error: unknown) => log.warn({ instanceId, error: className(error) }, 'lists could not be read'));
  }
}

/** Promise.withResolvers came with Node 22. */
function withReject(): { promise: Promise<never>; reject: (error: unknown) => void } {
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<never>((_, refuse) => {
    reject = refuse;
  });
  return { promise, reject };
}
