import type { VariantKey } from './ab-test';

/**
 * An audience is cut by BUCKET, four digits that an address keeps for ever (`toBucket`). A range of buckets is all that a MailWizz segment can say about
 * "the first 500", and it says the same tomorrow. A bucket is never split, so every cut is exact to the bucket: counts come from our own rows.
 */
export const bucketCount = 10_000;
export const lastBucket = bucketCount - 1;

/** Both ends belong to it. */
export type BucketRange = { from: number; to: number };
export const everyBucket: BucketRange = { from: 0, to: lastBucket };
export const contains = (range: BucketRange, bucket: number) => range.from <= bucket && bucket <= range.to;

/** How many members of the audience share a bucket and a country; a pair without members is left out. */
export type BucketCount = { bucket: number; country: string | null; contacts: number };
/** Members per bucket, all countries together; its index is the bucket. */
export type Tally = readonly number[];
export type Slice = { range: BucketRange; contacts: number };

export function tallyBuckets(counts: readonly BucketCount[]): Tally {
  const tally = Array.from({ length: bucketCount }, () => 0);
  for (const { bucket, contacts } of counts) tally[bucket] = (tally[bucket] ?? 0) + contacts;
  return tally;
}

export const countIn = (tally: Tally, range: BucketRange) =>
  tally.slice(range.from, range.to + 1).reduce((sum, contacts) => sum + contacts, 0);

/**
 * The range that holds at most `maxContacts`, from the lowest bucket on, so that the same contacts stay in. It falls short by less than the bucket that
 * comes next. A bucket that alone holds too many cannot be split: the range begins behind it. Undefined when that is so for every bucket, or nobody is there.
 */
export function limitRange(tally: Tally, maxContacts: number | null): Slice | undefined {
  let from = 0;
  let taken = 0;
  for (const [bucket, contacts] of tally.entries()) {
    if (taken + contacts <= (maxContacts ?? Infinity)) taken += contacts;
    else if (taken > 0) return { range: { from, to: bucket - 1 }, contacts: taken };
    else from = bucket + 1;
  }
  return taken > 0 ? { range: { from, to: lastBucket }, contacts: taken } : undefined;
}

/** What a variant gets: the whole audience without a test; with one its sample, and the winner the rest. */
export const legParts = ['whole', 'sample', 'rest'] as const;
export type LegPart = (typeof legParts)[number];
export type Sample = Slice & { variant: VariantKey };

/**
 * Samples by the shares of their variants, one after the other from the low end, and what is left for the winner. A sample holds at most its share, to
 * the bucket, but at least one contact. Undefined when the buckets do not suffice for that.
 */
export function cutSamples(
  tally: Tally,
  range: BucketRange,
  test: { variants: readonly { key: VariantKey; share: number }[]; samplePercent: number },
): { samples: Sample[]; rest: Slice | undefined } | undefined {
  const total = countIn(tally, range);
  const shares = test.variants.reduce((sum, { share }) => sum + share, 0);
  const samples: Sample[] = [];
  let next = range.from;
  let given = 0;
  let shared = 0;
  for (const { key: variant, share } of test.variants) {
    shared += share;
    const upTo = Math.floor((total * test.samplePercent * shared) / (100 * shares));
    const from = next;
    let contacts = 0;
    while (next <= range.to && (contacts === 0 || given + contacts + at(tally, next) <= upTo)) {
      contacts += at(tally, next);
      next += 1;
    }
    if (contacts === 0) return undefined;
    given += contacts;
    samples.push({ variant, range: { from, to: next - 1 }, contacts });
  }
  return { samples, rest: given < total ? { range: { from: next, to: range.to }, contacts: total - given } : undefined };
}

/** One MailWizz campaign: a variant, one of the countries (null: no filter on countries), a range. */
export type Leg = { variant: VariantKey; part: LegPart; country: string | null; range: BucketRange; contacts: number };

/**
 * A MailWizz segment has only any or all, so alternatives (countries) become legs of their own. No contact is in two: it has one bucket and one country,
 * and the ranges that come in do not overlap. A leg without contacts is left out.
 */
export function planLegs(
  counts: readonly BucketCount[],
  slices: readonly { variant: VariantKey; part: LegPart; range: BucketRange }[],
  countries: readonly string[],
): Leg[] {
  const alternatives = countries.length === 0 ? [null] : [...new Set(countries)].toSorted();
  return slices.flatMap(({ variant, part, range }) =>
    alternatives.flatMap((country): Leg[] => {
      const inside = counts.filter((count) => contains(range, count.bucket) && (country === null || count.country === country));
      const contacts = inside.reduce((sum, count) => sum + count.contacts, 0);
      return contacts > 0 ? [{ variant, part, country, range, contacts }] : [];
    }),
  );
}

/** Carried in the name of the MailWizz campaign and segment: who creates one looks for it first. The same leg has the same marker, and no other has it. */
export const legMarker = (campaignId: number, leg: Pick<Leg, 'variant' | 'country' | 'range'>) =>
  `ee-${campaignId}-${leg.variant}-${(leg.country ?? 'all').toLowerCase()}-${toBucketText(leg.range.from)}`;

export const toBucketText = (bucket: number) => String(bucket).padStart(4, '0');

const at = (tally: Tally, bucket: number) => tally[bucket] ?? 0;
