import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, startEngine } from '../support/engine';

let database: FreshDatabase;
let engine: Engine;
const source = 'scraper-google-001';
const other = 'api-client';
const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => engine.call(method, `/api/v1${path}`, body, headers);
const query = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows;

type Row = { email: string; source?: string; status?: string; category?: string; company?: string; first?: string; last?: string };
/** Straight into the table: these tests are about what the door says of contacts, not about how they came. */
async function insertContact({ email, source: from = source, status = 'validated', category, company, first, last }: Row): Promise<number> {
  const [row] = await query(
    `insert into contacts (email, email_hash, source_id, status, category, company, first_name, last_name, mailwizz_instance, import_batch_id) values ($1, $1, $2, $3, $4, $5, $6, $7, $8, 'batch-1') returning id`,
    [email, from, status, category ?? null, company ?? null, first ?? null, last ?? null, from === other ? 'client-2' : 'client-1'],
  );
  return row.id as number;
}
const instance = (id: string, more: object = {}) => ({ instance_id: id, name: id, api_url: 'https://m.example/api', api_key: 'k', ...more });

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url, { only: 'api', env: { INGEST_WAIT: '100ms' } });
  for (const id of ['client-1', 'client-2']) expect((await call('POST', '/mailwizz-instances', instance(id))).status).toBe(201);
  for (const id of [source, other]) expect((await call('POST', '/data-sources', { source_id: id, source_type: 'api', name: id })).status).toBe(201);
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

describe('data sources', () => {
  test('a change is kept, what it does not name stays, and who changed what is on record', async () => {
    const { status, body } = await call('PATCH', `/data-sources/${source}`, { name: 'Renamed', default_mailwizz_instance: 'client-1', default_list_mapping: { Avocat: 12 } });
    expect([status, body]).toMatchObject([200, { name: 'Renamed', source_type: 'api', is_active: true, default_mailwizz_instance: 'client-1', default_list_mapping: { avocat: 12 } }]);
    expect((await call('PATCH', `/data-sources/${source}`, { description: 'text' })).body).toMatchObject({ name: 'Renamed', description: 'text', default_list_mapping: { avocat: 12 } });
    expect((await call('PATCH', `/data-sources/${source}`, { default_list_mapping: null })).body.default_list_mapping).toEqual({});
    expect(await query(`select details from audit_log where entity = $1 and action = 'data_source.changed' order by id limit 1`, [source])).toEqual([{ details: { fields: ['name', 'defaultMailwizzInstance', 'defaultListMapping'] } }]);
  });

  test.each([
    ['an instance that does not exist', { default_mailwizz_instance: 'client-9' }, 'default_mailwizz_instance'],
    ['its own id', { source_id: 'x' }, 'source_id'],
    ['a category twice', { default_list_mapping: { a: 1, A: 2 } }, 'default_list_mapping'],
    ['configuration nested too deep', { config: JSON.parse(`${'{"a":'.repeat(30)}1${'}'.repeat(30)}`) as object }, expect.stringMatching(/^config\./)],
  ])('a change to %s is refused by field', async (_, change, field) => {
    const answer = await call('PATCH', `/data-sources/${source}`, change);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ field }] } });
  });

  test('a deleted one takes no contacts any more, keeps what it gave, and comes back by a change', async () => {
    await call('POST', '/data-sources', { source_id: 'short-lived', source_type: 'manual', name: 's' });
    expect((await call('DELETE', '/data-sources/short-lived')).status).toBe(204);
    expect((await call('GET', '/data-sources/short-lived')).body).toMatchObject({ is_active: false, stats: { batches: 0, waiting: 0 } });
    expect((await call('POST', '/contacts/ingest', { source_id: 'short-lived', contacts: [{}] })).status).toBe(409);
    expect((await call('PATCH', '/data-sources/short-lived', { is_active: true })).body.is_active).toBe(true);
    expect((await call('POST', '/contacts/ingest', { source_id: 'short-lived', contacts: [{}] })).status).toBe(202);
  });

  test('its figures add up over its batches', async () => {
    await query(`insert into import_batches (batch_id, source_id, state, received, accepted, duplicates, rejected, injected, invalid, failed) values ('f1', $1, 'completed', 10, 7, 2, 1, 4, 1, 1), ('f2', $1, 'running', 5, 5, 0, 0, 2, 0, 0), ('f3', $1, 'uploading', 0, 0, 0, 0, 0, 0, 0)`, [other]);
    expect((await call('GET', `/data-sources/${other}`)).body.stats).toMatchObject({ batches: 2, received: 15, accepted: 12, duplicates: 2, rejected: 1, injected: 6, waiting: 4 });
  });
});

describe('contacts', () => {
  test('a change by hand is kept, blanks take values away, and categories are written small', async () => {
    const id = await insertContact({ email: 'patched@x.example', company: 'C', category: 'blogueur' });
    const answer = await call('PATCH', `/contacts/${id}`, { company: '  ', category: ' Avocat ', country_code: 'fr', tags: ['a', 'a', 'b'], score: 80, first_name: ' Jean ' });
    expect([answer.status, answer.body]).toMatchObject([200, { company: null, category: 'avocat', category_rule: null, country_code: 'FR', tags: ['a', 'b'], score: 80, first_name: 'Jean', email: 'patched@x.example' }]);
  });

  test.each([['email', { email: 'x@x.example' }], ['score', { score: 101 }], ['country_code', { country_code: 'France' }], ['tags.0', { tags: ['x'.repeat(101)] }], ['first_name', { first_name: 'a\u0000' }]])('a change of %s to what cannot be is refused by field', async (field, change) => {
    const id = await insertContact({ email: `refused-${field}@x.example` });
    expect(await call('PATCH', `/contacts/${id}`, change)).toMatchObject({ status: 422, body: { errors: [{ field }] } });
  });

  test('a deleted one is read by its id only, and neither changed nor ordered about any more', async () => {
    const id = await insertContact({ email: 'deleted@x.example' });
    expect((await call('DELETE', `/contacts/${id}`)).status).toBe(204);
    expect((await call('GET', '/contacts?q=deleted@x')).body.items).toEqual([]);
    expect((await call('GET', `/contacts/${id}`)).body.deleted_at).not.toBeNull();
    expect((await call('PATCH', `/contacts/${id}`, { score: 1 })).status).toBe(404);
    expect((await call('DELETE', `/contacts/${id}`)).status).toBe(404);
    expect((await call('POST', `/contacts/${id}/inject`)).status).toBe(409);
  });

  test('each filter of the list keeps what it names and nothing else', async () => {
    const found = async (filter: string) => (await call('GET', `/contacts?${filter}&limit=200`)).body.items.map((item: any) => item.email.split('@')[0]).toSorted();
    await query('delete from contacts');
    await insertContact({ email: 'one@f.example', status: 'injected', category: 'avocat', company: 'Maison 100% Sûre', first: 'Zoë', last: 'Dupont' });
    await insertContact({ email: 'two@f.example', source: other, category: 'notaire', first: 'Zoë' });
    await insertContact({ email: 'three@f.example', status: 'blacklisted', last: 'Dupont' });
    expect(await found(`source_id=${other}`)).toEqual(['two']);
    expect(await found('status=injected')).toEqual(['one']);
    expect(await found('category=Avocat')).toEqual(['one']);
    expect(await found('mailwizz_instance=client-2')).toEqual(['two']);
    expect(await found('batch_id=batch-1')).toEqual(['one', 'three', 'two']);
    expect(await found('batch_id=batch-2')).toEqual([]);
    expect(await found('q=TWO@F')).toEqual(['two']);
    expect(await found(`q=${encodeURIComponent('100%')}`)).toEqual(['one']);
    expect(await found(`q=${encodeURIComponent('%_')}`)).toEqual([]);
    expect(await found(`q=${encodeURIComponent('zoë dup')}`)).toEqual(['one']);
    expect(await found(`q=${encodeURIComponent('zoë')}`)).toEqual(['one', 'two']); // one of them has no last name
    expect(await found('q=dupont')).toEqual(['one', 'three']);
    expect(await found(`source_id=${source}&status=validated`)).toEqual([]);
  });

  test('pages and the cursor read every contact once, newest first, while new ones come', async () => {
    await query('delete from contacts');
    for (let n = 0; n < 25; n += 1) await insertContact({ email: `p${n}@p.example` });
    const byPage = [];
    for (const page of [1, 2, 3]) byPage.push(...(await call('GET', `/contacts?limit=10&page=${page}`)).body.items.map((item: any) => item.email));
    expect(byPage).toEqual(Array.from({ length: 25 }, (_, n) => `p${24 - n}@p.example`));
    const byCursor: string[] = [];
    for (let cursor: number | null | undefined; cursor !== null; ) {
      const { body } = await call('GET', `/contacts?limit=10${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      expect(body.total).toBe(25 + byCursor.length / 10);
      byCursor.push(...body.items.map((item: any) => item.email));
      await insertContact({ email: `new-${byCursor.length}@p.example` });
      cursor = body.cursor;
    }
    expect(byCursor).toEqual(byPage);
  });
});

describe('MailWizz instances', () => {
  const list = (list_id: number, list_uid: string, name = 'l') => ({ list_id, list_uid, name, fields: ['EMAIL'] });
  const name = (...lists: object[]) => call('PUT', '/mailwizz-instances/client-1/lists', { lists });
  const pairs = (answer: { body: any }) => answer.body.items.map((item: any) => [item.list_id, item.list_uid]);

  test('lists named by hand may change their uid, move it and swap it; those that are not named stay', async () => {
    expect(pairs(await name(list(12, 'aa'), list(13, 'bb'), list(14, 'cc')))).toEqual([[12, 'aa'], [13, 'bb'], [14, 'cc']]);
    expect(pairs(await name(list(12, 'bb'), list(13, 'aa')))).toEqual([[12, 'bb'], [13, 'aa'], [14, 'cc']]);
    expect(pairs(await name(list(99, 'cc', 'moved')))).toEqual([[12, 'bb'], [13, 'aa'], [99, 'cc']]);
    expect(pairs(await name(list(99, 'dd')))).toEqual([[12, 'bb'], [13, 'aa'], [99, 'dd']]);
  });

  test('lists that many operators name at once end as one of them named them', async () => {
    const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => name(list(20 + (n % 3), 'racea'), list(30 + (n % 2), 'raceb'))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const uids = pairs(await call('GET', '/mailwizz-instances/client-1/lists')).map(([, uid]: [number, string]) => uid);
    expect(new Set(uids).size).toBe(uids.length);
  });

  test.each([['a number twice', [list(1, 'a'), list(1, 'b')], 'lists.1.list_id'], ['a uid twice', [list(1, 'a'), list(2, 'a')], 'lists.1.list_uid'], ['a number no list can have', [list(3e9, 'a')], 'lists.0.list_id']])('%s is refused by field', async (_, lists, field) => {
    expect(await name(...lists)).toMatchObject({ status: 422, body: { errors: [{ field }] } });
  });

  test('MySQL without a place is refused by field, at creation and by a change of part of it', async () => {
    const fields = (answer: { body: any }) => answer.body.errors.map((error: any) => error.field);
    const refused = await call('POST', '/mailwizz-instances', instance('client-8', { mysql_enabled: true, mysql_host: 'db.example' }));
    expect([refused.status, fields(refused)]).toEqual([422, ['mysql_database', 'mysql_user']]);
    expect((await call('GET', '/mailwizz-instances/client-8')).status).toBe(404);
    const mysql = { mysql_enabled: true, mysql_host: 'db.example', mysql_database: 'mw', mysql_user: 'u' };
    expect((await call('POST', '/mailwizz-instances', instance('client-8', mysql))).status).toBe(201);
    const change = await call('PATCH', '/mailwizz-instances/client-8', { mysql_user: null });
    expect([change.status, fields(change)]).toEqual([422, ['mysql_user']]);
    expect((await call('GET', '/mailwizz-instances/client-8')).body.mysql_user).toBe('u');
    expect((await call('PATCH', '/mailwizz-instances/client-8', { mysql_user: null, mysql_enabled: false })).status).toBe(200);
    expect((await call('PATCH', '/mailwizz-instances/client-8', { mysql_enabled: true })).status).toBe(422);
  });
});

test.each(['/contacts?statsu=injected', '/batches?source=x', '/alerts?stat=all', '/data-sources?active=1', '/mailwizz-instances?q=1', '/contacts?page=0', '/contacts?limit=201', '/contacts?page=1&page=2', '/contacts?cursor=x', '/contacts?q=%00%00'])('GET %s is refused, not answered with something else', async (path) => {
  expect((await call('GET', path)).status).toBe(422);
});

test.each([
  '/contacts/abc', '/contacts/0', '/contacts/-1', '/contacts/1.5', '/contacts/99999999999999999999', '/contacts/%00', '/batches/nothing', '/batches/%00/rows', '/data-sources/nobody', '/data-sources/nobody/keys', '/data-sources/%00',
  '/mailwizz-instances/client-9', '/mailwizz-instances/client-9/lists', `/data-sources/${'x'.repeat(300)}`,
])('GET %s is 404, whatever the path holds', async (path) => {
  expect(await call('GET', path)).toMatchObject({ status: 404, body: { type: '/problems/notFound' } });
});

test.each(['/healthz', '/openapi.json', '/api/v1/batches', '/api/v1/nowhere'])('what %s answers ends with a newline', async (path) => {
  const answer = await fetch(engine.url + path);
  expect((await answer.text()).slice(-2)).toBe('}\n');
  expect(answer.headers.get('content-type')).toMatch(/json/);
});

test('a body in another type is refused, and the answer names the type that is wanted', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  expect(await call('POST', '/data-sources', 'a=b', form)).toMatchObject({ status: 415, body: { detail: 'Send the body as Content-Type: application/json.' } });
  expect(await call('POST', '/contacts/ingest', 'a=b', form)).toMatchObject({ status: 415, body: { detail: 'Send the body as Content-Type: application/json or application/x-ndjson.' } });
});
