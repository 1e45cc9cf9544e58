import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RunningInstance } from '../../../sandbox/mailwizz/instance';
import { addresses, createClient, freePort, openMailwizz } from './mailwizz';

let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
beforeAll(async () => {
  mailwizz = await openMailwizz(92);
});
afterAll(() => mailwizz?.stop());
afterEach(() => mailwizz.reset());

const tally = (values: string[]) => {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
};
const expectOnceEach = (sent: string[], emails: string[]) => expect(sent.toSorted()).toEqual(emails.toSorted());
const everything = {
  seed: 7,
  opens: 0.5,
  repeat_opens: 0.3,
  clicks: 0.25,
  hard_bounces: 0.1,
  soft_bounces: 0.05,
  internal_bounces: 0.05,
  complaints: 0.05,
  unsubscribes: 0.05,
  delivery: { error: 0.05, 'temporary-error': 0.05 },
};

test('a campaign waits for its time, then is sent to every confirmed subscriber once', async () => {
  const emails = addresses(20);
  const list = await mailwizz.listOf(emails);
  const [, gone] = (await mailwizz.api('GET', `/lists/${list}/subscribers?per_page=2`)).body.data.records;
  await mailwizz.api('PUT', `/lists/${list}/subscribers/${gone.subscriber_uid}/unsubscribe`);
  const uid = await mailwizz.createCampaign(list, { 'campaign[send_at]': '2026-05-01 12:00:00' });
  await mailwizz.tick({ now: '2026-05-01T11:59:59Z' });
  expect(await mailwizz.statusOf(uid)).toBe('pending-sending');
  await mailwizz.tick({ now: '2026-05-01T12:00:00Z' });
  await mailwizz.tick({ now: '2026-05-01T12:00:01Z' });
  expect(await mailwizz.truthOf(uid)).toMatchObject({
    status: 'sent',
    sent: 19,
    audience: 19,
    first_send: '2026-05-01T12:00:00.000Z',
    last_send: '2026-05-01T12:00:00.000Z',
  });
  expectOnceEach(
    await mailwizz.sentOf(uid),
    emails.filter((email) => email !== gone.EMAIL),
  );
});

test.each(['draft', 'paused'])('a campaign that is %s is not sent', async (status) => {
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(3)), { 'campaign[status]': status });
  await mailwizz.tick();
  expect(await mailwizz.truthOf(uid)).toMatchObject({ status, sent: 0, waiting: 3 });
});

test('over many small batches, pauses and new subscribers each gets one mail', async () => {
  const emails = addresses(30);
  const list = await mailwizz.listOf(emails);
  const uid = await mailwizz.createCampaign(list);
  const statuses = [];
  for (let round = 0; round < 4; round += 1) {
    await mailwizz.tick({ max: 8 });
    statuses.push(await mailwizz.statusOf(uid));
    await mailwizz.api('PUT', `/campaigns/${uid}/pause-unpause`);
    const before = (await mailwizz.sentOf(uid)).length;
    await mailwizz.tick({ max: 8 });
    expect(await mailwizz.sentOf(uid)).toHaveLength(before);
    await mailwizz.api('PUT', `/campaigns/${uid}/pause-unpause`);
    if (round === 0)
      await mailwizz.api('POST', `/lists/${list}/subscribers`, { EMAIL: 'late@example.test', 'details[status]': 'confirmed' });
  }
  expect(statuses).toEqual(['sending', 'sending', 'sending', 'sent']);
  expectOnceEach(await mailwizz.sentOf(uid), [...emails, 'late@example.test']);
});

test('a pause holds in the middle of a batch', async () => {
  const emails = addresses(6_000);
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(emails));
  const batch = mailwizz.tick();
  let sent = 0;
  while (sent === 0) sent = (await mailwizz.truthOf(uid)).sent;
  expect((await mailwizz.api('PUT', `/campaigns/${uid}/pause-unpause`)).body.campaign.status).toBe('paused');
  await batch;
  const atPause = await mailwizz.truthOf(uid);
  expect(atPause.status).toBe('paused');
  expect(atPause.sent).toBeLessThan(6_000);
  await mailwizz.api('PUT', `/campaigns/${uid}/pause-unpause`);
  await mailwizz.tick();
  expectOnceEach(await mailwizz.sentOf(uid), emails);
});

test('readers who stir while their campaign is being sent stop neither the sending nor each other', async () => {
  const emails = addresses(2_000);
  const list = await mailwizz.listOf(emails);
  const subscribers = (await mailwizz.api('GET', `/lists/${list}/subscribers?per_page=2000`)).body.data.records as { subscriber_uid: string }[];
  const uid = await mailwizz.createCampaign(list);
  const batch = mailwizz.tick();
  const opens = subscribers
    .slice(0, 200)
    .map(({ subscriber_uid }) => mailwizz.api('GET', `/campaigns/${uid}/track-opening/${subscriber_uid}`));
  expect(tally((await Promise.all(opens)).map(({ code }) => String(code)))).toEqual({ 200: 200 });
  await batch;
  expect(await mailwizz.truthOf(uid)).toMatchObject({ status: 'sent', sent: 2_000, opens: 200 });
});

test('killed in the middle of a batch, it goes on where the delivery log ends', async () => {
  const children: ChildProcess[] = [];
  const start = async () => {
    const child = spawn(
      process.execPath,
      ['-r', 'tsx/cjs', join(__dirname, 'instance-process.ts'), mailwizz.mariadb, '93', String(await freePort())],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const client = createClient(JSON.parse(line) as RunningInstance);
    await client.control('POST', '/clock', { mode: 'manual' });
    return client;
  };
  try {
    const first = await start();
    const emails = addresses(6_000);
    const uid = await first.createCampaign(await first.listOf(emails));
    await first.rates({ opens: 0.2, unsubscribes: 0.01 });
    const batch = first.tick().catch(() => 'cut');
    while ((await first.truthOf(uid)).sent === 0);
    children[0]!.kill('SIGKILL');
    expect(await batch).toBe('cut');

    const second = await start();
    expect(await second.truthOf(uid)).toMatchObject({ status: 'processing' });
    expect((await second.truthOf(uid)).sent).toBeLessThan(6_000);
    await second.rates({ opens: 0.2, unsubscribes: 0.01 });
    await second.tick();
    expect((await second.truthOf(uid)).status).toBe('sent');
    expectOnceEach(await second.sentOf(uid), emails);
    const readers = (await second.eventsOf(uid)).events.filter(({ kind }) => kind === 'open').map(({ email }) => email);
    expect(new Set(readers).size).toBe(readers.length);
    expect(readers.length).toBeGreaterThan(1_000);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}, 120_000);

test('a segment is sent to exactly the subscribers it counts', async () => {
  const emails = addresses(60);
  const list = await mailwizz.listOf(emails, (index) => ({ FNAME: index % 3 === 0 ? 'Ana' : 'Bob' }));
  const fields = (await mailwizz.api('GET', `/lists/${list}/fields`)).body.data.records as { field_id: string; tag: string }[];
  const segment = (
    await mailwizz.api('POST', `/lists/${list}/segments`, {
      name: 'Anas',
      operator_match: 'all',
      'conditions[0][field_id]': fields.find(({ tag }) => tag === 'FNAME')!.field_id,
      'conditions[0][operator_id]': '1',
      'conditions[0][value]': 'Ana',
    })
  ).body.data.record;
  const uid = await mailwizz.createCampaign(list, { 'campaign[segment_uid]': segment.segment_uid as string });
  const { record } = (await mailwizz.api('GET', `/campaigns/${uid}`)).body.data;
  await mailwizz.tick();
  expect(record.segment).toEqual({ segment_uid: segment.segment_uid, name: 'Anas', subscribers_count: 20 });
  expectOnceEach(
    await mailwizz.sentOf(uid),
    emails.filter((_, index) => index % 3 === 0),
  );
});

test('a campaign whose segment was deleted reaches nobody, not the whole list', async () => {
  const list = await mailwizz.listOf(addresses(3));
  const [field] = (await mailwizz.api('GET', `/lists/${list}/fields`)).body.data.records;
  const form = {
    name: 'Gone',
    operator_match: 'all',
    'conditions[0][field_id]': field.field_id,
    'conditions[0][operator_id]': '3',
    'conditions[0][value]': '@',
  };
  const segment = (await mailwizz.api('POST', `/lists/${list}/segments`, form)).body.data.record.segment_uid as string;
  const uid = await mailwizz.createCampaign(list, { 'campaign[segment_uid]': segment });
  await mailwizz.api('DELETE', `/lists/${list}/segments/${segment}`);
  await mailwizz.tick();
  expect(await mailwizz.truthOf(uid)).toMatchObject({ status: 'sent', sent: 0 });
});

test.each([
  [true, { success: 8, blacklisted: 2 }],
  [false, { success: 8 }],
])('nobody on a blacklist gets a mail; with log_blacklisted %s the logs say %o', async (logged, statuses) => {
  await mailwizz.switches({ log_blacklisted: logged });
  const emails = addresses(10, `black${String(logged)}`);
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(emails));
  await mailwizz.control('POST', '/blacklist', { email: emails[3]! });
  await mailwizz.control('POST', '/blacklist', { email: emails[7]!, scope: 'customer' });
  for (let round = 0; round < 12; round += 1) await mailwizz.tick({ max: 1 });
  expect(await mailwizz.truthOf(uid)).toMatchObject({ status: 'sent', statuses });
  expectOnceEach(
    await mailwizz.sentOf(uid),
    emails.filter((_, index) => index !== 3 && index !== 7),
  );
});

test('the same seed, campaign name and addresses have the same fate, whatever the batches and the order', async () => {
  await mailwizz.rates(everything);
  const emails = addresses(120);
  const run = async (order: string[], max: number) => {
    const uid = await mailwizz.createCampaign(await mailwizz.listOf(order), { 'campaign[name]': 'One name' });
    while ((await mailwizz.statusOf(uid)) !== 'sent') await mailwizz.tick({ max });
    const { events } = await mailwizz.eventsOf(uid);
    return { uid, events: events.map(({ kind, email, url, ip_address }) => [kind, email, url, ip_address].join(' ')).toSorted() };
  };
  const [all, reversed] = [await run(emails, 1_000), await run(emails.toReversed(), 50)];
  expect(reversed.events).toEqual(all.events);
  await mailwizz.rates({ ...everything, seed: 8 });
  expect((await run(emails, 1_000)).events).not.toEqual(all.events);
});

test('the stats, the logs and the truth tell of the same reactions', async () => {
  await mailwizz.rates(everything);
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(200)));
  await mailwizz.tick();
  const kinds = tally((await mailwizz.eventsOf(uid)).events.map(({ kind }) => kind));
  const { data } = (await mailwizz.api('GET', `/campaigns/${uid}/stats`)).body;
  expect(data).toMatchObject({
    campaign_status: 'sent',
    processed_count: 200,
    delivery_success_count: kinds['sent'],
    delivery_error_count: 200 - kinds['sent']!,
    opens_count: kinds['open'],
    clicks_count: kinds['click'],
    hard_bounces_count: kinds['hard-bounce'],
    soft_bounces_count: kinds['soft-bounce'],
    internal_bounces_count: kinds['internal-bounce'],
    complaints_count: kinds['complaint'],
    unsubscribes_count: kinds['unsubscribe'],
  });
  expect(Object.keys(kinds)).toHaveLength(8);
  expect(data.opens_rate).toBe(Number(((100 * kinds['open']!) / kinds['sent']!).toFixed(2)));
  for (const [log, count] of [
    ['bounces', data.bounces_count],
    ['complaints', data.complaints_count],
    ['unsubscribes', data.unsubscribes_count],
    ['delivery-logs', 200],
  ]) {
    const seen = [];
    for (let page: number | null = 1; page !== null;) {
      const { records, next_page }: { records: any[]; next_page: number | null } = (
        await mailwizz.api('GET', `/campaigns/${uid}/${log}?per_page=7&page=${page}`)
      ).body.data;
      seen.push(...records.map(({ subscriber }) => subscriber.subscriber_uid as string));
      page = next_page;
    }
    expect([log, seen.length, new Set(seen).size]).toEqual([log, count, count]);
  }
});

test('readers stir later when the rates are spread over time', async () => {
  await mailwizz.rates({ opens: 1, clicks: 1, spread_seconds: 600 });
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(50)));
  const opensAt = async (now: string) => {
    await mailwizz.tick({ now });
    return (await mailwizz.truthOf(uid)).opens as number;
  };
  const counts = [await opensAt('2026-06-01T10:00:00Z'), await opensAt('2026-06-01T10:05:00Z'), await opensAt('2026-06-01T10:10:00Z')];
  expect(counts[0]).toBeLessThan(10);
  expect(counts[1]).toBeGreaterThan(10);
  expect(counts[1]).toBeLessThan(45);
  expect(counts[2]).toBe(50);
  const { events } = await mailwizz.eventsOf(uid);
  const openedAt = new Map(events.filter(({ kind }) => kind === 'open').map(({ email, at }) => [email, at]));
  expect(events.filter(({ kind, email, at }) => kind === 'click' && at < openedAt.get(email)!)).toEqual([]);
});

test('without url_tracking nobody learns of clicks', async () => {
  await mailwizz.rates({ opens: 1, clicks: 1 });
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(5)), { 'campaign[options][url_tracking]': 'no' });
  await mailwizz.tick();
  expect(await mailwizz.truthOf(uid)).toMatchObject({ opens: 5, clicks: 0 });
});

test('the tracking calls open, click and unsubscribe for one subscriber', async () => {
  const list = await mailwizz.listOf(addresses(2));
  const uid = await mailwizz.createCampaign(list);
  await mailwizz.tick();
  const [subscriber] = (await mailwizz.api('GET', `/lists/${list}/subscribers`)).body.data.records;
  const [link] = (await mailwizz.control('GET', `/truth/messages?campaign_uid=${uid}&email=${subscriber.EMAIL}`)).links;
  expect((await mailwizz.api('GET', `/campaigns/${uid}/track-opening/${subscriber.subscriber_uid}`)).body).toEqual({
    status: 'success',
    data: {},
  });
  expect(
    (await mailwizz.api('GET', `/campaigns/${uid}/track-url/${subscriber.subscriber_uid}/${link.hash}`)).body.data.record,
  ).toMatchObject({ destination: 'https://shop.test/1' });
  expect((await mailwizz.api('GET', `/campaigns/${uid}/track-url/${subscriber.subscriber_uid}/${'0'.repeat(40)}`)).body.error).toBe(
    'The url hash does not exist.',
  );
  await mailwizz.api('POST', `/campaigns/${uid}/track-unsubscribe/${subscriber.subscriber_uid}`, {
    reason: 'too many',
    ip_address: '192.0.2.9',
    user_agent: 'UA',
  });
  await mailwizz.api('POST', `/campaigns/${uid}/track-unsubscribe/${subscriber.subscriber_uid}`, { reason: 'again' });
  const { records } = (await mailwizz.api('GET', `/campaigns/${uid}/unsubscribes`)).body.data;
  expect(records).toEqual([
    expect.objectContaining({
      reason: 'too many',
      ip_address: '192.0.2.9',
      user_agent: 'UA',
      subscriber: { subscriber_uid: subscriber.subscriber_uid, email: subscriber.EMAIL },
    }),
  ]);
  expect(await mailwizz.truthOf(uid)).toMatchObject({ opens: 1, clicks: 1, unsubscribes: 1 });
  expect((await mailwizz.api('GET', `/lists/${list}/subscribers/${subscriber.subscriber_uid}`)).body.data.record.status).toBe(
    'unsubscribed',
  );
});

test('a delivery log is found by its message id on both documented paths', async () => {
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(1)));
  await mailwizz.tick();
  const [log] = (await mailwizz.api('GET', `/campaigns/${uid}/delivery-logs`)).body.data.records;
  expect(log).toMatchObject({
    status: 'success',
    retries: '0',
    max_retries: '3',
    delivery_confirmed: 'yes',
    message: 'OK',
    campaign: { campaign_uid: uid },
  });
  for (const path of ['/campaigns/delivery-logs/email-message-id', '/campaigns/email-message-id']) {
    expect((await mailwizz.api('GET', `${path}/${encodeURIComponent(log.email_message_id as string)}`)).body.data.record).toEqual(log);
    expect((await mailwizz.api('GET', `${path}/unknown@example.test`)).body.error).toBe('The delivery log does not exist!');
  }
});

describe('bounces', () => {
  const arrange = async (count: number) => {
    const list = await mailwizz.listOf(addresses(count, `bounce${Date.now()}x`));
    const subscribers = (await mailwizz.api('GET', `/lists/${list}/subscribers?per_page=100`)).body.data.records as {
      subscriber_uid: string;
      EMAIL: string;
    }[];
    const bounce = async (campaign: string, subscriber: { subscriber_uid: string }, type: string) =>
      mailwizz.api('POST', `/campaigns/${campaign}/bounces`, {
        subscriber_uid: subscriber.subscriber_uid,
        bounce_type: type,
        message: 'no',
      });
    const statuses = async () =>
      ((await mailwizz.api('GET', `/lists/${list}/subscribers?per_page=100`)).body.data.records as { status: string }[]).map(
        ({ status }) => status,
      );
    return { list, subscribers, bounce, statuses };
  };

  test('a bounce starts unprocessed and is recorded once per campaign and subscriber', async () => {
    const { list, subscribers, bounce } = await arrange(1);
    const uid = await mailwizz.createCampaign(list, { 'campaign[status]': 'draft' });
    const recorded = await bounce(uid, subscribers[0]!, 'hard');
    expect(recorded).toMatchObject({
      code: 201,
      body: { data: { record: { message: 'no', processed: 'no', bounce_type: 'hard', subscriber: { email: subscribers[0]!.EMAIL } } } },
    });
    expect((await bounce(uid, subscribers[0]!, 'soft')).body.error).toBe('This subscriber has already been marked as bounced!');
    expect((await bounce(uid, { subscriber_uid: 'zz999zzzzz999' }, 'hard')).body.error).toBe('The subscriber does not exist!');
    expect((await mailwizz.api('POST', '/campaigns/zz999zzzzz999/bounces')).body.error).toBe('The campaign does not exist!');
    expect((await bounce(uid, subscribers[0]!, 'medium')).body.error).toBe('Invalid bounce type!');
  });

  test('calls at the same time record one bounce', async () => {
    const { list, subscribers, bounce } = await arrange(20);
    const uid = await mailwizz.createCampaign(list, { 'campaign[status]': 'draft' });
    const calls = subscribers.flatMap((subscriber) => Array.from({ length: 4 }, () => bounce(uid, subscriber, 'hard')));
    expect(tally((await Promise.all(calls)).map(({ code }) => String(code)))).toEqual({ 201: 20, 400: 60 });
  });

  test('the cron blacklists hard bounces at once, soft ones after five, internal ones never, and complaints', async () => {
    const { list, subscribers, bounce, statuses } = await arrange(4);
    const [hard, soft, internal, complainer] = subscribers as [
      { subscriber_uid: string; EMAIL: string },
      { subscriber_uid: string; EMAIL: string },
      { subscriber_uid: string; EMAIL: string },
      { subscriber_uid: string; EMAIL: string },
    ];
    const history = [];
    for (let round = 1; round <= 5; round += 1) {
      const uid = await mailwizz.createCampaign(list, { 'campaign[status]': 'draft' });
      if (round === 1) await bounce(uid, hard, 'hard');
      await bounce(uid, soft, 'soft');
      await bounce(uid, internal, 'internal');
      if (round === 3) await mailwizz.control('POST', '/events', { campaign_uid: uid, email: complainer.EMAIL, kind: 'complaint' });
      if (round === 1) expect(new Set(await statuses())).toEqual(new Set(['confirmed']));
      await mailwizz.control('POST', '/cron');
      history.push(tally(await statuses())['blacklisted']);
      const { records } = (await mailwizz.api('GET', `/campaigns/${uid}/bounces`)).body.data;
      expect(new Set(records.map(({ processed }: any) => processed))).toEqual(new Set(['yes']));
    }
    expect(history).toEqual([1, 1, 2, 2, 3]);
    for (const [{ EMAIL }, code] of [
      [hard, 409],
      [soft, 409],
      [complainer, 409],
    ] as const) {
      expect((await mailwizz.api('POST', `/lists/${await mailwizz.listOf([])}/subscribers`, { EMAIL })).code).toBe(code);
    }
  });
});

test('archived delivery logs still count, in the stats as in the truth', async () => {
  const emails = addresses(12);
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(emails));
  await mailwizz.tick();
  const before = await mailwizz.truthOf(uid);
  expect((await mailwizz.control('POST', '/cron', { archive: true })).archived_logs).toBeGreaterThanOrEqual(12);
  expect(await mailwizz.truthOf(uid)).toEqual(before);
  expect((await mailwizz.api('GET', `/campaigns/${uid}/stats`)).body.data).toMatchObject({
    processed_count: 12,
    delivery_success_count: 12,
  });
  expectOnceEach(await mailwizz.sentOf(uid), emails);
});

test('the ledger is read in pages that leave nothing out', async () => {
  await mailwizz.rates({ opens: 0.5, clicks: 0.3, unsubscribes: 0.2 });
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(40)));
  await mailwizz.tick();
  const { events } = await mailwizz.eventsOf(uid);
  const paged = [];
  for (let after: string | null = '0:0'; after !== null;) {
    const page: { events: unknown[]; next: string | null } = await mailwizz.control(
      'GET',
      `/truth/events?campaign_uid=${uid}&limit=9&after=${after}`,
    );
    paged.push(...page.events);
    after = page.next;
  }
  expect(paged).toEqual(events);
  expect(events.length).toBeGreaterThan(60);
});

test('by itself the clock sends what is due', async () => {
  const uid = await mailwizz.createCampaign(await mailwizz.listOf(addresses(5)));
  await mailwizz.control('POST', '/clock', { mode: 'auto', every_ms: 10, batch: 2 });
  while ((await mailwizz.statusOf(uid)) !== 'sent');
  await mailwizz.control('POST', '/clock', { mode: 'manual' });
  expect(await mailwizz.sentOf(uid)).toHaveLength(5);
});

test('a mail shows every known tag replaced', async () => {
  const list = await mailwizz.listOf(['ana@example.test'], () => ({ FNAME: 'Ana' }));
  const uid = await mailwizz.createCampaign(list, {
    'campaign[template][content]': Buffer.from('<p>[FNAME] [EMAIL] [NOPE]</p><a href="[UNSUBSCRIBE_URL]">out</a>').toString('base64'),
  });
  const message = await mailwizz.control('GET', `/truth/messages?campaign_uid=${uid}&email=ana@example.test`);
  expect(message).toMatchObject({ subject: 'Hello Ana', to: 'ana@example.test', headers: { 'X-Mw-Campaign-Uid': uid } });
  expect(message.html).toMatch(/^<p>Ana ana@example\.test \[NOPE\]<\/p><a href="https:\/\/\S+unsubscribe\S+">out<\/a>$/);
  await mailwizz.tick();
});
