import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addresses, openMailwizz } from './mailwizz';

type Received = { path: string; headers: IncomingHttpHeaders; raw: string; body: any };
let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
let receiver: Server;
let url: string;
let received: Received[] = [];
let answer: number | undefined = 200;

beforeAll(async () => {
  mailwizz = await openMailwizz(94);
  receiver = createServer((req, res) => {
    const parts: Buffer[] = [];
    req
      .on('data', (part: Buffer) => parts.push(part))
      .on('end', () => {
        const raw = Buffer.concat(parts).toString('utf8');
        received.push({ path: req.url ?? '', headers: req.headers, raw, body: raw.startsWith('{') ? JSON.parse(raw) : undefined });
        if (answer !== undefined) res.writeHead(answer, { location: '/elsewhere' }).end();
      });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await mailwizz?.stop();
});
afterEach(async () => {
  await mailwizz.reset();
  received = [];
  answer = 200;
});

const noon = Date.parse('2026-07-01T12:00:00Z');
const tickAt = (seconds: number) => mailwizz.tick({ now: new Date(noon + 1_000 * seconds).toISOString() });

describe('native webhooks', () => {
  test('an open and a click are posted as MailWizz posts them', async () => {
    const list = await mailwizz.listOf(['jo@example.test'], () => ({ FNAME: 'Jo' }));
    const uid = await mailwizz.createCampaign(list, {
      'campaign[name]': 'Hooked',
      'campaign[template][content]': Buffer.from('<a href="https://shop.test/1">x</a>').toString('base64'),
    });
    await mailwizz.control('POST', '/webhooks', { url: `${url}/hook`, campaign_uid: uid });
    await mailwizz.rates({ opens: 1, clicks: 1 });
    await tickAt(0);
    const [open, click] = received.map(({ body }) => body).toSorted((a, b) => String(b.event.type).localeCompare(String(a.event.type)));
    const [subscriber] = (await mailwizz.api('GET', `/lists/${list}/subscribers`)).body.data.records;
    expect(received.map(({ path, headers }) => [path, headers['content-type']])).toEqual([
      ['/hook', 'application/json'],
      ['/hook', 'application/json'],
    ]);
    expect(open).toEqual({
      event: {
        type: 'open',
        ip_address: expect.stringMatching(/^[\d.]+$/),
        user_agent: expect.stringContaining('Mozilla'),
        date_added: '2026-07-01 12:00:00',
      },
      timestamp: noon / 1_000,
      list: { attributes: { list_uid: list, name: expect.any(String) } },
      subscriber: {
        attributes: {
          subscriber_uid: subscriber.subscriber_uid,
          email: 'jo@example.test',
          source: 'api',
          status: 'confirmed',
          ip_address: '',
        },
        fields: { EMAIL: 'jo@example.test', FNAME: 'Jo', LNAME: '' },
      },
      campaign: { attributes: { campaign_uid: uid, name: 'Hooked' } },
    });
    expect(click.event).toMatchObject({ type: 'click', url: 'https://shop.test/1' });
  });

  test('a tracking call over the API is told too, and only to the webhooks of its campaign', async () => {
    const list = await mailwizz.listOf(addresses(1));
    const [ours, other] = [
      await mailwizz.createCampaign(list, { 'campaign[status]': 'draft' }),
      await mailwizz.createCampaign(list, { 'campaign[status]': 'draft' }),
    ];
    await mailwizz.control('POST', '/webhooks', { url: `${url}/ours`, campaign_uid: ours });
    await mailwizz.control('POST', '/webhooks', { url: `${url}/other`, campaign_uid: other });
    const [subscriber] = (await mailwizz.api('GET', `/lists/${list}/subscribers`)).body.data.records;
    await mailwizz.api('GET', `/campaigns/${ours}/track-opening/${subscriber.subscriber_uid}`);
    await mailwizz.tick();
    expect(received.map(({ path }) => path)).toEqual(['/ours']);
  });

  test.each([500, 302, undefined])(
    'a call answered %s is repeated five times, one hour apart, with the time of each sending',
    async (code) => {
      answer = code;
      await mailwizz.switches({ webhook_timeout_ms: 200 });
      await mailwizz.control('POST', '/webhooks', { url, events: ['open'] });
      await mailwizz.rates({ opens: 1 });
      await mailwizz.createCampaign(await mailwizz.listOf(addresses(1)));
      await tickAt(0);
      await tickAt(3_599);
      expect(received).toHaveLength(1);
      for (let hour = 1; hour <= 8; hour += 1) await tickAt(3_600 * hour);
      expect(received.map(({ body }) => body.timestamp)).toEqual([0, 1, 2, 3, 4, 5].map((hour) => noon / 1_000 + 3_600 * hour));
      expect(new Set(received.map(({ body }) => body.event.date_added))).toEqual(new Set(['2026-07-01 12:00:00']));
      expect(await mailwizz.control('GET', '/webhooks/queue')).toMatchObject({
        counts: { 'given-up': 1 },
        queue: [{ attempts: 6, status: 'given-up' }],
      });
    },
  );

  test('a receiver that comes back gets what it missed, once', async () => {
    answer = 503;
    await mailwizz.control('POST', '/webhooks', { url, events: ['open'] });
    await mailwizz.rates({ opens: 1 });
    await mailwizz.createCampaign(await mailwizz.listOf(addresses(20)));
    await tickAt(0);
    answer = 204;
    received = [];
    await tickAt(3_600);
    await tickAt(7_200);
    expect(new Set(received.map(({ body }) => body.subscriber.attributes.email as string)).size).toBe(20);
    expect(received).toHaveLength(20);
  });

  test('the body may be a form, and the URL of a click stand elsewhere', async () => {
    await mailwizz.switches({ webhook_body: 'form', click_url_key: 'url.attributes' });
    await mailwizz.control('POST', '/webhooks', { url, events: ['click'] });
    await mailwizz.rates({ clicks: 1 });
    await mailwizz.createCampaign(await mailwizz.listOf(addresses(1)));
    await tickAt(0);
    const form = new URLSearchParams(received[0]!.raw);
    expect([form.get('event[type]'), form.get('url[attributes][destination]'), form.get('event[url]')]).toEqual([
      'click',
      expect.stringContaining('https://shop.test/'),
      null,
    ]);
  });
});

describe('the seven webhooks of the engine', () => {
  const rates = { opens: 0.6, clicks: 0.4, hard_bounces: 0.1, complaints: 0.1, unsubscribes: 0.1 };
  const engine = { style: 'engine', headers: { authorization: 'Bearer secret' } };
  const identity = ({ path, body }: Received) => [path, body.email, body.timestamp, body.event_data.url ?? ''].join(' ');

  const changesOfKind = (events: string[]) =>
    events.filter((event, index) => event.split(' ')[0] !== events[index - 1]?.split(' ')[0]).length;

  test('every event goes to its own address with the headers asked for', async () => {
    await mailwizz.rates(rates);
    await mailwizz.control('POST', '/webhooks', { ...engine, url: `${url}/in` });
    const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(60)));
    await tickAt(0);
    const { events } = await mailwizz.eventsOf(uid);
    const words: Record<string, string> = {
      open: 'opened',
      click: 'clicked',
      'hard-bounce': 'bounced',
      complaint: 'spam-report',
      unsubscribe: 'unsubscribed',
    };
    const expected = events.flatMap(({ kind, email }) =>
      (kind === 'sent' ? ['sent', 'delivered'] : [words[kind]!]).map((word) => `/in/email-${word} ${email}`),
    );
    expect(received.map(({ path, body }) => `${path} ${body.email}`).toSorted()).toEqual(expected.toSorted());
    expect(new Set(received.map(({ path }) => path)).size).toBe(7);
    expect(new Set(received.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer secret']));
    expect(received.find(({ path }) => path.endsWith('bounced'))!.body).toEqual({
      subscriber_uid: expect.any(String),
      email: expect.any(String),
      campaign_uid: uid,
      event_type: 'email_bounced',
      timestamp: '2026-07-01T12:00:00Z',
      ip_address: expect.any(String),
      user_agent: expect.any(String),
      event_data: { bounce_type: 'hard', message: expect.any(String) },
    });
  });

  test('copies come within their range, shuffled, and the same for the same seed', async () => {
    await mailwizz.rates(rates);
    const run = async (options: object) => {
      received = [];
      await mailwizz.control('DELETE', '/webhooks');
      await mailwizz.createCampaign(await mailwizz.listOf(addresses(30)), { 'campaign[name]': 'Copied' });
      await mailwizz.control('POST', '/webhooks', { ...engine, url, ...options });
      await tickAt(0);
      return received.map(identity);
    };
    const plain = await run({});
    const copied = await run({ copies: [2, 5], shuffle: true, seed: 'a' });
    const counts = new Map<string, number>();
    for (const event of copied) counts.set(event, (counts.get(event) ?? 0) + 1);
    expect([...counts.keys()].toSorted()).toEqual(plain.toSorted());
    expect([Math.min(...counts.values()), Math.max(...counts.values())]).toEqual([2, 5]);
    // Unshuffled, all of one kind come together but for what is posted side by side.
    expect(changesOfKind(plain)).toBeLessThan(25);
    expect(changesOfKind([...counts.keys()])).toBeGreaterThan(40);
    expect((await run({ copies: [2, 5], shuffle: true, seed: 'a' })).toSorted()).toEqual(copied.toSorted());
    expect((await run({ copies: [2, 5], shuffle: true, seed: 'b' })).toSorted()).not.toEqual(copied.toSorted());
  });

  test('what has happened already can be told afterwards, with delay', async () => {
    await mailwizz.rates({ opens: 1 });
    const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(40)));
    await tickAt(0);
    expect(
      await mailwizz.control('POST', '/webhooks', { ...engine, url, campaign_uid: uid, past: true, events: ['open'], delay_seconds: 100 }),
    ).toMatchObject({ queued: 40 });
    await tickAt(50);
    expect(received.length).toBeGreaterThan(5);
    expect(received.length).toBeLessThan(35);
    await tickAt(100);
    expect(received).toHaveLength(40);
  });
});

test('PowerMTA accounts for every mail, as CSV and as JSON', async () => {
  await mailwizz.rates({ hard_bounces: 0.2, soft_bounces: 0.2, complaints: 0.2, delivery: { 'temporary-error': 0.2 } });
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(200)));
  await tickAt(0);
  const truth = await mailwizz.truthOf(uid);
  const records = (await mailwizz.control('GET', `/pmta.json?campaign_uid=${uid}`)) as Record<string, string>[];
  const count = (type: string) => records.filter((record) => record['type'] === type).length;
  expect(count('d') + count('b')).toBe(truth.sent);
  expect(count('b') + count('rb')).toBe(truth.bounces.hard + truth.bounces.soft);
  expect([count('t'), count('f')]).toEqual([truth.statuses['temporary-error'], truth.complaints]);
  expect(Math.min(count('b'), count('rb'))).toBeGreaterThan(5);
  expect(records.every((record) => record['header_X-Job'] === `mailwizz-${uid}` && record['header_X-Mw-Subscriber-Uid'])).toBe(true);
  expect(new Set(records.filter(({ type }) => type === 'b').map(({ bounceCat }) => bounceCat))).toEqual(
    new Set(['bad-mailbox', 'inactive-mailbox', 'bad-domain', 'quota-issues', 'no-answer-from-host']),
  );
  expect(records.filter(({ type, rcpt }) => type === 'rb' && rcpt === '').length).toBeGreaterThan(0);
  expect(records.filter((record) => record['type'] === 'f' && record['header_X-HmXmrOriginalRecipient']).length).toBeGreaterThan(0);

  const csv = (await mailwizz.control('GET', `/pmta.csv?campaign_uid=${uid}&times=unix`)) as string;
  const lines = csv.trimEnd().split('\r\n');
  expect(lines[0]).toMatch(/^type,timeLogged,/);
  expect(lines).toHaveLength(records.length + 1);
  expect(lines[1]!.split(',')[1]).toBe(String(noon / 1_000));
});
