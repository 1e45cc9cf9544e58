import { and, asc, count, desc, eq, gt, isNull } from 'drizzle-orm';
import type { BatchState, RowFate, RowOutcome } from '../../src/domain/batch';
import type { DbReader } from '../client';
import { batchRows, importBatches } from '../schema';

export type Batch = typeof importBatches.$inferSelect;
export type BatchRow = typeof batchRows.$inferSelect;

export async function listBatches(db: DbReader, filter: { sourceId?: string | undefined; state?: BatchState | undefined; page: number; limit: number }): Promise<{ items: Batch[]; total: number }> {
  const where = and(filter.sourceId === undefined ? undefined : eq(importBatches.sourceId, filter.sourceId), filter.state === undefined ? undefined : eq(importBatches.state, filter.state));
  const items = await db.select().from(importBatches).where(where).orderBy(desc(importBatches.id)).limit(filter.limit).offset((filter.page - 1) * filter.limit);
  const [row] = await db.select({ total: count() }).from(importBatches).where(where);
  return { items, total: row?.total ?? 0 };
}

export async function findBatch(db: DbReader, batchId: string): Promise<Batch | undefined> {
  const [found] = await db.select().from(importBatches).where(eq(importBatches.batchId, batchId)).limit(1);
  return found;
}

export type RowFilter = { outcome?: RowOutcome | undefined; fate?: RowFate | 'waiting' | undefined };

/** Rows in delivery order behind `afterRow`; `waiting` are accepted rows without a fate. */
export async function listRows(db: DbReader, page: RowFilter & { id: number; afterRow: number; limit: number }): Promise<BatchRow[]> {
  const fate = page.fate === undefined ? undefined : page.fate === 'waiting' ? and(isNull(batchRows.fate), eq(batchRows.outcome, 'accepted')) : eq(batchRows.fate, page.fate);
  return db
    .select()
    .from(batchRows)
    .where(and(eq(batchRows.batchId, page.id), gt(batchRows.rowNumber, page.afterRow), page.outcome === undefined ? undefined : eq(batchRows.outcome, page.outcome), fate))
    .orderBy(asc(batchRows.rowNumber))
    .limit(page.limit);
}
