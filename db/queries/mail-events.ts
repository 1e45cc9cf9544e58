import { sql } from 'drizzle-orm';
import { hashText } from '../../src/domain/address';
import { type Activity, addEvent, type EventCount, isKnown, sumCounts } from '../../src/domain/mail-activity';
import { type MailEvent, repeatable, toOrder, toPool } from '../../src/domain/mail-event';
import type { Db, Tx } from '../client';
import { addCounts, findSoftBounced, lockActivity, storeActivity } from './mail-activity';
import { type KnownContact, type KnownLeg, matchEvents, type MatchedEvent } from './mail-event-matches';
import { type OrderedAddress, orderSuppressions } from './suppression-orders';
import { insertUnmatched } from './unmatched-events';

/** `stored`: new facts; `copies`: reports of what was known; `unmatched`: kept until their contact and campaign are known. */
export type RecordedEvents = { stored: number; copies: number; unmatched: number };

const triesAtDeadlock = 5;

/**
 * Takes over reports of events, whatever way they came, in one commit: the event, what it makes of the contact and the figures. A report of what is known
 * changes nothing, so everything may be sent again and in any order. `final`: what is still unmatched is stored as it is.
 */
export async function recordMailEvents(db: Db, events: MailEvent[], { final = false }: { final?: boolean } = {}): Promise<RecordedEvents> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await db.transaction((tx) => recordWithin(tx, events, final));
    } catch (error) {
      if (tries >= triesAtDeadlock || !isDeadlock(error)) throw error;
    }
  }
}

/** The same within a transaction of the caller's. */
export async function recordWithin(tx: Tx, events: MailEvent[], final: boolean): Promise<RecordedEvents> {
  const matched = await matchEvents(tx, events);
  const isWhole = ({ event, contact, leg }: MatchedEvent) => contact !== undefined && (leg !== undefined || event.campaignUid === null);
  const known = matched.filter((match) => isWhole(match) || final);
  const unknown = matched.filter((match) => !isWhole(match) && !final);
  const inCampaigns = known.flatMap(({ event, contact, leg }) => (contact && leg ? [{ event, contact, leg }] : []));
  const elsewhere = known.filter(({ contact, leg }) => !contact || !leg);
  const stored = (await storeInCampaigns(tx, inCampaigns)) + (await storeElsewhere(tx, elsewhere));
  await orderSuppressions(tx, [...matched.flatMap(toOrdered), ...(await findRepeatedlySoft(tx, inCampaigns))]);
  await insertUnmatched(tx, unknown.map(({ event }) => event));
  return { stored, copies: known.length - stored, unmatched: unknown.length };
}

type InCampaign = { event: MailEvent; contact: KnownContact; leg: KnownLeg };

async function storeInCampaigns(tx: Tx, matches: InCampaign[]): Promise<number> {
  if (matches.length === 0) return 0;
  const memberOf = (campaignId: number, contactId: number) => `${campaignId} ${contactId}`;
  const activities = new Map((await lockActivity(tx, matches)).map((activity) => [memberOf(activity.campaignId, activity.contactId), activity]));
  const news = matches.flatMap(({ event, contact, leg }) => {
    const activity = activities.get(memberOf(leg.campaign_id, contact.id));
    return activity && !isKnown(activity, event) ? [{ event, contact, leg, member: memberOf(leg.campaign_id, contact.id), key: keyOf(event, [leg.campaign_id, contact.id]) }] : [];
  });
  const inserted = await insertEvents(tx, await withoutCopiesOfOtherTimes(tx, onePerKey(news)));
  const counts: EventCount[] = [];
  const changed = new Map<string, Activity>();
  let stored = 0;
  for (const { event, member } of inserted) {
    const before = changed.get(member) ?? activities.get(member);
    if (!before) continue;
    const added = addEvent(before, event);
    changed.set(member, added.activity);
    counts.push(...added.counts);
    stored += 1;
  }
  if (changed.size > 0) await storeActivity(tx, [...changed.values()]);
  await addCounts(tx, sumCounts(counts));
  return stored;
}

/** Events without a campaign of ours; they count in the sums of their day and source. */
async function storeElsewhere(tx: Tx, matches: MatchedEvent[]): Promise<number> {
  const rows = matches.map((match) => ({ ...match, key: keyOf(match.event, [match.event.instanceId, match.event.campaignUid, match.contact?.id ?? match.event.emailHash ?? match.event.subscriberUid, match.event.at]) }));
  const inserted = await insertEvents(tx, onePerKey(rows));
  const counts = inserted.map(({ event, contact }) => ({
    campaignId: 0, legId: 0, sourceId: contact?.source_id ?? '', pool: toPool(event.email ?? contact?.email ?? ''), day: event.at.slice(0, 10), eventType: event.type, total: 1, contacts: 0,
  }));
  await addCounts(tx, sumCounts(counts));
  return inserted.length;
}

type EventRow = { event: MailEvent; contact: KnownContact | undefined; leg: KnownLeg | undefined; key: string };

/** Copies that came in one go: the first of them stands. */
function onePerKey<T extends EventRow>(rows: T[]): T[] {
  return [...new Map(rows.toReversed().map((row) => [row.key, row])).values()].toReversed();
}

/** Answers the rows that are new; a row whose key is there already is a copy. */
async function insertEvents<T extends EventRow>(tx: Tx, rows: T[]): Promise<T[]> {
  if (rows.length === 0) return [];
  await ensureMonths(tx, rows.map(({ event }) => event.at));
  const input = rows.map(({ event, contact, leg, key }) => ({
    key,
    contact_id: contact?.id ?? null,
    email: contact?.email ?? event.email ?? '',
    campaign_id: leg?.campaign_id ?? null,
    leg_id: leg?.leg_id ?? null,
    event_type: event.type,
    event_data: { ...event.data, ...(event.bounceClass !== null && { bounce_type: event.bounceClass }), ...(event.url !== null && { url: event.url }), ...(event.instanceId !== null && { instance_id: event.instanceId }) },
    source: event.way,
    at: event.at,
    received_at: event.receivedAt,
    ip: event.ip,
    user_agent: event.userAgent,
  }));
  const inserted = await tx.execute<{ key: string }>(sql`
    insert into contact_events (contact_id, email, campaign_id, leg_id, event_type, event_data, source, timestamp, received_at, ip_address, user_agent, dedupe_key)
    select contact_id, email, campaign_id, leg_id, event_type, event_data, source, at, received_at, ip, user_agent, decode(key, 'hex')
    from json_to_recordset(${JSON.stringify(input)}::json) as input(key text, contact_id bigint, email text, campaign_id bigint, leg_id bigint, event_type text, event_data jsonb, source text,
      at timestamptz, received_at timestamptz, ip text, user_agent text)
    order by key on conflict (dedupe_key, timestamp) where dedupe_key is not null do nothing returning encode(dedupe_key, 'hex') key`);
  const keys = new Set(inserted.rows.map((row) => row.key));
  return rows.filter((row) => keys.has(row.key));
}

/** A bounce of one class is one event, and ways differ in its time; an absurd time gave way to that of the receipt, another one with each copy. Their keys are looked for whatever the time. */
async function withoutCopiesOfOtherTimes<T extends EventRow>(tx: Tx, rows: T[]): Promise<T[]> {
  const timeless = rows.filter(({ event }) => event.type === 'bounced' || event.data['own_time'] !== undefined);
  if (timeless.length === 0) return rows;
  const found = await tx.execute<{ key: string }>(sql`
    select encode(dedupe_key, 'hex') key from contact_events where contact_id = any(${sql.param(timeless.map(({ contact }) => contact?.id ?? 0))}::bigint[])
      and dedupe_key = any(array(select decode(key, 'hex') from unnest(${sql.param(timeless.map(({ key }) => key))}::text[]) key))`);
  const known = new Set(found.rows.map((row) => row.key));
  return rows.filter(({ key }) => !known.has(key));
}

/** A late report may be of a month whose partition is not there (any more). */
async function ensureMonths(tx: Tx, times: string[]): Promise<void> {
  for (const month of new Set(times.map((at) => at.slice(0, 7)))) {
    await tx.execute(sql`select ensure_month_partitions('contact_events', ${`${month}-01`}::date, 1) where to_regclass(${`contact_events_${month.replace('-', '')}`}) is null`);
  }
}

/** What makes two reports one event: what happens once, by whom and of what it is; opens and clicks also by time and circumstances (reliability.md 1.4). Hex. */
function keyOf({ type, at, bounceClass, url, ip, userAgent, data }: MailEvent, about: unknown[]): string {
  const circumstances = repeatable.has(type) ? [data['own_time'] ?? at, url, ip, userAgent] : [bounceClass];
  return hashText(JSON.stringify([type, ...about, ...circumstances])).slice(0, 32);
}

/** By the address where we know it, be the campaign known or not: an order does not wait for figures. */
function toOrdered({ event, contact }: MatchedEvent): OrderedAddress[] {
  const order = toOrder(event);
  const emailHash = contact?.email_hash ?? event.emailHash;
  return order && emailHash !== null ? [{ ...order, emailHash, origin: originOf(event) }] : [];
}

/** Where an order came from: it need not be told there. */
const originOf = ({ way, instanceId }: MailEvent) => (way === 'pmta' || instanceId === null ? way : `mailwizz:${instanceId}`);

async function findRepeatedlySoft(tx: Tx, matches: InCampaign[]): Promise<OrderedAddress[]> {
  const soft = new Map(matches.filter(({ event }) => event.type === 'bounced' && event.bounceClass === 'soft').map(({ contact, event }) => [contact.id, { contact, event }]));
  return (await findSoftBounced(tx, [...soft.keys()])).flatMap((id) => {
    const found = soft.get(id);
    return found ? [{ status: 'bounced' as const, reason: 'bounced' as const, emailHash: found.contact.email_hash, origin: originOf(found.event) }] : [];
  });
}

const isDeadlock = (error: unknown) => /^40(P01|001)$/.test(codeOf(error)) || (error instanceof Error && /^40(P01|001)$/.test(codeOf(error.cause)));
const codeOf = (error: unknown) => (typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '');
