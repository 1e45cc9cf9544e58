import { and, asc, eq, gt } from 'drizzle-orm';
import type { DbHandle } from '../client';
import { mailwizzInstances } from '../schema';

export type SealedColumn = 'apiKey' | 'mysqlPassword';
export type SealedInstance = { id: number; instanceId: string; apiKey: string; mysqlPassword: string | null };

/** Instances with their seals, in order of id. */
export async function listSealed(db: DbHandle, page: { afterId: number; limit: number }): Promise<SealedInstance[]> {
  const { id, instanceId, apiKey, mysqlPassword } = mailwizzInstances;
  return db.select({ id, instanceId, apiKey, mysqlPassword }).from(mailwizzInstances).where(gt(id, page.afterId)).orderBy(asc(id)).limit(page.limit);
}

/** False when somebody changed the secret meanwhile: the newer one stays. */
export async function replaceSeal(db: DbHandle, seal: { id: number; column: SealedColumn; from: string; to: string }): Promise<boolean> {
  const replaced = await db
    .update(mailwizzInstances)
    .set({ [seal.column]: seal.to })
    .where(and(eq(mailwizzInstances.id, seal.id), eq(mailwizzInstances[seal.column], seal.from)))
    .returning({ id: mailwizzInstances.id });
  return replaced.length === 1;
}
