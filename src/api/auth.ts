import type { RequestHandler, Response } from 'express';
import { EngineError } from '../domain/errors';
import type { FindPrincipal, Principal } from './principals';

export type { Principal } from './principals';

/** The key of "Authorization: Bearer …"; empty without one. */
export const toToken = (header: string | undefined) => /^Bearer +(\S+)$/i.exec(header ?? '')?.[1] ?? '';

/** Bearer keys of operators and sources: 401 for everything else. */
export function createAuthentication(findPrincipal: FindPrincipal): RequestHandler {
  return async (req, res, next) => {
    const principal = await findPrincipal(toToken(req.get('authorization')));
    if (!principal || principal.kind === 'webhook') throw new EngineError('unauthenticated', 'no valid key', { publicMessage: 'Send a valid key as "Authorization: Bearer ee_…".' });
    res.locals['principal'] = principal;
    next();
  };
}

export function callerOf(res: Response): Principal {
  const principal: unknown = res.locals['principal'];
  if (!isPrincipal(principal)) throw new EngineError('unauthenticated', 'a route without authentication');
  return principal;
}

const isPrincipal = (value: unknown): value is Principal => typeof value === 'object' && value !== null && 'kind' in value && 'keyId' in value;

/** What a caller is called in the audit log. */
export const actorOf = (principal: Principal) => `${principal.kind}:${principal.keyId}`;
