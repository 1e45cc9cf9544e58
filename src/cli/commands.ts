import type { ParseArgsConfig } from 'node:util';
import { migrateDatabase } from '../../db/migrate';
import { checkMailwizzCommand } from './check-mailwizz';
import { pmtaCommand } from './pmta';
import { loadStoreConfig } from '../config';
import { keysCommand } from './keys';
import { secretsCommand } from './secrets';
import { readSettings } from './settings';

export type Values = Map<string, string | boolean | (string | boolean)[] | undefined>;
export type Command = { summary: string; help: string; options: ParseArgsConfig; run: (values: Values, positionals: string[]) => Promise<number> };

type Parts = { api: boolean; worker: boolean };
export type RunParts = (parts: Parts) => Promise<number>;

const engine = (summary: string, parts: Parts, runParts: RunParts): Command => ({
  summary,
  help: `email-engine ${parts.api ? (parts.worker ? 'start' : 'api') : 'worker'}\n${summary}. Settings come from the environment or .env (.env.example). SIGTERM ends it in order.`,
  options: {},
  run: () => runParts(parts),
});

export const createCommands = (runParts: RunParts): Record<string, Command> => ({
  start: engine('API and worker in one process', { api: true, worker: true }, runParts),
  api: engine('the HTTP API', { api: true, worker: false }, runParts),
  worker: engine('the worker that carries batches', { api: false, worker: true }, runParts),
  migrate: {
    summary: 'bring the database to the newest schema',
    help: 'email-engine migrate\nBrings the database of DATABASE_URL to the newest schema. Safe to repeat and to run twice at once.',
    options: {},
    run: async () => {
      await migrateDatabase(loadStoreConfig(readSettings()).databaseUrl);
      console.log('The database has the newest schema.');
      return 0;
    },
  },
  keys: keysCommand,
  secrets: secretsCommand,
  'check-mailwizz': checkMailwizzCommand,
  pmta: pmtaCommand,
});
