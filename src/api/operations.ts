import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import { EngineError } from '../domain/errors';
import { findPoison, type Poison, poisonOfText, poisons } from '../schemas/poison';
import { callerOf, type Principal } from './auth';
import { httpError } from './errors';

type Method = 'get' | 'post' | 'patch' | 'put' | 'delete';

/** One operation as it is served and as it is documented: the same schemas judge the request and make the OpenAPI document. */
export type Operation = {
  method: Method;
  /** As in OpenAPI: `/contacts/{contact_id}`. */
  path: string;
  summary: string;
  description?: string;
  tag: string;
  /** Who may: an operator, or also a source with its own key; or only whoever holds a webhook key. */
  who: 'operator' | 'source' | 'webhook';
  query?: z.ZodObject;
  headers?: z.ZodObject;
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

/** A router whose every route says who may: one that does not cannot be written. */
export function toRouter(served: Served[]): Router {
  const router = Router();
  for (const { operation, handler } of served) {
    const path = operation.path.replace(/\{(\w+)\}/g, ':$1');
    const steps: RequestHandler[] = [allow(operation.who)];
    if (operation.body && operation.rawBody !== true) steps.push(requireType('application/json'), express.json({ limit: operation.bodyLimit ?? '1mb', strict: true }), refusePoison);
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

export const requireType =
  (...[type, ...others]: [string, ...string[]]): RequestHandler =>
  (req, _res, next) => {
    if (!req.is(type)) throw httpError(415, `Send the body as Content-Type: ${[type, ...others].join(' or ')}.`);
    next();
  };

/** Nothing of it may reach a table: the schemas judge single fields, this judges the whole body. */
const refusePoison: RequestHandler = (req, _res, next) => {
  const body: unknown = req.body;
  refuse(findPoison(body));
  next();
};

export function refuse(poison: Poison | undefined): void {
  if (!poison) return;
  const field = poison.field || 'body';
  const message = poisons[poison.reason];
  throw new EngineError('invalid', 'poison', { publicMessage: `${field}: ${message}`, fields: [{ field, reason: poison.reason, message }] });
}

export const pageAnswer = (items: unknown[], total: number, { page, limit }: { page: number; limit: number }) => ({ items, page, limit, total });

const absent = () => new EngineError('notFound', 'path', { publicMessage: 'There is no such thing.' });
const id = z.string().regex(/^[1-9]\d{0,15}$/).transform(Number).refine(Number.isSafeInteger);
export function numberParam(req: Request, name: string): number {
  const value = id.safeParse(req.params[name]);
  if (!value.success) throw absent();
  return value.data;
}
export function textParam(req: Request, name: string): string {
  const value = req.params[name];
  if (typeof value !== 'string' || value.length > 150 || poisonOfText(value) !== undefined) throw absent();
  return value;
}
