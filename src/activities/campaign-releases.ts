import { moveLeg } from '../../db/queries/campaign-legs';
import { countReservoirs, findRoom, listLimitedLegs, listReservoirs, lockRoom, releaseLeg, releasePiece, takeInNewcomers } from '../../db/queries/campaign-releases';
import type { Campaign } from '../../db/queries/campaigns';
import { tallyBuckets } from '../domain/audience';
import { growRanges, type Limits } from '../domain/release';
import { markerOf } from './campaign-preflight';
import type { Deps } from './deps';

/**
 * Releases the next part of a campaign under caps, when there is enough room: the low ends of all that is still to be released, cut off alike. One
 * transaction, so that two campaigns never take the same room, and a repeat finds the part taken.
 */
export async function releaseNext({ db, now }: Pick<Deps, 'db' | 'now'>, campaign: Campaign, limits: Limits): Promise<void> {
  await db.transaction(async (tx) => {
    await lockRoom(tx, campaign);
    const at = now();
    const nowMs = at.getTime();
    const { isEnough, contacts: room } = await findRoom(tx, campaign, { limits, legs: await listLimitedLegs(tx, campaign, nowMs), nowMs });
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
