export const variantKeys = ['a', 'b', 'c', 'd', 'e'] as const;
export type VariantKey = (typeof variantKeys)[number];

export const abMetrics = ['opens', 'clicks'] as const;
/** What happens without a clear winner: the highest rate all the same, the first variant, or an operator chooses. */
export const abFallbacks = ['best_rate', 'first', 'operator'] as const;

export type AbRules = {
  metric: (typeof abMetrics)[number];
  /** How sure we want to be that the winner is better than every other variant: 0.95 errs once in twenty. */
  confidence: number;
  /** Recipients that every variant must have reached. */
  minimumSample: number;
  onTie: (typeof abFallbacks)[number];
  onTooLittleData: (typeof abFallbacks)[number];
};
/** How a test is run; kept with the campaign. */
export type AbTest = AbRules & { samplePercent: number; testMinutes: number };

/** `hits` are recipients who opened (or clicked) at least once. */
export type VariantResult = { key: VariantKey; recipients: number; hits: number };
export type VariantFigures = VariantResult & { rate: number };
/** The winner, or the best, against one other variant; `p` is two-sided. */
export type Comparison = { against: VariantKey; z: number; p: number };

export type AbDecision = {
  verdict: 'winner' | 'tie' | 'too_little_data';
  /** Who goes to the rest; null while an operator has to choose. */
  chosen: VariantKey | null;
  reason: string;
  figures: VariantFigures[];
  comparisons: Comparison[];
};

/** With fewer expected hits or misses the normal approximation does not hold (same handbook, 7.2.4). */
const fewestExpected = 5;

/**
 * Two-proportion z test with pooled variance, z = (p1 - p2) / sqrt(p (1 - p) (1/n1 + 1/n2)): NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3.
 * A winner must beat every other variant at the full level. That needs no correction for many comparisons (intersection-union test, Berger 1982):
 * all of its claims must hold at once, so the most doubtful of them bounds the error.
 */
export function decideAbTest(results: readonly VariantResult[], rules: AbRules): AbDecision {
  const figures = results.map(toFigures).toSorted((a, b) => a.key.localeCompare(b.key));
  const [best, ...others] = figures.toSorted((a, b) => b.rate - a.rate);
  if (!best || others.length === 0) throw new Error('a test of fewer than two variants');
  const comparisons = others.map((other) => compare(best, other));
  const decide = (verdict: AbDecision['verdict'], chosen: VariantKey | null, reason: string): AbDecision => ({
    verdict,
    chosen,
    reason,
    figures,
    comparisons,
  });
  const first = figures[0]?.key ?? best.key;
  const fallBack = (rule: AbRules['onTie']) => ({ best_rate: best.key, first, operator: null })[rule];

  const lack = findLack(figures, rules);
  if (lack !== undefined) {
    const chosen = fallBack(rules.onTooLittleData);
    return decide('too_little_data', chosen, `${lack} ${tellFallback(chosen, rules.onTooLittleData)}`);
  }
  const lead = `Variant ${best.key} has the highest rate of ${rules.metric}, ${percent(best.rate)} of ${best.recipients}`;
  const sure = `${percent(rules.confidence)} confidence`;
  const doubtful = comparisons.toSorted((a, b) => b.p - a.p)[0];
  if (doubtful && doubtful.p < 1 - rules.confidence) {
    return decide(
      'winner',
      best.key,
      `${lead}, and beats every other variant at ${sure} (largest p ${doubtful.p.toFixed(4)}, against ${doubtful.against}).`,
    );
  }
  const chosen = fallBack(rules.onTie);
  const doubt =
    doubtful && `, but its lead against ${doubtful.against} is too likely to be chance (p ${doubtful.p.toFixed(4)}) for ${sure}`;
  return decide('tie', chosen, `${lead}${doubt ?? ''}. ${tellFallback(chosen, rules.onTie)}`);
}

/** An open may be counted before the delivery is: nobody has more hits than recipients. */
function toFigures({ key, recipients, hits }: VariantResult): VariantFigures {
  const counted = Math.min(hits, recipients);
  return { key, recipients, hits: counted, rate: recipients === 0 ? 0 : counted / recipients };
}

function compare(best: VariantFigures, other: VariantFigures): Comparison {
  const pooled = (best.hits + other.hits) / (best.recipients + other.recipients);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / best.recipients + 1 / other.recipients));
  const z = spread > 0 && Number.isFinite(spread) ? (best.rate - other.rate) / spread : 0;
  return { against: other.key, z, p: 2 * (1 - normalBelow(Math.abs(z))) };
}

function findLack(figures: VariantFigures[], { minimumSample, metric }: AbRules): string | undefined {
  const small = figures.find(({ recipients }) => recipients < Math.max(1, minimumSample));
  if (small)
    return `Variant ${small.key} reached ${small.recipients} recipients, fewer than the ${Math.max(1, minimumSample)} that the test demands.`;
  const hits = figures.reduce((sum, figure) => sum + figure.hits, 0);
  const recipients = figures.reduce((sum, figure) => sum + figure.recipients, 0);
  const smallest = Math.min(...figures.map((figure) => figure.recipients));
  const expected = (smallest * Math.min(hits, recipients - hits)) / recipients;
  return expected < fewestExpected
    ? `With ${hits} ${metric} of ${recipients} recipients in all, chance decides as much as the variants do.`
    : undefined;
}

const tellFallback = (chosen: VariantKey | null, rule: AbRules['onTie']) =>
  chosen === null
    ? 'An operator has to choose.'
    : rule === 'first'
      ? `By rule the first variant, ${chosen}, goes to the rest.`
      : `By rule the highest rate, variant ${chosen}, goes to the rest.`;

const percent = (share: number) => `${Number((share * 100).toFixed(2))} %`;

/** Standard normal distribution by the error function of Abramowitz and Stegun, 7.1.26: wrong by at most 1.5e-7. */
function normalBelow(z: number): number {
  const x = z / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return (1 + (1 - series * Math.exp(-x * x))) / 2;
}
