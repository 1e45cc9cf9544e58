import { moveLeg } from '../../db/queries/campaign-legs';
import { countReservoirs, findLargestBucket, findLimits, listLimitedLegs, listReservoirs, lockRoom, releaseLeg, releasePiece, takeInNewcomers } from '../../db/queries/campaign-releases';
import type { Campaign } from '../../db/queries/campaigns';
import type { DbHandle } from '../../db/client';
import { tallyBuckets } from '../domain/audience';
import type { CampaignLook } from '../domain/campaign-run';
import { findReleaseRoom, growRanges, isLimited, type LimitedLeg, type Limits, mayGoOn, type ReleaseRoom } from '../domain/release';
import { markerOf } from './campaign-preflight';
import type { Deps } from './deps';

type Clocked = Pick<Deps, 'db' | 'now'>;
/** When nothing tells when there is more room. */
const roomAgainMs = 3_600_000;

/**
 * Releases the next part of a campaign under caps, when there is enough room: the low ends of all that is still to be released, cut off alike. One
 * transaction, so that two campaigns never take the same room, and a repeat finds the part taken.
 */
export async function releaseNext({ db, now }: Clocked, campaign: Campaign, limits: Limits): Promise<void> {
  await db.transaction(async (tx) => {
    await lockRoom(tx, campaign);
    const at = now();
    const { isEnough, contacts: room } = await findRoom(tx, campaign, { limits, legs: await listLimitedLegs(tx, campaign, at.getTime()), nowMs: at.getTime() });
    if (!isEnough) return;
    await takeInNewcomers(tx, campaign);
    const legs = await listReservoirs(tx, campaign.id);
    const counts = await countReservoirs(tx, campaign.id);
    const grown = growRanges(tallyBuckets(counts.map(({ bucket, contacts }) => ({ bucket, contacts, country: null }))), toRanges(legs), room);
    for (const leg of legs) {
      const through = Math.min(leg.bucketTo, grown.find(({ key }) => key === keyOf(leg))?.through ?? -1);
      const own = counts.filter((count) => count.leg_id === leg.id);
      const contacts = sum(own.filter(({ bucket }) => bucket <= through));
      const left = sum(own) - contacts;
      if (contacts === 0 && left === 0) await moveLeg(tx, { id: leg.id, from: ['planned'], to: 'cancelled', now: at });
      else if (left === 0) await releaseLeg(tx, leg, { contacts, now: at });
      else if (contacts > 0) await releasePiece(tx, leg, { through, contacts, left, toMarker: markerOf(campaign), now: at });
    }
  });
}

/** When more of the campaign may go. Undefined when nothing of it waits. */
export async function lookAtRelease({ db, now }: Clocked, campaign: Campaign): Promise<CampaignLook['release']> {
  const nowMs = now().getTime();
  const limits = await findLimits(db, campaign);
  const legs = await listLimitedLegs(db, campaign, nowMs);
  const own = legs.filter(({ campaignId }) => campaignId === campaign.id);
  const waiting = own.filter((leg) => leg.state === 'planned' || (isLimited(limits) && leg.releasedAtMs === null && (leg.state === 'created' || leg.state === 'paused')));
  if (waiting.length === 0) return undefined;
  const alone = !own.some((leg) => leg.state === 'started' || (leg.state === 'created' && leg.releasedAtMs !== null));
  const isOwed = (leg: LimitedLeg) => leg.state === 'planned' ? leg.releasedAtMs !== null || !isLimited(limits) : mayGoOn({ limits, legs, leg, nowMs });
  if (waiting.some(isOwed)) return { inMs: 0, alone };
  const { isEnough, nextAtMs } = await findRoom(db, campaign, { limits, legs, nowMs });
  return { inMs: isEnough ? 0 : nextAtMs === null ? roomAgainMs : Math.max(0, nextAtMs - nowMs), alone };
}

/** What one bucket holds is asked for only where campaigns share: it reads all recipients. */
async function findRoom(db: DbHandle, campaign: Campaign, order: { limits: Limits; legs: LimitedLeg[]; nowMs: number }): Promise<ReleaseRoom> {
  const shared = isLimited({ ...order.limits, campaign: { hourly: null, daily: null } });
  return findReleaseRoom({ ...order, campaignId: campaign.id, largestBucket: shared ? await findLargestBucket(db, campaign.id) : 0 });
}

const keyOf = ({ variant, part }: { variant: string; part: string }) => `${variant}/${part}`;
const sum = (counts: { contacts: number }[]) => counts.reduce((total, { contacts }) => total + contacts, 0);

/** One range for each variant and part; its countries are cut off together. */
function toRanges(legs: { variant: string; part: string; bucketFrom: number; bucketTo: number }[]) {
  const ranges = new Map<string, { from: number; to: number }>();
  for (const leg of legs) {
    const known = ranges.get(keyOf(leg)) ?? { from: leg.bucketFrom, to: leg.bucketTo };
    ranges.set(keyOf(leg), { from: Math.min(known.from, leg.bucketFrom), to: Math.max(known.to, leg.bucketTo) });
  }
  return [...ranges].map(([key, range]) => ({ key, range, through: range.from - 1 }));
}
