import fc from 'fast-check';
import { type VariantKey, variantKeys } from '../../src/domain/ab-test';
import {
  type BucketCount,
  countIn,
  cutSamples,
  everyBucket,
  type Leg,
  legMarker,
  limitRange,
  planLegs,
  tallyBuckets,
} from '../../src/domain/audience';
import { findAllowance, growRanges, largestBucket } from '../../src/domain/release';
import {
  type AudienceFilter,
  findAlike,
  isTargetTag,
  type SegmentCondition,
  tagsOf,
  toConditions,
  toScoreText,
  toSourceSet,
} from '../../src/domain/segment';
import { toTagSet } from '../../src/domain/injection';

const inBuckets = (contacts: Record<number, number>) =>
  tallyBuckets(Object.entries(contacts).map(([bucket, count]) => ({ bucket: Number(bucket), country: null, contacts: count })));
const equal = (...keys: VariantKey[]) => keys.map((key) => ({ key, share: 1 }));
const counts = fc.array(
  fc.record({
    bucket: fc.integer({ min: 0, max: 9_999 }),
    country: fc.constantFrom('TH', 'FR', 'DE'),
    contacts: fc.integer({ min: 1, max: 30 }),
  }),
  { minLength: 1, maxLength: 300 },
);

describe('max_contacts', () => {
  test('takes whole buckets from the low end and never more than the limit', () => {
    expect(limitRange(inBuckets({ 3: 5, 700: 5, 800: 5 }), 12)).toEqual({ range: { from: 0, to: 799 }, contacts: 10 });
    expect(limitRange(inBuckets({ 3: 5, 700: 5, 800: 5 }), 15)).toEqual({ range: everyBucket, contacts: 15 });
    expect(limitRange(inBuckets({ 3: 5 }), null)).toEqual({ range: everyBucket, contacts: 5 });
  });
  test('begins behind a bucket that alone holds too many, and fails when all do or nobody is there', () => {
    expect(limitRange(inBuckets({ 3: 50, 4: 60, 9: 5, 10: 6 }), 12)).toEqual({ range: { from: 5, to: 9_999 }, contacts: 11 });
    expect(limitRange(inBuckets({ 3: 50, 4: 60 }), 12)).toBeUndefined();
    expect(limitRange(inBuckets({}), 12)).toBeUndefined();
  });
  test('misses the limit by less than the bucket that comes next', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 5_000 }), (all, maxContacts) => {
        const tally = tallyBuckets(all);
        const slice = limitRange(tally, maxContacts);
        if (!slice) return expect(Math.min(...tally.filter((contacts) => contacts > 0))).toBeGreaterThan(maxContacts);
        expect(slice.contacts).toBe(countIn(tally, slice.range));
        expect(slice.contacts).toBeLessThanOrEqual(maxContacts);
        if (slice.range.to < 9_999) expect(maxContacts - slice.contacts).toBeLessThan(tally[slice.range.to + 1]!);
      }),
      { numRuns: 500 },
    );
  });
});

describe('samples of a test', () => {
  test('are of one size, side by side, with the rest for the winner', () => {
    const tally = Array.from({ length: 10_000 }, () => 2);
    expect(cutSamples(tally, { from: 0, to: 4_999 }, { variants: equal('a', 'b'), samplePercent: 20 })).toEqual({
      samples: [
        { variant: 'a', range: { from: 0, to: 499 }, contacts: 1_000 },
        { variant: 'b', range: { from: 500, to: 999 }, contacts: 1_000 },
      ],
      rest: { range: { from: 1_000, to: 4_999 }, contacts: 8_000 },
    });
  });
  test('follow the shares of their variants', () => {
    const tally = Array.from({ length: 10_000 }, () => 1);
    const cut = cutSamples(tally, everyBucket, {
      variants: [
        { key: 'a', share: 3 },
        { key: 'b', share: 1 },
      ],
      samplePercent: 40,
    });
    expect(cut?.samples.map(({ contacts }) => contacts)).toEqual([3_000, 1_000]);
  });
  test('of everybody leave no rest, and two variants need two buckets', () => {
    expect(cutSamples(inBuckets({ 1: 4, 2: 4 }), everyBucket, { variants: equal('a', 'b'), samplePercent: 100 })).toMatchObject({
      samples: [{ contacts: 4 }, { contacts: 4, range: { to: 9_999 } }],
      rest: undefined,
    });
    expect(cutSamples(inBuckets({ 1: 8 }), everyBucket, { variants: equal('a', 'b'), samplePercent: 50 })).toBeUndefined();
  });
  test('and the rest are everybody, each once', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 100 }), (all, variants, samplePercent) => {
        const tally = tallyBuckets(all);
        const cut = cutSamples(tally, everyBucket, { variants: equal(...variantKeys.slice(0, variants)), samplePercent });
        if (!cut) return;
        const parts = [...cut.samples, ...(cut.rest ? [cut.rest] : [])];
        parts.slice(1).forEach((part, index) => expect(part.range.from).toBe(parts[index]!.range.to + 1));
        expect(parts.reduce((sum, part) => sum + part.contacts, 0)).toBe(countIn(tally, everyBucket));
        for (const part of parts) expect(part.contacts).toBe(countIn(tally, part.range));
        if (samplePercent === 100) expect(cut.rest).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

/** A subscriber as MailWizz would hold it, and its two ways to compare. */
type Subscriber = { bucket: number; country: string | null; fields: Record<string, string> };
const matches = ({ fields }: Subscriber, conditions: SegmentCondition[], asNumbers: boolean) =>
  conditions.every(({ tag, operatorId, value }) => {
    const held = fields[tag];
    if (held === undefined) return false;
    if (operatorId === 1) return held === value;
    if (operatorId === 3) return held.includes(value);
    const order = asNumbers ? Number(held) - Number(value) : held < value ? -1 : held > value ? 1 : 0;
    return operatorId === 7 ? order > 0 : order < 0;
  });

const word = fc.constantFrom<string[]>('expat', 'bangkok', 'bang', 'kok');
const contact = fc.record({
  bucket: fc.oneof(fc.integer({ min: 0, max: 9_999 }), fc.constantFrom(0, 1, 9, 10, 99, 999, 1_000, 9_999)),
  country: fc.constantFrom('TH', 'FR', null),
  tags: fc.uniqueArray(word),
  sources: fc.uniqueArray(fc.constantFrom<number[]>(1, 11, 12, 2), { minLength: 1 }),
  score: fc.integer({ min: 0, max: 100 }),
  category: fc.constantFrom('avocat', 'notaire'),
});
const filter: fc.Arbitrary<AudienceFilter> = fc.record({
  sourceNumber: fc.constantFrom(null, 1, 12),
  category: fc.constantFrom(null, 'avocat'),
  tags: fc.uniqueArray(word, { maxLength: 2 }),
  countries: fc.subarray(['TH', 'FR']),
  language: fc.constant(null),
  minScore: fc.option(fc.integer({ min: 0, max: 100 })),
});

test('the segments of all legs select exactly the audience, each contact once, however MailWizz compares', () => {
  fc.assert(
    fc.property(
      fc.array(contact, { maxLength: 200 }),
      filter,
      fc.option(fc.integer({ min: 1, max: 100 })),
      fc.boolean(),
      (contacts, wanted, maxContacts, asNumbers) => {
        const audience = contacts.filter(
          (one) =>
            (wanted.sourceNumber === null || one.sources.includes(wanted.sourceNumber)) &&
            (wanted.category === null || one.category === wanted.category) &&
            wanted.tags.every((tag) => one.tags.includes(tag)) &&
            (wanted.countries.length === 0 || (one.country !== null && wanted.countries.includes(one.country))) &&
            one.score >= (wanted.minScore ?? 0),
        );
        const all: BucketCount[] = audience.map(({ bucket, country }) => ({ bucket, country, contacts: 1 }));
        const tally = tallyBuckets(all);
        const limited = limitRange(tally, maxContacts);
        if (!limited) return;
        const cut = cutSamples(tally, limited.range, { variants: equal('a', 'b'), samplePercent: 40 });
        const slices = cut
          ? [
              ...cut.samples.map((sample) => ({ ...sample, part: 'sample' as const })),
              ...(cut.rest ? [{ variant: 'a' as const, part: 'rest' as const, range: cut.rest.range }] : []),
            ]
          : [{ variant: 'a' as const, part: 'whole' as const, range: limited.range }];
        const legs = planLegs(all, slices, wanted.countries);
        expect(new Set(legs.map((leg) => legMarker(7, leg))).size).toBe(legs.length);
        const selected = legs.map((leg) => contacts.filter((one) => matches(toSubscriber(one), toConditions(wanted, leg), asNumbers)));
        expect(selected.map((members) => members.length)).toEqual(legs.map((leg) => leg.contacts));
        const members = selected.flat();
        expect(new Set(members).size).toBe(members.length);
        expect(members.length).toBe(limited.contacts);
        for (const member of members) expect(audience).toContain(member);
      },
    ),
    { numRuns: 1_000 },
  );
});
const toSubscriber = (one: {
  bucket: number;
  country: string | null;
  tags: string[];
  sources: number[];
  score: number;
  category: string;
}): Subscriber => ({
  bucket: one.bucket,
  country: one.country,
  fields: {
    BUCKET: String(one.bucket).padStart(4, '0'),
    CATEGORY: one.category,
    SCORE: toScoreText(one.score),
    SOURCES: toSourceSet(one.sources),
    ...(one.tags.length > 0 && { TAGSET: toTagSet(one.tags) }),
    ...(one.country !== null && { COUNTRY: one.country }),
  },
});

test('a condition is said by field, operator and value as MailWizz numbers them', () => {
  const wanted: AudienceFilter = {
    sourceNumber: 3,
    category: 'avocat',
    tags: ['bangkok', 'expat', 'bangkok'],
    countries: ['TH'],
    language: 'fr',
    minScore: 60,
  };
  const conditions = toConditions(wanted, { country: 'TH', range: { from: 123, to: 4_567 } });
  expect(conditions.map(({ tag, operatorId, value }) => [tag, operatorId, value])).toEqual([
    ['SOURCES', 3, '|3|'],
    ['CATEGORY', 1, 'avocat'],
    ['TAGSET', 3, '|bangkok|'],
    ['TAGSET', 3, '|expat|'],
    ['COUNTRY', 1, 'TH'],
    ['LANGUAGE', 1, 'fr'],
    ['SCORE', 7, '059'],
    ['BUCKET', 7, '0122'],
    ['BUCKET', 8, '4568'],
  ]);
  expect(tagsOf(conditions)).toEqual(['SOURCES', 'CATEGORY', 'TAGSET', 'COUNTRY', 'LANGUAGE', 'SCORE', 'BUCKET']);
  const nobody: AudienceFilter = { sourceNumber: null, category: null, tags: [], countries: [], language: null, minScore: null };
  expect(toConditions(nobody, { country: null, range: everyBucket })).toEqual([]);
});

test('a tag that could match parts of others is no target, and values that MailWizz takes for one are one', () => {
  expect(['expat', 'a|b', '', '|'].map(isTargetTag)).toEqual([true, false, false, false]);
  expect(findAlike('Beauté', ['beaute', 'BEAUTÉ ', 'beauty', 'beauté'])).toEqual(['beaute', 'BEAUTÉ ', 'beauté']);
});

test('a marker is the same for the same leg, and never part of another', () => {
  const leg: Leg = { variant: 'a', part: 'sample', country: 'TH', range: { from: 12, to: 99 }, contacts: 1 };
  expect([legMarker(1, leg), legMarker(1, { ...leg, country: null })]).toEqual(['ee-1-a-th-0012', 'ee-1-a-all-0012']);
  expect(legMarker(21, leg)).not.toContain(legMarker(1, leg));
});

describe('caps', () => {
  const hour = 3_600_000;
  test('hold for any hour and any day, and tell when more is free', () => {
    const releases = [
      { atMs: 0, contacts: 60 },
      { atMs: hour / 2, contacts: 30 },
    ];
    expect(findAllowance({ hourly: 100, daily: null }, releases, hour - 1)).toEqual({ contacts: 10, nextAtMs: hour });
    expect(findAllowance({ hourly: 100, daily: null }, releases, hour)).toEqual({ contacts: 70, nextAtMs: 1.5 * hour });
    expect(findAllowance({ hourly: 100, daily: 95 }, releases, 2 * hour)).toEqual({ contacts: 5, nextAtMs: 24 * hour });
    expect(findAllowance({ hourly: null, daily: null }, releases, 0)).toEqual({ contacts: Infinity, nextAtMs: null });
  });
  test('ranges grow by whole buckets, alike, never beyond the allowance or their end, until all are out', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 0, max: 200 }), (all, more) => {
        const tally = tallyBuckets(all);
        const allowance = largestBucket(tally) + more;
        let open = [
          { key: 'a', range: { from: 0, to: 4_999 }, through: -1 },
          { key: 'b', range: { from: 5_000, to: 9_999 }, through: 4_999 },
        ];
        let out = 0;
        for (let round = 0; open.some(({ range, through }) => through < range.to); round += 1) {
          expect(round).toBeLessThan(400);
          const grown = growRanges(tally, open, allowance);
          const gained = grown.map(({ contacts }) => contacts);
          expect(gained[0]! + gained[1]!).toBeLessThanOrEqual(allowance);
          grown.forEach((range, index) =>
            expect(range.contacts).toBe(countIn(tally, { from: open[index]!.through + 1, to: range.through })),
          );
          out += gained[0]! + gained[1]!;
          open = grown.map(({ key, range, through }) => ({ key, range, through }));
        }
        expect(out).toBe(countIn(tally, everyBucket));
      }),
      { numRuns: 100 },
    );
  });
});
