import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { error, pageOf } from './answers';
import { authorise, type Keys } from './auth';
import type { Context } from './context';
import { readBody } from './door';
import { htmlReply, isAfterWork, isInsteadOfWork, type Reply, sendReply, toFaultReply, toReply } from './fault-answers';
import type { Fault } from './faults';
import { parseForm, parseMultipart, type PhpMap } from './form';
import { type Answer, type Call, createRouter, type Found, type Route } from './router';
import { sleep } from './sleep';

/** Bodies beyond it are refused as a web server does. */
const bodyLimit = 32 << 20;
const emptyReply: Reply = { code: 200, headers: {}, body: '' };

/** From a request on the wire to a call of a route, and back: all that the real thing's web server, PHP and framework do around a resource. */
export function createTransport({ context, keys, routes, noteCall }: { context: Context; keys: Keys; routes: Route[]; noteCall: (name: string) => void }) {
  const find = createRouter(routes);

  return async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', `http://${req.headers.host ?? 'sandbox'}`);
    const path = url.pathname.replace(/^\/api(\/index\.php)?(?=\/|$)/, '').replace(/\/+$/, '');
    const method = effectiveMethod(req);
    const found = find(method, path);
    const name = found && 'route' in found ? found.route.name : 'unknown';
    noteCall(name);
    const raw = await readBody(req, bodyLimit);
    if (raw === undefined) return sendReply(res, htmlReply(413, 'Request Entity Too Large'), undefined);

    if (context.switches.blocked_verbs.some((verb) => verb === req.method)) return sendReply(res, htmlReply(403, 'Forbidden'), undefined);
    const fault = context.faults.take(name);
    if (fault?.fault === 'delay') await sleep(fault.ms ?? 1_000);
    if (fault && isInsteadOfWork(fault)) return sendReply(res, toFaultReply(fault) ?? emptyReply, fault);
    const reply = await work({ req, res, url, method, path, found, raw, fault }, name);
    const replaced = fault && isAfterWork(fault) ? toFaultReply(fault) : undefined;
    sendReply(res, replaced ?? withEtag(req, method, reply), fault);
  };

  /** What breaks inside looks as it does with PHP. */
  async function work(incoming: Incoming, name: string): Promise<Reply> {
    try {
      return toReply(await judge(incoming));
    } catch (problem) {
      console.error(`${context.instanceId}: ${name} failed: ${problem instanceof Error ? problem.message.slice(0, 300) : String(problem)}`);
      return htmlReply(500, 'Internal Server Error');
    }
  }

  type Incoming = { req: IncomingMessage; res: ServerResponse; url: URL; method: string; path: string; found: Found; raw: Buffer; fault: Fault | undefined };

  async function judge({ req, res, url, method, path, found, raw, fault }: Incoming): Promise<Answer> {
    const { switches } = context;
    const query = parseForm(url.search.slice(1), switches.max_input_vars);
    const form = toForm(req, raw, fault);
    const refused = authorise({ method, url, query, form, headers: req.headers, address: req.socket.remoteAddress ?? '' }, { keys, switches, now: context.now() });
    if (refused) return refused;
    if (!found) return error(404, 'Page not found.');
    if ('verbs' in found) return error(switches.wrong_verb_code, `Only ${found.verbs.join('/')} requests allowed for this endpoint.`);
    const { route, params } = found;
    if (switches.denied_routes.includes(route.name)) return error(switches.permission_code, 'You do not have enough permissions to access this endpoint.');
    clampPage(query);
    const call: Call = { method, path, params, query, form, fault: fault?.fault, faultSettings: fault ?? {}, gone: goneSignal(res) };
    const answer = await route.handle(context, call);
    return method === 'GET' ? pastEnd(route, call, answer) : answer;
  }

  function effectiveMethod(req: IncomingMessage): string {
    const override = req.headers['x-http-method-override'];
    const given = req.method ?? 'GET';
    return given === 'POST' && context.switches.method_override && typeof override === 'string' && override !== '' ? override.toUpperCase() : given;
  }

  function toForm(req: IncomingMessage, raw: Buffer, fault: Fault | undefined): PhpMap {
    const { switches } = context;
    const type = req.headers['content-type'] ?? '';
    const maxVars = fault?.fault === 'max_input_vars' ? (fault.vars ?? 1_000) : switches.max_input_vars;
    if (type.startsWith('application/x-www-form-urlencoded')) return parseForm(raw.toString('utf8'), maxVars);
    const boundary = /boundary="?([^";]+)/.exec(type)?.[1];
    // PHP itself reads multipart of a POST only, and JSON never.
    if (boundary !== undefined && (req.method === 'POST' || switches.multipart_put)) return parseMultipart(raw.toString('utf8'), boundary, maxVars);
    if (type.startsWith('application/json') && switches.json_body) return toPhpMap(parseJson(raw.toString('utf8')));
    return new Map();
  }

  function clampPage(query: PhpMap): void {
    const most = context.switches.per_page_max;
    if (most > 0 && pageOf(query).perPage > most) query.set('per_page', String(most));
  }

  async function pastEnd(route: Route, call: Call, answer: Answer): Promise<Answer> {
    const pages = pagesOf(answer);
    if (context.switches.page_past_end === 'empty' || pages === undefined || pageOf(call.query).page <= pages) return answer;
    if (context.switches.page_past_end === 'not_found') return error(404, 'Page not found.');
    call.query.set('page', String(pages));
    return route.handle(context, call);
  }

  function withEtag(req: IncomingMessage, method: string, reply: Reply): Reply {
    if (method !== 'GET' || reply.code !== 200 || !context.switches.etag) return reply;
    const etag = `"${createHash('sha1').update(reply.body).digest('base64url')}"`;
    const known = (req.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    return known.includes(etag) ? { code: 304, headers: { etag }, body: '' } : { ...reply, headers: { ...reply.headers, etag } };
  }
}

function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  return gone.signal;
}

function pagesOf({ body }: Answer): number | undefined {
  if (typeof body !== 'object' || body === null || !('data' in body)) return undefined;
  const { data } = body;
  return typeof data === 'object' && data !== null && 'total_pages' in data && typeof data.total_pages === 'number' ? data.total_pages : undefined;
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return {};
  }
}

function toPhpMap(value: unknown): PhpMap {
  const map: PhpMap = new Map();
  if (typeof value !== 'object' || value === null) return map;
  for (const [key, inner] of Object.entries(value)) map.set(key, typeof inner === 'object' && inner !== null ? toPhpMap(inner) : String(inner));
  return map;
}
