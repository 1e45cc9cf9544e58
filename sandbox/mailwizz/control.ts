import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from './context';
import { readBody } from './door';
import type { Answer } from './router';

/** A route of the control listener: the side that tests and demos speak to, which no MailWizz has. */
export type ControlRoute = { method: 'GET' | 'POST' | 'PUT' | 'DELETE'; path: string; handle: (context: Context, body: unknown, query: URLSearchParams) => Promise<Answer> };

const bodyLimit = 1 << 20;

export function createControl(context: Context, routes: ControlRoute[]) {
  return async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://sandbox');
    const route = routes.find(({ method, path }) => method === req.method && path === url.pathname);
    const body = parse(await readBody(req, bodyLimit));
    if (!route) return reply(res, { code: 404, body: { error: `unknown; known are ${routes.map(({ method, path }) => `${method} ${path}`).join(', ')}` } });
    if (body === undefined) return reply(res, { code: 400, body: { error: 'the body is not JSON' } });
    reply(res, await route.handle(context, body, url.searchParams));
  };
}

/** JSON, unless the route names another type and hands over text. */
export const reply = (res: ServerResponse, { code, body, headers }: Answer) =>
  void res.writeHead(code, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(typeof body === 'string' && headers !== undefined ? body : JSON.stringify(body));

function parse(raw: Buffer | undefined): unknown {
  if (raw === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(raw.toString('utf8') || '{}');
    return value;
  } catch {
    return undefined;
  }
}
