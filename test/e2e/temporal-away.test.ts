import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, startEngine } from '../support/engine';

let database: FreshDatabase;
let engine: Engine;
let contactId: number;
const source = 'scraper-google-001';

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url, { only: 'api', temporal: '127.0.0.1:1', env: { INGEST_WAIT: '1s' } }); // nothing listens on that port
  await engine.call('POST', '/api/v1/data-sources', { source_id: source, source_type: 'scraping', name: source });
  const { rows } = await database.pool.query<{ id: number }>(`
    with batch as (insert into import_batches (batch_id, source_id, state, received, accepted, failed) values ('earlier', '${source}', 'completed', 1, 1, 1) returning id),
    contact as (insert into contacts (email, email_hash, source_id, status) values ('a@site-1.example', 'hash', '${source}', 'validated') returning id)
    insert into batch_rows (batch_id, row_number, received_at, payload, outcome, contact_id, fate) select batch.id, 1, now(), '{}', 'accepted', contact.id, 'failed' from batch, contact returning contact_id id`);
  contactId = rows[0]!.id;
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

const timed = async (call: Promise<Awaited<ReturnType<Engine['call']>>>) => {
  const began = Date.now();
  const answer = await call;
  return { status: answer.status, body: answer.body, headers: answer.headers, seconds: (Date.now() - began) / 1000 };
};

test('deliveries are accepted without Temporal, and wait in the outbox', async () => {
  const json = await timed(engine.call('POST', '/api/v1/contacts/ingest', { source_id: source, contacts: makeContacts(2, 'json-') }));
  expect(json).toMatchObject({ status: 202, body: { received: 2 } });
  expect(json.body.accepted).toBeUndefined();
  expect(json.seconds).toBeLessThan(10);
  const lines = makeContacts(3, 'lines-').map((contact) => JSON.stringify(contact)).join('\n');
  expect(await timed(engine.call('POST', `/api/v1/contacts/ingest?source_id=${source}`, lines, { 'content-type': 'application/x-ndjson' }))).toMatchObject({ status: 202, body: { received: 3 } });
  expect((await database.pool.query('select count(*) waiting from outbox')).rows).toEqual([{ waiting: 2 }]);
});

test.each(['validate', 'inject'])('an order to %s is answered with 503 within seconds', async (action) => {
  const answer = await timed(engine.call('POST', `/api/v1/contacts/${contactId}/${action}`));
  expect(answer).toMatchObject({ status: 503, body: { type: '/problems/unavailable', detail: expect.stringContaining('Temporal') } });
  expect(answer.headers.get('retry-after')).not.toBeNull();
  expect(answer.seconds).toBeLessThan(12);
});

test('it is alive, reads answer, and it says that it is not ready and why', async () => {
  expect((await engine.call('GET', '/healthz')).status).toBe(200);
  expect((await engine.call('GET', '/api/v1/batches')).status).toBe(200);
  expect(await timed(engine.call('GET', '/readyz'))).toMatchObject({ status: 503, body: { database: 'ready', temporal: 'not available' } });
});
