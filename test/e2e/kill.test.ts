import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
const [first] = sandboxInfo().instances;
const mailwizz = controlOf(first!);

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  await seed(engine);
  await mailwizz.heal();
  await mailwizz.empty();
});
beforeEach(() => mailwizz.heal());
afterAll(async () => {
  await engine.stop();
  await mailwizz.heal();
  await database.drop();
});

const post = async (contacts: object[]) => {
  const answer = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts }, { prefer: 'respond-async' });
  expect(answer.status).toBe(202);
  return answer.body.batch_id as string;
};

async function expectOnceEach(contacts: { email: string }[]): Promise<void> {
  const emails = contacts.map((contact) => contact.email);
  const stored = (await mailwizz.subscribers(12)).map((subscriber) => subscriber.email).filter((email) => emails.includes(email));
  expect(stored.toSorted()).toEqual(emails.toSorted());
}

test('a worker killed again and again loses nothing and injects nothing twice', async () => {
  const contacts = makeContacts(3000, 'killed-worker-');
  const batchId = await post(contacts);
  for (let kills = 0; kills < 3; kills += 1) {
    const before = (await mailwizz.truth())[0]!.subscribers;
    const over = async () => (await engine.call('GET', `/api/v1/batches/${batchId}`)).body.state === 'completed';
    await until(async () => (await mailwizz.truth())[0]!.subscribers > before + 100 || (await over()), 'some progress', 200_000);
    await engine.kill('worker');
    await engine.start('worker');
  }
  expect(await settled(engine, batchId, 400_000)).toMatchObject({ received: 3000, accepted: 3000, injected: 3000 });
  await expectOnceEach(contacts);
}, 900_000);

test('an api killed after its answer has lost nothing: the outbox starts the batch', async () => {
  const contacts = makeContacts(50, 'killed-api-');
  await engine.kill('worker');
  const batchId = await post(contacts);
  await engine.kill('api');
  await engine.start('api');
  await engine.start('worker');
  expect(await settled(engine, batchId)).toMatchObject({ accepted: 50, injected: 50 });
  await expectOnceEach(contacts);
}, 150_000);

test('replies cut after the commit are looked up: every address once', async () => {
  await mailwizz.fault({ route: 'bulk', fault: 'cut_after_commit', count: 5 });
  const contacts = makeContacts(300, 'cut-');
  expect(await settled(engine, await post(contacts))).toMatchObject({ accepted: 300, injected: 300 });
  await expectOnceEach(contacts);
}, 150_000);

test('an instance that refuses our key is parked, its contacts wait, and a new key takes them on', async () => {
  await mailwizz.fault({ fault: 'unauthorized' });
  const contacts = makeContacts(40, 'parked-');
  const batchId = await post(contacts);
  await until(async () => (await engine.call('GET', '/api/v1/mailwizz-instances/client-1')).body.parked_at !== null, 'the instance parked', 20_000);
  expect((await engine.call('GET', `/api/v1/batches/${batchId}`)).body).toMatchObject({ injected: 0, failed: 0, waiting: 40 });
  await mailwizz.heal();
  await engine.call('PATCH', '/api/v1/mailwizz-instances/client-1', { api_key: first!.api_key });
  expect(await settled(engine, batchId)).toMatchObject({ injected: 40 });
}, 150_000);

test('an API that goes down midway leaves the rest to MySQL: every address once', async () => {
  await mailwizz.fault({ fault: 'down', after: 100 });
  const contacts = makeContacts(600, 'fallback-');
  const batch = await settled(engine, await post(contacts));
  await mailwizz.heal();
  expect(batch).toMatchObject({ accepted: 600, injected: 600 });
  await expectOnceEach(contacts);
  const rows = await engine.call('GET', `/api/v1/batches/${batch.batch_id}/rows?limit=1000`);
  expect([...new Set(rows.body.items.map((row: any) => row.fate_reason))].toSorted()).toEqual(['api', 'mysql']);
}, 150_000);
