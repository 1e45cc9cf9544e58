import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
const mailwizz = sandboxInfo().instances.map(controlOf);
const lawyers = 'scraper-google-001';
const videos = 'scraper-youtube-001';

beforeAll(async () => {
  database = await freshDatabase();
  for (const control of mailwizz) {
    await control.heal();
    await control.empty();
  }
  engine = await startEngine(database.url);
  await seed(engine, [lawyers]);
  await engine.call('POST', '/api/v1/data-sources', { source_id: videos, source_type: 'scraping', name: videos, default_mailwizz_instance: 'client-2' });
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

async function deliver(source: string, contacts: object[]) {
  const { body } = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: source, contacts });
  return settled(engine, body.batch_id);
}
async function find(q: string) {
  const { items } = (await engine.call('GET', `/api/v1/contacts?q=${q}`)).body;
  return (await engine.call('GET', `/api/v1/contacts/${items[0].id}`)).body;
}
const emailsIn = async (instance: number, list: number) => (await mailwizz[instance]!.subscribers(list)).map((subscriber) => subscriber.email);

test('a contact that a second source sends to another client is placed there too, and keeps its first place', async () => {
  await deliver(lawyers, makeContacts(2, 'both-'));
  const second = await deliver(videos, makeContacts(2, 'BOTH-', 'influenceur'));
  expect(second).toMatchObject({ accepted: 0, duplicates: 2 });
  expect((await emailsIn(0, 12)).toSorted()).toEqual(['both-0@site-0.example', 'both-1@site-1.example']);
  expect((await emailsIn(1, 46)).toSorted()).toEqual(['both-0@site-0.example', 'both-1@site-1.example']);
  const contact = await find('both-0');
  expect(contact).toMatchObject({ mailwizz_instance: 'client-1', mailwizz_list_id: 12, source_id: lawyers });
  expect(contact.injections).toMatchObject([
    { instance_id: 'client-1', list_id: 12, state: 'injected', batch_id: null },
    { instance_id: 'client-2', list_id: 46, state: 'injected', rule: 'instance_mapping', batch_id: second.batch_id },
  ]);
  // Delivered once more, nothing is placed again.
  await deliver(videos, makeContacts(2, 'both-', 'influenceur'));
  expect(await emailsIn(1, 46)).toHaveLength(2);
});

test('a suppressed contact is placed nowhere else', async () => {
  await deliver(lawyers, makeContacts(1, 'stopped-'));
  const contact = await find('stopped-0');
  await database.pool.query("insert into suppressions (email_hash, reason, origin) select email_hash, 'unsubscribed', 'test' from contacts where id = $1", [contact.id]);
  await deliver(videos, makeContacts(1, 'stopped-', 'influenceur'));
  expect((await find('stopped-0')).injections.at(-1)).toMatchObject({ instance_id: 'client-2', state: 'rejected', reason: 'unsubscribed' });
  expect(await emailsIn(1, 46)).not.toContain('stopped-0@site-0.example');
});

test('a contact that could not be routed is placed once an operator gives it a category, and the sums follow', async () => {
  const batch = await deliver(lawyers, [{ email: 'lost@site-1.example', category: 'plombier' }]);
  expect(batch).toMatchObject({ unroutable: 1, injected: 0 });
  const { id } = await find('lost@site');
  expect((await engine.call('PATCH', `/api/v1/contacts/${id}`, { category: 'notaire' })).status).toBe(200);
  expect((await engine.call('POST', `/api/v1/contacts/${id}/inject`)).status).toBe(202);
  await until(async () => (await find('lost@site')).status === 'injected', 'the injection');
  expect(await settled(engine, batch.batch_id)).toMatchObject({ accepted: 1, injected: 1, unroutable: 0 });
});

test('an address judged invalid is judged again on order, and goes its way when it has become good', async () => {
  const batch = await deliver(lawyers, makeContacts(1, 'again-').map((contact) => ({ ...contact, email: 'again@nxdomain-1.test' })));
  expect(batch).toMatchObject({ invalid: 1 });
  const { id } = await find('again@');
  await database.pool.query("update contacts set email = 'again@site-1.example' where id = $1", [id]); // the domain comes to life
  expect((await engine.call('POST', `/api/v1/contacts/${id}/inject`)).status).toBe(409);
  expect((await engine.call('POST', `/api/v1/contacts/${id}/validate`)).status).toBe(202);
  await until(async () => (await find('again@')).status === 'injected', 'the injection');
  expect(await settled(engine, batch.batch_id)).toMatchObject({ accepted: 1, injected: 1, invalid: 0 });
});
