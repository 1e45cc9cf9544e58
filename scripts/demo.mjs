import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStack, freePort, isListening, startChild, waitFor } from './lib/children.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureMariadb } from './lib/mariadb.mjs';
import { runUntilEnded, startServices, stopOnSignal } from './lib/services.mjs';
import { startSandbox } from './lib/sandbox.mjs';
import { dataDirOf, loadEnvironment, root, withoutEngineSettings } from './lib/settings.mjs';

const help = `npm run demo [-- --exit]
A working hub with stand-ins for MailWizz, DNS and mail servers, nine sources, 2,000 contacts going through and a campaign to some of them. Needs nothing prepared;
data lives in DATA_DIR/demo (default .data/demo), apart from all other, and no other setting but PORT and LOG_LEVEL is looked at. Stays up until Ctrl-C; --exit ends when everything has settled, with 0 only if all sums add up.`;

if (process.argv.includes('--help')) {
  console.log(help);
  process.exit(0);
}
const say = (text) => console.log(text);
const started = Date.now();
ensureDependencies();
// Addresses, keys and mail servers in the settings are somebody's real ones: the demo keeps to its own.
const env = withoutEngineSettings(loadEnvironment());
ensureMariadb(env);
const dataDir = dataDirOf({ DATA_DIR: join(env.DATA_DIR || '.data', 'demo') });
const stack = createStack();
stopOnSignal(stack);
try {
  await run();
} catch (error) {
  if (stack.isStopping()) await new Promise(() => undefined); // Ctrl-C: what fails now fails for that
  console.error(`The demo stopped: ${error.message}\nLogs are in ${join(dataDir, 'logs')}.`);
  await stack.stop();
  process.exit(1);
}

async function run() {
  say('Starting Postgres, Temporal and the sandbox …');
  const [{ env: settings }, sandbox] = await Promise.all([startServices(env, dataDir, stack), startSandbox({ dataDir, port: 9400, env }, stack)]);
  const port = await freePort(Number(env.PORT) || 8080);
  const engineEnv = {
    ...settings,
    PORT: String(port),
    LOG_LEVEL: env.LOG_LEVEL ?? 'warn',
    ADMIN_API_KEY: adminKey(),
    DNS_SERVERS: sandbox.dns,
    VERIFICATION_DEPTH: 'smtp',
    SMTP_PORT: String(sandbox.smtp_port),
    SMTP_HELO_NAME: 'demo.engine.test',
    SMTP_MAIL_FROM: 'verify@engine.test',
    SMTP_ALLOW_PRIVATE: 'true',
    // Real waits are minutes; the code is the same.
    SMTP_CONNECTIONS_PER_POOL: '8',
    SMTP_GREYLIST_WAITS: '2s,3s,5s',
    SMTP_BUSY_WAITS: '1s,2s',
    SMTP_PROVIDER_WAITS: '1s',
    SMTP_POOL_WAITS: '1s,2s,3s',
    SMTP_DNS_WAITS: '1s,2s',
    MAILWIZZ_PROBE_EVERY: '1s',
    DUE_BUCKET: '1s',
    CAMPAIGN_LOOK: '500ms',
  };
  const apiUrl = `http://127.0.0.1:${port}`;
  const engine = stack.add(startChild(process.execPath, ['bin/email-engine.cjs', 'start'], { cwd: root, env: engineEnv, logFile: join(dataDir, 'logs', 'engine.log'), killAfterS: 40 }));
  await waitFor(async () => (await isListening(port)) && (await fetch(`${apiUrl}/readyz`).then((answer) => answer.ok, () => false)), { what: 'The engine', child: engine, everyMs: 100 });
  say(`Ready after ${((Date.now() - started) / 1000).toFixed(1)} s: API ${apiUrl}/api/v1, docs ${apiUrl}/docs, Temporal ${settings.TEMPORAL_UI_URL}`);
  const { runDemo } = await import('./demo/run.mjs');
  const { ok } = await runDemo({ apiUrl, adminKey: engineEnv.ADMIN_API_KEY, sandbox, uiUrl: settings.TEMPORAL_UI_URL, keysFile: join(dataDir, 'source-keys.json'), say });
  if (process.argv.includes('--exit')) {
    await stack.stop();
    process.exit(ok ? 0 : 1);
  }
  console.error(`\nEverything stays up; Ctrl-C ends it. Operator key: ${engineEnv.ADMIN_API_KEY}`);
  await runUntilEnded(stack, engine.exited);
}

/** One operator key for all runs of this demo's data. */
function adminKey() {
  const file = join(dataDir, 'demo-admin-key');
  if (!existsSync(file)) {
    const made = spawnSync(process.execPath, ['-r', 'tsx/cjs', '-e', "console.log(require('./src/api/keys.ts').makeApiKey('adm').text)"], { cwd: root, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`no operator key could be made: ${made.stderr}`);
    writeFileSync(`${file}.new`, made.stdout.trim(), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return readFileSync(file, 'utf8');
}
