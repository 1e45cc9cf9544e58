import { hashAddress } from '../../src/domain/address';
import type { MailEvent, MailEventType } from '../../src/domain/mail-event';
import { recordMailEvents, recordWithin } from '../../db/queries/mail-events';
import { takeExpired, takeMatchable } from '../../db/queries/unmatched-events';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { rowsOf } from '../support/rows';

let database: FreshDatabase;
let rows: ReturnType<typeof rowsOf>;

beforeAll(async () => {
  database = await freshDatabase();
  rows = rowsOf(database);
  await rows.base();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await rows.clear();
  await rows.query('truncate campaigns, campaign_legs, campaign_activity, event_counts, unmatched_events cascade');
});

const receivedAt = new Date(Math.floor(Date.now() / 1_000) * 1_000);
const at = (secondsAgo: number) => new Date(receivedAt.getTime() - secondsAgo * 1_000).toISOString();
const email = (n: number) => `reader${n}@gmail.com`;
const event = (type: MailEventType, n: number, more: Partial<MailEvent> = {}): MailEvent => ({
  type, way: 'mailwizz_webhook', instanceId: 'client-1', campaignUid: 'camp00000000a', subscriberUid: `sub${n}`, email: email(n), emailHash: hashAddress(email(n)),
  at: at(100), receivedAt: receivedAt.toISOString(), bounceClass: type === 'bounced' ? 'soft' : null, url: null, ip: null, userAgent: null, data: {}, ...more,
});

async function readers(count: number): Promise<void> {
  await rows.query(
    `with made as (
       insert into contacts (email, email_hash, source_id, status) select 'reader' || n || '@gmail.com', encode(sha256(('reader' || n || '@gmail.com')::bytea), 'hex'), 's', 'injected' from generate_series(1, $1) n returning id, email)
     insert into injections (contact_id, instance_id, list_id, state, subscriber_uid) select id, 'client-1', 12, 'injected', 'sub' || substring(email from '\\d+') from made`,
    [count],
  );
}

async function campaign(uid = 'camp00000000a'): Promise<number> {
  const [made] = await rows.query<{ id: number }>(`insert into campaigns (name, mailwizz_instance, mailwizz_list_id) values ('c', 'client-1', 12) returning id`);
  await rows.query(`insert into campaign_legs (campaign_id, bucket_from, bucket_to, marker, mailwizz_campaign_uid, state) values ($1, 0, 9999, $2, $2, 'finished')`, [made!.id, uid]);
  return made!.id;
}

const figures = async () =>
  Object.fromEntries((await rows.query<{ event_type: string; total: number; contacts: number }>('select event_type, sum(total)::int total, sum(contacts)::int contacts from event_counts group by 1 order by 1')).map((row) => [row.event_type, [row.total, row.contacts]]));

/** A seeded order, so that a failure comes again. */
function shuffle<T>(items: T[], seed: number): T[] {
  let state = seed;
  const next = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  return items.map((item) => [next(), item] as const).toSorted(([a], [b]) => a - b).map(([, item]) => item);
}

const everyOrder = <T>(items: T[]): T[][] => (items.length < 2 ? [items] : items.flatMap((item, index) => everyOrder(items.toSpliced(index, 1)).map((rest) => [item, ...rest])));

test('events sent up to fifty times, shuffled, by three writers at once, count once', async () => {
  await readers(200);
  await campaign();
  const truth = Array.from({ length: 200 }, (_, index) => index + 1).flatMap((n) => [
    event('sent', n), event('delivered', n, { way: 'pmta', instanceId: null }), event('opened', n, { at: at(90), ip: '192.0.2.1' }), ...(n % 2 === 0 ? [event('opened', n, { at: at(80), ip: '192.0.2.1' })] : []),
    ...(n % 5 === 0 ? [event('clicked', n, { at: at(70), url: 'https://a.example/' })] : []), ...(n % 50 === 0 ? [event('unsubscribed', n)] : []),
  ]);
  const sent = shuffle(truth.flatMap((one, index) => Array.from({ length: 1 + (index % 50) }, (_, copy) => ({ ...one, ...(one.type === 'sent' && { at: at(100 - (copy % 3)) }) }))), 7);
  const batches = Array.from({ length: Math.ceil(sent.length / 400) }, (_, index) => sent.slice(index * 400, (index + 1) * 400));
  let stored = 0;
  await Promise.all([0, 1, 2].map(async (writer) => {
    for (const batch of batches.filter((_, index) => index % 3 === writer)) {
      const recorded = await recordMailEvents(database.db, batch);
      stored += recorded.stored;
    }
  }));
  expect(stored).toBe(truth.length);
  expect(await figures()).toEqual({ sent: [200, 200], delivered: [200, 200], opened: [300, 200], clicked: [40, 40], unsubscribed: [4, 4] });
  expect(await rows.query('select count(*)::int n from contact_events')).toEqual([{ n: truth.length }]);
  expect(await rows.query('select total_sent, total_delivered, total_opened, total_clicked, total_unsubscribed from campaigns')).toEqual([{ total_sent: 200, total_delivered: 200, total_opened: 200, total_clicked: 40, total_unsubscribed: 4 }]);
});

test('all 720 orders of six events end in one state', async () => {
  await readers(720);
  await campaign();
  const six = (n: number) => [
    event('sent', n, { at: at(86_400 * 2) }), event('opened', n, { at: at(86_400) }), event('opened', n, { at: at(10) }), event('bounced', n, { bounceClass: 'soft', at: at(86_400) }), event('bounced', n, { bounceClass: 'hard', at: at(20) }), event('unsubscribed', n, { at: at(5) }),
  ];
  const orders = everyOrder([0, 1, 2, 3, 4, 5]);
  for (let step = 0; step < 6; step += 1) await recordMailEvents(database.db, orders.map((order, index) => six(index + 1)[order[step]!]!));
  const states = await rows.query(
    `select activity.sent_at, bounced_at, bounce_class, opened_at, opens, clicked_at, clicks, unsubscribed_at, contacts.status, suppressions.reason, count(*)::int n,
       (select count(*)::int from contact_events where contact_events.contact_id = any(array_agg(contacts.id))) events
     from campaign_activity activity join contacts on contacts.id = activity.contact_id join suppressions using (email_hash) group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`,
  );
  expect(states).toEqual([expect.objectContaining({ n: 720, opens: 2, bounce_class: 'hard', status: 'unsubscribed', reason: 'unsubscribed', opened_at: new Date(at(86_400)), bounced_at: new Date(at(86_400)), events: 720 * 6 })]);
  expect(await figures()).toEqual({ sent: [720, 720], opened: [1_440, 720], bounced: [720, 720], unsubscribed: [720, 720] });
  // Days too: sums over days are what one would count in the events themselves.
  expect(await rows.query(`select day::text, contacts::int, total::int from event_counts where event_type = 'opened' and contacts <> 0`)).toEqual([{ day: at(86_400).slice(0, 10), contacts: 720, total: 720 }]);
});

test('events of a campaign and of people that nobody knows yet are kept, counted once when they are known, and their orders hold at once', async () => {
  await readers(2);
  const early = [event('sent', 1), event('unsubscribed', 1), event('opened', 2), event('spam_report', 3)];
  expect(await recordMailEvents(database.db, [...early, ...early])).toEqual({ stored: 0, copies: 0, unmatched: 8 });
  expect(await rows.query('select count(*)::int n from unmatched_events')).toEqual([{ n: 4 }]);
  expect(await rows.query(`select status from contacts order by id`)).toEqual([{ status: 'unsubscribed' }, { status: 'injected' }]);
  expect(await rows.query(`select reason from suppressions order by reason`)).toEqual([{ reason: 'spam_report' }, { reason: 'unsubscribed' }]);
  expect(await rematch()).toEqual({ stored: 0, copies: 0, unmatched: 0 });
  await campaign();
  expect(await rematch()).toEqual({ stored: 3, copies: 0, unmatched: 0 });
  expect(await figures()).toEqual({ sent: [1, 1], opened: [1, 1], unsubscribed: [1, 1] });
  expect(await rows.query('select count(*)::int n from unmatched_events')).toEqual([{ n: 1 }]);
  await recordMailEvents(database.db, early);
  expect(await figures()).toEqual({ sent: [1, 1], opened: [1, 1], unsubscribed: [1, 1] });
});

test('what nobody knew for too long is stored as it is and lost to nobody', async () => {
  await recordMailEvents(database.db, [event('opened', 1), event('sent', 1, { email: null, emailHash: null })]);
  const stored = await database.db.transaction(async (tx) => recordWithin(tx, await takeExpired(tx, { olderThan: new Date(Date.now() + 1_000), limit: 10 }), true));
  expect(stored).toEqual({ stored: 2, copies: 0, unmatched: 0 });
  expect(await rows.query('select contact_id, campaign_id, event_type, email from contact_events order by event_type')).toEqual([
    { contact_id: null, campaign_id: null, event_type: 'opened', email: email(1) }, { contact_id: null, campaign_id: null, event_type: 'sent', email: '' },
  ]);
});

test('soft bounces of five campaigns within the days of the rule count as a hard one, four do not', async () => {
  await readers(2);
  for (const n of [1, 2, 3, 4, 5]) await campaign(`camp${n}`);
  await recordMailEvents(database.db, [1, 2, 3, 4].flatMap((n) => [event('bounced', 1, { campaignUid: `camp${n}` }), event('bounced', 1, { campaignUid: `camp${n}`, at: at(5), way: 'pmta' }), event('bounced', 2, { campaignUid: `camp${n}` })]));
  expect(await rows.query('select status from contacts order by id')).toEqual([{ status: 'injected' }, { status: 'injected' }]);
  await recordMailEvents(database.db, [event('bounced', 2, { campaignUid: 'camp5' })]);
  expect(await rows.query('select status from contacts order by id')).toEqual([{ status: 'injected' }, { status: 'bounced' }]);
  expect(await rows.query('select reason, origin from suppressions')).toEqual([{ reason: 'bounced', origin: 'mailwizz:client-1' }]);
});

test("figures that MailWizz gave the campaign are replaced by ours, never added to", async () => {
  await readers(2);
  await campaign();
  await rows.query('update campaigns set total_sent = 100, total_opened = 50');
  await recordMailEvents(database.db, [event('sent', 1), event('sent', 2)]);
  expect(await rows.query('select total_sent, total_opened from campaigns')).toEqual([{ total_sent: 2, total_opened: 0 }]);
});

test('a subscriber is found by the uid where the address says somebody else, and uids of one instance mean nothing in another', async () => {
  await readers(2);
  await campaign();
  await recordMailEvents(database.db, [event('sent', 1, { email: email(2), emailHash: hashAddress(email(2)) })]);
  expect(await rows.query('select contacts.email from campaign_activity join contacts on contacts.id = contact_id')).toEqual([{ email: email(1) }]);
  expect((await recordMailEvents(database.db, [event('sent', 2, { instanceId: 'client-2' })])).unmatched).toBe(1);
});

async function rematch() {
  return database.db.transaction(async (tx) => recordWithin(tx, await takeMatchable(tx, 1_000), false));
}
