import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';
import { controlOf, sandboxInfo } from '../support/sandbox';

let database: FreshDatabase;
let engine: Engine;
let keys: Record<string, string>;
const source = 'scraper-google-001';
const other = 'scraper-instagram-001';
const mailwizz = sandboxInfo().instances.map(controlOf);

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  for (const control of mailwizz) {
    await control.heal();
    await control.empty();
  }
  await seed(engine, [source, other]);
  keys = {};
  for (const id of [source, other]) keys[id] = (await engine.call('POST', `/api/v1/data-sources/${id}/keys`, { name: 'test' })).body.key;
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

const as = (id: string) => ({ authorization: `Bearer ${keys[id]}` });
const ingest = (body: unknown, headers: Record<string, string> = as(source)) => engine.call('POST', '/api/v1/contacts/ingest', body, headers);

test('a delivery is answered with its counts, and its contacts arrive in the right lists with their history', async () => {
  const contacts = [...makeContacts(3, 'first-'), { ...makeContacts(1, 'FIRST-')[0]!, company: 'Cabinet' }, { email: 'broken@' }, ...makeContacts(2, 'blog-', 'blogueur')];
  const answer = await ingest({ source_id: source, source_config: { query: 'avocat' }, contacts });
  expect(answer).toMatchObject({ status: 202, body: { received: 7, accepted: 5, duplicates: 1, rejected: 1 } });
  expect(answer.headers.get('location')).toBe(`/api/v1/batches/${answer.body.batch_id}`);
  expect(await settled(engine, answer.body.batch_id)).toMatchObject({ injected: 5 });
  expect((await mailwizz[0]!.subscribers(12)).map((subscriber) => subscriber.email).toSorted()).toEqual(['first-0@site-0.example', 'first-1@site-1.example', 'first-2@site-2.example']);
  expect((await mailwizz[1]!.subscribers(45)).map((subscriber) => subscriber.email).toSorted()).toEqual(['blog-0@site-0.example', 'blog-1@site-1.example']);

  const { items } = (await engine.call('GET', '/api/v1/contacts?q=first-0')).body;
  const contact = (await engine.call('GET', `/api/v1/contacts/${items[0].id}`)).body;
  expect(contact).toMatchObject({ status: 'injected', company: 'Cabinet', mailwizz_instance: 'client-1', mailwizz_list_id: 12, routing_rule: 'instance_mapping' });
  expect(contact.events.map((event: any) => event.event_type).toSorted()).toEqual(['ingested', 'injected', 'validated']);
  expect(contact.sightings).toHaveLength(2);
  expect(contact.sightings[0]).toMatchObject({ source_id: source, source_config: { query: 'avocat' } });
  expect(contact.injections).toMatchObject([{ instance_id: 'client-1', list_id: 12, state: 'injected', method: 'api' }]);
});

test('every row is kept with outcome, field and reason, and reads as CSV too', async () => {
  const { body } = await ingest({ source_id: source, contacts: [{ email: 'ok-row@site-1.example', category: 'avocat' }, { email: 'x@site-1.example', first_name: 'a\u0000' }, 'text', { email: '=cmd@@' }] });
  await settled(engine, body.batch_id);
  const rows = (await engine.call('GET', `/api/v1/batches/${body.batch_id}/rows`, undefined, as(source))).body.items;
  expect(rows.map((row: any) => [row.row, row.outcome, row.field, row.reason])).toEqual([
    [1, 'accepted', null, null],
    [2, 'rejected', 'first_name', 'nul_character'],
    [3, 'rejected', '', 'not_object'],
    [4, 'rejected', 'email', 'email_domain'],
  ]);
  const csv = (await engine.call('GET', `/api/v1/batches/${body.batch_id}/rows?outcome=rejected`, undefined, { ...as(source), accept: 'text/csv' })).body;
  expect(csv.split('\r\n')[0]).toBe('row,outcome,reason,field,contact_id,fate,fate_reason,retry_at,payload');
  expect(csv.split('\r\n')[1]).toMatch(/^2,rejected,nul_character,first_name,,,,,"/);
});

test('one key makes one batch, whatever is sent how often', async () => {
  const body = { source_id: source, contacts: makeContacts(2, 'once-') };
  const headers = { ...as(source), 'idempotency-key': 'key-1' };
  const answers = await Promise.all(Array.from({ length: 10 }, () => ingest(body, headers)));
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
  expect(new Set(answers.map((answer) => answer.body.batch_id)).size).toBe(1);
  expect((await ingest({ ...body, contacts: makeContacts(1, 'other-') }, headers)).status).toBe(422);
  expect((await ingest({ ...body, source_id: other }, { ...as(other), 'idempotency-key': 'key-1' })).status).toBe(202);
});

test.each([
  ['an unknown source', { source_id: 'nobody-001', contacts: [{}] }, 422, 'source_id'],
  ['no contacts', { source_id: source, contacts: [] }, 422, 'contacts'],
  ['too many contacts', { source_id: source, contacts: Array.from({ length: 10_001 }, () => ({})) }, 422, 'contacts'],
  ['an unknown key', { source_id: source, contacts: [{}], extra: 1 }, 422, 'extra'],
])('an envelope with %s is refused as a whole, by field', async (_, body, status, field) => {
  const before = (await engine.call('GET', '/api/v1/batches')).body.total;
  const answer = await engine.call('POST', '/api/v1/contacts/ingest', body);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(answer.body.errors[0].field).toBe(field);
  expect((await engine.call('GET', '/api/v1/batches')).body.total).toBe(before);
});

test.each([
  ['broken JSON', 400, '{"source_id":'],
  ['17 MB', 413, JSON.stringify({ source_id: source, contacts: [{ x: 'x'.repeat(17 << 20) }] })],
])('a body of %s is refused with %s', async (_, status, body) => {
  expect((await ingest(body, { ...as(source), 'content-type': 'application/json' })).status).toBe(status);
});

test('a key opens its own source only', async () => {
  expect((await ingest({ source_id: other, contacts: [{}] })).status).toBe(403);
  expect((await engine.call('GET', '/api/v1/contacts', undefined, as(source))).status).toBe(403);
  const theirs = (await ingest({ source_id: other, contacts: makeContacts(1, 'theirs-') }, as(other))).body.batch_id;
  expect((await engine.call('GET', `/api/v1/batches/${theirs}`, undefined, as(source))).status).toBe(404);
  expect((await engine.call('GET', '/api/v1/batches', undefined, { authorization: 'Bearer ee_src_nonsense' })).status).toBe(401);
  await settled(engine, theirs);
});

test('an inactive source is refused with 409, a revoked key with 401', async () => {
  const id = 'csv-manual-1';
  await engine.call('POST', '/api/v1/data-sources', { source_id: id, source_type: 'upload', name: id });
  const { key, key_id } = (await engine.call('POST', `/api/v1/data-sources/${id}/keys`, {})).body;
  await engine.call('DELETE', `/api/v1/data-sources/${id}`);
  expect((await ingest({ source_id: id, contacts: [{}] }, { authorization: `Bearer ${key}` })).status).toBe(409);
  expect((await engine.call('DELETE', `/api/v1/data-sources/${id}/keys/${key_id}`)).status).toBe(204);
  await until(async () => (await ingest({ source_id: id, contacts: [{}] }, { authorization: `Bearer ${key}` })).status === 401, 'the key revoked', 5_000);
});

test('NDJSON is taken line by line; a broken line is a rejected row', async () => {
  const lines = [...makeContacts(2500, 'stream-').map((contact) => JSON.stringify(contact)), '{"email":', '', '\u0000\t{}'];
  const answer = await engine.call('POST', `/api/v1/contacts/ingest?source_id=${source}`, lines.join('\n'), { ...as(source), 'content-type': 'application/x-ndjson' });
  expect(answer).toMatchObject({ status: 202, body: { received: 2502 } });
  expect(await settled(engine, answer.body.batch_id)).toMatchObject({ accepted: 2500, rejected: 2, injected: 2500 });
}, 150_000);

test('a suppressed, a deleted and a blacklisted contact are never injected', async () => {
  await mailwizz[0]!.blacklist('black@site-1.example');
  const { body } = await ingest({ source_id: source, contacts: [{ email: 'black@site-1.example', category: 'avocat' }] });
  expect(await settled(engine, body.batch_id)).toMatchObject({ suppressed: 1, injected: 0 });
  const [contact] = (await engine.call('GET', '/api/v1/contacts?q=black@')).body.items;
  expect(contact.status).toBe('blacklisted');
  expect((await engine.call('POST', `/api/v1/contacts/${contact.id}/inject`)).status).toBe(409);
  const again = await ingest({ source_id: source, contacts: [{ email: 'BLACK@site-1.example', category: 'assureur' }] });
  expect(again.body).toMatchObject({ accepted: 0, duplicates: 1 });
});

test('health, document and docs are open', async () => {
  for (const path of ['/healthz', '/readyz', '/openapi.json']) expect((await fetch(engine.url + path)).status).toBe(200);
  expect(await (await fetch(`${engine.url}/docs`)).text()).toContain('swagger-ui');
  expect((await engine.call('GET', '/api/v1/nothing')).status).toBe(404);
});

test('secrets of an instance never come back', async () => {
  const text = JSON.stringify((await engine.call('GET', '/api/v1/mailwizz-instances')).body);
  for (const instance of sandboxInfo().instances) {
    expect(text).not.toContain(instance.api_key);
    expect(text).not.toContain(new URL(instance.mysql_url).password);
  }
});
