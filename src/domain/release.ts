import type { BucketRange, Tally } from './audience';
import type { LegState } from './campaign';

/** Mails a campaign, or an instance, may send within any hour and any day; null is no cap. */
export type Caps = { hourly: number | null; daily: number | null };
/** Those of the campaign, and those that all campaigns of its instance share. */
export type Limits = { campaign: Caps; instance: Caps };
export type Release = { atMs: number; contacts: number };
export type Allowance = { contacts: number; nextAtMs: number | null };

const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** How many may be released now, and when that may be more. Windows roll: a cap holds for every hour, not only for those of the clock. */
export function findAllowance(caps: Caps, releases: readonly Release[], nowMs: number): Allowance {
  const windows = [
    { cap: caps.hourly, lengthMs: hourMs },
    { cap: caps.daily, lengthMs: dayMs },
  ].flatMap(({ cap, lengthMs }) =>
    cap === null ? [] : [{ cap, lengthMs, inside: releases.filter(({ atMs }) => atMs > nowMs - lengthMs) }],
  );
  const left = windows.map(({ cap, inside }) => cap - inside.reduce((sum, { contacts }) => sum + contacts, 0));
  const ends = windows.flatMap(({ lengthMs, inside }) => inside.map(({ atMs }) => atMs + lengthMs));
  return { contacts: Math.max(0, Math.min(Infinity, ...left)), nextAtMs: ends.length === 0 ? null : Math.min(...ends) };
}

const capsOf = ({ hourly, daily }: Caps) => [hourly, daily].filter((cap) => cap !== null);
export const leastCap = ({ campaign, instance }: Limits) => Math.min(Infinity, ...capsOf(campaign), ...capsOf(instance));
export const isLimited = (limits: Limits) => leastCap(limits) < Infinity;

/** What of a leg caps ask about. `runs`: its campaign is running, and its send window open. */
export type LimitedLeg = {
  id: number;
  campaignId: number;
  state: LegState;
  contacts: number;
  skipped: number;
  isThere: boolean;
  releasedAtMs: number | null;
  pausedAtMs: number | null;
  finishedAtMs: number | null;
  runs: boolean;
};

/** Stopped, or never started, and to go on as soon as it may. */
const waitsToGoOn = (leg: LimitedLeg) => leg.runs && leg.releasedAtMs === null && (leg.state === 'created' || leg.state === 'paused');
const isUnreleased = (leg: LimitedLeg) => leg.state === 'planned' && leg.releasedAtMs === null;

/**
 * What a leg takes of every window, and since when at the latest. MailWizz sends a released leg when it likes, so it counts as sent now until it is known
 * to have ended: only then no hour can hold more than its cap, however slow MailWizz is.
 */
function toUse(leg: LimitedLeg, nowMs: number): Release[] {
  const { contacts } = leg;
  if (leg.state === 'finished') return [{ atMs: leg.finishedAtMs ?? nowMs, contacts: contacts - leg.skipped }];
  if (leg.state === 'cancelled') return leg.isThere ? [{ atMs: leg.finishedAtMs ?? nowMs, contacts }] : [];
  if (leg.state === 'started' || leg.releasedAtMs !== null) return [{ atMs: nowMs, contacts }];
  return leg.state === 'paused' ? [{ atMs: leg.pausedAtMs ?? nowMs, contacts }] : [];
}

/** Campaigns that wait for one allowance get equal parts of it: the first to look would take it all, hour after hour. */
export function shareCaps({ hourly, daily }: Caps, campaigns: number): Caps {
  const share = (cap: number | null) => (cap === null ? null : Math.ceil(cap / Math.max(1, campaigns)));
  return { hourly: share(hourly), daily: share(daily) };
}

export type ReleaseRoom = Allowance & { isEnough: boolean };

/**
 * How many the campaign may release now. It is enough when it makes a quarter of the least cap, or all that is left: each release is a MailWizz campaign
 * of its own, and crumbs would make hundreds. What was stopped goes on first, so it is counted in. A share never goes below a bucket, which is one piece.
 */
export function findReleaseRoom(order: { limits: Limits; legs: readonly LimitedLeg[]; campaignId: number; largestBucket: number; nowMs: number }): ReleaseRoom {
  const { limits, legs, campaignId, nowMs } = order;
  const usesOf = (some: readonly LimitedLeg[]) => some.flatMap((leg) => (waitsToGoOn(leg) ? [{ atMs: nowMs, contacts: leg.contacts }] : toUse(leg, nowMs)));
  const own = legs.filter((leg) => leg.campaignId === campaignId);
  const waiting = new Set(legs.filter((leg) => leg.runs && (isUnreleased(leg) || waitsToGoOn(leg))).map((leg) => leg.campaignId)).add(campaignId);
  const share = shareCaps(limits.instance, waiting.size);
  const atLeastOneBucket = (cap: number | null) => (cap === null ? null : Math.max(cap, order.largestBucket));
  const parts = [
    findAllowance(limits.campaign, usesOf(own), nowMs),
    findAllowance({ hourly: atLeastOneBucket(share.hourly), daily: atLeastOneBucket(share.daily) }, usesOf(own), nowMs),
    findAllowance(limits.instance, usesOf(legs), nowMs),
  ];
  const contacts = Math.min(...parts.map((part) => part.contacts));
  const nexts = parts.flatMap(({ nextAtMs }) => (nextAtMs === null ? [] : [nextAtMs]));
  const left = own.filter(isUnreleased).reduce((sum, leg) => sum + leg.contacts, 0);
  const enough = Math.min(left, Math.ceil(leastCap({ campaign: limits.campaign, instance: share }) / 4));
  return { contacts, nextAtMs: nexts.length === 0 ? null : Math.min(...nexts), isEnough: left > 0 && contacts > 0 && contacts >= enough };
}

/** True when a leg that was stopped may go on: all of it counts again. One that is larger than a cap (which was lowered) goes on when nothing else is under way. */
export function mayGoOn({ limits, legs, leg, nowMs }: { limits: Limits; legs: readonly LimitedLeg[]; leg: LimitedLeg; nowMs: number }): boolean {
  const others = legs.filter(({ id }) => id !== leg.id);
  const fits = (caps: Caps, some: readonly LimitedLeg[]) =>
    findAllowance(caps, some.flatMap((other) => toUse(other, nowMs)), nowMs).contacts >= Math.min(leg.contacts, ...capsOf(caps));
  return fits(limits.campaign, others.filter(({ campaignId }) => campaignId === leg.campaignId)) && fits(limits.instance, others);
}

/** A bucket is released as one: with a cap below this a campaign would wait for ever, so preflight refuses it. */
export const largestBucket = (tally: Tally) => tally.reduce((largest, contacts) => Math.max(largest, contacts), 0);

/** More releases than this, and MailWizz and its operators would lose their way among its campaigns. */
export const releasesAtMost = 2_000;

/** A range on its way: released are its buckets up to and with `through` (`range.from - 1`: none yet). */
export type Progress = { range: BucketRange; through: number };

/**
 * Lets every range grow by whole buckets, the one that got least first, together by at most `allowance`: samples of a test stay alike while they grow.
 * Gives them back in the order they came in, with what each gained.
 */
export function growRanges<T extends Progress>(tally: Tally, open: readonly T[], allowance: number): (T & { contacts: number })[] {
  const grown = open.map((progress) => ({ ...progress, contacts: 0 }));
  const nextIn = ({ through }: Progress) => tally[through + 1] ?? 0;
  let left = allowance;
  for (;;) {
    const fitting = grown.filter((progress) => progress.through < progress.range.to && nextIn(progress) <= left);
    const [first] = fitting.toSorted((a, b) => a.contacts - b.contacts);
    if (!first) return grown;
    const contacts = nextIn(first);
    first.through += 1;
    first.contacts += contacts;
    left -= contacts;
  }
}
