import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import type { DbHandle } from '../client';
import { apiKeys } from '../schema';

export type StoredKey = typeof apiKeys.$inferSelect;

/** A key that may be used now; the caller compares the secret. */
export async function findLiveKey(db: DbHandle, keyId: string): Promise<StoredKey | undefined> {
  const [found] = await db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.keyId, keyId), isNull(apiKeys.revokedAt), sql`(${apiKeys.expiresAt} is null or ${apiKeys.expiresAt} > now())`))
    .limit(1);
  return found;
}

export async function insertKey(db: DbHandle, key: typeof apiKeys.$inferInsert): Promise<void> {
  await db.insert(apiKeys).values(key).onConflictDoNothing();
}

export async function listKeys(db: DbHandle, sourceId: string): Promise<StoredKey[]> {
  return db.select().from(apiKeys).where(eq(apiKeys.sourceId, sourceId)).orderBy(desc(apiKeys.id)).limit(200);
}

/** False when the source has no such key, or it is revoked already. */
export async function revokeKey(db: DbHandle, key: { sourceId: string; keyId: string }): Promise<boolean> {
  const revoked = await db
    .update(apiKeys)
    .set({ revokedAt: new Date() })
    .where(and(eq(apiKeys.keyId, key.keyId), eq(apiKeys.sourceId, key.sourceId), isNull(apiKeys.revokedAt)))
    .returning({ id: apiKeys.id });
  return revoked.length === 1;
}

export async function hasAdminKey(db: DbHandle): Promise<boolean> {
  const [found] = await db
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(and(eq(apiKeys.kind, 'adm'), isNull(apiKeys.revokedAt)))
    .limit(1);
  return found !== undefined;
}
