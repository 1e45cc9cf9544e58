import { and, count, desc, eq, isNull, sql } from 'drizzle-orm';
import type { DbHandle, DbReader } from '../client';
import { webhookQuarantine } from '../schema';

export type Quarantined = typeof webhookQuarantine.$inferSelect;
export type NewQuarantined = Pick<typeof webhookQuarantine.$inferInsert, 'instanceId' | 'endpoint' | 'contentType' | 'body' | 'reason'>;

const rowsPerInsert = 1_000;

/** Keeps what nobody could read, byte for byte. */
export async function insertQuarantined(db: DbHandle, rows: NewQuarantined[]): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsPerInsert) await db.insert(webhookQuarantine).values(rows.slice(from, from + rowsPerInsert));
}

const facts = { id: webhookQuarantine.id, instanceId: webhookQuarantine.instanceId, endpoint: webhookQuarantine.endpoint, contentType: webhookQuarantine.contentType, reason: webhookQuarantine.reason, receivedAt: webhookQuarantine.receivedAt, replayedAt: webhookQuarantine.replayedAt, bytes: sql<number>`octet_length(${webhookQuarantine.body})` };
export type QuarantinedFacts = Omit<Quarantined, 'body'> & { bytes: number };

/** Newest first, without the bodies. */
export async function listQuarantined(db: DbReader, filter: { waitingOnly: boolean; page: number; limit: number }): Promise<{ items: QuarantinedFacts[]; total: number }> {
  const where = filter.waitingOnly ? isNull(webhookQuarantine.replayedAt) : undefined;
  const items = await db.select(facts).from(webhookQuarantine).where(where).orderBy(desc(webhookQuarantine.id)).limit(filter.limit).offset((filter.page - 1) * filter.limit);
  const [row] = await db.select({ total: count() }).from(webhookQuarantine).where(where);
  return { items, total: row?.total ?? 0 };
}

export async function findQuarantined(db: DbReader, id: number): Promise<Quarantined | undefined> {
  const [found] = await db.select().from(webhookQuarantine).where(eq(webhookQuarantine.id, id)).limit(1);
  return found;
}

/** It could be read after all; the first time stays. */
export async function recordReplay(db: DbHandle, id: number): Promise<void> {
  await db.update(webhookQuarantine).set({ replayedAt: sql`now()` }).where(and(eq(webhookQuarantine.id, id), isNull(webhookQuarantine.replayedAt)));
}
