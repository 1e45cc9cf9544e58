import { z } from 'zod';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import type { ApiClient } from './api';
import { textOf } from './api';
import { toFields, tooLong } from './fields';

/** PHP drops what is beyond 1,000 variables without a word. */
const variablesPerCall = 900;

type Row = { contact: OutgoingContact; fields: [string, string][] };
/** `exists`: the address is in the list; only a look-up tells with which uid and status. */
export type BulkOutcome = InjectionOutcome | { contactId: number; outcome: 'exists' };

const bulkAnswer = z.object({
  status: z.literal('success'),
  data: z.object({
    records: z.array(z.object({ data: z.looseObject({ EMAIL: z.string().optional(), email: z.string().optional(), subscriber_uid: z.string().optional() }), errors: z.unknown().optional() })),
  }),
});

/** Contacts cut into calls that stay below the limit; those MailWizz could not hold are rejected here, by field. */
export function toCalls(contacts: OutgoingContact[], known: ReadonlySet<string>): { calls: Row[][]; rejected: InjectionOutcome[] } {
  const calls: Row[][] = [];
  const rejected: InjectionOutcome[] = [];
  let call: Row[] = [];
  let variables = 0;
  for (const contact of contacts) {
    const fields = toFields(contact, known);
    const reason = tooLong(fields);
    if (reason !== undefined) {
      rejected.push({ contactId: contact.contactId, outcome: 'rejected', reason });
      continue;
    }
    if (variables + fields.length + 1 > variablesPerCall) {
      calls.push(call);
      call = [];
      variables = 0;
    }
    call.push({ contact, fields });
    variables += fields.length + 1;
  }
  if (call.length > 0) calls.push(call);
  return { calls, rejected };
}

/** One bulk create. Answers are matched by address, never by place; a contact without an answer is unknown. */
export async function sendBulk(api: ApiClient, listUid: string, rows: Row[], signal?: AbortSignal): Promise<BulkOutcome[] | { nothing: string } | { refused: string } | { gone: true }> {
  const answer = await api.request('POST', `/lists/${listUid}/subscribers/bulk`, toForm(rows), signal);
  if (answer.kind === 'nothing') return { nothing: answer.reason };
  if (answer.kind === 'refused') return { refused: answer.reason };
  if (answer.kind === 'unknown') return all(rows, answer.reason);
  if (answer.status === 404) return { gone: true };
  const parsed = bulkAnswer.safeParse(answer.body);
  if (!parsed.success) return /mutex/i.test(textOf(answer.body)) ? { nothing: 'locked' } : all(rows, answer.status >= 400 ? `http_${answer.status}` : 'foreign_answer');
  const byEmail = new Map(parsed.data.data.records.map((record) => [(record.data.EMAIL ?? record.data.email ?? '').toLowerCase(), record]));
  return rows.map(({ contact: { contactId, email } }): BulkOutcome => {
    const record = byEmail.get(email.toLowerCase());
    if (!record) return { contactId, outcome: 'unknown', reason: 'no_answer' };
    if (record.errors !== undefined) return toRefusal(contactId, JSON.stringify(record.errors));
    const uid = record.data.subscriber_uid;
    return uid ? { contactId, outcome: 'injected', uid, method: 'api' } : { contactId, outcome: 'unknown', reason: 'no_uid' };
  });
}

const all = (rows: Row[], reason: string): BulkOutcome[] => rows.map(({ contact }) => ({ contactId: contact.contactId, outcome: 'unknown', reason }));

/** Texts follow the server's language: what is not surely understood is looked up before it is believed. */
export function toRefusal(contactId: number, text: string): BulkOutcome {
  if (/blacklist/i.test(text)) return { contactId, outcome: 'suppressed', reason: 'blacklisted' };
  if (/valid email/i.test(text)) return { contactId, outcome: 'rejected', reason: 'address_refused' };
  if (/is required by the list/i.test(text)) return { contactId, outcome: 'rejected', reason: 'field_required' };
  if (/maximum number/i.test(text)) return { contactId, outcome: 'pending', reason: 'list_full' };
  if (/mutex/i.test(text)) return { contactId, outcome: 'pending', reason: 'locked' };
  return { contactId, outcome: 'exists' };
}

const encode = encodeURIComponent;

function toForm(rows: Row[]): string {
  const parts: string[] = [];
  for (const [index, { fields }] of rows.entries()) {
    for (const [tag, value] of fields) parts.push(`subscribers[${index}][${tag}]=${encode(value)}`);
    parts.push(`subscribers[${index}][details][status]=confirmed`);
  }
  return parts.join('&');
}
