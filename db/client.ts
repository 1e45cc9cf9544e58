import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { Pool, types } from 'pg';
import * as schema from './schema';

export type Db = NodePgDatabase<typeof schema>;
export type Tx = Parameters<Parameters<Db['transaction']>[0]>[0];
/** Reads and writes through a transaction or outside of one. */
export type DbHandle = Db | Tx;
/** What a route that only reads holds: it cannot write. */
export type DbReader = Pick<Db, 'select'>;

export type Database = { db: Db; pool: Pool; close: () => Promise<void> };

/**
 * For the worker: its statements work on lists of keys, a page at a time, and join nothing larger. A planner without statistics (a table filled a
 * second ago) would compare every pair of a page.
 */
export const pageWork = '-c enable_nestloop=off';

/**
 * `max` connections; a waiting caller gives up after 5 s, a statement after 60 s (a page of work is one statement). Where the server cannot say so any more
 * (its machine is gone without a word), we stop waiting by ourselves.
 */
export function openDatabase(url: string, max: number, onIdleError: (error: Error) => void, options?: string): Database {
  // Our 64-bit numbers are ids and counts, far below 2^53.
  types.setTypeParser(types.builtins.INT8, Number);
  const pool = new Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 60_000,
    query_timeout: 65_000,
    keepAlive: true,
    idle_in_transaction_session_timeout: 60_000,
    application_name: 'email-engine',
    ...(options !== undefined && { options }),
  });
  // A connection that dies (Postgres restarted) is replaced by the pool. Without a listener it would end the process, and the pool listens only while
  // it is idle: one that dies between two statements of a transaction speaks to nobody else.
  pool.on('error', onIdleError);
  pool.on('connect', (client) => client.on('error', onIdleError));
  return { db: drizzle(pool, { schema }), pool, close: () => pool.end() };
}
