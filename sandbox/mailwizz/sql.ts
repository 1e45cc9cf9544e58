import type { Pool, PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';

export type Db = Pool | PoolConnection;

export async function select<Row extends object>(db: Db, statement: string, values: unknown[] = []): Promise<Row[]> {
  const [rows] = await db.query<(Row & RowDataPacket)[]>(statement, values);
  return rows;
}

/** How many rows a statement found, and the number it gave to the first new one. */
export async function change(db: Db, statement: string, values: unknown[] = []): Promise<{ found: number; insertId: number }> {
  const [done] = await db.query<ResultSetHeader>(statement, values);
  return { found: done.affectedRows, insertId: done.insertId };
}

/** A deadlock's victim loses nothing by another try. */
const deadlock = 1213;
const maxTries = 5;

/** READ COMMITTED: what INSERT … SELECT reads must stay writable for the API. */
export async function inTransaction<T>(pool: Pool, work: (connection: PoolConnection) => Promise<T>, tries = maxTries): Promise<T> {
  const connection = await pool.getConnection();
  try {
    await connection.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
    await connection.beginTransaction();
    const result = await work(connection);
    await connection.commit();
    return result;
  } catch (error) {
    await connection.rollback();
    if (tries <= 1 || !isDeadlock(error)) throw error;
  } finally {
    connection.release();
  }
  return inTransaction(pool, work, tries - 1);
}

const isDeadlock = (error: unknown) => error instanceof Error && 'errno' in error && error.errno === deadlock;
