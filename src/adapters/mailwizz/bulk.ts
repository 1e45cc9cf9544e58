import { z } from 'zod';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import type { ApiClient, Trouble } from './api';
import { textOf } from './api';
import { findUnfit, toFields } from './fields';

/** PHP drops what is beyond 1,000 variables without a word. */
const variablesBelow = 900;

export type Row = { contact: OutgoingContact; fields: [string, string][] };
/** `refused`: not taken, and only a look-up tells whether because it is there. `sure` when their words say so. */
export type RowOutcome = InjectionOutcome | { contactId: number; outcome: 'refused'; sure: boolean };
export type CallResult = { kind: 'outcomes'; outcomes: RowOutcome[] } | { kind: 'gone' } | Trouble;

const text = z.string().min(1);
const bulkAnswer = z.object({ status: z.literal('success'), data: z.object({ records: z.array(z.unknown()) }) });
const bulkRecord = z.object({ data: z.looseObject({ EMAIL: text.optional(), email: text.optional(), subscriber_uid: text.optional() }), errors: z.unknown().optional() });
const createAnswer = z.object({
  status: z.literal('success'),
  data: z.union([z.object({ record: z.looseObject({ subscriber_uid: text }) }), z.looseObject({ subscriber_uid: text }).transform((record) => ({ record }))]),
});

/** Contacts cut into calls that stay below the limit; those MailWizz could not hold are rejected here. */
export function toCalls(contacts: OutgoingContact[], known: ReadonlySet<string>): { calls: Row[][]; rejected: InjectionOutcome[] } {
  const calls: Row[][] = [];
  const rejected: InjectionOutcome[] = [];
  let variables = variablesBelow;
  for (const contact of contacts) {
    const fields = toFields(contact, known);
    const reason = findUnfit(fields);
    if (reason !== undefined) {
      rejected.push({ contactId: contact.contactId, outcome: 'rejected', reason });
      continue;
    }
    const needed = fields.length + 1;
    if (variables + needed >= variablesBelow) {
      calls.push([]);
      variables = 0;
    }
    calls.at(-1)?.push({ contact, fields });
    variables += needed;
  }
  return { calls, rejected };
}

/** One bulk create. Answers are matched by address, never by place; a contact without an answer is unknown. */
export async function createBulk(api: ApiClient, listUid: string, rows: Row[], signal?: AbortSignal): Promise<CallResult> {
  const answer = await api.request('POST', `/lists/${listUid}/subscribers/bulk`, toBulkForm(rows), signal);
  if (answer.kind !== 'answer') return answer;
  const parsed = answer.status < 300 ? bulkAnswer.safeParse(answer.body) : undefined;
  if (!parsed?.success) return toCallFailure(answer);
  const byEmail = new Map<string, z.infer<typeof bulkRecord>>();
  for (const raw of parsed.data.data.records) {
    const record = bulkRecord.safeParse(raw);
    if (record.success) byEmail.set((record.data.data.EMAIL ?? record.data.data.email ?? '').toLowerCase(), record.data);
  }
  const outcomes = rows.map(({ contact: { contactId, email } }): RowOutcome => {
    const record = byEmail.get(email.toLowerCase());
    if (!record) return { contactId, outcome: 'unknown', reason: 'no_answer' };
    const errors = toErrorText(record.errors);
    if (errors !== '') return toRefusal(contactId, errors);
    const uid = record.data.subscriber_uid;
    return uid === undefined ? { contactId, outcome: 'unknown', reason: 'no_uid' } : { contactId, outcome: 'injected', uid, method: 'api' };
  });
  return { kind: 'outcomes', outcomes };
}

/** One create. 409 says "exists" or "blacklisted": its words tell which. */
export async function createOne(api: ApiClient, listUid: string, { contact: { contactId }, fields }: Row, signal?: AbortSignal): Promise<CallResult> {
  const form = `${fields.map(([tag, value]) => `${tag}=${encodeURIComponent(value)}`).join('&')}&details%5Bstatus%5D=confirmed`;
  const answer = await api.request('POST', `/lists/${listUid}/subscribers`, form, signal);
  if (answer.kind !== 'answer') return answer;
  if (answer.status < 300) {
    const parsed = createAnswer.safeParse(answer.body);
    if (!parsed.success) return { kind: 'unknown', reason: 'foreign_answer' };
    return { kind: 'outcomes', outcomes: [{ contactId, outcome: 'injected', uid: parsed.data.data.record.subscriber_uid, method: 'api' }] };
  }
  if (answer.status !== 409 && answer.status !== 422 && answer.status !== 400) return toCallFailure(answer);
  return { kind: 'outcomes', outcomes: [toRefusal(contactId, textOf(answer.body))] };
}

function toCallFailure({ status, body }: { status: number; body: unknown }): CallResult {
  if (status === 404) return { kind: 'gone' };
  // The mutex is taken before the work begins.
  if (/mutex/i.test(textOf(body))) return { kind: 'limited', reason: 'locked', retryAfterMs: 0 };
  return { kind: 'unknown', reason: status >= 400 ? `http_${status}` : 'foreign_answer' };
}

/** An empty PHP map arrives as `[]` and says that nothing is wrong. */
const toErrorText = (errors: unknown) =>
  typeof errors === 'string' ? errors : typeof errors === 'object' && errors !== null ? Object.values(errors).map(String).join(' ') : '';

/** Texts follow the server's language: what is not surely understood is looked up before it is believed. */
export function toRefusal(contactId: number, words: string): RowOutcome {
  if (/blacklist/i.test(words)) return { contactId, outcome: 'suppressed', reason: 'blacklisted' };
  if (/already exists/i.test(words)) return { contactId, outcome: 'refused', sure: true };
  if (/valid email/i.test(words)) return { contactId, outcome: 'rejected', reason: 'address_refused' };
  if (/is required by the list/i.test(words)) return { contactId, outcome: 'rejected', reason: 'field_required' };
  if (/maximum number/i.test(words)) return { contactId, outcome: 'pending', reason: 'list_full' };
  if (/mutex/i.test(words)) return { contactId, outcome: 'pending', reason: 'locked' };
  return { contactId, outcome: 'refused', sure: false };
}

/** Brackets encoded, as PHP's own http_build_query does: some firewalls refuse them bare. */
function toBulkForm(rows: Row[]): string {
  let form = '';
  for (const [index, { fields }] of rows.entries()) {
    const row = `subscribers%5B${index}%5D%5B`;
    for (const [tag, value] of fields) form += `${row}${tag}%5D=${encodeURIComponent(value)}&`;
    form += `${row}details%5D%5Bstatus%5D=confirmed&`;
  }
  return form.slice(0, -1);
}
