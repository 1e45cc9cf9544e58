import { type BucketRange, lastBucket, toBucketText } from './audience';
import { toTagSet } from './injection';

/** MailWizz's own numbers of its operators (the same on every installation we know of). */
export const segmentOperators = { is: 1, contains: 3, starts: 5, greater: 7, less: 8 } as const;

/** A condition on a list field by its tag; the adapter knows the number of the field. */
export type SegmentCondition = { tag: string; operatorId: number; value: string };

/** Who is meant: all tags, any country, contacts that the source gave in any sighting (specification 12.3, 42). `sourceNumber` is the id of its row. */
export type AudienceFilter = {
  sourceNumber: number | null;
  category: string | null;
  tags: readonly string[];
  countries: readonly string[];
  language: string | null;
  minScore: number | null;
};

/**
 * The conditions, all of which must hold, of one leg. SOURCE holds the first source only and no field held the score, so these two filters have fields of
 * their own: SOURCES, the numbers of all sources as `|3|17|`, and SCORE, three digits. Both are kept in step by sending the fields of a contact again
 * when it changed after its injection. A list that lacks a field cannot say the filter: such a campaign is held, never sent to nearly the right people.
 */
export function toConditions(filter: AudienceFilter, leg: { country: string | null; range: BucketRange }): SegmentCondition[] {
  return [
    ...(filter.sourceNumber === null ? [] : [condition('SOURCES', 'contains', toTagSet([String(filter.sourceNumber)]))]),
    ...(filter.category === null ? [] : [condition('CATEGORY', 'is', filter.category)]),
    ...[...new Set(filter.tags)].map((tag) => condition('TAGSET', 'contains', toTagSet([tag]))),
    ...(leg.country === null ? [] : [condition('COUNTRY', 'is', leg.country)]),
    ...(filter.language === null ? [] : [condition('LANGUAGE', 'is', filter.language)]),
    ...(filter.minScore === null || filter.minScore <= 0 ? [] : [condition('SCORE', 'greater', toScoreText(filter.minScore - 1))]),
    ...rangeConditions(leg.range),
  ];
}

/** Four digits compare alike as text and as numbers; MailWizz may do either. An end that excludes nobody is not said. */
export const rangeConditions = ({ from, to }: BucketRange): SegmentCondition[] => [
  ...(from > 0 ? [condition('BUCKET', 'greater', toBucketText(from - 1))] : []),
  ...(to < lastBucket ? [condition('BUCKET', 'less', toBucketText(to + 1))] : []),
];

/** The list fields that these conditions ask for. */
export const tagsOf = (conditions: readonly SegmentCondition[]) => [...new Set(conditions.map(({ tag }) => tag))];

/** A tag with this in it would match parts of other tags. */
export const isTargetTag = (tag: string) => tag !== '' && !tag.includes('|');

/** SOURCES of a contact. */
export const toSourceSet = (sourceNumbers: readonly number[]) =>
  toTagSet([...new Set(sourceNumbers)].toSorted((a, b) => a - b).map(String));

/** SCORE of a contact: three digits, so that text compares like numbers. */
export const toScoreText = (score: number) => String(score).padStart(3, '0');

/** What MailWizz takes for the same: its tables compare without case, marks and trailing spaces, so our count has to do so, too. */
export const toMatchKey = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .trimEnd();

/** Which of the values that occur a condition on `wanted` will match. */
export const findAlike = (wanted: string, known: readonly string[]) => known.filter((value) => toMatchKey(value) === toMatchKey(wanted));

const condition = (tag: string, operator: keyof typeof segmentOperators, value: string): SegmentCondition => ({
  tag,
  operatorId: segmentOperators[operator],
  value,
});
