import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStack } from './lib/children.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureMariadb } from './lib/mariadb.mjs';
import { startServices, stopOnSignal } from './lib/services.mjs';
import { startSandbox } from './lib/sandbox.mjs';
import { takeAnyPorts } from './lib/temporal.mjs';
import { root, say, withoutEngineSettings } from './lib/settings.mjs';

const help = `npm test [-- JEST ARGUMENTS]
Types, lint, then every test against a Postgres, Temporal, MariaDB and sandbox of its own, which it starts and removes. Ends with "N passed, N failed".`;

if (process.argv.includes('--help')) {
  console.log(help);
  process.exit(0);
}
ensureDependencies();
ensureMariadb(process.env);
const totals = { passed: 0, failed: 0, skipped: 0 };
const bin = (name) => join(root, 'node_modules', '.bin', name);
const some = process.argv.slice(2);
if (some.length === 0) {
  check('types', bin('tsc'), ['--noEmit']);
  check('lint', bin('eslint'), ['.', '--max-warnings', '0']);
}

/** Most tests wait for servers: two lanes side by side, each with servers of its own. */
const lanes = some.length > 0 ? [[]] : [['test/unit', 'test/integration', 'test/replay'], ['test/e2e']];
const stack = createStack();
const dataDirs = [];
const jests = [];
// What a test has started is in the process group of its jest.
stopOnSignal(stack, { first: () => jests.forEach((jest) => endGroup(jest.pid)), last: removeDataDirs, code: 1 });
try {
  say('Starting Postgres, Temporal and the sandbox for the tests …');
  const running = [];
  // One after the other: both would find the same ports free.
  for (const [index, patterns] of lanes.entries()) running.push(runJest(await openLane(index), patterns));
  await Promise.all(running);
} catch (error) {
  if (stack.isStopping()) await new Promise(() => undefined); // Ctrl-C: what fails now fails for that
  console.error(error.message);
  totals.failed += 1;
} finally {
  await stack.stop();
  removeDataDirs();
}
console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);

function removeDataDirs() {
  for (const dataDir of dataDirs) rmSync(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

function check(name, command, args) {
  say(`Checking ${name} …`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  totals[status === 0 ? 'passed' : 'failed'] += 1;
}

async function openLane(index) {
  const dataDir = mkdtempSync(join(tmpdir(), 'email-engine-test-'));
  dataDirs.push(dataDir);
  // Postgres runs as another user there.
  spawnSync('chmod', ['755', dataDir]);
  mkdirSync(join(dataDir, 'logs'));
  takeAnyPorts(dataDir);
  const env = withoutEngineSettings(process.env);
  const port = 19_400 + index * 10_000 + Math.floor(Math.random() * 300) * 10;
  const [services, sandbox] = await Promise.all([startServices(env, dataDir, stack), startSandbox({ dataDir, port, args: ['--greylist-ms', '500'], env }, stack)]);
  return { dataDir, env: { ...env, TEST_DATABASE_URL: services.database.adminUrl, TEST_TEMPORAL_ADDRESS: services.server.address, TEST_DIR: dataDir, TEST_SANDBOX: JSON.stringify(sandbox), NODE_OPTIONS: '--no-warnings' } };
}

async function runJest({ dataDir, env }, patterns) {
  const output = join(dataDir, 'jest.json');
  const args = ['--runInBand', '--json', `--outputFile=${output}`, ...patterns, ...some];
  const jest = spawn(process.execPath, [join(root, 'node_modules', 'jest', 'bin', 'jest.js'), ...args], { cwd: root, env, detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
  jests.push(jest);
  await untilEnded(jest, output);
  const result = JSON.parse(readFileSync(output, 'utf8'));
  totals.passed += result.numPassedTests;
  totals.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  totals.skipped += result.numPendingTests + result.numTodoTests;
}

/** Jest that has told its result and does not end: a test left something running, which is a failure and nothing to wait for. */
async function untilEnded(jest, output) {
  let toldAt = Infinity;
  while (jest.exitCode === null && jest.signalCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (toldAt === Infinity && existsSync(output)) toldAt = Date.now();
    if (Date.now() < toldAt + 20_000) continue;
    console.error('Jest did not end within 20 s of its last test: a test left something running.');
    totals.failed += 1;
    endGroup(jest.pid);
    return;
  }
}
