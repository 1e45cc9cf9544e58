import { EngineError } from '../../domain/errors';

/** The error code of a failed call in small letters, or nothing. */
export const codeOf = (error: unknown) =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code.toLowerCase() : '';

/** A short word for logs and ledgers; never a foreign message, which may hold addresses and values. Our own errors here carry the word as their message. */
export const toReason = (error: unknown, otherwise: string) => (error instanceof EngineError ? error.message : codeOf(error) || otherwise);
