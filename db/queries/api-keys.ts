import { and, desc, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { DbHandle, Tx } from '../client';
import { apiKeys } from '../schema';

export type StoredKey = typeof apiKeys.$inferSelect;

const isLive = and(isNull(apiKeys.revokedAt), sql`(${apiKeys.expiresAt} is null or ${apiKeys.expiresAt} > now())`);

const isOperators = inArray(apiKeys.kind, ['ops', 'adm']);

/** A key that may be used now; the caller compares the secret. */
export async function findLiveKey(db: DbHandle, keyId: string): Promise<StoredKey | undefined> {
  const [found] = await db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.keyId, keyId), isLive))
    .limit(1);
  return found;
}

/** To the minute: a busy key costs no write per call. */
export async function recordUse(db: DbHandle, keyId: string): Promise<void> {
  await db.execute(sql`update api_keys set last_used_at = now() where key_id = ${keyId} and (last_used_at is null or last_used_at < now() - interval '1 minute')`);
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

export async function listOperatorKeys(db: DbHandle): Promise<StoredKey[]> {
  return db.select().from(apiKeys).where(isOperators).orderBy(apiKeys.id).limit(1_000);
}

/** Never the last live one: nobody could come in any more. The rows are locked, so that two at once do not revoke each other's last. */
export async function revokeOperatorKey(tx: Tx, keyId: string): Promise<'revoked' | 'absent' | 'last'> {
  const live = await tx.select({ keyId: apiKeys.keyId }).from(apiKeys).where(and(isOperators, isLive)).orderBy(apiKeys.id).limit(1_000).for('update');
  if (!live.some((key) => key.keyId === keyId)) return 'absent';
  if (live.length === 1) return 'last';
  await tx.update(apiKeys).set({ revokedAt: new Date() }).where(eq(apiKeys.keyId, keyId));
  return 'revoked';
}

export async function hasAdminKey(db: DbHandle): Promise<boolean> {
  const [found] = await db
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(and(eq(apiKeys.kind, 'adm'), isLive))
    .limit(1);
  return found !== undefined;
}

/** Webhook keys, newest first; revoked ones too. */
export async function listWebhookKeys(db: DbHandle): Promise<StoredKey[]> {
  return db.select().from(apiKeys).where(eq(apiKeys.kind, 'whk')).orderBy(desc(apiKeys.id)).limit(1_000);
}

/** False when there is no such webhook key, or it is revoked already. */
export async function revokeWebhookKey(db: DbHandle, keyId: string): Promise<boolean> {
  const revoked = await db
    .update(apiKeys)
    .set({ revokedAt: new Date() })
    .where(and(eq(apiKeys.keyId, keyId), eq(apiKeys.kind, 'whk'), isNull(apiKeys.revokedAt)))
    .returning({ id: apiKeys.id });
  return revoked.length === 1;
}
