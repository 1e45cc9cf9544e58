import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import { EngineError } from '../domain/errors';
import { callerOf, type Principal } from './auth';

type Method = 'get' | 'post' | 'patch' | 'put' | 'delete';

/** One operation as it is served and as it is documented: the same schemas judge the request and make the OpenAPI document. */
export type Operation = {
  method: Method;
  /** As in OpenAPI: `/contacts/{contact_id}`. */
  path: string;
  summary: string;
  description?: string;
  tag: string;
  /** Who may: an operator, or also a source with its own key. */
  who: 'operator' | 'source';
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Status and meaning of the good answer. */
  answer: { status: number; text: string; schema?: z.ZodType };
  errors?: number[];
  /** Largest JSON body; 1 MB unless told. */
  bodyLimit?: string;
  /** The handler reads the body by itself (streams). */
  rawBody?: boolean;
};
export type Handler = (req: Request, res: Response, caller: Principal) => Promise<void> | void;
export type Served = { operation: Operation; handler: Handler };

export const serve = (operation: Operation, handler: Handler): Served => ({ operation, handler });

const maxDepth = 20;

/** A router whose every route says who may: one that does not cannot be written. */
export function toRouter(served: Served[]): Router {
  const router = Router();
  for (const { operation, handler } of served) {
    const path = operation.path.replace(/\{(\w+)\}/g, ':$1');
    const steps: RequestHandler[] = [allow(operation.who)];
    if (operation.body && operation.rawBody !== true) steps.push(requireJson, express.json({ limit: operation.bodyLimit ?? '1mb', strict: true }), refusePoison);
    router[operation.method](path, ...steps, async (req, res) => handler(req, res, callerOf(res)));
  }
  return router;
}

const allow =
  (who: Operation['who']): RequestHandler =>
  (_req, res, next) => {
    if (who === 'operator' && callerOf(res).kind !== 'operator') throw new EngineError('forbidden', 'operator only', { publicMessage: 'This needs an operator key.' });
    next();
  };

export const requireJson: RequestHandler = (req, _res, next) => {
  if (!req.is('application/json')) throw Object.assign(new Error('content type'), { status: 415 });
  next();
};

/** Keys that reach for prototypes, text that Postgres refuses, and nesting that no request of ours has. */
const refusePoison: RequestHandler = (req, _res, next) => {
  const body: unknown = req.body;
  const poison = findPoison(body, '', 0);
  if (poison) throw new EngineError('invalid', 'poison', { publicMessage: `${poison.field}: ${poison.message}`, fields: [poison] });
  next();
};

function findPoison(value: unknown, path: string, depth: number): { field: string; reason: string; message: string } | undefined {
  const field = path.slice(1, 200) || 'body';
  if (typeof value === 'string') {
    if (value.includes('\u0000')) return { field, reason: 'nul_character', message: 'holds a NUL character' };
    return value.isWellFormed() ? undefined : { field, reason: 'not_well_formed', message: 'holds half of a surrogate pair' };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= maxDepth) return { field, reason: 'too_deep', message: `is nested deeper than ${maxDepth} levels` };
  for (const [key, inner] of Object.entries(value)) {
    if (['__proto__', 'constructor', 'prototype'].includes(key)) return { field: `${path}.${key}`.slice(1, 200), reason: 'forbidden_key', message: 'is a key that is not allowed' };
    const poison = findPoison(key, `${path}.key`, depth + 1) ?? findPoison(inner, `${path}.${key}`, depth + 1);
    if (poison) return poison;
  }
  return undefined;
}

/** page and limit of every list (specification 12.5, 72). */
export const paging = z.object({ page: z.coerce.number().int().min(1).max(100_000).default(1), limit: z.coerce.number().int().min(1).max(200).default(50) });
export const pageAnswer = (items: unknown[], total: number, { page, limit }: { page: number; limit: number }) => ({ items, page, limit, total });

const id = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const numberParam = (req: Request, name: string): number => z.object({ [name]: id }).parse({ [name]: req.params[name] })[name] ?? 0;
export const textParam = (req: Request, name: string): string => {
  const value = req.params[name];
  if (typeof value !== 'string' || value.length > 150 || value.includes('\u0000')) throw new EngineError('notFound', 'path', { publicMessage: 'There is no such thing.' });
  return value;
};
