import { createMaintenanceActivities } from '../../src/activities/maintenance';
import { claimWaitingRuns, requeueLostBatches } from '../../db/queries/batches';
import { type FreshDatabase, freshDatabase } from '../support/database';

let database: FreshDatabase;
const query = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows;
const log = { info: () => undefined, warn: () => undefined };

beforeAll(async () => {
  database = await freshDatabase();
  await query(`insert into data_sources (source_id, source_type, name) values ('s', 'scraping', 's')`);
  await query(`insert into mailwizz_instances (instance_id, name, api_url, api_key) values ('client-1', 'c', 'http://c.example', 'sealed')`);
});
afterAll(() => database.drop());
afterEach(() => query('truncate import_batches, batch_rows, outbox, contacts cascade'));

/** One contact per category, each with a closed row `unroutable` in one finished batch. */
async function unroutable(categories: (string | null)[]): Promise<number> {
  const [batch] = await query(`insert into import_batches (batch_id, source_id, state, received, accepted, unroutable, ingested_at) values ('b', 's', 'completed', $1, $1, $1, now()) returning id`, [categories.length]);
  for (const [index, category] of categories.entries()) {
    const [contact] = await query(`insert into contacts (email, email_hash, source_id, category, status) values ($1, $1, 's', $2, 'validated') returning id`, [`c${index}@x.example`, category]);
    await query(`insert into batch_rows (batch_id, row_number, received_at, payload, outcome, contact_id, fate, fate_reason) values ($1, $2, now(), '{}', 'accepted', $3, 'unroutable', 'no_routing_rule')`, [batch.id, index + 1, contact.id]);
  }
  return batch.id as number;
}

test('a contact that no rule could route is opened again when a rule can, and only that one', async () => {
  const id = await unroutable(['avocat', 'plombier', null]);
  expect(await createMaintenanceActivities({ db: database.db, log }).sweep({ kind: 'injection' })).toEqual({ requeued: 1 });
  expect(await query('select row_number, fate from batch_rows order by row_number')).toEqual([{ row_number: 1, fate: null }, { row_number: 2, fate: 'unroutable' }, { row_number: 3, fate: 'unroutable' }]);
  expect(await query('select accepted, unroutable from import_batches')).toEqual([{ accepted: 3, unroutable: 2 }]);
  expect(await query('select batch_id from outbox')).toEqual([{ batch_id: id }]);
});

test('an Idempotency-Key is forgotten after a day, and not before', async () => {
  for (const [key, age] of [['young', '23 hours'], ['old', '25 hours']]) {
    await query(`insert into import_batches (batch_id, source_id, state, received, caller_key_id, idempotency_key, created_at) values ($1, 's', 'completed', 1, 'caller', $1, now() - $2::interval)`, [key, age]);
  }
  await createMaintenanceActivities({ db: database.db, log }).sweep({ kind: 'statistics' });
  expect(await query('select batch_id, idempotency_key from import_batches order by batch_id')).toEqual([{ batch_id: 'old', idempotency_key: null }, { batch_id: 'young', idempotency_key: 'young' }]);
});

test('a sweep that finds nothing to do queues nothing', async () => {
  await unroutable(['plombier']);
  expect(await createMaintenanceActivities({ db: database.db, log }).sweep({ kind: 'injection' })).toEqual({ requeued: 0 });
});

test('a run that is lost again and again is started later each time, up to ten minutes', async () => {
  const [batch] = await query(`insert into import_batches (batch_id, source_id, state) values ('lost', 's', 'running') returning id`);
  const waits: number[] = [];
  for (let loss = 0; loss < 8; loss += 1) {
    expect(await requeueLostBatches(database.db, { batchIds: [batch.id as number], error: 'run_failed' })).toBe(1);
    expect(await requeueLostBatches(database.db, { batchIds: [batch.id as number], error: 'run_failed' })).toBe(0); // in the queue already
    const [row] = await query('delete from outbox returning extract(epoch from available_at - now())::float8 wait');
    waits.push(Math.abs(Math.round(row.wait as number)));
  }
  expect(waits).toEqual([0, 20, 40, 80, 160, 320, 600, 600]);
  expect(await query('select restarts, error from import_batches')).toEqual([{ restarts: 8, error: 'run_failed' }]);
});

test('small batches of one source share a run up to its limits; another source has its own', async () => {
  await query(`insert into data_sources (source_id, source_type, name) values ('t', 'api', 't')`);
  for (const [id, source, received] of [['a', 's', 4_000], ['b', 't', 10], ['c', 's', 5_000], ['d', 's', 2_000]] as const) {
    await query(`with made as (insert into import_batches (batch_id, source_id, received) values ($1, $2, $3) returning id) insert into outbox (batch_id) select id from made`, [id, source, received]);
  }
  const runs = await claimWaitingRuns(database.db, { limit: 100, holdMs: 1_000 });
  expect(runs.map(({ firstBatchId, sourceId, received, batchIds }) => [firstBatchId, sourceId, received, batchIds.length])).toEqual([['a', 's', 9_000, 2], ['b', 't', 10, 1], ['d', 's', 2_000, 1]]);
  // Held by the first caller: a second one gets nothing.
  expect(await claimWaitingRuns(database.db, { limit: 100, holdMs: 1_000 })).toEqual([]);
});
