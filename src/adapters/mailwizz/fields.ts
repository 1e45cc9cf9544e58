import type { OutgoingContact } from '../../domain/injection';
import { toTagSet } from '../../domain/injection';

/** What the columns of an instance hold; those of every known MailWizz unless its tables say otherwise. */
export type Widths = { email: number; value: number; fourByte: boolean };
export const usualWidths: Widths = { email: 100, value: 255, fourByte: true };

/** Our facts under the tags of MailWizz (specification 7.1, 12.2 point 34). Blanks are left out: an empty value would overwrite. */
export function toFields(contact: OutgoingContact, known: ReadonlySet<string>): [tag: string, value: string][] {
  const all: [string, string | null][] = [
    ['EMAIL', contact.email],
    ['FNAME', contact.firstName],
    ['LNAME', contact.lastName],
    ['COMPANY', contact.company],
    ['PHONE', contact.phone],
    ['WEBSITE', contact.website],
    ['SOURCE', contact.sourceId],
    ['CATEGORY', contact.category],
    ['TAGS', contact.tags.join(',')],
    ['TAGSET', toTagSet(contact.tags)],
    ['COUNTRY', contact.countryCode],
    ['LANGUAGE', contact.language],
    ['BUCKET', contact.bucket],
  ];
  return all.flatMap(([tag, value]): [string, string][] =>
    value !== null && value !== '' && (tag === 'EMAIL' || known.has(tag)) ? [[tag, value]] : [],
  );
}

/** Why MailWizz could not hold these values whole: they are refused by us, never cut by it. */
export function findUnfit(fields: [string, string][], widths = usualWidths): string | undefined {
  for (const [tag, value] of fields) {
    const limit = tag === 'EMAIL' ? widths.email : widths.value;
    // MySQL counts characters, JavaScript halves of some of them.
    if (value.length > limit && [...value].length > limit) return tag === 'EMAIL' ? 'address_too_long_for_instance' : 'value_too_long';
    if (!value.isWellFormed() || (!widths.fourByte && /[\u{10000}-\u{10ffff}]/u.test(value))) return 'value_not_storable';
  }
  return undefined;
}
