import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Pool } from 'pg';
import { failUpload, type NewBatch, openUpload, storeBatches } from '../../db/queries/intake';
import { toProblem } from '../../src/api/errors';
import { createIntake } from '../../src/api/intake';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { until } from '../support/engine';

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

const bodyHash = 'a'.repeat(64);
const startNothing = { startAndWait: async () => undefined, start: async () => undefined };
const intakeOf = (beatMs?: number) =>
  createIntake({ pool: database.pool, db: database.db, starter: startNothing, ingestWaitMs: 0, now: () => new Date(), ...(beatMs !== undefined && { beatMs }) });
const delivery = (idempotencyKey: string) => ({ caller: { kind: 'source' as const, keyId: 'caller', sourceId: 's' }, sourceId: 's', idempotencyKey });
const age = (key: string, by: string) => database.pool.query(`update import_batches set updated_at = now() - $2::interval where idempotency_key = $1`, [key, by]);
const isYoung = async (key: string) => (await database.pool.query(`select from import_batches where idempotency_key = $1 and updated_at > now() - interval '1 minute'`, [key])).rowCount === 1;

test.each([
  ['a delivery', (key: string) => intakeOf().accept({ ...delivery(key), bodyHash, rows: ['{}'], wait: false })],
  ['an upload', async (key: string) => (await intakeOf().openStream(delivery(key))).finish({ bodyHash, wait: false })],
])('%s takes over the key of an upload that has not said for five minutes that it lives, and not before', async (what, repeat) => {
  const key = `lost-${what}`;
  await openUpload(database.pool, batch({ batchId: key, idempotencyKey: key }));
  await age(key, '4 minutes');
  await expect(repeat(key)).rejects.toMatchObject({ kind: 'conflict' });
  await age(key, '6 minutes');
  expect(await repeat(key)).toMatchObject({ replayed: false });
  expect((await database.pool.query('select state from import_batches where batch_id = $1', [key])).rows).toEqual([{ state: 'failed' }]);
});

test('an upload that is slow but lives is never taken for lost; one that has ended says nothing any more', async () => {
  const upload = await intakeOf(20).openStream(delivery('slow'));
  await age('slow', '6 minutes');
  await until(() => isYoung('slow'), 'a sign of life');
  await expect(intakeOf().openStream(delivery('slow'))).rejects.toMatchObject({ kind: 'conflict' });
  await upload.finish({ bodyHash, wait: false });
  expect(await intakeOf().accept({ ...delivery('slow'), bodyHash, rows: ['{}'], wait: false })).toMatchObject({ replayed: true });
});

/** A Postgres that takes and says nothing more from the moment such a text arrives, as when its machine is gone. */
async function mutedAt(text: string) {
  const { hostname, port } = new URL(database.url);
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    sockets.push(near, far);
    let muted = false;
    near.on('data', (part) => {
      muted ||= part.includes(text);
      if (muted) near.pause();
      else far.write(part);
    });
    far.on('data', (part) => void (muted || near.write(part)));
    [near, far].forEach((socket) => socket.on('error', () => undefined));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(database.url);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pool = new Pool({ connectionString: url.href, query_timeout: 300 });
  pool.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined));
  return {
    pool,
    close: async () => {
      await pool.end();
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

test.each(['copy batch_rows', 'first_name', 'commit'])('a Postgres that falls silent at "%s" holds nobody: the call fails in time as one that may be repeated, and its connection is given up', async (text) => {
  const { pool, close } = await mutedAt(text);
  const rows = Array.from({ length: 3_000 }, () => JSON.stringify({ first_name: 'x'.repeat(5_000) }));
  const started = Date.now();
  const error = await storeBatches(pool, [batch({ batchId: `silent-${text}`, rows })]).catch((refusal: unknown) => refusal);
  const took = Date.now() - started;
  const left = pool.totalCount;
  await close();
  expect(toProblem(error).status).toBe(503);
  expect(took).toBeLessThan(2_000);
  expect(left).toBe(0);
});
