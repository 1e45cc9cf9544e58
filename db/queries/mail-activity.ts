import { and, asc, eq, sql } from 'drizzle-orm';
import type { Activity, EventCount } from '../../src/domain/mail-activity';
import { mailEventTypes, toPool } from '../../src/domain/mail-event';
import type { DbHandle, Tx } from '../client';
import { campaignActivity } from '../schema';
import type { KnownContact, KnownLeg } from './mail-event-matches';

/** Locks the activity of these contacts in these campaigns, made empty where there is none; in the order of the key, so that two callers never wait for each other. */
export async function lockActivity(tx: Tx, members: { leg: KnownLeg; contact: KnownContact }[]): Promise<Activity[]> {
  const campaigns = [...new Set(members.map(({ leg }) => leg.campaign_id))].toSorted((a, b) => a - b);
  const found: Activity[] = [];
  for (const campaignId of campaigns) {
    const byContact = new Map(members.filter(({ leg }) => leg.campaign_id === campaignId).map((member) => [member.contact.id, member]));
    const sorted = [...byContact.values()].toSorted((a, b) => a.contact.id - b.contact.id);
    const ids = sorted.map(({ contact }) => contact.id);
    await tx.execute(sql`
      insert into campaign_activity (campaign_id, contact_id, leg_id, source_id, pool)
      select ${campaignId}, * from unnest(${sql.param(ids)}::bigint[], ${sql.param(sorted.map(({ leg }) => leg.leg_id))}::bigint[],
        ${sql.param(sorted.map(({ contact }) => contact.source_id ?? ''))}::text[], ${sql.param(sorted.map(({ contact }) => toPool(contact.email)))}::text[])
      on conflict do nothing`);
    const rows = await tx.select().from(campaignActivity)
      .where(and(eq(campaignActivity.campaignId, campaignId), sql`${campaignActivity.contactId} = any(${sql.param(ids)}::bigint[])`))
      .orderBy(asc(campaignActivity.contactId)).limit(ids.length).for('update');
    found.push(...rows.map(toActivity));
  }
  return found;
}

const toActivity = ({ sentAt, deliveredAt, bouncedAt, openedAt, clickedAt, unsubscribedAt, spamReportAt, ...row }: typeof campaignActivity.$inferSelect): Activity => {
  const iso = (time: Date | null) => time?.toISOString() ?? null;
  const firstAt = { sent: iso(sentAt), delivered: iso(deliveredAt), bounced: iso(bouncedAt), opened: iso(openedAt), clicked: iso(clickedAt), unsubscribed: iso(unsubscribedAt), spam_report: iso(spamReportAt) };
  return { ...row, firstAt };
};

/** Of rows that the caller has locked. */
export async function storeActivity(tx: Tx, activities: Activity[]): Promise<void> {
  const input = activities.map(({ campaignId, contactId, firstAt, opens, clicks, bounceClass }) => ({
    campaign_id: campaignId,
    contact_id: contactId,
    ...Object.fromEntries(mailEventTypes.map((type) => [`${type}_at`, firstAt[type]])),
    opens,
    clicks,
    bounce_class: bounceClass,
  }));
  await tx.execute(sql`
    update campaign_activity known set sent_at = input.sent_at, delivered_at = input.delivered_at, bounced_at = input.bounced_at, bounce_class = input.bounce_class,
      opened_at = input.opened_at, opens = input.opens, clicked_at = input.clicked_at, clicks = input.clicks, unsubscribed_at = input.unsubscribed_at, spam_report_at = input.spam_report_at
    from json_to_recordset(${JSON.stringify(input)}::json) as input(campaign_id bigint, contact_id bigint, sent_at timestamptz, delivered_at timestamptz, bounced_at timestamptz,
      bounce_class text, opened_at timestamptz, opens int, clicked_at timestamptz, clicks int, unsubscribed_at timestamptz, spam_report_at timestamptz)
    where known.campaign_id = any(${sql.param([...new Set(activities.map(({ campaignId }) => campaignId))])}::bigint[]) and known.contact_id = any(${sql.param(activities.map(({ contactId }) => contactId))}::bigint[])
      and known.campaign_id = input.campaign_id and known.contact_id = input.contact_id`);
}

/** Changes figures by what events changed; summed and sorted as `sumCounts` gives them. */
export async function addCounts(tx: Tx, counts: EventCount[]): Promise<void> {
  if (counts.length === 0) return;
  const input = counts.map(({ campaignId, legId, sourceId, eventType, ...figures }) => ({ campaign_id: campaignId, leg_id: legId, source_id: sourceId, event_type: eventType, ...figures }));
  await tx.execute(sql`
    insert into event_counts (campaign_id, leg_id, source_id, pool, day, event_type, total, contacts)
    select campaign_id, leg_id, source_id, pool, day, event_type, total, contacts
    from json_to_recordset(${JSON.stringify(input)}::json) as input(campaign_id bigint, leg_id bigint, source_id text, pool text, day date, event_type text, total bigint, contacts bigint)
    on conflict (campaign_id, leg_id, source_id, pool, day, event_type) do update
      set total = event_counts.total + excluded.total, contacts = event_counts.contacts + excluded.contacts, updated_at = now()`);
  await storeTotals(tx, counts);
}

/**
 * The figures in the campaign's own row are contacts, not events. They are taken from the sums and not added to: the row also gets MailWizz's figures
 * while the campaign runs, and one must never be added to the other. Locked first, so that the sums seen are those of all who came before.
 */
async function storeTotals(tx: Tx, counts: EventCount[]): Promise<void> {
  for (const id of [...new Set(counts.map(({ campaignId }) => campaignId))].filter((campaignId) => campaignId > 0).toSorted((a, b) => a - b)) {
    await tx.execute(sql`select from campaigns where id = ${id} for no key update`);
    await tx.execute(sql`
      with sums as (select event_type, sum(contacts)::int contacts from event_counts where campaign_id = ${id} group by event_type),
      figures as (
        select coalesce(max(contacts) filter (where event_type = 'sent'), 0) sent, coalesce(max(contacts) filter (where event_type = 'delivered'), 0) delivered,
          coalesce(max(contacts) filter (where event_type = 'bounced'), 0) bounced, coalesce(max(contacts) filter (where event_type = 'opened'), 0) opened,
          coalesce(max(contacts) filter (where event_type = 'clicked'), 0) clicked, coalesce(max(contacts) filter (where event_type = 'unsubscribed'), 0) unsubscribed,
          coalesce(max(contacts) filter (where event_type = 'spam_report'), 0) spam_reports from sums)
      update campaigns set total_sent = figures.sent, total_delivered = figures.delivered, total_bounced = figures.bounced, total_opened = figures.opened,
        total_clicked = figures.clicked, total_unsubscribed = figures.unsubscribed, total_spam_reports = figures.spam_reports
      from figures where campaigns.id = ${id}`);
  }
}

/** Of these contacts, those whose soft bounces from different campaigns have reached the limit of the rule. */
export async function findSoftBounced(db: DbHandle, contactIds: number[]): Promise<number[]> {
  if (contactIds.length === 0) return [];
  const found = await db.execute<{ contact_id: number }>(sql`
    select contact_id from campaign_activity, bounce_rules
    where contact_id = any(${sql.param(contactIds)}::bigint[]) and bounce_class = 'soft' and bounced_at > now() - make_interval(days => soft_days)
    group by contact_id, soft_limit having count(*) >= soft_limit`);
  return found.rows.map((row) => row.contact_id);
}
