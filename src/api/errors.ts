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
  rateLimited: 'Too much at once',
  unavailable: 'Not available at the moment',
};

/** Answers of Postgres and its pool that mean: come back soon. */
const databaseAway = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|57P0[1-3]|08\w{3}|53\w{3}|40001|40P01|55P03)$/;

export const noRoute: RequestHandler = (req) => {
  throw new EngineError('notFound', 'no route', { publicMessage: `There is no ${req.method} ${req.path}. See /docs.` });
};

/** The one place where errors become answers: problem+json (RFC 9457), never a stack, never a foreign message. */
export const answerErrors =
  (log: Log): ErrorRequestHandler =>
  (error: unknown, req, res, next) => {
    if (res.headersSent) return next(error);
    const problem = toProblem(error);
    if (problem.status >= 500) log.error({ requestId: String(res.locals['requestId']), status: problem.status, error: className(error), code: codeOf(error), path: req.path }, 'request failed');
    const { retryAfterMs, ...body } = problem;
    if (problem.status === 401) res.set('WWW-Authenticate', 'Bearer');
    if (problem.status === 503 || retryAfterMs !== undefined) res.set('Retry-After', String(Math.ceil((retryAfterMs ?? 2_000) / 1_000)));
    res.status(problem.status).type('application/problem+json').send(JSON.stringify({ ...body, request_id: String(res.locals['requestId']) }));
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
  const code = codeOf(error);
  if (databaseAway.test(code) || (error instanceof Error && /timeout exceeded when trying to connect|Connection terminated/.test(messageOf(error)))) {
    return { type: '/problems/unavailable', title: 'Not available at the moment', status: 503, detail: 'The database is not available. Nothing was stored; try again.' };
  }
  const status = typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number' ? error.status : 500;
  if (status >= 400 && status < 500) return { type: `/problems/http-${status}`, title: 'The request could not be read', status, detail: bodyTrouble(error) };
  return { type: '/problems/internal', title: 'Something went wrong here', status: 500, detail: 'The error is logged under this request id.' };
}

/** drizzle wraps what the driver said. */
const causeOf = (error: unknown): unknown => (error instanceof Error && error.cause !== undefined ? error.cause : error);
const messageOf = (error: unknown) => {
  const cause = causeOf(error);
  return cause instanceof Error ? cause.message : '';
};
function codeOf(error: unknown): string {
  for (const value of [error, causeOf(error)]) if (typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string') return value.code;
  return '';
}

const troubles: Record<string, string> = {
  'entity.parse.failed': 'The body is not valid JSON.',
  'entity.too.large': 'The body is too large.',
  'encoding.unsupported': 'The content encoding is not supported.',
  'request.aborted': 'The request ended early.',
};
const bodyTrouble = (error: unknown) => (typeof error === 'object' && error !== null && 'type' in error && typeof error.type === 'string' ? troubles[error.type] : undefined) ?? 'The request could not be read.';
