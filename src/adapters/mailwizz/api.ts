import { buildConnector, Pool } from 'undici';
import { z } from 'zod';
import { EngineError } from '../../domain/errors';
import { resolveGuarded } from './guard';

/** Why a call brought no answer of MailWizz, told apart by what may have happened. */
export type Trouble =
  /** Surely nothing was done: there was no connection, or they were busy before they began. */
  | { kind: 'nothing'; reason: string }
  | { kind: 'limited'; reason: string; retryAfterMs: number }
  /** They deny us: key, permission, network. Needs a person. */
  | { kind: 'refused'; reason: string }
  /** It may have been done: time-out, cut reply, 5xx, an answer that is not theirs. */
  | { kind: 'unknown'; reason: string };
export type ApiAnswer = { kind: 'answer'; status: number; body: unknown } | Trouble;

const defaults = { connectMs: 5_000, firstByteMs: 15_000, totalMs: 30_000 };
/** A bulk answer of 900 values of 255 characters stays far below it. */
const bodyLimit = 1 << 20;
/** PHP installations serve few calls side by side well. */
const connections = 4;
const longestRestMs = 900_000;

const envelope = z.looseObject({ status: z.enum(['success', 'error']) });
const errorText = z.object({ error: z.union([z.string(), z.record(z.string(), z.unknown())]) });
/** The code of a denial is not documented (mailwizz.md 10, row 1), its words are. */
const denials = /invalid api (key|request)|not allowed to (use the api|access this server)|must be active|enough permissions/i;

export type ApiClient = ReturnType<typeof createApiClient>;
export type ApiSettings = { apiUrl: string; apiKey: string; allowPrivateNetwork: boolean; timeouts?: typeof defaults };

/** One MailWizz over HTTP: no redirects, no retries, every answer parsed before it is believed. */
export function createApiClient({ apiUrl, apiKey, allowPrivateNetwork, timeouts = defaults }: ApiSettings) {
  const base = toBase(apiUrl);
  const connector = buildConnector({ timeout: timeouts.connectMs });
  const pool = new Pool(base.origin, {
    connections,
    headersTimeout: timeouts.firstByteMs,
    bodyTimeout: timeouts.firstByteMs,
    maxResponseSize: bodyLimit,
    keepAliveTimeout: 30_000,
    connect: (options, callback) => {
      const done: typeof callback = (...[error, socket]) => (error ? callback(toNotConnected(error), null) : callback(null, socket));
      resolveGuarded(options.hostname, allowPrivateNetwork).then(
        (address) => connector({ ...options, hostname: address }, done),
        (error: unknown) => callback(toNotConnected(error), null),
      );
    },
  });

  return { request, close: () => pool.destroy() };

  async function request(method: 'GET' | 'POST' | 'PUT', path: string, form?: string, signal?: AbortSignal): Promise<ApiAnswer> {
    const limit = AbortSignal.timeout(timeouts.totalMs);
    try {
      const answer = await pool.request({
        method,
        path: `${base.path}${path}`,
        headers: { 'x-api-key': apiKey, accept: 'application/json', ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }) },
        ...(form !== undefined && { body: form }),
        signal: signal ? AbortSignal.any([limit, signal]) : limit,
      });
      return toAnswer(answer.statusCode, answer.headers['retry-after'], await answer.body.text());
    } catch (error) {
      if (isNotConnected(error)) return { kind: 'nothing', reason: error.reason };
      return { kind: 'unknown', reason: isTimeout(error) ? 'timeout' : 'cut' };
    }
  }
}

function toBase(apiUrl: string): { origin: string; path: string } {
  const url = URL.canParse(apiUrl) ? new URL(apiUrl) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw new EngineError('invalid', 'the api_url of the instance is not an http address');
  return { origin: url.origin, path: url.pathname.replace(/\/+$/, '') };
}

/** Marked where the connection is made: a code alone does not tell (EHOSTUNREACH also ends connections that have carried a request). */
type NotConnected = Error & { reason: string };
const notConnected = new WeakSet<object>();
const isNotConnected = (error: unknown): error is NotConnected => error instanceof Error && notConnected.has(error);
function toNotConnected(error: unknown): NotConnected {
  const reason = error instanceof EngineError && error.kind === 'refused' ? 'private_network' : codeOf(error) || 'not_connected';
  const marked = Object.assign(new Error('not connected'), { reason, code: reason });
  notConnected.add(marked);
  return marked;
}

export const codeOf = (error: unknown) =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code.toLowerCase() : '';
/** By name: what AbortSignal throws is a DOMException, an Error only by its looks. */
const isTimeout = (error: unknown) =>
  (typeof error === 'object' && error !== null && 'name' in error && error.name === 'TimeoutError') || /_(headers|body)_timeout$/.test(codeOf(error));

function toAnswer(status: number, retryAfter: string | string[] | undefined, text: string): ApiAnswer {
  if (status === 429) return { kind: 'limited', reason: 'rate_limited', retryAfterMs: toRestMs(retryAfter) };
  const body = parseJson(text);
  const ours = envelope.safeParse(body).success;
  if (status === 401 || (status === 403 && ours)) return { kind: 'refused', reason: `http_${status}` };
  if (status >= 500 || (status >= 300 && status < 400)) return { kind: 'unknown', reason: `http_${status}` };
  if (!ours) return { kind: 'unknown', reason: status < 300 ? 'foreign_answer' : `foreign_${status}` };
  if (status >= 400 && denials.test(textOf(body))) return { kind: 'refused', reason: `http_${status}` };
  return { kind: 'answer', status, body };
}

/** Seconds or a date (RFC 9110); without a word, a short rest. */
function toRestMs(retryAfter: string | string[] | undefined): number {
  const text = typeof retryAfter === 'string' ? retryAfter : '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Math.min(longestRestMs, Math.max(1_000, Number.isNaN(ms) ? 5_000 : ms));
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
