import { and, count, desc, eq, isNull, sql } from 'drizzle-orm';
import type { Alert, AlertKind } from '../../src/domain/alert';
import type { DbHandle, DbReader } from '../client';
import { alerts } from '../schema';

export type StoredAlert = typeof alerts.$inferSelect;

/** True when it is new; one that is open already is counted and gets the newer message. */
export async function raiseAlert(db: DbHandle, alert: Alert): Promise<boolean> {
  const [raised] = await db
    .insert(alerts)
    .values(alert)
    .onConflictDoUpdate({
      target: [alerts.kind, alerts.subject],
      targetWhere: isNull(alerts.resolvedAt),
      set: { count: sql`${alerts.count} + 1`, message: alert.message, lastAt: sql`now()` },
    })
    .returning({ count: alerts.count });
  return raised?.count === 1;
}

/** What it was about is over. */
export async function resolveAlert(db: DbHandle, about: { kind: AlertKind; subject: string }): Promise<void> {
  await db
    .update(alerts)
    .set({ resolvedAt: sql`now()` })
    .where(and(eq(alerts.kind, about.kind), eq(alerts.subject, about.subject), isNull(alerts.resolvedAt)));
}

export async function listAlerts(db: DbReader, filter: { openOnly: boolean; kind?: AlertKind | undefined; page: number; limit: number }): Promise<{ items: StoredAlert[]; total: number }> {
  const where = and(filter.openOnly ? isNull(alerts.resolvedAt) : undefined, filter.kind === undefined ? undefined : eq(alerts.kind, filter.kind));
  const items = await db.select().from(alerts).where(where).orderBy(desc(alerts.id)).limit(filter.limit).offset((filter.page - 1) * filter.limit);
  const [row] = await db.select({ total: count() }).from(alerts).where(where);
  return { items, total: row?.total ?? 0 };
}

/** Undefined when there is no such alert; acknowledged twice, the first time stays. */
export async function acknowledgeAlert(db: DbHandle, acknowledgement: { id: number; by: string }): Promise<StoredAlert | undefined> {
  const [found] = await db
    .update(alerts)
    .set({ acknowledgedAt: sql`coalesce(${alerts.acknowledgedAt}, now())`, acknowledgedBy: sql`coalesce(${alerts.acknowledgedBy}, ${acknowledgement.by})` })
    .where(eq(alerts.id, acknowledgement.id))
    .returning();
  return found;
}
