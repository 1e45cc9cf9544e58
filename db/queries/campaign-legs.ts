import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { Leg } from '../../src/domain/audience';
import type { LegState, RecipientOutcome } from '../../src/domain/campaign';
import type { CampaignFigures } from '../../src/domain/campaign-run';
import type { DbHandle, DbReader } from '../client';
import { campaignLegs } from '../schema';

export type StoredLeg = typeof campaignLegs.$inferSelect;
/** 25 countries and five variants, twice: samples and the rest. Caps cut them into more, which preflight bounds. */
const legsAtMost = 10_000;

/** Suppression wins: by its hash, whatever the contact itself says. */
export const mayBeMailed = sql`contacts.deleted_at is null and contacts.status in ('validated', 'injected')
  and not exists (select from suppressions where suppressions.email_hash = contacts.email_hash)`;

export async function insertLegs(tx: DbHandle, campaignId: number, legs: Leg[], toMarker: (leg: Leg) => string): Promise<void> {
  if (legs.length === 0) return;
  await tx
    .insert(campaignLegs)
    .values(legs.map((leg) => ({ campaignId, variant: leg.variant, part: leg.part, country: leg.country, bucketFrom: leg.range.from, bucketTo: leg.range.to, contacts: leg.contacts, marker: toMarker(leg) })))
    .onConflictDoNothing();
}

export const listLegs = (db: DbReader, campaignId: number): Promise<StoredLeg[]> =>
  db.select().from(campaignLegs).where(eq(campaignLegs.campaignId, campaignId)).orderBy(asc(campaignLegs.id)).limit(legsAtMost);

export async function getLeg(db: DbReader, id: number): Promise<StoredLeg> {
  const [found] = await db.select().from(campaignLegs).where(eq(campaignLegs.id, id)).limit(1);
  if (!found) throw new Error(`leg ${id} is gone`);
  return found;
}

export type LegFacts = Partial<Pick<StoredLeg, 'mailwizzSegmentUid' | 'segmentContacts' | 'mailwizzCampaignUid' | 'mailwizzCampaignId' | 'orderedAt' | 'logPage' | 'finishedAt' | 'figures' | 'figuresAt' | 'lastError'>>;

export async function recordLeg(db: DbHandle, id: number, facts: LegFacts): Promise<void> {
  await db.update(campaignLegs).set({ ...facts, updatedAt: new Date() }).where(eq(campaignLegs.id, id));
}

/** False when somebody else has ordered the leg since it was `seen`. */
export async function claimOrder(db: DbHandle, { id, seen, now }: { id: number; seen: Date | null; now: Date }): Promise<boolean> {
  const claimed = await db
    .update(campaignLegs)
    .set({ orderedAt: now, updatedAt: now })
    .where(and(eq(campaignLegs.id, id), seen === null ? isNull(campaignLegs.orderedAt) : eq(campaignLegs.orderedAt, seen)))
    .returning({ id: campaignLegs.id });
  return claimed.length === 1;
}

/** False when the leg was not in one of `from`: it has gone further meanwhile. */
export async function moveLeg(db: DbHandle, { id, from, to, now }: { id: number; from: LegState[]; to: LegState; now: Date }): Promise<boolean> {
  const moved = await db
    .update(campaignLegs)
    .set({
      state: to,
      ...(to === 'started' && { startedAt: sql`coalesce(${campaignLegs.startedAt}, ${now.toISOString()}::timestamptz)` }),
      ...(to === 'paused' && { pausedAt: now }),
      ...((to === 'finished' || to === 'cancelled') && { finishedAt: now }),
      updatedAt: now,
    })
    .where(and(eq(campaignLegs.id, id), inArray(campaignLegs.state, from)))
    .returning({ id: campaignLegs.id });
  return moved.length === 1;
}

/** The first leg stands for the campaign in its own row. */
export async function recordFirstUid(db: DbHandle, campaignId: number): Promise<void> {
  await db.execute(sql`
    update campaigns set mailwizz_campaign_uid = legs.mailwizz_campaign_uid, mailwizz_campaign_id = legs.mailwizz_campaign_id
    from (select mailwizz_campaign_uid, mailwizz_campaign_id from campaign_legs where campaign_id = ${campaignId} and mailwizz_campaign_uid is not null order by id limit 1) legs
    where campaigns.id = ${campaignId} and campaigns.mailwizz_campaign_uid is null`);
}

/** Rows of the rest get their leg once the winner is known. */
export async function assignRest(tx: DbHandle, campaignId: number): Promise<void> {
  await tx.execute(sql`
    update campaign_recipients members set leg_id = legs.id
    from campaign_legs legs join contacts on true
    where members.campaign_id = ${campaignId} and members.leg_id is null and legs.campaign_id = ${campaignId} and legs.part = 'rest'
      and contacts.id = members.contact_id and members.bucket between legs.bucket_from and legs.bucket_to and (legs.country is null or legs.country = contacts.country_code)`);
}

/** What MailWizz says of one mail, in our words. */
export type Delivered = { uid: string; outcome: RecipientOutcome; reason: string | null };

/**
 * Takes over what became of recipients of one leg. Safe to repeat and in any order: a mail that left is `sent` for good. Answers how many of these
 * subscribers are recipients of ours.
 */
export async function recordDeliveries(db: DbHandle, { leg, instanceId, listId, deliveries }: { leg: StoredLeg; instanceId: string; listId: number; deliveries: Delivered[] }): Promise<number> {
  if (deliveries.length === 0) return 0;
  const placed = await db.execute<{ contact_id: number; uid: string }>(sql`
    select contact_id, subscriber_uid uid from injections
    where instance_id = ${instanceId} and list_id = ${listId} and subscriber_uid = any(${sql.param(deliveries.map(({ uid }) => uid))}::text[])`);
  const byUid = new Map(deliveries.map((delivery) => [delivery.uid, delivery]));
  const input = placed.rows.flatMap(({ contact_id, uid }) => {
    const delivery = byUid.get(uid);
    return delivery ? [{ contact_id, outcome: delivery.outcome, reason: delivery.reason }] : [];
  });
  await db.execute(sql`
    update campaign_recipients members set outcome = input.outcome, reason = input.reason, updated_at = now()
    from json_to_recordset(${JSON.stringify(input)}::json) as input(contact_id bigint, outcome text, reason text)
    where members.campaign_id = ${leg.campaignId} and members.contact_id = any(${sql.param(input.map((row) => row.contact_id))}::bigint[]) and members.contact_id = input.contact_id
      and members.outcome <> 'sent' and input.outcome <> 'pending' and (members.outcome = 'pending' or input.outcome = 'sent')`);
  return input.length;
}

export type Waiting = { contact_id: number; uid: string | null; reason: string };

/** Recipients who have not had the mail and must not have it any more. */
export async function findStopped(db: DbHandle, { campaignId, instanceId, listId, limit }: { campaignId: number; instanceId: string; listId: number; limit: number }): Promise<Waiting[]> {
  const found = await db.execute<Waiting>(sql`
    select members.contact_id, injections.subscriber_uid uid, coalesce('suppressed_' || orders.reason, case when contacts.deleted_at is not null then 'deleted' else contacts.status end) reason
    from campaign_recipients members join contacts on contacts.id = members.contact_id left join suppressions orders on orders.email_hash = contacts.email_hash
      left join injections on injections.contact_id = members.contact_id and injections.instance_id = ${instanceId} and injections.list_id = ${listId}
    where members.campaign_id = ${campaignId} and members.outcome = 'pending' and not (${mayBeMailed}) order by members.contact_id limit ${limit}`);
  return found.rows;
}

export async function skipRecipient(db: DbHandle, { campaignId, contactId, reason }: { campaignId: number; contactId: number; reason: string }): Promise<void> {
  await db.execute(sql`
    update campaign_recipients set outcome = 'skipped', reason = ${reason.slice(0, 50)}, updated_at = now()
    where campaign_id = ${campaignId} and contact_id = ${contactId} and outcome = 'pending'`);
}

/** Nobody stays pending when a leg, or (without one) the campaign, is over. */
export async function skipPending(db: DbHandle, { campaignId, legId, reason }: { campaignId: number; legId?: number; reason: string }): Promise<void> {
  await db.execute(sql`
    update campaign_recipients set outcome = 'skipped', reason = ${reason}, updated_at = now()
    where campaign_id = ${campaignId} and outcome = 'pending' ${legId === undefined ? sql`` : sql`and leg_id = ${legId}`}`);
}

/** Sums of the rows, written into the campaign and its legs in one statement, so that they always add up. */
export async function countCampaign(db: DbHandle, campaignId: number): Promise<CampaignFigures> {
  const counted = await db.execute<CampaignFigures>(sql`
    with members as (
      select leg_id, count(*)::int audience, count(*) filter (where outcome = 'sent')::int sent, count(*) filter (where outcome = 'skipped')::int skipped,
        count(*) filter (where outcome = 'failed')::int failed, count(*) filter (where outcome = 'pending')::int pending
      from campaign_recipients where campaign_id = ${campaignId} group by leg_id),
    legs as (
      update campaign_legs set sent = members.sent, skipped = members.skipped, failed = members.failed
      from members where campaign_legs.id = members.leg_id and (campaign_legs.sent, campaign_legs.skipped, campaign_legs.failed) is distinct from (members.sent, members.skipped, members.failed))
    update campaigns set audience = sums.audience, sent = sums.sent, skipped = sums.skipped, failed = sums.failed, pending = sums.pending
    from (select coalesce(sum(audience), 0)::int audience, coalesce(sum(sent), 0)::int sent, coalesce(sum(skipped), 0)::int skipped, coalesce(sum(failed), 0)::int failed, coalesce(sum(pending), 0)::int pending from members) sums
    where campaigns.id = ${campaignId} returning campaigns.audience, campaigns.sent, campaigns.skipped, campaigns.failed, campaigns.pending`);
  const [figures] = counted.rows;
  if (!figures) throw new Error(`campaign ${campaignId} is gone`);
  return figures;
}

export type Totals = { sent: number; delivered: number; bounced: number; opened: number; clicked: number; unsubscribed: number; spamReports: number };

export async function recordTotals(db: DbHandle, campaignId: number, totals: Totals): Promise<void> {
  await db.execute(sql`
    update campaigns set total_sent = ${totals.sent}, total_delivered = ${totals.delivered}, total_bounced = ${totals.bounced}, total_opened = ${totals.opened},
      total_clicked = ${totals.clicked}, total_unsubscribed = ${totals.unsubscribed}, total_spam_reports = ${totals.spamReports}, updated_at = now() where id = ${campaignId}`);
}

export type Recipient = { contact_id: number; email: string; outcome: RecipientOutcome; reason: string | null; variant: string | null; country_code: string | null; updated_at: string };

/** In order of contact id; `afterId` is the last one read. */
export async function listRecipients(db: DbHandle, filter: { campaignId: number; outcome?: RecipientOutcome | undefined; afterId: number; limit: number }): Promise<Recipient[]> {
  const found = await db.execute<Recipient>(sql`
    select members.contact_id, contacts.email, members.outcome, members.reason, legs.variant, contacts.country_code, to_char(members.updated_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') updated_at
    from campaign_recipients members join contacts on contacts.id = members.contact_id left join campaign_legs legs on legs.id = members.leg_id
    where members.campaign_id = ${filter.campaignId} and members.contact_id > ${filter.afterId} ${filter.outcome === undefined ? sql`` : sql`and members.outcome = ${filter.outcome}`}
    order by members.contact_id limit ${filter.limit}`);
  return found.rows;
}

/** Why recipients were skipped or failed. */
export async function countReasons(db: DbHandle, campaignId: number): Promise<{ outcome: RecipientOutcome; reason: string; contacts: number }[]> {
  const found = await db.execute<{ outcome: RecipientOutcome; reason: string; contacts: number }>(sql`
    select outcome, reason, count(*)::int contacts from campaign_recipients where campaign_id = ${campaignId} and reason is not null group by 1, 2 order by 3 desc limit 100`);
  return found.rows;
}
