import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { InstanceSettings } from '../../../src/adapters/mailwizz/types';
import type { InjectionOutcome, OutgoingContact } from '../../../src/domain/injection';

export type Seen = { method: string; path: string; query: URLSearchParams; form: URLSearchParams; headers: IncomingMessage['headers']; body: string };
export type Handler = (call: Seen, res: ServerResponse, req: IncomingMessage) => unknown;

export const toContact = (contactId: number, over: Partial<OutgoingContact> = {}): OutgoingContact => ({
  contactId, email: `a${contactId}@example.test`, firstName: 'Ana', lastName: null, company: null, phone: null, website: null, sourceId: 'scraper-1', category: null, tags: ['a', 'b'],
  countryCode: 'FR', language: 'fr', bucket: '0042', ...over,
});
export const contactsOf = (count: number, over: Partial<OutgoingContact> = {}) => Array.from({ length: count }, (_, index) => toContact(index + 1, over));
export const target = { instanceId: 'client-1', listId: 12 };
export const listUid = 'ab123cdefg45f';

/** A MailWizz of one answer: what is said is up to the test. */
export async function startOdd(handler: Handler) {
  const seen: Seen[] = [];
  const server: Server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part)).on('end', () => {
      const url = new URL(req.url ?? '/', 'http://odd');
      const body = Buffer.concat(parts).toString();
      const call = { method: req.method ?? '', path: req.url ?? '', query: url.searchParams, form: new URLSearchParams(body), headers: req.headers, body };
      seen.push(call);
      handler(call, res, req);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
  const settings: InstanceSettings = {
    instanceId: 'client-1', apiUrl, apiKey: 'k', allowPrivateNetwork: true,
    lists: [{ listId: 12, listUid, fields: ['EMAIL', 'FNAME', 'TAGS', 'TAGSET', 'BUCKET'] }],
  };
  return {
    seen, settings,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const json = (res: ServerResponse, status: number, body: unknown, headers = {}) =>
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
export const success = (res: ServerResponse, body: object = {}) => json(res, 200, { status: 'success', ...body });
export const failure = (res: ServerResponse, status: number, error: unknown) => json(res, status, { status: 'error', error });

/** The addresses of a bulk body, in order. */
export const emailsOf = (form: URLSearchParams) => [...form].flatMap(([name, value]) => (name.endsWith('[EMAIL]') ? [value] : []));

export function tally(outcomes: InjectionOutcome[] | { failed: string }): Record<string, number> {
  const counts: Record<string, number> = {};
  if ('failed' in outcomes) return { [`failed ${outcomes.failed}`]: 1 };
  for (const outcome of outcomes) {
    const key = outcome.outcome === 'injected' ? `injected ${outcome.method}` : `${outcome.outcome} ${outcome.reason}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
