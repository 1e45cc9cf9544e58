import { eq, sql } from 'drizzle-orm';
import type { DbHandle, DbReader } from '../client';
import { accountingFiles } from '../schema';

/** How far a file has been read; 0 for one that nobody has seen. */
export async function findBytesRead(db: DbReader, fingerprint: string): Promise<number> {
  const [found] = await db.select({ bytesRead: accountingFiles.bytesRead }).from(accountingFiles).where(eq(accountingFiles.fingerprint, fingerprint)).limit(1);
  return found?.bytesRead ?? 0;
}

/** Never goes back: of two that read one file, the further one stands. */
export async function recordBytesRead(db: DbHandle, { fingerprint, name, bytesRead, records }: { fingerprint: string; name: string; bytesRead: number; records: number }): Promise<void> {
  await db
    .insert(accountingFiles)
    .values({ fingerprint, name, bytesRead, records })
    .onConflictDoUpdate({
      target: accountingFiles.fingerprint,
      set: { name, bytesRead: sql`greatest(${accountingFiles.bytesRead}, excluded.bytes_read)`, records: sql`${accountingFiles.records} + excluded.records`, updatedAt: sql`now()` },
    });
}
