import type { ServerResponse } from 'node:http';
import { error } from './answers';
import type { Fault, FaultKind } from './faults';
import type { Answer } from './router';

export type Reply = { code: number; headers: Record<string, string>; body: string };
export const htmlReply = (code: number, title: string): Reply => ({ code, headers: { 'content-type': 'text/html; charset=utf-8' }, body: `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>` });
const bare = (code: number, body: string, type = 'application/json; charset=utf-8'): Reply => ({ code, headers: { 'content-type': type }, body });
export const toReply = ({ code, body, headers }: Answer): Reply => ({ code, headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body: JSON.stringify(body) });

/** The answer that a fault puts in place of the true one. */
const replies: Partial<Record<FaultKind, (fault: Fault) => Reply>> = {
  http_500: () => htmlReply(500, 'Internal Server Error'),
  http_502: () => htmlReply(502, 'Bad Gateway'),
  http_503: ({ retry_after }) => withRetryAfter(htmlReply(503, 'Service Unavailable'), retry_after),
  http_504: () => htmlReply(504, 'Gateway Time-out'),
  http_403: () => htmlReply(403, 'Forbidden'),
  http_429: ({ retry_after = 1 }) => withRetryAfter(htmlReply(429, 'Too Many Requests'), retry_after),
  json_429: ({ retry_after }) => withRetryAfter(toReply(error(429, 'Too Many Requests')), retry_after),
  rate_limit: ({ retry_after = 1 }) => withRetryAfter(toReply(error(429, 'Too Many Requests')), retry_after),
  html_200: () => htmlReply(200, 'Please log in'),
  empty_200: () => bare(200, ''),
  empty_500: () => bare(500, '', 'text/html; charset=utf-8'),
  empty_list: () => bare(200, '[]'),
  foreign_json: () => bare(200, '{"ok":true,"result":{"id":1}}'),
  unauthorized: ({ text = 'Invalid API key. Please refer to the documentation.' }) => toReply(error(401, text)),
  forbidden: ({ text = 'You do not have enough permissions to access this endpoint.' }) => toReply(error(403, text)),
  redirect: ({ status = 302, location = 'http://127.0.0.1:9/login' }) => ({ code: status, headers: { location }, body: '' }),
  exists: ({ text = 'The subscriber already exists in this list.' }) => toReply(error(409, text)),
  blacklisted: ({ text = 'This email address is blacklisted.' }) => toReply(error(409, text)),
  mutex: ({ text = 'Unable to acquire the mutex lock, please try again.' }) => toReply(error(400, text)),
  list_gone: ({ text = 'The subscribers list does not exist.' }) => toReply(error(404, text)),
};
export const toFaultReply = (fault: Fault): Reply | undefined => replies[fault.fault]?.(fault);

function withRetryAfter(reply: Reply, wait: Fault['retry_after']): Reply {
  if (wait === undefined || wait === null) return reply;
  const text = typeof wait === 'number' ? String(wait) : new Date(Date.now() + Number(wait.slice(5)) * 1_000).toUTCString();
  return { ...reply, headers: { ...reply.headers, 'retry-after': text } };
}

const cut = (res: ServerResponse) => void res.socket?.destroy();
const half = (text: string) => text.slice(0, Math.ceil(text.length / 2));
const warning = '<br />\n<b>Warning</b>:  Unknown: Input variables exceeded 1000 in <b>Unknown</b> on line <b>0</b><br />\n';

/** How a fault bends an answer on its way out. */
const bends: Partial<Record<FaultKind, (res: ServerResponse, reply: Reply) => void>> = {
  hang: () => undefined,
  cut_before: cut,
  cut_after_commit: cut,
  slow_body: drip,
  cut_body: (res, reply) => void writeHead(res, reply).write(half(reply.body), () => cut(res)),
  truncated_json: (res, reply) => send(res, { ...reply, body: half(reply.body) }),
  php_warning: (res, reply) => send(res, { ...reply, body: warning + reply.body }),
};
const needWork: readonly FaultKind[] = ['cut_after_commit', 'slow_body', 'cut_body', 'truncated_json', 'php_warning'];

/** True when the fault speaks only once the work is done. */
export const isAfterWork = (fault: Fault) => fault.after_commit === true || needWork.includes(fault.fault);
/** True when the call never gets as far as the work. */
export const isInsteadOfWork = (fault: Fault) => !isAfterWork(fault) && (fault.fault in replies || fault.fault in bends);

export function sendReply(res: ServerResponse, reply: Reply, fault: Fault | undefined): void {
  const bend = fault && bends[fault.fault];
  if (bend) bend(res, reply);
  else send(res, reply);
}

const writeHead = (res: ServerResponse, { code, headers, body }: Reply) => res.writeHead(code, { ...headers, ...(code !== 304 && { 'content-length': String(Buffer.byteLength(body)) }) });
const send = (res: ServerResponse, reply: Reply) => void writeHead(res, reply).end(reply.body);

function drip(res: ServerResponse, reply: Reply): void {
  const bytes = Buffer.from(reply.body);
  writeHead(res, reply);
  let at = 0;
  const timer = setInterval(() => {
    if (at < bytes.length && !res.destroyed) return void res.write(bytes.subarray(at, ++at));
    clearInterval(timer);
    res.end();
  }, 1_000).unref();
}
