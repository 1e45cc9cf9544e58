import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
const [first] = sandboxInfo().instances;
const control = controlOf(first!);
const path = '/api/v1/mailwizz-instances/client-1';
const asMailwizz = (method: string, route: string, form?: Record<string, string>) =>
  fetch(`${first!.api_url}${route}`, { method, headers: { 'x-api-key': first!.api_key }, ...(form && { body: new URLSearchParams(form) }) }).then((answer) => answer.json() as Promise<any>);

beforeAll(async () => {
  database = await freshDatabase();
  await control.heal();
  await control.empty();
  engine = await startEngine(database.url);
  await seed(engine);
});
afterAll(async () => {
  await engine.stop();
  await control.heal();
  await database.drop();
});

const finding = (report: any, part: string) => report.findings.find((found: any) => found.part === part);

test('the test of a connection says part by part, in words, what is well and what is not', async () => {
  const good = (await engine.call('POST', `${path}/test`)).body;
  expect(good).toMatchObject({ instance_id: 'client-1', good: true });
  expect(good.findings.filter((found: any) => found.state === 'bad')).toEqual([]);
  expect(good.lists.map((list: any) => list.list_id).toSorted()).toEqual([12, 13, 14]);
  await control.fault({ fault: 'unauthorized' });
  const denied = (await engine.call('POST', `${path}/test`)).body;
  await control.heal();
  expect(denied.good).toBe(false);
  expect(finding(denied, 'key')).toMatchObject({ state: 'bad', words: expect.stringMatching(/key/i) });
  expect(finding(denied, 'mysql').state).toBe('good');
  expect((await engine.call('POST', '/api/v1/mailwizz-instances/nobody/test')).status).toBe(404);
}, 60_000);

test('fields that a list lacks are named, made on order, and not made twice', async () => {
  const made = await asMailwizz('POST', '/lists', {
    'general[name]': 'Bare', 'general[description]': 'Bare', 'defaults[from_name]': 'a', 'defaults[from_email]': 'a@x.example', 'defaults[reply_to]': 'a@x.example',
  });
  const uid = made.list_uid as string;
  const lacks = (await engine.call('POST', `${path}/test`)).body.lists.find((list: any) => list.list_uid === uid);
  expect(lacks.missing).toEqual(expect.arrayContaining(['COMPANY', 'TAGSET', 'BUCKET']));
  const order = { list_uids: [uid] };
  const answer = (await engine.call('POST', `${path}/fields`, order)).body;
  expect(answer.items).toMatchObject([{ list_uid: uid, created: lacks.missing, failed: [] }]);
  expect((await engine.call('POST', `${path}/fields`, order)).body.items).toEqual([]);
  expect((await engine.call('POST', `${path}/fields`, { list_uids: ['zz999zzzzz999'] })).status).toBe(422);
  await asMailwizz('DELETE', `/lists/${uid}`);
}, 60_000);

test('a sync reads names, fields and sizes of the lists anew', async () => {
  const { body } = await engine.call('POST', `${path}/sync`);
  expect(body.items.find((list: any) => list.list_id === 12)).toMatchObject({ list_uid: first!.lists[0]!.list_uid, fields: expect.arrayContaining(['EMAIL', 'BUCKET']), subscribers: expect.any(Number) });
});

test('a comparison settles what is there, takes over who left, and reports what is gone, once', async () => {
  const { body } = await engine.call('POST', '/api/v1/contacts/ingest', { source_id: 'scraper-google-001', contacts: makeContacts(6, 'compared-') });
  await settled(engine, body.batch_id);
  const people = new Map((await control.subscribers(12)).map((subscriber) => [subscriber.email.split('@')[0], subscriber.subscriber_uid]));
  const list = first!.lists[0]!.list_uid;
  await asMailwizz('PUT', `/lists/${list}/subscribers/${people.get('compared-0')}/unsubscribe`);
  await asMailwizz('DELETE', `/lists/${list}/subscribers/${people.get('compared-1')}`);
  await asMailwizz('POST', `/lists/${list}/subscribers`, { EMAIL: 'stranger@x.example' });
  await database.pool.query(`update injections set state = 'unknown', claimed_at = now() - interval '1 hour' from contacts where contacts.id = contact_id and contacts.email like 'compared-2@%'`);
  // What was claimed a moment ago might still be on its way.
  await database.pool.query(`update injections set claimed_at = claimed_at - interval '1 hour'`);
  await database.pool.query(`update injections set subscriber_uid = 'aa000aaaaa000' from contacts where contacts.id = contact_id and contacts.email like 'compared-3@%'`);

  const compare = async () => {
    const before = (await engine.call('GET', `${path}/reconciliations?list_id=12`)).body.items.length as number;
    await until(async () => {
      // One that is under way is joined: the order is repeated until it began a new one.
      expect((await engine.call('POST', `${path}/reconcile`)).status).toBe(202);
      const { items } = (await engine.call('GET', `${path}/reconciliations?list_id=12`)).body;
      return items.length > before && items[0].finished_at !== null;
    }, 'the comparison');
    return (await engine.call('GET', `${path}/reconciliations?list_id=12`)).body.items[0];
  };
  expect(await compare()).toMatchObject({ subscribers: 6, matched: 5, foreign: 1, settled: 1, uids_repaired: 1, suppressed: 1, missing: 1, doubled: 0 });
  expect((await database.pool.query(`select email, contacts.status from contacts join suppressions using (email_hash)`)).rows).toEqual([{ email: 'compared-0@site-0.example', status: 'unsubscribed' }]);
  expect((await engine.call('GET', `${path}/missing?list_id=12`)).body.items).toMatchObject([{ subscriber_uid: people.get('compared-1') }]);
  const alerts = async () => (await engine.call('GET', '/api/v1/alerts')).body.items.filter((alert: any) => alert.kind === 'list_differs');
  expect(await alerts()).toMatchObject([{ subject: 'client-1/12', count: 1 }]);
  expect(await compare()).toMatchObject({ settled: 0, uids_repaired: 0, suppressed: 0, missing: 1 });
  expect(await alerts()).toMatchObject([{ subject: 'client-1/12', count: 2 }]);
}, 120_000);
