import { type ClientRequest, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { failLostUploads } from '../../db/queries/batches';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, makeContacts, seed, settled, startEngine, until } from '../support/engine';

let database: FreshDatabase;
let engine: Engine;
let neighbour: Engine;
let key: string;
const source = 'scraper-google-001';
const hour = 3_600_000;

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url);
  neighbour = await startEngine(database.url, { only: 'api' });
  await seed(engine, [source]);
  key = (await engine.call('POST', `/api/v1/data-sources/${source}/keys`, { name: 'test' })).body.key;
});
afterAll(async () => {
  await Promise.all([engine.stop(), neighbour.stop()]);
  await database.drop();
});

const toLines = (contacts: object[]) => contacts.map((contact) => `${JSON.stringify(contact)}\n`).join('');
const headers = (idempotencyKey?: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson', ...(idempotencyKey && { 'idempotency-key': idempotencyKey }) });
const upload = (body: string, idempotencyKey?: string) => engine.call('POST', `/api/v1/contacts/ingest?source_id=${source}`, body, headers(idempotencyKey));
const query = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows;
/** More rows than one piece holds, so that the first ones are stored while the rest is on its way. */
const piece = (prefix: string) => toLines(makeContacts(2_000, prefix));

type Open = { request: ClientRequest; batch: () => Promise<any>; answer: Promise<{ status: number; body: any }> };

/** An upload whose sender has sent its first piece and not ended. */
async function openUpload(prefix: string, idempotencyKey: string): Promise<Open> {
  const sending = request(`${engine.url}/api/v1/contacts/ingest?source_id=${source}`, { method: 'POST', headers: headers(idempotencyKey) });
  const answer = new Promise<{ status: number; body: any }>((resolve, reject) => {
    sending.once('error', reject);
    sending.once('response', (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString())).on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) }));
    });
  });
  answer.catch(() => undefined);
  sending.write(piece(prefix));
  const rows = () => query('select batches.*, (select count(*) from batch_rows where batch_id = batches.id) stored from import_batches batches where idempotency_key = $1', [idempotencyKey]);
  await until(async () => (await rows())[0]?.stored === 2_000, 'the first piece');
  const { id } = (await rows())[0];
  return { request: sending, answer, batch: async () => (await query('select * from import_batches where id = $1', [id]))[0] };
}

test('an upload repeated with its key gets its answer again, and another body is refused', async () => {
  const body = toLines([...makeContacts(3, 'repeat-'), { email: 'broken@' }]);
  const first = await upload(body, 'stream-1');
  expect(first).toMatchObject({ status: 202, body: { received: 4, accepted: 3, duplicates: 0, rejected: 1 } });
  const again = await upload(body, 'stream-1');
  expect(again).toMatchObject({ status: 202, body: first.body });
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(await upload(`${body}{}`, 'stream-1')).toMatchObject({ status: 422, body: { errors: [{ field: 'Idempotency-Key' }] } });
  expect(await query('select count(*) batches from import_batches where source_id = $1', [source])).toEqual([{ batches: 1 }]);
});

test('the same lines with the same key for another source are another delivery, and never answered as the first', async () => {
  await engine.call('POST', '/api/v1/data-sources', { source_id: 'another', source_type: 'scraping', name: 'Another' });
  const deliver = (to: string) => engine.call('POST', `/api/v1/contacts/ingest?source_id=${to}`, toLines(makeContacts(2, 'both-')), { 'content-type': 'application/x-ndjson', 'idempotency-key': 'both' });
  expect([(await deliver(source)).status, (await deliver('another')).status]).toEqual([202, 422]);
});

test('a key whose upload has not ended is in use, for an upload and for a JSON delivery', async () => {
  const open = await openUpload('busy-', 'stream-2');
  expect((await upload('{}', 'stream-2')).status).toBe(409);
  expect((await engine.call('POST', '/api/v1/contacts/ingest', { source_id: source, contacts: [{}] }, { ...headers('stream-2'), 'content-type': 'application/json' })).status).toBe(409);
  open.request.end();
  expect(await open.answer).toMatchObject({ status: 202, body: { received: 2_000 } });
});

test('an upload that is cut off is never accepted, and its key may be used again', async () => {
  const open = await openUpload('cut-', 'stream-3');
  open.request.destroy();
  await until(async () => (await open.batch()).state === 'failed', 'the upload given up');
  expect(await open.batch()).toMatchObject({ error: 'upload_ended_early', received: 0 });
  expect(await query('select from outbox where batch_id = $1', [(await open.batch()).id])).toEqual([]);
  expect(await upload(piece('cut-'), 'stream-3')).toMatchObject({ status: 202, body: { received: 2_000 } });
});

test('an upload that lasts longer than an hour but moves is accepted whole', async () => {
  const open = await openUpload('long-', 'stream-4');
  const { id } = await open.batch();
  await query(`update import_batches set updated_at = now() - interval '2 hours' where id = $1`, [id]);
  open.request.write(piece('longer-'));
  await until(async () => (await query('select count(*) stored from batch_rows where batch_id = $1', [id]))[0].stored === 4_000, 'the second piece');
  expect(await failLostUploads(database.db, hour)).toBe(0);
  open.request.end();
  expect(await open.answer).toMatchObject({ status: 202, body: { received: 4_000 } });
});

test('after a kill -9 of the api amid an upload its key is in use for minutes only, and the repeat is accepted whole', async () => {
  const open = await openUpload('killed-', 'stream-7');
  await engine.kill('api');
  await engine.start('api');
  expect((await upload(piece('killed-'), 'stream-7')).status).toBe(409);
  await query(`update import_batches set updated_at = now() - interval '6 minutes' where id = $1`, [(await open.batch()).id]);
  expect(await upload(piece('killed-'), 'stream-7')).toMatchObject({ status: 202, body: { received: 2_000, accepted: 2_000 } });
  expect(await open.batch()).toMatchObject({ state: 'failed', error: 'upload_ended_early', idempotency_key: null });
});

test.each([
  ['more is sent', (open: Open) => open.request.end(piece('stood-'))],
  ['its end comes', (open: Open) => open.request.end()],
])('an upload that was given up as stale is never answered with 202: when %s', async (how, send) => {
  const open = await openUpload('stale-', `stream-5-${how}`);
  await query(`update import_batches set updated_at = now() - interval '2 hours' where id = $1`, [(await open.batch()).id]);
  expect(await failLostUploads(database.db, hour)).toBe(1);
  send(open);
  expect(await open.answer).toMatchObject({ status: 503, body: { type: '/problems/unavailable', detail: expect.stringContaining('given up') } });
  expect(await open.batch()).toMatchObject({ state: 'failed' });
});

test('an upload in another content encoding is refused before anything is stored', async () => {
  const before = await query('select count(*) batches from import_batches');
  const answer = await fetch(`${engine.url}/api/v1/contacts/ingest?source_id=${source}`, { method: 'POST', headers: { ...headers(), 'content-encoding': 'gzip' }, body: new Uint8Array(gzipSync(piece('gzip-'))) });
  expect(answer.status).toBe(415);
  expect(await query('select count(*) batches from import_batches')).toEqual(before);
});

test('a row in Latin-1 is rejected with its reason and kept readable; its neighbours are accepted', async () => {
  const lines = [...makeContacts(1, 'utf-'), { email: 'renee@site-1.example', first_name: 'Renée' }, ...makeContacts(1, 'after-')].map((contact) => JSON.stringify(contact));
  const bytes = Buffer.from(lines.join('\n'), 'latin1');
  const answer = await fetch(`${engine.url}/api/v1/contacts/ingest?source_id=${source}`, { method: 'POST', headers: headers(), body: new Uint8Array(bytes) });
  const body = (await answer.json()) as any;
  expect([answer.status, body]).toMatchObject([202, { received: 3, accepted: 2, duplicates: 0, rejected: 1 }]);
  expect(await settled(engine, body.batch_id)).toMatchObject({ received: 3, rejected: 1, injected: 2 });
  const rows = (await engine.call('GET', `/api/v1/batches/${body.batch_id}/rows`)).body.items;
  expect(rows.map((row: any) => [row.row, row.outcome, row.reason])).toEqual([[1, 'accepted', null], [2, 'rejected', 'not_utf8'], [3, 'accepted', null]]);
  expect(rows[1].payload.first_name).toBe('Renée');
});

test('an upload refused in its middle reads its refusal, not a broken connection', async () => {
  const open = await openUpload('refused-', 'stream-6');
  await query(`update import_batches set state = 'failed', idempotency_key = null where id = $1`, [(await open.batch()).id]);
  for (let sent = 0; sent < 40; sent += 1) open.request.write(piece(`refused-${sent}-`));
  open.request.end();
  expect((await open.answer).status).toBe(503);
});

test('two processes that are given one key at the same time make one batch', async () => {
  const body = JSON.stringify({ source_id: source, contacts: makeContacts(2, 'twin-') });
  const json = { ...headers(), 'content-type': 'application/json' };
  for (let round = 0; round < 10; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 ? engine : neighbour).call('POST', '/api/v1/contacts/ingest', body, { ...json, 'idempotency-key': `twin-${round}`, prefer: 'respond-async' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    expect(new Set(answers.map((answer) => answer.body.batch_id)).size).toBe(1);
  }
});
