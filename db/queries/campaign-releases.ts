import { and, eq, inArray, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Leg } from '../../src/domain/audience';
import type { LegState } from '../../src/domain/campaign';
import type { CampaignLook } from '../../src/domain/campaign-run';
import { dayMs, findReleaseRoom, isLimited, type LimitedLeg, type Limits, mayGoOn, type ReleaseRoom } from '../../src/domain/release';
import { isInside, type SendWindow } from '../../src/domain/send-window';
import type { Db, DbHandle, Tx } from '../client';
import { campaignLegs } from '../schema';
import { bucketOf, isMember, resolveAudience } from './campaign-audience';
import type { StoredLeg } from './campaign-legs';
import type { Campaign } from './campaigns';

export async function findLimits(db: DbHandle, campaign: Campaign): Promise<Limits> {
  const found = await db.execute<{ hourly: number | null; daily: number | null }>(sql`
    select hourly_cap hourly, daily_cap daily from mailwizz_instances where instance_id = ${campaign.mailwizzInstance}`);
  return { campaign: { hourly: campaign.hourlyCap, daily: campaign.dailyCap }, instance: found.rows[0] ?? { hourly: null, daily: null } };
}

/** Legs of one instance within a day; a sum over fewer than all would let too many go. */
const limitedLegsAtMost = 50_000;
const reservoirsAtMost = 10_000;

type LimitedRow = {
  id: number; campaign_id: number; state: LegState; contacts: number; skipped: number; is_there: boolean; status: string; send_window: SendWindow | null;
  released_at: number | null; paused_at: number | null; finished_at: number | null;
};

/** All legs of the campaign's instance that caps may ask about: those that are open, and those that ended within the longest of their windows. */
export async function listLimitedLegs(db: DbHandle, campaign: Campaign, nowMs: number): Promise<LimitedLeg[]> {
  const ms = (column: string) => sql.raw(`(extract(epoch from legs.${column}) * 1000)::float8 ${column}`);
  const found = await db.execute<LimitedRow>(sql`
    select legs.id, legs.campaign_id, legs.state, legs.contacts, legs.skipped, legs.mailwizz_campaign_uid is not null is_there, campaigns.status, campaigns.send_window,
      ${ms('released_at')}, ${ms('paused_at')}, ${ms('finished_at')}
    from campaign_legs legs join campaigns on campaigns.id = legs.campaign_id
    where (legs.finished_at is null or legs.finished_at > ${new Date(nowMs - dayMs).toISOString()}) and campaigns.mailwizz_instance = ${campaign.mailwizzInstance}
    order by legs.id limit ${limitedLegsAtMost}`);
  if (found.rows.length === limitedLegsAtMost) throw new Error(`instance ${campaign.mailwizzInstance} has more legs than caps can be kept for`);
  return found.rows.map((row) => ({
    id: row.id,
    campaignId: row.campaign_id,
    state: row.state,
    contacts: row.contacts,
    skipped: row.skipped,
    isThere: row.is_there,
    releasedAtMs: row.released_at,
    pausedAtMs: row.paused_at,
    finishedAtMs: row.finished_at,
    runs: row.status === 'running' && isInside(row.send_window, nowMs),
  }));
}

/** Who asks for room waits for whoever asked before: two who look at the same room would both take it. */
export async function lockRoom(tx: Tx, campaign: Campaign): Promise<void> {
  await tx.execute(sql`select from mailwizz_instances where instance_id = ${campaign.mailwizzInstance} for no key update`);
}

/** Lets legs go on that were stopped, or never started, as far as there is room. Safe to repeat. */
export async function releaseStopped(db: Db, { campaign, limits, now }: { campaign: Campaign; limits: Limits; now: Date }): Promise<void> {
  await db.transaction(async (tx) => {
    await lockRoom(tx, campaign);
    const nowMs = now.getTime();
    let legs = await listLimitedLegs(tx, campaign, nowMs);
    const stopped = legs.filter((leg) => leg.campaignId === campaign.id && leg.releasedAtMs === null && (leg.state === 'created' || leg.state === 'paused'));
    for (const leg of stopped) {
      if (!mayGoOn({ limits, legs, leg, nowMs })) continue;
      await tx.update(campaignLegs).set({ releasedAt: now, updatedAt: now }).where(eq(campaignLegs.id, leg.id));
      legs = legs.map((other) => (other.id === leg.id ? { ...other, releasedAtMs: nowMs } : other));
    }
  });
}

/** Gives back what was released and is stopped: others of the instance may have it meanwhile. A leg that MailWizz has not heard of goes back to those that wait. */
export async function returnReleases(db: DbHandle, campaignId: number): Promise<void> {
  await db.update(campaignLegs).set({ releasedAt: null }).where(and(eq(campaignLegs.campaignId, campaignId), isNotNull(campaignLegs.releasedAt), inArray(campaignLegs.state, ['planned', 'created', 'paused'])));
}

/** A leg whose segment MailWizz counts differently is planned anew, with those who joined the list meanwhile. */
export async function returnRelease(db: DbHandle, legId: number): Promise<void> {
  await db.update(campaignLegs).set({ releasedAt: null }).where(and(eq(campaignLegs.id, legId), eq(campaignLegs.state, 'planned'), isNull(campaignLegs.orderedAt)));
}

/** Legs of the campaign that are still whole ranges to be released; MailWizz has heard of none of them. */
export const listReservoirs = (tx: DbHandle, campaignId: number): Promise<StoredLeg[]> =>
  tx
    .select()
    .from(campaignLegs)
    .where(and(eq(campaignLegs.campaignId, campaignId), eq(campaignLegs.state, 'planned'), isNull(campaignLegs.releasedAt), isNull(campaignLegs.orderedAt)))
    .orderBy(campaignLegs.id)
    .limit(reservoirsAtMost);

const openLegs = (campaignId: number) =>
  sql`select id from campaign_legs where campaign_id = ${campaignId} and state = 'planned' and released_at is null and ordered_at is null`;

/**
 * Contacts who joined the list since the audience was frozen are in MailWizz's segments of what is still to be released: they are taken in, for a segment
 * cannot leave them out. Where there is a limit on contacts, as many whole buckets are taken off the far end.
 */
export async function takeInNewcomers(tx: Tx, campaign: Campaign): Promise<void> {
  const { id } = campaign;
  const audience = await resolveAudience(tx, campaign);
  await tx.execute(sql`
    insert into campaign_recipients (campaign_id, contact_id, bucket, leg_id)
    select ${id}, members.id, members.bucket, legs.id
    from (select contacts.id, ${bucketOf} bucket, contacts.country_code from injections join contacts on contacts.id = injections.contact_id where ${isMember(audience)}) members
      join campaign_legs legs on legs.id in (${openLegs(id)}) and members.bucket between legs.bucket_from and legs.bucket_to and (legs.country is null or legs.country = members.country_code)
    order by members.id on conflict do nothing`);
  if (campaign.maxContacts === null) return;
  const cut = await tx.execute<{ bucket: number }>(sql`
    with open as (select bucket, count(*) contacts from campaign_recipients where campaign_id = ${id} and (leg_id is null or leg_id in (${openLegs(id)})) group by bucket),
      sums as (select bucket, sum(contacts) over (order by bucket desc) through, sum(contacts) over (order by bucket desc) - contacts beyond from open),
      excess as (select count(*) - ${campaign.maxContacts}::int surplus from campaign_recipients where campaign_id = ${id})
    select min(bucket) bucket from sums, excess where excess.surplus > 0 and sums.beyond < excess.surplus having min(bucket) is not null`);
  const bucket = cut.rows[0]?.bucket;
  if (bucket === undefined) return;
  await tx.execute(sql`delete from campaign_recipients where campaign_id = ${id} and bucket >= ${bucket} and (leg_id is null or leg_id in (${openLegs(id)}))`);
  await tx.execute(sql`delete from campaign_legs where id in (${openLegs(id)}) and bucket_from >= ${bucket}`);
  await tx.execute(sql`update campaign_legs set bucket_to = ${bucket} - 1 where id in (${openLegs(id)}) and bucket_to >= ${bucket}`);
}

/** Legs whose segment is larger than they are: with those who joined the list meanwhile, and with a segment that is made and counted anew. */
export async function replanOpenLegs(tx: Tx, campaign: Campaign): Promise<void> {
  await takeInNewcomers(tx, campaign);
  await tx.execute(sql`
    update campaign_legs set contacts = (select count(*) from campaign_recipients where leg_id = campaign_legs.id), mailwizz_segment_uid = null, segment_contacts = null
    where id in (${openLegs(campaign.id)})`);
}

export type LegBucket = { leg_id: number; bucket: number; contacts: number };

/** Who is still to be released, by leg and bucket. */
export async function countReservoirs(tx: DbHandle, campaignId: number): Promise<LegBucket[]> {
  const found = await tx.execute<LegBucket>(sql`
    select leg_id, bucket, count(*)::int contacts from campaign_recipients where campaign_id = ${campaignId} and leg_id in (${openLegs(campaignId)}) group by 1, 2`);
  return found.rows;
}

/** The most that one bucket of the campaign holds. */
export async function findLargestBucket(db: DbHandle, campaignId: number): Promise<number> {
  const found = await db.execute<{ largest: number }>(sql`
    select coalesce(max(contacts), 0)::int largest from (select count(*) contacts from campaign_recipients where campaign_id = ${campaignId} group by bucket) buckets`);
  return found.rows[0]?.largest ?? 0;
}

type Part = { contacts: number; now: Date };

/** All of a leg is released. Its segment is made anew: it may have been made of a longer range. */
export async function releaseLeg(tx: Tx, leg: StoredLeg, { contacts, now }: Part): Promise<void> {
  await tx.update(campaignLegs).set({ contacts, releasedAt: now, mailwizzSegmentUid: null, segmentContacts: null, updatedAt: now }).where(eq(campaignLegs.id, leg.id));
}

/** The low end of a leg, up to and with a bucket, becomes a leg of its own and is released; its recipients go with it. `left` stay behind. */
export async function releasePiece(tx: Tx, leg: StoredLeg, { through, contacts, left, toMarker, now }: Part & { through: number; left: number; toMarker: (leg: Leg) => string }): Promise<void> {
  const { campaignId, variant, part, country } = leg;
  const piece = { variant, part, country, range: { from: leg.bucketFrom, to: through }, contacts };
  const rest = { variant, part, country, range: { from: through + 1, to: leg.bucketTo }, contacts: left };
  // First, for the piece takes over the marker of this leg.
  await tx
    .update(campaignLegs)
    .set({ bucketFrom: rest.range.from, contacts: left, marker: toMarker(rest), mailwizzSegmentUid: null, segmentContacts: null, updatedAt: now })
    .where(eq(campaignLegs.id, leg.id));
  const [made] = await tx
    .insert(campaignLegs)
    .values({ campaignId, variant, part, country, bucketFrom: leg.bucketFrom, bucketTo: through, contacts, marker: toMarker(piece), releasedAt: now })
    .returning({ id: campaignLegs.id });
  if (!made) throw new Error('an insert that answered nothing');
  await tx.execute(sql`update campaign_recipients set leg_id = ${made.id} where campaign_id = ${campaignId} and leg_id = ${leg.id} and bucket <= ${through}`);
}

/** When nothing tells when there is more room. */
const roomAgainMs = 3_600_000;

/** When more of the campaign may go. Undefined when nothing of it waits. */
export async function lookAtRelease(db: DbHandle, campaign: Campaign, nowMs: number): Promise<CampaignLook['release']> {
  const limits = await findLimits(db, campaign);
  const legs = await listLimitedLegs(db, campaign, nowMs);
  const own = legs.filter(({ campaignId }) => campaignId === campaign.id);
  const waiting = own.filter((leg) => leg.state === 'planned' || (isLimited(limits) && leg.releasedAtMs === null && (leg.state === 'created' || leg.state === 'paused')));
  if (waiting.length === 0) return undefined;
  const alone = !own.some((leg) => leg.state === 'started' || (leg.state === 'created' && leg.releasedAtMs !== null));
  const isOwed = (leg: LimitedLeg) => (leg.state === 'planned' ? leg.releasedAtMs !== null || !isLimited(limits) : mayGoOn({ limits, legs, leg, nowMs }));
  if (waiting.some(isOwed)) return { inMs: 0, alone };
  const { isEnough, nextAtMs } = await findRoom(db, campaign, { limits, legs, nowMs });
  return { inMs: isEnough ? 0 : nextAtMs === null ? roomAgainMs : Math.max(0, nextAtMs - nowMs), alone };
}

/** What one bucket holds is asked for only where campaigns share: it reads all recipients. */
export async function findRoom(db: DbHandle, campaign: Campaign, order: { limits: Limits; legs: LimitedLeg[]; nowMs: number }): Promise<ReleaseRoom> {
  const shared = isLimited({ ...order.limits, campaign: { hourly: null, daily: null } });
  return findReleaseRoom({ ...order, campaignId: campaign.id, largestBucket: shared ? await findLargestBucket(db, campaign.id) : 0 });
}
