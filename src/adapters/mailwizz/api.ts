import { z } from 'zod';
import { buildConnector, Pool } from 'undici';
import { EngineError } from '../../domain/errors';
import { resolveGuarded } from './guard';

/** A call that came back, told apart by what may have happened. */
export type ApiAnswer =
  | { kind: 'answer'; status: number; body: unknown }
  /** Surely nothing was done: no connection, or their "slow down". */
  | { kind: 'nothing'; reason: string; retryAfterMs?: number }
  /** They deny us: key, permission, address. */
  | { kind: 'refused'; reason: string }
  /** It may have been done: time-out, cut reply, 5xx, an answer that is not theirs. */
  | { kind: 'unknown'; reason: string };

const timeouts = { connectMs: 5_000, firstByteMs: 15_000, totalMs: 30_000 };
const bodyLimit = 4 << 20;
/** PHP installations serve few calls side by side well. */
const connections = 4;

const envelope = z.looseObject({ status: z.enum(['success', 'error']) });
const errorText = z.object({ error: z.union([z.string(), z.record(z.string(), z.unknown())]) });
/** Errors of a connection that was never made. */
const neverConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'EE_GUARD']);

export type ApiClient = ReturnType<typeof createApiClient>;

/** One MailWizz over HTTP: no redirects, no retries, every answer parsed before it is believed. */
export function createApiClient({ apiUrl, apiKey, allowPrivateNetwork }: { apiUrl: string; apiKey: string; allowPrivateNetwork: boolean }) {
  const base = new URL(apiUrl.replace(/\/+$/, ''));
  const connector = buildConnector({ timeout: timeouts.connectMs });
  const pool = new Pool(base.origin, {
    connections,
    headersTimeout: timeouts.firstByteMs,
    bodyTimeout: timeouts.firstByteMs,
    maxResponseSize: bodyLimit,
    keepAliveTimeout: 30_000,
    connect: (options, callback) => {
      resolveGuarded(options.hostname, allowPrivateNetwork).then(
        (address) => connector({ ...options, hostname: address, servername: options.servername ?? base.hostname }, callback),
        (error: unknown) => callback(Object.assign(new Error('no address to connect to'), { code: error instanceof EngineError ? 'EE_GUARD' : 'ENOTFOUND' }), null),
      );
    },
  });

  return { request, close: () => pool.destroy() };

  async function request(method: 'GET' | 'POST' | 'PUT', path: string, form?: string, signal?: AbortSignal): Promise<ApiAnswer> {
    const limit = AbortSignal.timeout(timeouts.totalMs);
    try {
      const answer = await pool.request({
        method,
        path: `${base.pathname}${path}`,
        headers: { 'x-api-key': apiKey, accept: 'application/json', ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }) },
        ...(form !== undefined && { body: form }),
        signal: signal ? AbortSignal.any([limit, signal]) : limit,
      });
      return toAnswer(answer.statusCode, answer.headers['retry-after'], await answer.body.text());
    } catch (error) {
      const code = codeOf(error);
      return neverConnected.has(code) ? { kind: 'nothing', reason: code.toLowerCase() } : { kind: 'unknown', reason: code === '' ? 'cut' : code.toLowerCase() };
    }
  }
}

const codeOf = (error: unknown) => (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '');

function toAnswer(status: number, retryAfter: string | string[] | undefined, text: string): ApiAnswer {
  if (status === 429) return { kind: 'nothing', reason: 'rate_limited', retryAfterMs: Math.min(900, Number(retryAfter) || 5) * 1_000 };
  const body = parseJson(text);
  const ours = envelope.safeParse(body).success;
  if (status === 401 || (status === 403 && ours)) return { kind: 'refused', reason: `http_${status}` };
  // A 403 or 3xx in HTML comes from something in front of MailWizz: the call never reached it.
  if (status === 403 || (status >= 300 && status < 400)) return { kind: 'nothing', reason: `http_${status}` };
  if (status >= 500) return { kind: 'unknown', reason: `http_${status}` };
  if (!ours) return { kind: 'unknown', reason: 'foreign_answer' };
  return { kind: 'answer', status, body };
}

function parseJson(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return body;
  } catch {
    return undefined;
  }
}

/** The error of an answer as one text: a string, or the messages of its fields. */
export function textOf(body: unknown): string {
  const parsed = errorText.safeParse(body);
  if (!parsed.success) return '';
  return typeof parsed.data.error === 'string' ? parsed.data.error : Object.values(parsed.data.error).map(String).join(' ');
}
