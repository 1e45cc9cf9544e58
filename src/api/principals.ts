import { timingSafeEqual } from 'node:crypto';
import type { Db } from '../../db/client';
import { findLiveKey, recordUse, type StoredKey } from '../../db/queries/api-keys';
import { parseApiKey } from './keys';

/** A webhook key reports events of one instance, or with null those of PowerMTA, and opens nothing else. */
export type WebhookPrincipal = { kind: 'webhook'; keyId: string; instanceId: string | null };
export type Principal = { kind: 'source'; keyId: string; sourceId: string } | { kind: 'operator'; keyId: string };

export type FindPrincipal = (token: string) => Promise<Principal | WebhookPrincipal | undefined>;

/** A revoked key works no longer than this. Calls come at thousands a second: each would cost a query. */
const keptMs = 1_000;
const keptAtMost = 10_000;
const nobody = Buffer.alloc(64, '0');

/** Whose key it is; undefined for a missing, unknown, expired or revoked one, all alike and in the same time. */
export function createPrincipals(db: Db): FindPrincipal {
  const kept = new Map<string, { principal: Principal | WebhookPrincipal; until: number }>();

  return async (token) => {
    const known = kept.get(token);
    if (known && known.until > Date.now()) return known.principal;
    const parsed = parseApiKey(token);
    if (!parsed) return undefined;
    const stored = await findLiveKey(db, parsed.keyId);
    const same = timingSafeEqual(Buffer.from(parsed.secretHash), stored ? Buffer.from(stored.secretHash) : nobody);
    if (kept.size >= keptAtMost) kept.clear();
    if (!stored || !same || stored.kind !== parsed.kind) return undefined;
    const principal = toPrincipal(stored);
    kept.set(token, { principal, until: Date.now() + keptMs });
    await recordUse(db, principal.keyId);
    return principal;
  };
}

function toPrincipal({ kind, keyId, sourceId, instanceId }: StoredKey): Principal | WebhookPrincipal {
  if (kind === 'whk') return { kind: 'webhook', keyId, instanceId };
  return sourceId === null ? { kind: 'operator', keyId } : { kind: 'source', keyId, sourceId };
}
