import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(import.meta.url), '../../..');

const line = /^\s*(?:export\s+)?([A-Z_][A-Z0-9_]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|(.*?))(?:\s+#.*)?\s*$/;

/** The environment wins over `.env`, or over the file that ENV_FILE names. */
export function loadEnvironment() {
  const file = process.env.ENV_FILE || join(root, '.env');
  if (!existsSync(file)) return { ...process.env };
  const pairs = readFileSync(file, 'utf8').split(/\r?\n/).flatMap((text) => {
    const [, name, double, single, plain] = line.exec(text) ?? [];
    return name ? [[name, double ?? single ?? plain ?? '']] : [];
  });
  return { ...Object.fromEntries(pairs), ...process.env };
}

/** Settings that name somebody's real data, keys, mail servers or chats, or how the engine behaves towards them. */
const ofTheEngine = /^(DATABASE_URL|HOST|TASK_QUEUE|ADMIN_API_KEY|SECRETS_\w+|TEMPORAL_\w+|VERIFICATION_\w+|DNS_\w+|SMTP_\w+|TELEGRAM_\w+|MAILWIZZ_\w+|CAMPAIGN_\w+|INJECTION_WAITS|INGEST_WAIT|DUE_BUCKET)$/;

/** What a world of its own (the demo, the tests, a benchmark) takes over: nothing that reaches the real one, and no `.env` read later. */
export function withoutEngineSettings(env) {
  return { ...Object.fromEntries(Object.entries(env).filter(([name]) => !ofTheEngine.test(name))), ENV_FILE: '/dev/null' };
}

export function dataDirOf(env) {
  const dir = resolve(root, env.DATA_DIR || '.data');
  mkdirSync(join(dir, 'logs'), { recursive: true });
  claim(dir);
  return dir;
}

/** One owner a folder: a second one would end the servers of the first, as left over. */
function claim(dir) {
  const file = join(dir, 'owner');
  const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (owner !== process.pid && isOneOfUs(owner)) fail(`${dir} is in use by process ${owner}: stop it first, or set another DATA_DIR.`);
  writeFileSync(file, String(process.pid));
}

/** A number that another program has by now says nothing. */
function isOneOfUs(pid) {
  try {
    return /scripts\/\w+\.mjs/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}

export const say = (text) => console.error(text);

export function fail(message) {
  console.error(message);
  process.exit(1);
}
