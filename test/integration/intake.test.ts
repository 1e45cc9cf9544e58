import type { Pool } from 'pg';
import { failUpload, type NewBatch, openUpload, storeBatches } from '../../db/queries/intake';
import { type FreshDatabase, freshDatabase } from '../support/database';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  await database.pool.query(`insert into data_sources (source_id, source_type, name) values ('s', 'api', 's')`);
});
afterAll(() => database.drop());

const batch = (fields: Partial<NewBatch> & { batchId: string }): NewBatch => ({
  sourceId: 's', sourceConfig: undefined, callerKeyId: 'caller', idempotencyKey: undefined, bodyHash: undefined, rows: ['{}'], inline: false, ...fields,
});

/** A pool on which something happens just before earlier holders of a key are looked up. */
const interrupted = (pool: Pool, happens: () => Promise<void>) =>
  new Proxy(pool, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name);
      if (name !== 'query') return typeof own === 'function' ? (own.bind(target) as unknown) : own;
      const query = (...all: unknown[]) => (own as (...all: unknown[]) => unknown).apply(target, all);
      return (text: unknown, ...rest: unknown[]) => (typeof text === 'string' && text.includes('from import_batches') ? happens().then(() => query(text, ...rest)) : query(text, ...rest));
    },
  });

test('a key that is given up in the moment it is looked up spoils no other call of the commit', async () => {
  const upload = await openUpload(database.pool, batch({ batchId: 'upload', idempotencyKey: 'k' }));
  if (upload.state !== 'stored') throw new Error(upload.state);
  const pool = interrupted(database.pool, () => failUpload(database.pool, upload.id));
  const stored = await storeBatches(pool, [batch({ batchId: 'a' }), batch({ batchId: 'b', idempotencyKey: 'k' }), batch({ batchId: 'c', sourceId: 'nobody' }), batch({ batchId: 'd' })]);
  expect(stored.map(({ state }) => state)).toEqual(['stored', 'key_freed', 'no_source', 'stored']);
});

test('commits that carry the same keys of several callers wait for each other, and never in a circle', async () => {
  const callers = Array.from({ length: 300 }, (_, n) => String(n).padStart(3, '0'));
  for (let round = 0; round < 5; round += 1) {
    // The ids of the batches are in opposite order: they must not decide whose key is taken first.
    const commit = (name: string, last: number) => callers.map((caller, n) => batch({ batchId: `${round}-${name}-${String(Math.abs(last - n)).padStart(3, '0')}`, callerKeyId: caller, idempotencyKey: `key-${round}` }));
    const [one, two] = await Promise.all([storeBatches(database.pool, commit('x', 0)), storeBatches(database.pool, commit('y', 299))]);
    callers.forEach((_, n) => expect([one[n]!.state, two[n]!.state].toSorted()).toEqual(['replayed', 'stored']));
  }
});
