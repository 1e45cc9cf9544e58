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

const valuesOf = (contact: OutgoingContact): Record<OurTag, string | null> => ({
  EMAIL: contact.email,
  FNAME: contact.firstName,
  LNAME: contact.lastName,
  COMPANY: contact.company,
  PHONE: contact.phone,
  WEBSITE: contact.website,
  SOURCE: contact.sourceId,
  CATEGORY: contact.category,
  TAGS: contact.tags.join(','),
  TAGSET: toTagSet(contact.tags),
  COUNTRY: contact.countryCode,
  LANGUAGE: contact.language,
  BUCKET: contact.bucket,
  SOURCES: toSourceSet(contact.sources ?? []),
  SCORE: contact.score === undefined ? null : toScoreText(contact.score),
});

/** Our facts under the tags that the list has, EMAIL first. Blanks are left out: an empty value would overwrite. */
export function toFields(contact: OutgoingContact, known: ReadonlySet<string>): Map<string, string> {
  const values = valuesOf(contact);
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
