import type { OutgoingContact } from '../../domain/injection';
import { toTagSet } from '../../domain/injection';
import { toScoreText, toSourceSet } from '../../domain/segment';

/** The tags we fill (specification 7.1, 12.2 point 34); a list that lacks one is served without it. EMAIL, FNAME and LNAME are in every new list. */
export const ourTags = [
  'EMAIL',
  'FNAME',
  'LNAME',
  'COMPANY',
  'PHONE',
  'WEBSITE',
  'SOURCE',
  'CATEGORY',
  'TAGS',
  'TAGSET',
  'COUNTRY',
  'LANGUAGE',
  'BUCKET',
  'SOURCES',
  'SCORE',
] as const;
export type OurTag = (typeof ourTags)[number];

/** What the columns of an instance hold; those of every known MailWizz unless its tables say otherwise. */
export type Widths = { email: number; value: number; fourByte: boolean };
export const usualWidths: Widths = { email: 100, value: 255, fourByte: true };

const lengthOf = (text: string) => [...text].length;
const toTagText = (tags: string[]) => tags.join(',');

/** Of more than the column holds, as many whole ones as fit, in the order in which they came to us: a contact is not lost for its tags. */
function fit<T>(all: T[], toText: (some: T[]) => string, limit: number): string {
  if (lengthOf(toText(all)) <= limit) return toText(all);
  const kept: T[] = [];
  for (const one of all) if (lengthOf(toText([...kept, one])) <= limit) kept.push(one);
  return toText(kept);
}

/** Whether some of its tags or sources have no room in the columns. */
export const isCut = ({ tags, sources = [] }: OutgoingContact, { value } = usualWidths) =>
  [toTagText(tags), toTagSet(tags), toSourceSet(sources)].some((text) => lengthOf(text) > value);

const valuesOf = (contact: OutgoingContact, limit: number): Record<OurTag, string | null> => ({
  EMAIL: contact.email,
  FNAME: contact.firstName,
  LNAME: contact.lastName,
  COMPANY: contact.company,
  PHONE: contact.phone,
  WEBSITE: contact.website,
  SOURCE: contact.sourceId,
  CATEGORY: contact.category,
  TAGS: fit(contact.tags, toTagText, limit),
  TAGSET: fit(contact.tags, toTagSet, limit),
  COUNTRY: contact.countryCode,
  LANGUAGE: contact.language,
  BUCKET: contact.bucket,
  SOURCES: fit(contact.sources ?? [], toSourceSet, limit),
  SCORE: contact.score === undefined ? null : toScoreText(contact.score),
});

/** Our facts under the tags that the list has, EMAIL first. Blanks are left out: an empty value would overwrite. */
export function toFields(contact: OutgoingContact, known: ReadonlySet<string>, widths = usualWidths): Map<string, string> {
  const values = valuesOf(contact, widths.value);
  const fields = new Map<string, string>();
  for (const tag of ourTags) {
    const value = values[tag];
    if (value !== null && value !== '' && (tag === 'EMAIL' || known.has(tag))) fields.set(tag, value);
  }
  return fields;
}

/** Why MailWizz could not hold these values whole: they are refused by us, never cut by it. */
export function findUnfit(fields: ReadonlyMap<string, string>, widths = usualWidths): string | undefined {
  for (const [tag, value] of fields) {
    const limit = tag === 'EMAIL' ? widths.email : widths.value;
    // MySQL counts characters, JavaScript halves of some of them.
    if (value.length > limit && [...value].length > limit) return tag === 'EMAIL' ? 'address_too_long_for_instance' : 'value_too_long';
    if (!value.isWellFormed() || (!widths.fourByte && /[\u{10000}-\u{10ffff}]/u.test(value))) return 'value_not_storable';
  }
  return undefined;
}

/** Under which addresses are compared: MailWizz may answer in lower case, and MySQL's own comparison takes `josé` for `jose`. */
export const toEmailKey = (email: string) => email.normalize('NFC').toLowerCase();
