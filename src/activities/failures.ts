import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { className, EngineError, errorKinds } from '../domain/errors';

type Log = { warn: (facts: object, message: string) => void };

/**
 * What crosses into Temporal is stored there in clear: the kind and our own message, or the class name of what we did not expect. Never a foreign
 * message, which may hold parameters and addresses, and never a cause.
 */
export function toFailure(error: unknown): unknown {
  if (isTemporalsOwn(error)) return error; // cancellation must arrive as cancellation
  if (!(error instanceof EngineError)) return ApplicationFailure.create({ type: 'bug', message: `${className(error)}${codeOf(error)}` });
  return ApplicationFailure.create({
    type: error.kind,
    message: error.message,
    nonRetryable: !errorKinds[error.kind].retry,
    ...(error.options.retryAfterMs !== undefined && { nextRetryDelay: error.options.retryAfterMs }),
  });
}

const isTemporalsOwn = (error: unknown) =>
  error instanceof ApplicationFailure ||
  error instanceof CancelledFailure ||
  error instanceof CompleteAsyncError ||
  (error instanceof Error && error.name === 'AbortError');

/** Error codes are fixed words (SQLSTATE, ECONNREFUSED): they tell an operator what is wrong and carry no data. drizzle hides them in the cause. */
export function codeOf(error: unknown): string {
  const code = readCode(error) ?? (error instanceof Error ? readCode(error.cause) : undefined);
  return code === undefined ? '' : ` ${code}`;
}

const readCode = (value: unknown) =>
  typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string' && /^[A-Z0-9_]{1,40}$/.test(value.code)
    ? value.code
    : undefined;

/** The one place where failures pass on their way out of an activity. */
export const mapFailures =
  (log: Log): ActivityInterceptorsFactory =>
  (ctx) => ({
    inbound: {
      execute: (input, next) =>
        next(input).catch((error: unknown) => {
          log.warn({ activity: ctx.info.activityType, attempt: ctx.info.attempt, error: className(error), code: codeOf(error).trim() }, 'activity failed');
          throw toFailure(error);
        }),
    },
  });
