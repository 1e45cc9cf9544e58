import { createBatchActivities } from '../../src/activities/batches';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { rowsOf } from '../support/rows';

let database: FreshDatabase;
let rows: ReturnType<typeof rowsOf>;
beforeAll(async () => {
  database = await freshDatabase();
  rows = rowsOf(database);
  await rows.base();
});
afterAll(() => database.drop());
beforeEach(() => rows.clear());

const activities = () => createBatchActivities({ db: database.db, now: () => new Date(), settings: { dueBucketMs: 100 } } as never);

async function ingest(payloads: string[]) {
  const [batch] = await rows.query<{ id: number }>(`insert into import_batches (batch_id, source_id, received) values ('p', 's', $1) returning id`, [payloads.length]);
  await rows.query(`insert into batch_rows (batch_id, row_number, received_at, payload) select $1, n, now(), p from unnest($2::text[]) with ordinality as x(p, n)`, [batch!.id, payloads]);
  await activities().ingestRows({ batchIds: [batch!.id] });
  return rows.query<{ outcome: string; reason: string | null; field: string | null }>('select outcome, reason, field from batch_rows order by row_number');
}
const good = (n: number) => JSON.stringify({ email: `good${n}@x.example`, first_name: 'Zoë 😀' });

test.each<[string, object]>([
  ['a category that grows when it is lower-cased', { category: 'İ'.repeat(100) }],
  ['a key whose name ends in half a surrogate pair when it is cut', { social_links: { [`${'k'.repeat(86)}😀`]: 5 } }],
  ['NUL in a name', { first_name: 'a\u0000b' }],
  ['NUL in raw data', { raw_data: { a: ['\u0000'] } }],
  ['half a surrogate pair', { company: '\ud800' }],
  ['a prototype key', JSON.parse('{"raw_data":{"__proto__":{"x":1}}}') as object],
  ['a number beyond the range', { raw_data: { n: 'RAW1e400' } }],
  ['deep nesting', { raw_data: { a: JSON.parse(`${'['.repeat(30)}${']'.repeat(30)}`) as object } }],
  ['10,000 keys', { raw_data: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n])) }],
  ['70 KB of text', { raw_data: { text: 'x'.repeat(70_000) } }],
  ['9 KB of address', { email: `${'a'.repeat(9_000)}@x.example` }],
  ['a country that grows in upper case', { country_code: 'ß' }],
  ['a list for a name', { first_name: ['a'] }],
])('%s is a rejected row with its reason, and its neighbours are stored', async (_, row) => {
  const poison = JSON.stringify({ email: 'poison@x.example', ...row }).replace('"RAW1e400"', '1e400');
  const outcomes = await ingest([good(1), poison, good(2)]);
  expect(outcomes.map((stored) => stored.outcome)).toEqual(['accepted', 'rejected', 'accepted']);
  expect(outcomes[1]!.reason).toMatch(/^[a-z_]+$/);
  expect(await rows.query('select accepted, rejected from import_batches')).toEqual([{ accepted: 2, rejected: 1 }]);
});

test('a row that only Postgres refuses is found among its neighbours and rejected alone', async () => {
  await rows.query(`alter table contacts add constraint only_postgres_knows check (octet_length(email::bytea) > 0 and substr(coalesce(company, '1'), 1, 1)::int >= 0)`);
  const outcomes = await ingest([...Array.from({ length: 20 }, (_, n) => good(n)), JSON.stringify({ email: 'odd@x.example', company: 'x' }), ...Array.from({ length: 20 }, (_, n) => good(n + 20))]).finally(() =>
    rows.query('alter table contacts drop constraint only_postgres_knows'),
  );
  expect(outcomes.filter((stored) => stored.outcome === 'rejected')).toEqual([{ outcome: 'rejected', reason: 'not_storable', field: '' }]);
  expect(await rows.query('select accepted, rejected from import_batches')).toEqual([{ accepted: 40, rejected: 1 }]);
});

test('judging twice changes nothing', async () => {
  await ingest([good(1), good(1), 'no json']);
  await activities().ingestRows({ batchIds: (await rows.query<{ id: number }>('select id from import_batches')).map(({ id }) => id) });
  expect(await rows.query('select accepted, duplicates, rejected from import_batches')).toEqual([{ accepted: 1, duplicates: 1, rejected: 1 }]);
});
