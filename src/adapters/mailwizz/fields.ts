import type { OutgoingContact } from '../../domain/injection';
import { toTagSet } from '../../domain/injection';

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
  return all.flatMap(([tag, value]): [string, string][] => (value !== null && value !== '' && (tag === 'EMAIL' || known.has(tag)) ? [[tag, value]] : []));
}

/** A value column of MailWizz holds 255 characters and its address column 100: longer ones are refused by us, never cut by it. */
export function tooLong(fields: [string, string][]): string | undefined {
  for (const [tag, value] of fields) {
    const limit = tag === 'EMAIL' ? 100 : 255;
    if (value.length > limit && [...value].length > limit) return `too_long_${tag.toLowerCase()}`;
  }
  return undefined;
}
