import { z } from 'zod';
import { EngineError } from '../../../domain/errors';
import { messagesOf, textOf, type Trouble } from '../answer';
import type { Api, Call } from '../api';
import { type Form, toQuery } from '../form';
import { count, maybeNumber } from './shapes';

/** What a call came to. `absent` and `rejected` are MailWizz's own word, and surely nothing was done. */
export type Called<T> =
  | { kind: 'done'; value: T }
  /** 404: what the path names is not there. */
  | { kind: 'absent' }
  /** They understood and said no; messages by field, a bare text under ''. Texts follow the server's language. */
  | { kind: 'rejected'; status: number; messages: Map<string, string> }
  | Trouble;

/** The mutex is taken before the work begins, and held for one request. */
const mutexRestMs = 500;
const saidSuccess = z.looseObject({ status: z.literal('success') });

/** One call. `done` only when the answer says success *and* has the expected shape; a success of another shape is `unknown`. */
export async function ask<T>(api: Api, call: Call, shape: z.ZodType<T>): Promise<Called<T>> {
  const answer = await api.request(call);
  if (answer.kind !== 'answer') return answer;
  const { status, body } = answer;
  if (status < 300 && saidSuccess.safeParse(body).success) {
    const parsed = shape.safeParse(body);
    return parsed.success ? { kind: 'done', value: parsed.data } : { kind: 'unknown', reason: 'foreign_shape' };
  }
  if (status === 404) return { kind: 'absent' };
  if (/mutex/i.test(textOf(body))) return { kind: 'limited', reason: 'locked', retryAfterMs: mutexRestMs };
  if (saidSuccess.safeParse(body).success) return { kind: 'unknown', reason: `success_with_${status}` };
  return { kind: 'rejected', status, messages: messagesOf(body) };
}

/** A success that carries nothing we need. */
export const nothingElse = saidSuccess.transform(() => undefined);

export type Page<T> = {
  records: T[];
  /** Records of a shape we do not know: left out, never the reason to lose their neighbours. */
  unreadable: number;
  count: number | undefined;
  /** Where to go on; undefined on the last page. */
  nextPage: number | undefined;
};
/** `perPage` is a wish: some servers clamp it, so what counts is `nextPage`. */
export type PageAsked = { page?: number; perPage?: number; signal?: AbortSignal | undefined };

const usualPerPage = 100;
const pageShape = z.object({
  data: z.object({
    // PHP turns a list with holes into a map.
    records: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown()).transform((map) => Object.values(map))]),
    count: count.optional().catch(undefined),
    next_page: maybeNumber,
  }),
});

export function askPage<T>(api: Api, asked: PageAsked & { path: string; query?: Form }, shape: z.ZodType<T>): Promise<Called<Page<T>>> {
  const { path, page = 1, perPage = usualPerPage, query, signal } = asked;
  return askRecords(api, { path: `${path}${toQuery({ ...query, page, per_page: perPage })}`, page, signal }, shape);
}

/** The records of a listing, whatever their number; some listings know no pages. */
export async function askRecords<T>(
  api: Api,
  { path, page = 1, signal }: { path: string; page?: number; signal?: AbortSignal | undefined },
  shape: z.ZodType<T>,
): Promise<Called<Page<T>>> {
  const called = await ask(api, { method: 'GET', path, signal }, pageShape);
  if (called.kind !== 'done') return called;
  const { records, count: total, next_page: next } = called.value.data;
  const read = records.map((record) => shape.safeParse(record));
  const known = read.flatMap((result) => (result.success ? [result.data] : []));
  // A server that names the same page again would hold us for ever.
  const nextPage = next !== undefined && next > page && records.length > 0 ? next : undefined;
  return { kind: 'done', value: { records: known, unreadable: records.length - known.length, count: total, nextPage } };
}

/** Follows the pages up to a written limit; beyond it the answer is `unknown`, as "not among these" would be a guess. */
export async function collect<T>(read: (page: number) => Promise<Called<Page<T>>>, pagesAtMost: number): Promise<Called<T[]>> {
  const records: T[] = [];
  let page = 1;
  for (let pages = 0; pages < pagesAtMost; pages += 1) {
    const called = await read(page);
    if (called.kind !== 'done') return called;
    records.push(...called.value.records);
    if (called.value.nextPage === undefined) return { kind: 'done', value: records };
    page = called.value.nextPage;
  }
  return { kind: 'unknown', reason: 'too_many_pages' };
}

/**
 * The value, or the matching EngineError. `unknown` becomes `unavailable`, so that Temporal tries again: right for reading, and for work that looks for
 * what it made before making it.
 */
export function toValue<T>(called: Called<T>, what: string): T {
  switch (called.kind) {
    case 'done':
      return called.value;
    case 'absent':
      throw new EngineError('notFound', `MailWizz: ${what} is not there`);
    case 'rejected': {
      const fields = [...called.messages].map(([field, message]) => ({ field, reason: 'refused', message }));
      throw new EngineError('refused', `MailWizz: ${what} was refused (${called.status})`, { fields });
    }
    case 'limited':
      throw new EngineError('rateLimited', `MailWizz: ${what} has to wait (${called.reason})`, { retryAfterMs: called.retryAfterMs });
    case 'refused':
      throw new EngineError('refused', `MailWizz denies us ${what} (${called.reason})`);
    case 'nothing':
    case 'unknown':
      throw new EngineError('unavailable', `MailWizz: ${what} got no answer (${called.reason})`);
  }
}
