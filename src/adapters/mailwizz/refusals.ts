import type { InjectionOutcome } from '../../domain/injection';

/** Not taken, and only a look tells whether because it is there. `exists`: their words say so. */
export type Refused = { contactId: number; outcome: 'refused'; exists: boolean };
export type RowOutcome = InjectionOutcome | Refused;
type Messages = ReadonlyMap<string, string>;

/** What is said of the address or of the row as a whole: only this may stop a person for ever, as words about another field may quote anything. */
export const wordsOnAddress = (messages: Messages) =>
  [...messages].flatMap(([field, words]) => (['', 'email'].includes(field.toLowerCase()) ? [words] : [])).join(' ');

/** Texts follow the server's language: what is not surely understood is looked up before it is believed. `status`: none for a row of a bulk call. */
export function toRefusal(contactId: number, messages: Messages, status?: number): RowOutcome {
  const refusesOne = status === undefined || status === 409 || status === 422;
  if (refusesOne && /blacklist/i.test(wordsOnAddress(messages))) return { contactId, outcome: 'suppressed', reason: 'blacklisted' };
  const words = [...messages.values()].join(' ');
  if (/already exists/i.test(words)) return { contactId, outcome: 'refused', exists: true };
  if (/valid email/i.test(words)) return { contactId, outcome: 'rejected', reason: 'address_refused' };
  if (/is required by the list/i.test(words)) return { contactId, outcome: 'rejected', reason: 'field_required' };
  if (/maximum number/i.test(words)) return { contactId, outcome: 'pending', reason: 'list_full' };
  if (/mutex/i.test(words)) return { contactId, outcome: 'pending', reason: 'locked' };
  return { contactId, outcome: 'refused', exists: false };
}
