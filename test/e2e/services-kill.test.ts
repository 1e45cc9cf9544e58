import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { migrateDatabase } from '../../db/migrate';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';
import { deleteTemporalStore, makeDataDir, type Services, startServices, temporalPid } from '../support/services';

const dataDir = makeDataDir();
const mailwizz = controlOf(sandboxInfo().instances[0]!);
let services: Services;
let engine: Engine;

beforeAll(async () => {
  await mailwizz.heal();
  await mailwizz.empty();
  services = await startServices(dataDir);
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
  services = await startServices(dataDir);
  expect(await settled(engine, batchId, 200_000)).toMatchObject({ accepted: 8000, injected: 8000 });
  await expectOnceEach(emails);
}, 300_000);

test('Temporal killed in the middle of a batch goes on where it was', async () => {
  const { batchId, emails } = await post('temporal-');
  process.kill(temporalPid(dataDir)!, 'SIGKILL');
  await services.end('SIGTERM');
  services = await startServices(dataDir);
  expect(await settled(engine, batchId, 200_000)).toMatchObject({ accepted: 8000, injected: 8000 });
  await expectOnceEach(emails);
}, 300_000);

test('everything killed at once, and the store of Temporal deleted: the batch is carried to its end', async () => {
  const { batchId, emails } = await post('store-');
  await services.end('SIGKILL');
  await deleteTemporalStore(dataDir);
  services = await startServices(dataDir);
  expect(await settled(engine, batchId, 200_000)).toMatchObject({ accepted: 8000, injected: 8000 });
  await expectOnceEach(emails);
}, 300_000);
