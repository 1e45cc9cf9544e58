import { and, count, eq, sql } from 'drizzle-orm';
import type { DbHandle } from '../client';
import { dataSources } from '../schema';

export type DataSource = typeof dataSources.$inferSelect;

export async function listSources(db: DbHandle, { page, limit }: { page: number; limit: number }): Promise<{ items: DataSource[]; total: number }> {
  const items = await db.select().from(dataSources).orderBy(dataSources.id).limit(limit).offset((page - 1) * limit);
  const [row] = await db.select({ total: count() }).from(dataSources);
  return { items, total: row?.total ?? 0 };
}

export async function findSource(db: DbHandle, sourceId: string): Promise<DataSource | undefined> {
  const [found] = await db.select().from(dataSources).where(eq(dataSources.sourceId, sourceId)).limit(1);
  return found;
}

/** False when the id is taken. */
export async function insertSource(db: DbHandle, source: typeof dataSources.$inferInsert): Promise<boolean> {
  const made = await db.insert(dataSources).values(source).onConflictDoNothing().returning({ id: dataSources.id });
  return made.length === 1;
}

export async function updateSource(db: DbHandle, sourceId: string, changes: Partial<typeof dataSources.$inferInsert>): Promise<DataSource | undefined> {
  const [updated] = await db
    .update(dataSources)
    .set({ ...changes, updatedAt: new Date() })
    .where(and(eq(dataSources.sourceId, sourceId)))
    .returning();
  return updated;
}

export type SourceStats = Record<'batches' | 'received' | 'accepted' | 'duplicates' | 'rejected' | 'injected' | 'invalid' | 'suppressed' | 'unroutable' | 'failed', number>;

/** The figures of a source as they are now, added up over its batches. */
export async function sumSource(db: DbHandle, sourceId: string): Promise<SourceStats> {
  const found = await db.execute<SourceStats>(sql`
    select count(*) batches, coalesce(sum(received), 0) received, coalesce(sum(accepted), 0) accepted, coalesce(sum(duplicates), 0) duplicates,
      coalesce(sum(rejected), 0) rejected, coalesce(sum(injected), 0) injected, coalesce(sum(invalid), 0) invalid, coalesce(sum(suppressed), 0) suppressed,
      coalesce(sum(unroutable), 0) unroutable, coalesce(sum(failed), 0) failed
    from import_batches where source_id = ${sourceId} and state <> 'uploading'`);
  const row = found.rows[0];
  if (!row) throw new Error('an aggregate without a row');
  return row;
}
