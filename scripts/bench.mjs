import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStack, freePort, startChild } from './lib/children.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureMariadb } from './lib/mariadb.mjs';
import { startServices } from './lib/services.mjs';
import { startSandbox } from './lib/sandbox.mjs';
import { takeAnyPorts } from './lib/temporal.mjs';
import { root, withoutEngineSettings } from './lib/settings.mjs';

const names = readdirSync(join(root, 'bench')).filter((file) => file.endsWith('.ts') && !file.startsWith('support')).map((file) => file.slice(0, -3));
const [name, ...args] = process.argv.slice(2);
const help = `npm run bench -- NAME [--quick]
Runs one benchmark on a Postgres, Temporal and sandbox of its own; prints a table with a ratio, and last a line "bench NAME: key=value …".
NAME is one of: ${names.join(', ')}. --quick is smaller and less exact.`;

if (!names.includes(name)) {
  console.log(help);
  process.exit(name === undefined || name === '--help' ? 0 : 2);
}
ensureDependencies();
ensureMariadb(process.env);
const dataDir = mkdtempSync(join(tmpdir(), 'email-engine-bench-'));
spawnSync('chmod', ['755', dataDir]);
mkdirSync(join(dataDir, 'logs'));
takeAnyPorts(dataDir);
const stack = createStack();
['SIGINT', 'SIGTERM'].forEach((signal) => process.on(signal, () => void stack.stop().finally(() => process.exit(1))));
let code = 1;
try {
  const env = withoutEngineSettings(process.env);
  const sandbox = ['pipeline', 'mailwizz', 'campaign'].includes(name) ? await startSandbox({ dataDir, port: 29_400, env }, stack) : undefined;
  const services = name === 'start' ? { env } : await startServices(env, dataDir, stack);
  const bench = stack.add(startChild(process.execPath, ['-r', 'tsx/cjs', `bench/${name}.ts`, ...args], { cwd: root, stdout: 'inherit', env: { ...services.env, BENCH_DIR: dataDir, BENCH_PORT: String(await freePort(28_080)), BENCH_ROOT_PID: String(process.pid), BENCH_SANDBOX: JSON.stringify(sandbox ?? {}) } }));
  code = await bench.exited;
} finally {
  await stack.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(code);
