import { z } from 'zod';
import { toMessages } from '../answer';
import type { Api } from '../api';
import { toEmailKey } from '../fields';
import { encode, path } from '../form';
import { ask, type Called } from './called';
import { maybeText } from './shapes';
import type { Values } from './subscribers';

/** One record of a bulk answer. `errors` is what MailWizz has against it, by field; a record without errors carries the uid. */
export type BulkRecord = { uid: string | undefined; status: string | undefined; errors: Map<string, string> };

/** An empty PHP map arrives as `[]` and says that nothing is wrong. */
const errors = z.unknown().optional().transform(toMessages);
const record = z
  .looseObject({ data: z.looseObject({ EMAIL: maybeText, email: maybeText, subscriber_uid: maybeText, status: maybeText }), errors })
  .transform(({ data, errors: messages }) => ({
    email: data.EMAIL ?? data.email ?? '',
    uid: data.subscriber_uid,
    status: data.status,
    errors: messages,
  }));
const shape = z.object({ data: z.object({ records: z.array(z.unknown()) }) });

/** One bulk create. The answers by address, since their order is promised nowhere; an address that was answered twice in two ways is left out. */
export async function createBulk(
  api: Api,
  listUid: string,
  rows: Values[],
  signal?: AbortSignal,
): Promise<Called<Map<string, BulkRecord>>> {
  const called = await ask(api, { method: 'POST', path: path`/lists/${listUid}/subscribers/bulk`, form: toBulkForm(rows), signal }, shape);
  if (called.kind !== 'done') return called;
  const answers = new Map<string, BulkRecord>();
  const ambiguous = new Set<string>();
  for (const raw of called.value.data.records) {
    const read = record.safeParse(raw);
    if (!read.success) continue;
    const { email, ...answer } = read.data;
    const key = toEmailKey(email);
    if (answers.has(key)) ambiguous.add(key);
    answers.set(key, answer);
  }
  for (const key of ambiguous) answers.delete(key);
  return { kind: 'done', value: answers };
}

/** The status stands right behind the address: were the end of the call dropped, a stored row would still be a confirmed one. */
function toBulkForm(rows: Values[]): string {
  const parts: string[] = [];
  for (const [index, values] of rows.entries()) {
    const row = `subscribers%5B${index}%5D%5B`;
    for (const [tag, value] of values) {
      parts.push(`${row}${encode(tag)}%5D=${encode(value)}`);
      if (tag === 'EMAIL') parts.push(`${row}details%5D%5Bstatus%5D=confirmed`);
    }
  }
  return parts.join('&');
}
