import { sql } from 'drizzle-orm';
import { hashText } from '../../src/domain/address';
import type { MailEvent } from '../../src/domain/mail-event';
import type { DbHandle, Tx } from '../client';

/** Keeps events until their contact and campaign are known. A copy changes nothing. */
export async function insertUnmatched(tx: Tx, events: MailEvent[]): Promise<void> {
  if (events.length === 0) return;
  const input = events.map((event) => ({
    key: keyOf(event),
    event,
    instance_id: event.instanceId,
    campaign_uid: event.campaignUid,
    subscriber_uid: event.subscriberUid,
    email_hash: event.emailHash,
    received_at: event.receivedAt,
  }));
  await tx.execute(sql`
    insert into unmatched_events (dedupe_key, event, instance_id, campaign_uid, subscriber_uid, email_hash, received_at)
    select decode(key, 'hex'), event, instance_id, campaign_uid, subscriber_uid, email_hash, received_at
    from json_to_recordset(${JSON.stringify(input)}::json) as input(key text, event jsonb, instance_id text, campaign_uid text, subscriber_uid text, email_hash text, received_at timestamptz)
    order by key on conflict do nothing`);
}

/** The same report, word for word but for when we heard of it. */
function keyOf({ receivedAt: _receivedAt, at, data, ...event }: MailEvent): string {
  return hashText(JSON.stringify([event, data['own_time'] ?? at])).slice(0, 32);
}

/** Takes out the events that may be matched now, oldest first; the caller records them in the same transaction. Foreign campaigns are passed over as a whole. */
export async function takeMatchable(tx: Tx, limit: number): Promise<MailEvent[]> {
  const taken = await tx.execute<{ event: MailEvent }>(sql`
    with known_campaigns as (
      select distinct legs.mailwizz_campaign_uid uid, campaigns.mailwizz_instance instance_id
      from (select campaign_uid from unmatched_events where campaign_uid is not null group by campaign_uid) waiting
        join campaign_legs legs on legs.mailwizz_campaign_uid = waiting.campaign_uid join campaigns on campaigns.id = legs.campaign_id),
    ready as (
      select waiting.dedupe_key from unmatched_events waiting left join known_campaigns on known_campaigns.uid = waiting.campaign_uid
      where (waiting.campaign_uid is null or known_campaigns.uid is not null)
        and (exists (select from contacts where contacts.email_hash = waiting.email_hash)
          or exists (select from injections where injections.instance_id = coalesce(waiting.instance_id, known_campaigns.instance_id) and injections.subscriber_uid = waiting.subscriber_uid))
      order by waiting.received_at limit ${limit} for update of waiting skip locked)
    delete from unmatched_events using ready where unmatched_events.dedupe_key = ready.dedupe_key returning event`);
  return taken.rows.map((row) => row.event);
}

/** Takes out what nobody knew for so long. */
export async function takeExpired(tx: Tx, { olderThan, limit }: { olderThan: Date; limit: number }): Promise<MailEvent[]> {
  const taken = await tx.execute<{ event: MailEvent }>(sql`
    with old as (select dedupe_key from unmatched_events where received_at < ${olderThan.toISOString()}::timestamptz order by received_at limit ${limit} for update skip locked)
    delete from unmatched_events using old where unmatched_events.dedupe_key = old.dedupe_key returning event`);
  return taken.rows.map((row) => row.event);
}

export type UnmatchedCount = { instance_id: string | null; campaign_uid: string | null; events: number; oldest: string };

/** What waits, per campaign that nobody knows. */
export async function countUnmatched(db: DbHandle): Promise<UnmatchedCount[]> {
  const found = await db.execute<UnmatchedCount>(sql`
    select instance_id, campaign_uid, count(*)::int events, to_char(min(received_at) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') oldest
    from unmatched_events group by 1, 2 order by 3 desc limit 200`);
  return found.rows;
}
