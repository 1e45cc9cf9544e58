import type { ParseArgsConfig } from 'node:util';
import { migrateDatabase } from '../../db/migrate';
import { openDatabase } from '../../db/client';
import { hasAdminKey, insertKey } from '../../db/queries/api-keys';
import { createVault } from '../adapters/vault';
import { startApi } from '../api/server';
import { makeApiKey, parseApiKey } from '../api/keys';
import { type Config, ConfigError, loadConfig, loadSecretsKeys } from '../config';
import { createLog, type Log } from '../log';
import { startWorker } from '../worker';
import { checkMailwizzCommand } from './check-mailwizz';
import { secretsCommand } from './secrets';

type Values = Map<string, string | boolean | (string | boolean)[] | undefined>;
export type Command = { summary: string; help: string; options: ParseArgsConfig; run: (values: Values, positionals: string[]) => Promise<number> };

const engine = (summary: string, parts: { api: boolean; worker: boolean }): Command => ({
  summary,
  help: `email-engine ${parts.api ? (parts.worker ? 'start' : 'api') : 'worker'}\n${summary}. Settings come from the environment (.env.example). SIGTERM ends it in order.`,
  options: {},
  run: () => runParts(parts),
});

export const commands: Record<string, Command> = {
  start: engine('API and worker in one process', { api: true, worker: true }),
  api: engine('the HTTP API', { api: true, worker: false }),
  worker: engine('the worker that carries batches', { api: false, worker: true }),
  migrate: {
    summary: 'bring the database to the newest schema',
    help: 'email-engine migrate\nBrings the database of DATABASE_URL to the newest schema. Safe to repeat and to run twice at once.',
    options: {},
    run: async () => {
      await migrateDatabase(loadConfig(process.env).databaseUrl);
      console.log('The database has the newest schema.');
      return 0;
    },
  },
  keys: {
    summary: 'make an operator key',
    help: 'email-engine keys create [--name NAME] [--json]\nMakes an operator key and prints it once. Keys of data sources: POST /api/v1/data-sources/{source_id}/keys.',
    options: { options: { name: { type: 'string', default: 'operator' }, json: { type: 'boolean', default: false } } },
    run: createOperatorKey,
  },
  secrets: secretsCommand,
  'check-mailwizz': checkMailwizzCommand,
};

async function createOperatorKey(values: Values, positionals: string[]): Promise<number> {
  if (positionals[0] !== 'create') {
    console.error('email-engine keys create [--name NAME] [--json]');
    return 2;
  }
  const database = openDatabase(loadConfig(process.env).databaseUrl, 1, () => undefined);
  try {
    const { text, parsed } = makeApiKey('adm');
    await insertKey(database.db, { ...parsed, name: String(values.get('name') ?? 'operator').slice(0, 255) });
    console.log(values.get('json') === true ? JSON.stringify({ key_id: parsed.keyId, key: text }) : text);
    return 0;
  } finally {
    await database.close();
  }
}

/** Runs until SIGINT or SIGTERM; parts stop in reverse order. */
async function runParts(parts: { api: boolean; worker: boolean }): Promise<number> {
  const config = loadConfig(process.env);
  const vault = createVault(loadSecretsKeys(config));
  const log = createLog(config.logLevel);
  await migrateWhenThere(config.databaseUrl, log);
  const firstKey = parts.api ? await ensureOperatorKey(config) : undefined;
  const stopped = new Promise<number>((resolve) => ['SIGINT', 'SIGTERM'].forEach((signal) => process.once(signal, () => resolve(0))));
  const api = parts.api ? await startApi({ config, vault, log }) : undefined;
  const worker = parts.worker ? await startWorker({ config, vault, log }) : undefined;
  if (api) console.log(greeting(api.url, config, firstKey));
  try {
    return await (worker ? Promise.race([stopped, worker.failed]) : stopped);
  } finally {
    await worker?.stop();
    await api?.stop();
  }
}

const databaseTries = 30;

/** A database that starts beside us, or recovers from a crash, is waited for: half a minute, then its error is ours. */
async function migrateWhenThere(url: string, log: Log): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await migrateDatabase(url);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (tries >= databaseTries || !/^(ECONNREFUSED|ECONNRESET|EAI_AGAIN|57P0[1-3])$/.test(code)) throw error;
      log.warn({ code, attempt: tries }, 'the database is not there yet');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

/** ADMIN_API_KEY, or on the very first start a key made here and shown this once. */
async function ensureOperatorKey(config: Config): Promise<string | undefined> {
  const database = openDatabase(config.databaseUrl, 1, () => undefined);
  try {
    if (config.adminApiKey !== undefined) {
      const parsed = parseApiKey(config.adminApiKey);
      if (!parsed) throw new ConfigError(['ADMIN_API_KEY does not have a right checksum: make one with `email-engine keys create`']);
      await insertKey(database.db, { ...parsed, name: 'ADMIN_API_KEY' });
      return undefined;
    }
    if (await hasAdminKey(database.db)) return undefined;
    const { text, parsed } = makeApiKey('adm');
    await insertKey(database.db, { ...parsed, name: 'first operator key' });
    return text;
  } finally {
    await database.close();
  }
}

function greeting(url: string, config: Config, firstKey: string | undefined): string {
  const key = firstKey === undefined ? '  operator key   as made before; a new one: npx email-engine keys create' : `  operator key   ${firstKey}   (shown this once: keep it)`;
  return ['Email Engine is ready.', `  API            ${url}/api/v1`, `  docs           ${url}/docs`, ...(config.temporal.uiUrl === undefined ? [] : [`  Temporal UI    ${config.temporal.uiUrl}`]), key].join('\n');
}
