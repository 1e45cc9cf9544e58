import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readSettings } from '../../src/cli/settings';
import { until } from '../support/engine';

/** The scripts are modules of plain Node, which run before anything is installed: so they run here, each answer as JSON on one line. */
async function inNode(code: string, env: Record<string, string | undefined> = process.env): Promise<any> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { env, cwd: process.cwd() });
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

const commandOf = (pid: string) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended
  }
};

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(process.env['TEST_DIR'] ?? tmpdir(), 'email-engine-scripts-'));
  chmodSync(dir, 0o755); // Postgres runs as another user there
  mkdirSync(join(dir, 'logs'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('of all settings there are, a demo takes over its port, its log level and the place of its data', async () => {
  const names = [...readFileSync('.env.example', 'utf8').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(30);
  const kept = await inNode(`import { withoutEngineSettings } from './scripts/lib/settings.mjs';
    console.log(JSON.stringify(withoutEngineSettings(Object.fromEntries(${JSON.stringify(names)}.map((name) => [name, 'real'])))));`);
  const notOfTheEngine = ['POSTGRES_PASSWORD', 'SANDBOX_MYSQL_URL'];
  expect(Object.keys(kept).filter((name) => !notOfTheEngine.includes(name)).toSorted()).toEqual(['DATA_DIR', 'ENV_FILE', 'LOG_LEVEL', 'PORT']);
  expect(kept.ENV_FILE).toBe('/dev/null');
});

test('.env is read alike by the scripts and by the command', async () => {
  const file = join(dir, 'env');
  writeFileSync(file, ['# A=1', 'B=plain', 'export C="with spaces # and a mark" # comment', "D='single'", 'E=', 'F=postgres://u:p#w@h/db', ' G = around # comment', 'not a setting', 'PORT=1'].join('\r\n'));
  const env = { PATH: process.env['PATH'], ENV_FILE: file, PORT: '2' };
  const expected = { B: 'plain', C: 'with spaces # and a mark', D: 'single', E: '', F: 'postgres://u:p#w@h/db', G: 'around', PORT: '2' };
  expect(await inNode(`import { loadEnvironment } from './scripts/lib/settings.mjs'; console.log(JSON.stringify(loadEnvironment()));`, env)).toMatchObject(expected);
  expect(readSettings(env)).toMatchObject(expected);
});

test('the address of an embedded Postgres is left for its owner only, while it is there; a process that has its number by chance is left alone', async () => {
  const first = await inNode(`
    import { startServices } from './scripts/lib/services.mjs';
    import { createStack } from './scripts/lib/children.mjs';
    import { readFileSync, statSync } from 'node:fs';
    const stack = createStack();
    await startServices({ TEMPORAL_ADDRESS: 'elsewhere:7233' }, ${JSON.stringify(dir)}, stack);
    const file = ${JSON.stringify(join(dir, 'services.json'))};
    console.log(JSON.stringify({ served: Object.keys(JSON.parse(readFileSync(file, 'utf8'))), mode: statSync(file).mode & 0o777 }));
    await stack.stop();`);
  expect(first).toEqual({ served: ['DATABASE_URL'], mode: 0o600 });
  expect(existsSync(join(dir, 'services.json'))).toBe(false);

  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', 'postgres'], { stdio: 'ignore' });
  const moved = join(dir, 'postgres', 'moved-to');
  const data = join(existsSync(moved) ? readFileSync(moved, 'utf8').trim() : join(dir, 'postgres'), 'data');
  expect(statSync(join(data, 'PG_VERSION')).isFile()).toBe(true);
  writeFileSync(join(data, 'postmaster.pid'), `${bystander.pid}\n`, { mode: 0o644 });
  // What Postgres itself does about the file is its own affair: that the bystander lives is ours.
  await inNode(`
    import { startPostgres } from './scripts/lib/postgres.mjs';
    const server = await Promise.race([startPostgres(${JSON.stringify(dir)}).catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 8000))]);
    await server?.stop();
    console.log('{}');
    process.exit();`);
  expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  bystander.kill('SIGKILL');
  await once(bystander, 'exit');
}, 90_000);

test('npm test that is interrupted leaves no folder and no process behind, and says that it stops and when it has', async () => {
  const child = spawn(process.execPath, ['scripts/test.mjs', 'test/unit/http'], { env: { ...process.env, TMPDIR: dir }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (part: Buffer) => (said += part.toString()));
  const left = () => readdirSync(dir).filter((name) => name.startsWith('email-engine-test-'));
  const processes = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(join(dir, 'email-engine-test-')));
  await until(async () => left().length > 0 && processes().length > 0, 'a folder and its servers');
  child.kill('SIGINT');
  await once(child, 'exit');
  await until(async () => processes().length === 0, 'the end of its servers');
  expect([left(), said.trim().split('\n').slice(-2)]).toEqual([[], ['Stopping …', 'Stopped.']]);
}, 120_000);
