import type { BucketRange, Tally } from './audience';

/** Mails a campaign, or an instance, may send within any hour and any day; null is no cap. */
export type Caps = { hourly: number | null; daily: number | null };
export type Release = { atMs: number; contacts: number };
export type Allowance = { contacts: number; nextAtMs: number | null };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

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

/** A bucket is released as one: with a cap below this a campaign would wait for ever, so preflight refuses it. */
export const largestBucket = (tally: Tally) => tally.reduce((largest, contacts) => Math.max(largest, contacts), 0);

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
