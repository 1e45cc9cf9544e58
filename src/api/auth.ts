import { timingSafeEqual } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import type { Db } from '../../db/client';
import { findLiveKey, recordUse } from '../../db/queries/api-keys';
import { EngineError } from '../domain/errors';
import { parseApiKey } from './keys';

export type Principal = { kind: 'source'; keyId: string; sourceId: string } | { kind: 'operator'; keyId: string };

/** A revoked key works no longer than this. Single contacts come at thousands a second: each would cost a query. */
const keptMs = 1_000;
const keptAtMost = 10_000;
const nobody = Buffer.alloc(64, '0');

/** Bearer keys: 401 for a missing, unknown, expired or revoked one, all alike. */
export function createAuthentication(db: Db): RequestHandler {
  const kept = new Map<string, { principal: Principal | undefined; until: number }>();

  return async (req, res, next) => {
    const token = /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1] ?? '';
    const known = kept.get(token);
    const principal = known && known.until > Date.now() ? known.principal : await look(token);
    if (!principal) throw new EngineError('unauthenticated', 'no valid key', { publicMessage: 'Send a valid key as "Authorization: Bearer ee_…".' });
    res.locals['principal'] = principal;
    next();
  };

  async function look(token: string): Promise<Principal | undefined> {
    const parsed = parseApiKey(token);
    if (!parsed) return undefined;
    const stored = await findLiveKey(db, parsed.keyId);
    const same = timingSafeEqual(Buffer.from(parsed.secretHash), stored ? Buffer.from(stored.secretHash) : nobody);
    const principal: Principal | undefined =
      !stored || !same || stored.kind !== parsed.kind || stored.kind === 'whk'
        ? undefined
        : stored.sourceId !== null
          ? { kind: 'source', keyId: stored.keyId, sourceId: stored.sourceId }
          : { kind: 'operator', keyId: stored.keyId };
    if (kept.size >= keptAtMost) kept.clear();
    if (!principal) return undefined;
    kept.set(token, { principal, until: Date.now() + keptMs });
    await recordUse(db, principal.keyId);
    return principal;
  }
}

export function callerOf(res: Response): Principal {
  const principal: unknown = res.locals['principal'];
  if (!isPrincipal(principal)) throw new EngineError('unauthenticated', 'a route without authentication');
  return principal;
}

const isPrincipal = (value: unknown): value is Principal => typeof value === 'object' && value !== null && 'kind' in value && 'keyId' in value;

/** What a caller is called in the audit log. */
export const actorOf = (principal: Principal) => `${principal.kind}:${principal.keyId}`;
