import { isGrpcServiceError } from '@temporalio/client';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { ZodError } from 'zod';
import { className, EngineError, errorKinds, type FieldError } from '../domain/errors';
import type { Log } from '../log';

export type Problem = { type: string; title: string; status: number; detail: string; errors?: FieldError[]; retryAfterMs?: number };

const titles: Record<string, string> = {
  invalid: 'The request is not valid',
  unauthenticated: 'A valid key is needed',
  forbidden: 'This key may not do that',
  notFound: 'There is no such thing',
  conflict: 'Not possible in the present state',
  refused: 'A foreign system refused',
  contract: 'A foreign system answered in an unknown form',
  busy: 'Too much at once',
  rateLimited: 'Too much at once',
  unavailable: 'Not available at the moment',
};

/** Answers of Postgres, its pool and the way to it that mean: come back soon. 57014 is a statement over its time limit, 25006 a standby. */
const databaseAway = /^(E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH)|57(014|P0[1-5])|08\w{3}|53\w{3}|25(006|P03)|40001|40P01|55P03)$/;
/** What was free or there when we looked, and is not any more: unique and foreign keys, exclusions. */
const takenMeanwhile = /^23(503|505|P01)$/;
/** gRPC: cancelled, unknown, deadline exceeded, permission denied, resource exhausted, aborted, unimplemented (a proxy answers), internal, unavailable, unauthenticated. The others are ours. */
const temporalAway = new Set([1, 2, 4, 7, 8, 10, 12, 13, 14, 16]);

/** A request that HTTP itself has a status for. */
export const httpError = (status: number, publicMessage: string) => Object.assign(new Error(publicMessage), { status, publicMessage });

/** Addresses of webhooks hold their key: MailWizz can send no header. */
const withoutKeys = (path: string) => path.replace(/ee_[a-z]{3}_\w+/g, 'ee_…');

export const noRoute: RequestHandler = (req) => {
  throw new EngineError('notFound', 'no route', { publicMessage: `There is no ${req.method} ${withoutKeys(req.path)}. See /docs.` });
};

/** The one place where errors become answers: problem+json (RFC 9457), never a stack, never a foreign message. */
export const answerErrors =
  (log: Log): ErrorRequestHandler =>
  (error: unknown, req, res, next) => {
    if (res.headersSent) return next(error);
    const problem = toProblem(error);
    if (problem.status >= 500) log.error({ requestId: String(res.locals['requestId']), status: problem.status, error: className(error), code: codeOf(error), path: withoutKeys(req.path) }, 'request failed');
    const { retryAfterMs, ...body } = problem;
    if (problem.status === 401) res.set('WWW-Authenticate', 'Bearer');
    if (problem.status === 503 || retryAfterMs !== undefined) res.set('Retry-After', String(Math.ceil((retryAfterMs ?? 2_000) / 1_000)));
    res.status(problem.status).type('application/problem+json').send(`${JSON.stringify({ ...body, request_id: String(res.locals['requestId']) })}\n`);
  };

export function toProblem(error: unknown): Problem {
  if (error instanceof EngineError) {
    const { publicMessage, fields, retryAfterMs } = error.options;
    const title = titles[error.kind] ?? 'Error';
    return {
      type: `/problems/${error.kind}`, title, status: errorKinds[error.kind].status, detail: publicMessage ?? title,
      ...(fields && { errors: fields }), ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }
  if (error instanceof ZodError) {
    const errors = error.issues.slice(0, 50).map((issue) => ({
      field: issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''].join('.') : issue.path.join('.'),
      reason: issue.code,
      message: issue.message,
    }));
    return { type: '/problems/invalid', title: 'The request is not valid', status: 422, detail: errors.map(({ field, message }) => `${field || 'body'}: ${message}`).join('; ').slice(0, 1_000), errors };
  }
  if (takenMeanwhile.test(codeOf(error))) return { type: '/problems/conflict', title: titles['conflict'] ?? '', status: 409, detail: 'Somebody else changed the same thing at the same moment. Look at it, and send it again.' };
  if (isDatabaseAway(error)) return away('The database is not available. Send it again, a delivery with the same Idempotency-Key: what was stored already is not stored twice.');
  if (isTemporalAway(error)) return away('Temporal is not available. Send it again.');
  const status = typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number' ? error.status : 500;
  if (status >= 400 && status < 500) return { type: `/problems/http-${status}`, title: 'The request could not be read', status, detail: bodyTrouble(error) };
  return { type: '/problems/internal', title: 'Something went wrong here', status: 500, detail: 'The error is logged under this request id.' };
}

/** Nothing is claimed about what was stored: the answer to a commit may be what was lost. */
const away = (detail: string): Problem => ({ type: '/problems/unavailable', title: titles['unavailable'] ?? '', status: 503, detail });

const isDatabaseAway = (error: unknown) => databaseAway.test(codeOf(error)) || /timeout exceeded when trying to connect|Query read timeout|Connection terminated/.test(messageOf(error));
const isTemporalAway = (error: unknown) =>
  [error, causeOf(error)].some((each) => isGrpcServiceError(each) && temporalAway.has(each.code)) || messageOf(error) === 'Failed to connect before the deadline';

/** drizzle and Temporal's client wrap what the wire said. */
const causeOf = (error: unknown): unknown => (error instanceof Error && error.cause !== undefined ? error.cause : error);
const messageOf = (error: unknown) => {
  const cause = causeOf(error);
  return cause instanceof Error ? cause.message : '';
};
/** The code of Postgres, the system or gRPC: all that a log may know of a foreign error. */
export function codeOf(error: unknown): string {
  for (const value of [error, causeOf(error)]) {
    if (typeof value === 'object' && value !== null && 'code' in value && (typeof value.code === 'string' || typeof value.code === 'number')) return String(value.code);
  }
  return '';
}

const troubles: Record<string, string> = {
  'entity.parse.failed': 'The body is not valid JSON.',
  'entity.too.large': 'The body is too large.',
  'encoding.unsupported': 'The content encoding is not supported.',
  'request.aborted': 'The request ended early.',
};
const textOf = (error: unknown, name: 'publicMessage' | 'type') => {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' ? value : '';
};
const bodyTrouble = (error: unknown) => textOf(error, 'publicMessage') || troubles[textOf(error, 'type')] || 'The request could not be read.';
