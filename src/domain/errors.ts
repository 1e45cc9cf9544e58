/** Does time heal it, and what the API answers. */
export const errorKinds = {
  invalid: { retry: false, status: 422 },
  unauthenticated: { retry: false, status: 401 },
  forbidden: { retry: false, status: 403 },
  notFound: { retry: false, status: 404 },
  conflict: { retry: false, status: 409 },
  refused: { retry: false, status: 502 },
  contract: { retry: false, status: 502 },
  busy: { retry: true, status: 429 },
  rateLimited: { retry: true, status: 503 },
  unavailable: { retry: true, status: 503 },
} as const;
export type ErrorKind = keyof typeof errorKinds;

export type FieldError = { field: string; reason: string; message: string };

/** `message` is for us and names ids only; `publicMessage` and `fields` are what a caller reads. */
export class EngineError extends Error {
  constructor(
    readonly kind: ErrorKind,
    message: string,
    readonly options: { retryAfterMs?: number; publicMessage?: string; fields?: FieldError[] } = {},
  ) {
    super(message);
    this.name = 'EngineError';
  }
}

export const className = (error: unknown) => (error instanceof Error ? error.constructor.name : 'not an Error');
