import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Db } from '../../db/client';
import { listBounceCategories } from '../../db/queries/bounce-rules';
import { insertQuarantined } from '../../db/queries/webhook-quarantine';
import { findEventZone } from '../../db/queries/instances';
import { EngineError } from '../domain/errors';
import type { MailEvent } from '../domain/mail-event';
import { readAccounting } from '../schemas/accounting';
import type { Unreadable } from '../schemas/mail-report';
import { readNative, readWebhook, webhookEvents, type WebhookEvent } from '../schemas/webhooks';
import { toToken } from './auth';
import type { EventIntake } from './event-intake';
import type { FindPrincipal, WebhookPrincipal } from './principals';
import { createRateLimit } from './rate-limit';
import { readBody } from './webhook-body';

/** A report is small; PowerMTA sends lists of up to 1 MB, and more when it was held up. */
const bodyLimit = '64kb';
const listLimit = '4mb';
/** Kept of what cannot be read. */
const keptBytes = 64 << 10;
const quarantinedAtOnce = 20;
/** What one key may send; a MailWizz or PowerMTA that sends more is asked to come again. */
const perKey = { perSecond: 10_000, burst: 20_000 };
/** Wrong keys from one address: enough for a mistake, not for guessing. */
const wrongKeys = { perSecond: 0.5, burst: 30 };
const lookAgainMs = 10_000;

export type WebhookDeps = { db: Db; intake: EventIntake; findPrincipal: FindPrincipal; room: RequestHandler; now: () => number };
/** What an address and a body say together. */
export type Reading = { endpoint: string; contentType: string; bytes: Buffer; instanceId: string | null };
/** `passed`: records that are about no end of a mail. `bad`: what cannot be read, of a list only those items. */
export type Read = { events: MailEvent[]; passed: number; bad: { reason: string; bytes: Buffer }[] };

/**
 * Where events come in: our seven addresses and PowerMTA's with a key in the header, and MailWizz's own with the key in the address, because MailWizz can
 * send no header. Answered when committed: 202. What an authenticated sender sent and nobody can read is kept, also 202; it would be the same the next time.
 */
export function createWebhookDoor(deps: WebhookDeps): Router {
  const { db, intake, findPrincipal, room } = deps;
  const routes = Router();
  const keyLimit = createRateLimit(perKey);
  const wrongLimit = createRateLimit(wrongKeys);
  const readEvents = createReader(deps);
  let quarantining = 0;
  const inHeader = (req: Request) => toToken(req.get('authorization'));
  const inAddress = (req: Request) => String(req.params['key']);

  for (const event of Object.keys(webhookEvents)) post(`/api/v1/webhooks/mailwizz/${event}`, bodyLimit, inHeader, () => `mailwizz/${event}`);
  post('/api/v1/webhooks/pmta', listLimit, inHeader, () => 'pmta');
  post('/webhooks/mailwizz/:key/:event', bodyLimit, inAddress, (req) => `mailwizz/${String(req.params['event'])}`);
  post('/webhooks/mailwizz/:key', bodyLimit, inAddress, () => 'mailwizz');
  post('/webhooks/pmta/:key', listLimit, inAddress, () => 'pmta');
  routes.get('/webhooks/mailwizz/:key', async (req, res) => take(res, await identify(req, inAddress(req), 'mailwizz'), { endpoint: 'mailwizz', contentType: formType, bytes: Buffer.from(req.originalUrl.split('?')[1] ?? '') }));
  return routes;

  /** The key is looked at before the body is read. */
  function post(path: string, limit: string, keyOf: (req: Request) => string, endpointOf: (req: Request) => string): void {
    const admit: RequestHandler = async (req, res, next) => {
      res.locals['sender'] = await identify(req, keyOf(req), endpointOf(req));
      next();
    };
    routes.post(path, admit, room, express.raw({ type: () => true, limit }), async (req, res) => {
      const body: unknown = req.body;
      await take(res, senderOf(res), { endpoint: endpointOf(req), contentType: req.get('content-type') ?? '', bytes: Buffer.isBuffer(body) ? body : Buffer.alloc(0) });
    });
  }

  async function take(res: Response, sender: WebhookPrincipal, asked: Omit<Reading, 'instanceId'>): Promise<void> {
    const reading = { ...asked, instanceId: sender.instanceId };
    const read = await readEvents(reading);
    await quarantine(reading, read.bad);
    if (read.events.length > 0) await intake.accept(read.events);
    res.status(202).json({ accepted: read.events.length, ...(read.passed > 0 && { passed_over: read.passed }), ...(read.bad.length > 0 && { quarantined: read.bad.length }) });
  }

  async function identify(req: Request, key: string, endpoint: string): Promise<WebhookPrincipal> {
    const sender = await findPrincipal(key);
    const fits = sender?.kind === 'webhook' && (endpoint === 'pmta') === (sender.instanceId === null);
    if (!fits) {
      // Behind a proxy all come from one address: whoever has the right key is never shut out for those who have not.
      if (!wrongLimit.take(req.ip ?? '')) throw new EngineError('busy', 'wrong keys', { retryAfterMs: 60_000, publicMessage: 'Too many wrong keys.' });
      throw new EngineError('unauthenticated', 'no webhook key', { publicMessage: 'This address needs a webhook key of the right kind.' });
    }
    if (!keyLimit.take(sender.keyId)) throw new EngineError('busy', 'webhook rate', { retryAfterMs: 1_000, publicMessage: `A key may send ${perKey.perSecond} calls a second.` });
    return sender;
  }

  async function quarantine({ endpoint, contentType, instanceId }: Reading, bad: Read['bad']): Promise<void> {
    if (bad.length === 0) return;
    if (quarantining >= quarantinedAtOnce) throw new EngineError('busy', 'quarantine is busy', { retryAfterMs: 1_000, publicMessage: 'Too many unreadable reports at once. Send it again.' });
    quarantining += 1;
    try {
      await insertQuarantined(db, bad.map(({ reason, bytes }) => ({ instanceId, endpoint, contentType: contentType.slice(0, 100).toWellFormed(), body: bytes.subarray(0, keptBytes), reason })));
    } finally {
      quarantining -= 1;
    }
  }
}

/** How a body at an address is read; the same for what comes now and for what was kept. */
export function createReader({ db, now }: Pick<WebhookDeps, 'db' | 'now'>) {
  const zoneOf = remember((instanceId: string) => findEventZone(db, instanceId));
  const categoriesOf = remember(() => listBounceCategories(db));

  return async ({ endpoint, contentType, bytes, instanceId }: Reading): Promise<Read> => {
    const event = endpoint.slice('mailwizz/'.length);
    if (event !== '' && !isWebhookEvent(event)) throw new EngineError('notFound', 'no such event', { publicMessage: `There is no event ${event.slice(0, 50)}; there are ${Object.keys(webhookEvents).join(', ')}.` });
    const body = readBody(bytes, contentType);
    if ('unreadable' in body) return { events: [], passed: 0, bad: [{ reason: body.unreadable, bytes }] };
    const receivedMs = now();
    const readItem = instanceId === null ? await readerOfAccounting(receivedMs) : await readerOf(event, { instanceId, receivedMs });
    const { value } = body;
    if (!Array.isArray(value)) return collect([{ read: readItem(value), bytes: () => bytes }]);
    return collect(value.map((item: unknown) => ({ read: readItem(item), bytes: () => Buffer.from(JSON.stringify(item)) })));
  };

  async function readerOfAccounting(receivedMs: number) {
    const categories = await categoriesOf('');
    return (item: unknown) => readAccounting(item, categories, { receivedMs, zone: 'UTC' });
  }

  async function readerOf(event: string, { instanceId, receivedMs }: { instanceId: string; receivedMs: number }) {
    const source = { instanceId, receivedMs, zone: await zoneOf(instanceId) };
    return (item: unknown) => (isWebhookEvent(event) ? readWebhook(event, item, source) : readNative(item, source));
  }

  /** Settings that hardly ever change, read again now and then. */
  function remember<T>(load: (key: string) => Promise<T>) {
    const known = new Map<string, { value: T; until: number }>();
    return async (key: string): Promise<T> => {
      const found = known.get(key);
      if (found && found.until > now()) return found.value;
      const value = await load(key);
      known.set(key, { value, until: now() + lookAgainMs });
      return value;
    };
  }
}

const formType = 'application/x-www-form-urlencoded';

function senderOf(res: Response): WebhookPrincipal {
  const sender: unknown = res.locals['sender'];
  if (!isSender(sender)) throw new EngineError('unauthenticated', 'a route without a look at its key');
  return sender;
}
const isSender = (value: unknown): value is WebhookPrincipal => typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'webhook';

const isWebhookEvent = (name: string): name is WebhookEvent => Object.hasOwn(webhookEvents, name);

function collect(items: { read: MailEvent | Unreadable | 'passed'; bytes: () => Buffer }[]): Read {
  const found: Read = { events: [], passed: 0, bad: [] };
  for (const { read, bytes } of items) {
    if (read === 'passed') found.passed += 1;
    else if ('unreadable' in read) found.bad.push({ reason: read.unreadable, bytes: bytes() });
    else found.events.push(read);
  }
  return found;
}
