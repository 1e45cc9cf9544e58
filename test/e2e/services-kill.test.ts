import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chmodSync } from 'node:fs';
import { migrateDatabase } from '../../db/migrate';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

const dataDir = mkdtempSync(join(tmpdir(), 'email-engine-kill-'));
chmodSync(dataDir, 0o755);
const mailwizz = controlOf(sandboxInfo().instances[0]!);
let services: Services;
let engine: Engine;

type Services = { child: ChildProcess; settings: Record<string, string>; end: (signal: NodeJS.Signals) => Promise<void> };

/** `npm run services` on a folder of its own; its ports are remembered there. */
async function startServices(): Promise<Services> {
  const { DATABASE_URL: _, TEMPORAL_ADDRESS: __, ...env } = process.env;
  const child = spawn(process.execPath, ['scripts/services.mjs', '--json'], { env: { ...env, DATA_DIR: dataDir }, stdio: ['ignore', 'pipe', 'inherit'] });
  const settings = await new Promise<Record<string, string>>((resolve) => child.stdout.once('data', (line: Buffer) => resolve(JSON.parse(line.toString()) as Record<string, string>)));
  return {
    child,
    settings,
    end: (signal) =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill(signal);
      }),
  };
}

beforeAll(async () => {
  await mailwizz.heal();
  await mailwizz.empty();
  services = await startServices();
  await migrateDatabase(services.settings['DATABASE_URL']!);
  engine = await startEngine(services.settings['DATABASE_URL']!, { temporal: services.settings['TEMPORAL_ADDRESS']! });
  await seed(engine);
});
afterAll(async () => {
  await engine.stop();
  await services.end('SIGTERM');
  rmSync(dataDir, { recursive: true, force: true });
});

const post = async (prefix: string) => {
  const contacts = makeContacts(8000, prefix);
  const answer = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts }, { prefer: 'respond-async' });
  expect(answer.status).toBe(202);
  const batchId = answer.body.batch_id as string;
  await until(async () => (await engine.call('GET', `/api/v1/batches/${batchId}`)).body.injected > 0, 'the batch under way');
  expect((await engine.call('GET', `/api/v1/batches/${batchId}`)).body.state).toBe('running');
  return { batchId, emails: contacts.map((contact) => contact.email) };
};
/** A server of ours by its command line, which names our folder. */
function pidOf(word: string): number {
  const line = execFileSync('pgrep', ['-fa', word], { encoding: 'utf8' }).split('\n').find((entry) => entry.includes(dataDir) && !entry.includes('sh -c'));
  return Number(line?.split(' ')[0]);
}

const expectOnceEach = async (emails: string[]) => {
  const known = new Set(emails);
  const stored = (await mailwizz.subscribers(12)).map((subscriber) => subscriber.email).filter((email) => known.has(email));
  expect(stored.toSorted()).toEqual(emails.toSorted());
};

test('Postgres killed in the middle of a batch loses nothing that was accepted', async () => {
  const { batchId, emails } = await post('postgres-');
  const folder = existsSync(join(dataDir, 'postgres', 'moved-to')) ? readFileSync(join(dataDir, 'postgres', 'moved-to'), 'utf8').trim() : join(dataDir, 'postgres');
  process.kill(Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
  await services.end('SIGTERM');
  services = await startServices();
  expect(await settled(engine, batchId, 200_000)).toMatchObject({ accepted: 8000, injected: 8000 });
  await expectOnceEach(emails);
}, 300_000);

test('Temporal killed in the middle of a batch goes on where it was', async () => {
  const { batchId, emails } = await post('temporal-');
  process.kill(pidOf('start-dev'), 'SIGKILL');
  await services.end('SIGTERM');
  services = await startServices();
  expect(await settled(engine, batchId, 200_000)).toMatchObject({ accepted: 8000, injected: 8000 });
  await expectOnceEach(emails);
}, 300_000);

test('everything killed at once, and the store of Temporal deleted: the batch is carried to its end', async () => {
  const { batchId, emails } = await post('store-');
  await services.end('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (const file of ['temporal.db', 'temporal.db-wal', 'temporal.db-shm']) rmSync(join(dataDir, file), { force: true });
  services = await startServices();
  expect(await settled(engine, batchId, 200_000)).toMatchObject({ accepted: 8000, injected: 8000 });
  await expectOnceEach(emails);
}, 300_000);
