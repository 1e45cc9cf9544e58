import type { Run } from '../../src/api/batch-start';
import { startRelay } from '../../src/api/relay';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { until } from '../support/engine';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

test('a run that cannot be started holds nobody behind it, and the log tells which', async () => {
  for (const id of ['bad', 'b', 'c', 'd', 'e', 'f']) {
    await database.pool.query(`insert into data_sources (source_id, source_type, name) values ($1, 'api', $1)`, [id]);
    await database.pool.query(`with made as (insert into import_batches (batch_id, source_id, received) values ($1, $1, 1) returning id) insert into outbox (batch_id) select id from made`, [id]);
  }
  const started: string[] = [];
  const warned: object[] = [];
  const log = { debug: () => undefined, info: () => undefined, warn: (facts: object) => void warned.push(facts), error: () => undefined };
  const start = async ({ firstBatchId }: Run) => {
    if (firstBatchId === 'bad') throw Object.assign(new Error('foreign words'), { code: 3 });
    started.push(firstBatchId);
  };
  const relay = startRelay({ db: database.db, starter: { start, startAndWait: async () => undefined }, log });
  await until(async () => started.length === 5, 'the others', 10_000);
  await relay.stop();
  expect(started.toSorted()).toEqual(['b', 'c', 'd', 'e', 'f']);
  expect(warned).toEqual([{ batchId: 'bad', error: 'Error', code: '3' }]);
});
