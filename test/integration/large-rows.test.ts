import { findUnroutableContacts } from '../../db/queries/batches';
import { findContactsToEnrich } from '../../db/queries/pages';
import { findDuplicateRows, findRawRows, type RowPage } from '../../db/queries/ingest';
import { findSightings } from '../../db/queries/placements';
import { createEnrichmentActivities } from '../../src/activities/enrichment';
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

const count = 150;
const text = 'avocat '.repeat(9_000); // 63 KB
const mostBytes = (4 << 20) + (64 << 10);

/** A batch whose rows are as large as rows may be, all of one contact. */
async function largeRows(outcome: string | null): Promise<number> {
  const { page, ids } = await rows.openBatch(1);
  await rows.query('delete from batch_rows');
  await rows.query(
    `insert into batch_rows (batch_id, row_number, received_at, payload, outcome, contact_id) select $1, n, now(), $2, $3, $4 from generate_series(1, $5) n`,
    [page.batchIds[0], JSON.stringify({ email: 'a@x.example', first_name: text }), outcome, ids[0], count],
  );
  return page.batchIds[0]!;
}

test.each([
  ['rows to judge', null, findRawRows],
  ['rows to merge', 'duplicate', findDuplicateRows],
  ['sightings to route', 'duplicate', findSightings],
] as const)('%s come by a few megabytes at a time, and every one comes once', async (_, outcome, find) => {
  const batchId = await largeRows(outcome);
  const seen: number[] = [];
  for (let after = { batchId: 0, row: 0 }; ; ) {
    const page: RowPage = { batchIds: [batchId], after, limit: 2_000 };
    const found = await find(database.db, page);
    if (found.length === 0) break;
    expect(found.reduce((sum, { payload }) => sum + payload.length, 0)).toBeLessThan(mostBytes);
    seen.push(...found.map((row) => row.row_number));
    after = { batchId, row: found.at(-1)!.row_number };
  }
  expect(seen).toEqual(Array.from({ length: count }, (_, n) => n + 1));
});

test('contacts without category are read by a few megabytes of raw data at a time, and every one gets its category', async () => {
  const { page, ids } = await rows.openBatch(count);
  await rows.query(`update contacts set category = null, raw_data = jsonb_build_object('text', $1::text)`, [text]);
  const first = await findContactsToEnrich(database.db, ids);
  expect(JSON.stringify(first).length).toBeLessThan(mostBytes + count * 500);
  await createEnrichmentActivities({ db: database.db, now: () => new Date() } as never).enrichPage(page);
  expect(await rows.query('select category, count(*) contacts from contacts group by category')).toEqual([{ category: 'avocat', contacts: count }]);
});

test('contacts that no rule could route are looked at by a few megabytes of raw data at a time, and every one is looked at', async () => {
  const { ids } = await rows.openBatch(count);
  await rows.query(`update contacts set category = null, mailwizz_list_id = null, raw_data = jsonb_build_object('text', $1::text)`, [text]);
  await rows.query(`update batch_rows set fate = 'unroutable'`);
  const seen: number[] = [];
  for (let afterId = 0; ; ) {
    const { contacts, throughId } = await findUnroutableContacts(database.db, { afterId, limit: 1_000 });
    if (throughId === undefined) break;
    expect(JSON.stringify(contacts).length).toBeLessThan(mostBytes + count * 500);
    seen.push(...contacts.map(({ id }) => id));
    afterId = throughId;
  }
  expect(seen).toEqual(ids);
});

test('deleted contacts among the sightings do not hide those behind them', async () => {
  const batchId = await largeRows('duplicate');
  await rows.query('update contacts set deleted_at = now()');
  const found = await findSightings(database.db, { batchIds: [batchId], after: { batchId: 0, row: 0 }, limit: 10 });
  expect(found.map(({ row_number, is_deleted }) => [row_number, is_deleted])).toEqual(Array.from({ length: 10 }, (_, n) => [n + 1, true]));
});
