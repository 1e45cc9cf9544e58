import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningInstance, startInstance } from '../../../sandbox/mailwizz/instance';
import { startMariadb } from '../../../sandbox/mariadb';

export type Answer = { code: number; body: any };
export type Form = Record<string, string>;
export type Events = {
  events: { kind: string; email: string; at: string; url: string | null; ip_address: string | null; user_agent: string | null }[];
  next: string | null;
};

/** The MariaDB of the test run, or one of our own when a file runs alone. */
export async function openMariadb(): Promise<{ url: string; stop: () => Promise<void> }> {
  const shared = process.env['TEST_SANDBOX'];
  if (shared) {
    const { hostname, port } = new URL((JSON.parse(shared) as { instances: { mysql_url: string }[] }).instances[0]!.mysql_url);
    return { url: `mysql://root@${hostname}:${port}`, stop: async () => undefined };
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'mailwizz-test-'));
  const own = await startMariadb({ dataDir, port: await freePort() });
  return {
    url: own.url,
    stop: async () => {
      await own.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The first of two neighbours that nobody listens on. */
export async function freePort(): Promise<number> {
  const isFree = (port: number) =>
    new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 24_000 + 2 * Math.floor(Math.random() * 2_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error('no free port');
}

/** An instance of this file's own with a clock that stands still. */
export async function openMailwizz(number: number) {
  const mariadb = await openMariadb();
  const instance = await startInstance({ mariadb: mariadb.url, number, port: await freePort() });
  const client = createClient(instance);
  await client.control('POST', '/clock', { mode: 'manual' });
  const switches = (await client.control('GET', '/switches')) as object;
  return {
    ...client,
    instance,
    mariadb: mariadb.url,
    /** Switches, rates, faults and webhooks as at the start. */
    reset: async () => {
      await client.switches(switches);
      await client.rates({});
      await client.control('DELETE', '/faults');
      await client.control('DELETE', '/webhooks');
      await client.control('DELETE', '/blacklist');
    },
    stop: async () => {
      await instance.stop();
      await mariadb.stop();
    },
  };
}

/** Speaks to both sides of an instance, as a client that knows nothing of how it is made. */
export function createClient({ api_url, api_key, control_url }: Pick<RunningInstance, 'api_url' | 'api_key' | 'control_url'>) {
  let names = 0;
  const uniqueName = (what: string) => `${what} ${process.pid}-${Date.now()}-${(names += 1)}`;

  async function api(method: string, path: string, form?: Form): Promise<Answer> {
    const answer = await fetch(api_url + path, {
      method,
      headers: { 'X-API-KEY': api_key },
      ...(form && { body: new URLSearchParams(form) }),
    });
    return { code: answer.status, body: await answer.json() };
  }
  async function control(method: string, path: string, body?: object): Promise<any> {
    const answer = await fetch(control_url + path, { method, ...(body && { body: JSON.stringify(body) }) });
    const text = await answer.text();
    return answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
  }

  /** A list of its own with so many confirmed subscribers. */
  async function listOf(emails: string[], fields: (index: number) => Form = () => ({})): Promise<string> {
    const created = await api('POST', '/lists', {
      'general[name]': uniqueName('List'),
      'general[description]': 'for a test',
      'defaults[from_name]': 'A',
      'defaults[from_email]': 'a@example.test',
      'defaults[reply_to]': 'a@example.test',
      'general[opt_in]': 'single',
    });
    const uid = String(created.body.list_uid);
    // PHP drops what is beyond 1,000 variables.
    const perCall = Math.floor(900 / (2 + Object.keys(fields(0)).length));
    for (let from = 0; from < emails.length; from += perCall) {
      const rows = emails
        .slice(from, from + perCall)
        .map((email, index) => [
          [`subscribers[${index}][EMAIL]`, email],
          [`subscribers[${index}][details][status]`, 'confirmed'],
          ...Object.entries(fields(from + index)).map(([tag, value]) => [`subscribers[${index}][${tag}]`, value]),
        ]);
      await api('POST', `/lists/${uid}/subscribers/bulk`, Object.fromEntries(rows.flat()));
    }
    return uid;
  }

  const campaignForm = (listUid: string, changes: Form = {}): Form => ({
    'campaign[name]': uniqueName('Campaign'),
    'campaign[from_name]': 'Ana',
    'campaign[from_email]': 'ana@example.test',
    'campaign[reply_to]': 'reply@example.test',
    'campaign[subject]': 'Hello [FNAME]',
    'campaign[send_at]': '2026-01-01 00:00:00',
    'campaign[list_uid]': listUid,
    'campaign[template][content]': base64('<a href="https://shop.test/1">one</a> <a href="https://shop.test/2">two</a> [UNSUBSCRIBE_URL]'),
    'campaign[options][url_tracking]': 'yes',
    ...changes,
  });
  async function createCampaign(listUid: string, changes: Form = {}): Promise<string> {
    const created = await api('POST', '/campaigns', campaignForm(listUid, changes));
    if (created.code !== 201) throw new Error(JSON.stringify(created.body));
    return String(created.body.campaign_uid);
  }

  return {
    api,
    control,
    listOf,
    campaignForm,
    createCampaign,
    tick: (body: { max?: number; now?: string } = {}) => control('POST', '/tick', body),
    statusOf: async (uid: string) => (await api('GET', `/campaigns/${uid}`)).body.data.record.status as string,
    truthOf: async (uid: string) => (await control('GET', `/truth/campaigns?campaign_uid=${uid}`)).campaigns[0],
    sentOf: async (uid: string) =>
      ((await control('GET', `/truth/sent?campaign_uid=${uid}`)).sent as { email: string }[]).map(({ email }) => email),
    eventsOf: async (uid: string) => (await control('GET', `/truth/events?campaign_uid=${uid}`)) as Events,
    switches: (switches: object) => control('PUT', '/switches', switches),
    rates: (rates: object) => control('PUT', '/rates', rates),
  };
}

export const base64 = (text: string) => Buffer.from(text).toString('base64');
export const addresses = (count: number, word = 'reader') => Array.from({ length: count }, (_, index) => `${word}${index}@example.test`);
