import fc from 'fast-check';
import { abFallbacks, type AbRules, decideAbTest, type VariantKey, variantKeys, type VariantResult } from '../../src/domain/ab-test';

const rules: AbRules = { metric: 'opens', confidence: 0.95, minimumSample: 100, onTie: 'best_rate', onTooLittleData: 'operator' };
const variant = (key: VariantKey, recipients: number, hits: number): VariantResult => ({ key, recipients, hits });

test('20 % against 16 % of 1,000 each: z 2.328, p 0.0199, so a wins at 95 % and not at 99 %', () => {
  // pooled 0.18; 0.18 x 0.82 x (1/1000 + 1/1000) = 0.0002952, its root 0.0171814; 0.04 / 0.0171814 = 2.3281
  const results = [variant('b', 1000, 160), variant('a', 1000, 200)];
  const decision = decideAbTest(results, rules);
  expect(decision).toMatchObject({
    verdict: 'winner',
    chosen: 'a',
    figures: [
      { key: 'a', rate: 0.2 },
      { key: 'b', rate: 0.16 },
    ],
  });
  expect(decision.comparisons[0]!.z).toBeCloseTo(2.3281, 4);
  expect(decision.comparisons[0]!.p).toBeCloseTo(0.0199, 4);
  expect(decision.reason).toBe(
    'Variant a has the highest rate of opens, 20 % of 1000, and beats every other variant at 95 % confidence (largest p 0.0199, against b).',
  );
  expect(decideAbTest(results, { ...rules, confidence: 0.99 })).toMatchObject({ verdict: 'tie', chosen: 'a' });
});

test('samples of different size: 45 of 300 against 30 of 500, z 4.228', () => {
  // pooled 75/800 = 0.09375; 0.09375 x 0.90625 x (1/300 + 1/500) = 0.000453125, its root 0.0212867; (0.15 - 0.06) / 0.0212867 = 4.2280
  const { verdict, comparisons } = decideAbTest([variant('a', 300, 45), variant('b', 500, 30)], { ...rules, metric: 'clicks' });
  expect(verdict).toBe('winner');
  expect(comparisons[0]!.z).toBeCloseTo(4.228, 3);
});

test('beating one of two others is a tie: the winner must beat them all', () => {
  // a against b: 0.01 / sqrt(0.195 x 0.805 x 0.002) = 0.5644, p 0.5725
  const decision = decideAbTest([variant('a', 1000, 200), variant('b', 1000, 190), variant('c', 1000, 100)], rules);
  expect(decision).toMatchObject({ verdict: 'tie', chosen: 'a' });
  expect(decision.comparisons.map(({ against, p }) => [against, p < 0.05])).toEqual([
    ['b', false],
    ['c', true],
  ]);
  expect(decision.reason).toContain('against b is too likely to be chance (p 0.5725) for 95 % confidence');
});

test.each(abFallbacks)('a tie and too little data end as their rule %s says', (rule) => {
  const chosen = { best_rate: 'c', first: 'a', operator: null }[rule];
  const tie = [variant('b', 1000, 200), variant('a', 1000, 201), variant('c', 1000, 202)];
  expect(decideAbTest(tie, { ...rules, onTie: rule })).toMatchObject({ verdict: 'tie', chosen });
  expect(decideAbTest(tie, { ...rules, minimumSample: 1001, onTooLittleData: rule })).toMatchObject({ verdict: 'too_little_data', chosen });
});

test.each([
  ['nobody was reached', [variant('a', 0, 0), variant('b', 0, 0)], 'Variant a reached 0 recipients'],
  ['a sample is small', [variant('a', 1000, 300), variant('b', 99, 10)], 'Variant b reached 99 recipients, fewer than the 100'],
  ['hardly anybody clicked', [variant('a', 1000, 6), variant('b', 1000, 1)], 'chance decides as much'],
  ['everybody opened', [variant('a', 1000, 1000), variant('b', 1000, 1000)], 'chance decides as much'],
])('%s: too little data', (_, results, reason) => {
  const decision = decideAbTest(results, rules);
  expect(decision).toMatchObject({ verdict: 'too_little_data', chosen: null });
  expect(decision.reason).toContain(reason);
});

const counted = fc
  .integer({ min: 0, max: 5_000 })
  .chain((recipients) => fc.record({ recipients: fc.constant(recipients), hits: fc.integer({ min: 0, max: recipients + 3 }) }));
const results = fc
  .array(counted, { minLength: 2, maxLength: 5 })
  .map((all) => all.map((one, index) => ({ key: variantKeys[index]!, ...one })));
const anyRules = fc.record({
  metric: fc.constantFrom('opens' as const, 'clicks' as const),
  confidence: fc.double({ min: 0.8, max: 0.999, noNaN: true }),
  minimumSample: fc.integer({ min: 1, max: 500 }),
  onTie: fc.constantFrom(...abFallbacks),
  onTooLittleData: fc.constantFrom(...abFallbacks),
});

test('whatever the figures, the winner has the highest rate, and nothing depends on the order of the variants', () => {
  fc.assert(
    fc.property(results, anyRules, (all, anyRule) => {
      const decision = decideAbTest(all, anyRule);
      if (decision.verdict === 'winner') {
        const best = Math.max(...decision.figures.map(({ rate }) => rate));
        expect(decision.figures.find(({ key }) => key === decision.chosen)?.rate).toBe(best);
      }
      expect(decision.figures.every(({ rate }) => rate >= 0 && rate <= 1)).toBe(true);
      expect(decision.comparisons.every(({ z, p }) => z >= 0 && p >= 0 && p <= 1)).toBe(true);
      expect(decideAbTest(all.toReversed(), anyRule)).toEqual(decision);
    }),
    { numRuns: 1_000 },
  );
});

test('more confidence never makes a winner out of a tie', () => {
  fc.assert(
    fc.property(results, anyRules, (all, anyRule) => {
      const sure = decideAbTest(all, { ...anyRule, confidence: 0.999 });
      if (sure.verdict === 'winner') expect(decideAbTest(all, anyRule)).toMatchObject({ verdict: 'winner', chosen: sure.chosen });
    }),
    { numRuns: 1_000 },
  );
});

test.each([2, 3, 5])('of %d variants that are the same, at most one test in twenty finds a winner', (count) => {
  // A small generator of our own: the same numbers in every run.
  let seed = 42;
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  const draw = () => Array.from({ length: 400 }, random).filter((value) => value < 0.2).length;
  const rounds = 2_000;
  let winners = 0;
  for (let round = 0; round < rounds; round += 1) {
    const all = variantKeys.slice(0, count).map((key) => variant(key, 400, draw()));
    if (decideAbTest(all, rules).verdict === 'winner') winners += 1;
  }
  expect(winners / rounds).toBeLessThan(0.06);
});
