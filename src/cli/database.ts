import { type Db, openDatabase } from '../../db/client';

/** One connection for one command. */
export async function withDatabase<T>(url: string, work: (db: Db) => Promise<T>): Promise<T> {
  const database = openDatabase(url, 1, () => undefined);
  try {
    return await work(database.db);
  } finally {
    await database.close();
  }
}
