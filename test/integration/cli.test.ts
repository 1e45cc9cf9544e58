import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { until } from '../support/engine';

let database: FreshDatabase;
let dataDir: string;
beforeAll(async () => {
  database = await freshDatabase();
  dataDir = mkdtempSync(join(process.env['TEST_DIR'] ?? tmpdir(), 'email-engine-cli-'));
});
afterAll(async () => {
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

/** Nothing of the machine's own settings: what a command needs is named by the test. */
const bare = () => ({ PATH: process.env['PATH'], HOME: process.env['HOME'], ENV_FILE: '/dev/null', DATA_DIR: dataDir });
const run = (args: string[], env: Record<string, string | undefined>) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, ['bin/email-engine.cjs', ...args], { env: { ...bare(), ...env } }, (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out: out.trim(), err: err.trim() }));
  });

test('operator keys are made, listed and revoked with nothing but a database, and the last live one stays', async () => {
  const env = { DATABASE_URL: database.url };
  const first = JSON.parse((await run(['keys', 'create', '--name', 'first', '--json'], env)).out) as { key_id: string };
  expect((await run(['keys', 'revoke', first.key_id], env)).err).toContain('last live operator key');
  const second = JSON.parse((await run(['keys', 'create', '--json'], env)).out) as { key_id: string };
  expect((await run(['keys', 'revoke', first.key_id], env)).code).toBe(0);
  expect((await run(['keys', 'revoke', first.key_id], env)).code).toBe(1);
  const listed = await run(['keys', 'list', '--json'], env);
  expect(JSON.parse(listed.out)).toMatchObject([{ key_id: first.key_id, name: 'first', state: 'revoked' }, { key_id: second.key_id, state: 'live' }]);
  expect(listed.out).not.toMatch(/secret|hash/);
  expect((await run(['keys', 'list'], env)).out).toContain(`${second.key_id}  live`);
  expect((await run(['keys', 'revoke', second.key_id, '--json'], env)).out).toBe(JSON.stringify({ key_id: second.key_id, outcome: 'last' }));
}, 120_000);

test('two operators who revoke each other at once leave one key', async () => {
  const { rows } = await database.pool.query<{ key_id: string }>(`
    with gone as (update api_keys set revoked_at = now()) insert into api_keys (key_id, kind, secret_hash, name) values ('a', 'adm', repeat('0', 64), 'a'), ('b', 'adm', repeat('0', 64), 'b') returning key_id`);
  expect(rows).toHaveLength(2);
  const codes = await Promise.all(['a', 'b'].map((id) => run(['keys', 'revoke', id], { DATABASE_URL: database.url })));
  expect(codes.map(({ code }) => code).toSorted()).toEqual([0, 1]);
}, 120_000);

test('what npm start serves is found by itself; .env and the environment win over it', async () => {
  const served = (url: string) => writeFileSync(join(dataDir, 'services.json'), JSON.stringify({ DATABASE_URL: url, TEMPORAL_ADDRESS: '127.0.0.1:1' }));
  const envFile = join(dataDir, 'env');
  served(database.url);
  expect((await run(['migrate'], {})).out).toContain('newest schema');
  served('postgres://nobody@127.0.0.1:1/nothing');
  expect((await run(['migrate'], {})).err).toContain('ECONNREFUSED');
  writeFileSync(envFile, `# a comment\nexport DATABASE_URL="${database.url}" # another\n`);
  expect((await run(['migrate'], { ENV_FILE: envFile })).code).toBe(0);
  writeFileSync(envFile, 'DATABASE_URL=postgres://nobody@127.0.0.1:1/nothing\n');
  expect((await run(['migrate'], { ENV_FILE: envFile, DATABASE_URL: database.url })).code).toBe(0);
  rmSync(join(dataDir, 'services.json'));
}, 120_000);

test('a failed command says what happened, without the values of its query', async () => {
  const { err, code } = await run(['keys', 'create'], { DATABASE_URL: database.url.replace(/[^/]*$/, 'no_such_database') });
  expect([code, err]).toEqual([1, 'database "no_such_database" does not exist']);
  expect((await run(['keys', 'list'], {})).err).toContain('DATABASE_URL is missing');
}, 60_000);

describe('a worker whose Temporal is not there yet', () => {
  let child: ChildProcess | undefined;
  let door: Server | undefined;
  afterEach(() => {
    child?.kill('SIGKILL');
    door?.close();
  });

  const freePort = () => new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

  async function startWorker(port: number) {
    const worker = spawn(process.execPath, ['bin/email-engine.cjs', 'worker'], { env: { ...bare(), DATABASE_URL: database.url, TEMPORAL_ADDRESS: `127.0.0.1:${port}`, TASK_QUEUE: 'cli-test' }, stdio: ['ignore', 'ignore', 'pipe'] });
    child = worker;
    let log = '';
    worker.stderr.on('data', (text: Buffer) => (log += text.toString()));
    await until(async () => log.includes('Temporal is not there yet'), 'the worker waiting');
    return { exited: new Promise<number | null>((resolve) => worker.once('exit', resolve)), says: (text: string) => until(async () => log.includes(text), text) };
  }

  test('waits, and works when it has come', async () => {
    const port = await freePort();
    const { says } = await startWorker(port);
    const [host = '', real = ''] = (process.env['TEST_TEMPORAL_ADDRESS'] ?? '').split(':');
    door = createServer((socket) => {
      const onward = connect(Number(real), host);
      socket.on('error', () => onward.destroy()).pipe(onward).on('error', () => socket.destroy()).pipe(socket);
    }).listen(port, '127.0.0.1');
    await says('worker is ready');
  }, 120_000);

  test('ends in order when it is told to stop meanwhile', async () => {
    const { exited } = await startWorker(await freePort());
    child?.kill('SIGTERM');
    expect(await exited).toBe(0);
  }, 120_000);
});
