import type { InjectionOutcome } from '../../domain/injection';

/** Not taken, and only a look tells whether because it is there. `exists`: their words say so. */
export type Refused = { contactId: number; outcome: 'refused'; exists: boolean };
export type RowOutcome = InjectionOutcome | Refused;

/** Texts follow the server's language: what is not surely understood is looked up before it is believed. */
export function toRefusal(contactId: number, words: string): RowOutcome {
  if (/blacklist/i.test(words)) return { contactId, outcome: 'suppressed', reason: 'blacklisted' };
  if (/already exists/i.test(words)) return { contactId, outcome: 'refused', exists: true };
  if (/valid email/i.test(words)) return { contactId, outcome: 'rejected', reason: 'address_refused' };
  if (/is required by the list/i.test(words)) return { contactId, outcome: 'rejected', reason: 'field_required' };
  if (/maximum number/i.test(words)) return { contactId, outcome: 'pending', reason: 'list_full' };
  if (/mutex/i.test(words)) return { contactId, outcome: 'pending', reason: 'locked' };
  return { contactId, outcome: 'refused', exists: false };
}
