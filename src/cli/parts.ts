import { setTimeout as sleep } from 'node:timers/promises';
import { migrateDatabase } from '../../db/migrate';
import { hasAdminKey, insertKey } from '../../db/queries/api-keys';
import { createVault } from '../adapters/vault';
import { makeApiKey, parseApiKey } from '../api/keys';
import { startApi } from '../api/server';
import { type Config, ConfigError, loadConfig, loadSecretsKeys } from '../config';
import { className } from '../domain/errors';
import { createLog, type Log } from '../log';
import { openTemporal } from '../temporal';
import { type RunningWorker, startWorker } from '../worker';
import { withDatabase } from './database';
import { readSettings } from './settings';

/** Runs until SIGINT or SIGTERM; parts stop in reverse order. */
export async function runParts(parts: { api: boolean; worker: boolean }): Promise<number> {
  const config = loadConfig(readSettings());
  const vault = createVault(loadSecretsKeys(config));
  const log = createLog(config.logLevel);
  await migrateWhenThere(config.databaseUrl, log);
  const firstKey = parts.api ? await ensureOperatorKey(config) : undefined;
  const ending = new AbortController();
  const stopped = new Promise<number>((resolve) => ['SIGINT', 'SIGTERM'].forEach((signal) => process.once(signal, () => resolve(0))));
  void stopped.then(() => ending.abort());
  const api = parts.api ? await startApi({ config, vault, log }) : undefined;
  // Before the worker, which may have to wait: the first key is shown this once.
  if (api) console.log(greeting(api.url, config, firstKey));
  let worker: RunningWorker | undefined;
  try {
    if (parts.worker && (await isTemporalThere(config, log, ending.signal))) worker = await startWorker({ config, vault, log });
    return await (worker ? Promise.race([stopped, worker.failed]) : stopped);
  } finally {
    await worker?.stop();
    await api?.stop();
  }
}

const databaseTries = 30;
const temporalTries = 60;
const temporalAnswersMs = 4_000;
const tryAgainMs = 1_000;

/** A database that starts beside us, or recovers from a crash, is waited for: half a minute, then its error is ours. */
async function migrateWhenThere(url: string, log: Log): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await migrateDatabase(url);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (tries >= databaseTries || !/^(ECONNREFUSED|ECONNRESET|EAI_AGAIN|57P0[1-3])$/.test(code)) throw error;
      log.warn({ code, attempt: tries }, 'the database is not there yet');
      await sleep(tryAgainMs);
    }
  }
}

/** Temporal may start later than we do: it is waited for, five minutes at most. False when we are told to stop meanwhile. */
async function isTemporalThere(config: Config, log: Log, ending: AbortSignal): Promise<boolean> {
  const { client, close } = openTemporal(config);
  try {
    for (let tries = 1; !ending.aborted; tries += 1) {
      const there = await client.withDeadline(Date.now() + temporalAnswersMs, () => client.workflowService.getSystemInfo({})).then(
        () => true,
        (error: unknown) => {
          if (tries >= temporalTries) throw new Error(`Temporal does not answer at ${config.temporal.address} (TEMPORAL_ADDRESS).`);
          log.warn({ error: className(error), attempt: tries }, 'Temporal is not there yet');
          return false;
        },
      );
      if (there) return true;
      await sleep(tryAgainMs, undefined, { signal: ending }).catch(() => undefined);
    }
    return false;
  } finally {
    await close();
  }
}

/** ADMIN_API_KEY, or on the very first start a key made here and shown this once. */
async function ensureOperatorKey(config: Config): Promise<string | undefined> {
  return withDatabase(config.databaseUrl, async (db) => {
    if (config.adminApiKey !== undefined) {
      const parsed = parseApiKey(config.adminApiKey);
      if (!parsed) throw new ConfigError(['ADMIN_API_KEY does not have a right checksum: make one with `email-engine keys create`']);
      await insertKey(db, { ...parsed, name: 'ADMIN_API_KEY' });
      return undefined;
    }
    if (await hasAdminKey(db)) return undefined;
    const { text, parsed } = makeApiKey('adm');
    await insertKey(db, { ...parsed, name: 'first operator key' });
    return text;
  });
}

function greeting(url: string, config: Config, firstKey: string | undefined): string {
  const key = firstKey === undefined ? '  operator key   as made before; a new one: npx email-engine keys create' : `  operator key   ${firstKey}   (shown this once: keep it)`;
  return ['Email Engine', `  API            ${url}/api/v1`, `  docs           ${url}/docs`, ...(config.temporal.uiUrl === undefined ? [] : [`  Temporal UI    ${config.temporal.uiUrl}`]), key].join('\n');
}
