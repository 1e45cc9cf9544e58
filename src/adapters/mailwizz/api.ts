import { buildConnector, Pool } from 'undici';
import { EngineError } from '../../domain/errors';
import { requestLifeMs } from '../../domain/injection';
import { type ApiAnswer, toAnswer } from './answer';
import { createGuard } from './guard';
import { codeOf, toReason } from './reasons';

export type Call = { method: 'GET' | 'POST' | 'PUT' | 'DELETE'; path: string; form?: string | undefined; signal?: AbortSignal | undefined };
/** Whoever makes calls: the bare client, or the one that minds the door of its instance. Answers always; never throws. */
export type Api = { request: (call: Call) => Promise<ApiAnswer> };
export type ApiClient = Api & { close: () => Promise<void> };

export type Timeouts = { connectMs: number; firstByteMs: number; totalMs: number };
export type ApiSettings = { apiUrl: string; apiKey: string; allowPrivateNetwork: boolean; timeouts?: Timeouts };

const defaults: Timeouts = { connectMs: 5_000, firstByteMs: 15_000, totalMs: requestLifeMs };
/** A bulk answer of 900 values of 255 characters stays below a quarter of it; a template with its images inlined may need the rest. */
const bodyLimit = 4 << 20;
/** PHP installations serve few calls side by side well. */
export const callsAtOnce = 4;

/** One MailWizz over HTTP: no redirects, no retries, every answer parsed before it is believed. */
export function createApiClient({ apiUrl, apiKey, allowPrivateNetwork, timeouts = defaults }: ApiSettings): ApiClient {
  const base = toBase(apiUrl);
  const guard = createGuard({ allowPrivate: allowPrivateNetwork, timeoutMs: timeouts.connectMs });
  const connector = buildConnector({
    timeout: timeouts.connectMs,
    lookup: guard.lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: 1_000,
  });
  const pool = new Pool(base.origin, {
    connections: callsAtOnce,
    headersTimeout: timeouts.firstByteMs,
    bodyTimeout: timeouts.firstByteMs,
    maxResponseSize: bodyLimit,
    connect: (options, callback) => {
      const refusal = guard.check(options.hostname);
      if (refusal) return callback(markNotConnected(refusal), null);
      connector(options, (...[error, socket]) => (error ? callback(markNotConnected(error), null) : callback(null, socket)));
    },
  });

  return { request, close: () => pool.destroy() };

  async function request({ method, path, form, signal }: Call): Promise<ApiAnswer> {
    if (signal?.aborted) return { kind: 'nothing', reason: 'cancelled' };
    const limit = AbortSignal.timeout(timeouts.totalMs);
    try {
      const answer = await pool.request({
        method,
        path: `${base.path}${path}`,
        headers: {
          // The one header that vendor documents, SDK and OpenAPI name for 2.x and 3.x. The old X-MW-PUBLIC-KEY adds nothing there, and 1.x would want a signature with it.
          'x-api-key': apiKey,
          accept: 'application/json',
          // As the vendor's SDK: the real verb, and this for those who only let GET and POST through.
          ...((method === 'PUT' || method === 'DELETE') && { 'x-http-method-override': method }),
          ...(method !== 'GET' && { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(method !== 'GET' && { body: form ?? '' }),
        signal: signal ? AbortSignal.any([limit, signal]) : limit,
      });
      return toAnswer(answer.statusCode, answer.headers, await answer.body.text());
    } catch (error) {
      if (wasNotConnected(error)) return { kind: 'nothing', reason: toReason(error, 'not_connected') };
      if (signal?.aborted) return { kind: 'unknown', reason: 'cancelled' };
      return { kind: 'unknown', reason: isTimeout(error) ? 'timeout' : 'cut' };
    }
  }
}

function toBase(apiUrl: string): { origin: string; path: string } {
  const url = URL.canParse(apiUrl) ? new URL(apiUrl) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new EngineError('invalid', 'the api_url of the instance is not an http address');
  return { origin: url.origin, path: url.pathname.replace(/\/+$/, '') };
}

/** Marked where the connection is made: a code alone does not tell (EHOSTUNREACH also ends connections that have carried a request). */
const notConnected = new WeakSet<object>();
const wasNotConnected = (error: unknown) => typeof error === 'object' && error !== null && notConnected.has(error);
function markNotConnected(error: Error): Error {
  notConnected.add(error);
  return error;
}

/** By name: what AbortSignal throws is a DOMException, an Error only by its looks. */
const isTimeout = (error: unknown) =>
  (typeof error === 'object' && error !== null && 'name' in error && error.name === 'TimeoutError') ||
  /_(headers|body)_timeout$/.test(codeOf(error));
