import { z } from 'zod';

/** Why a call brought no answer of MailWizz, told apart by what may have happened. */
export type Trouble =
  /** Surely nothing was done: there was no connection, or the call was never made. */
  | { kind: 'nothing'; reason: string }
  /** Surely nothing was done: they ask us to wait. */
  | { kind: 'limited'; reason: string; retryAfterMs: number }
  /** They deny us: key, permission, network. Needs a person. */
  | { kind: 'refused'; reason: string }
  /** It may have been done: time-out, cut reply, 5xx, an answer that is not theirs. Some of these ask us to wait, too. */
  | { kind: 'unknown'; reason: string; retryAfterMs?: number };
/** Too late for a call: it was not made. */
export const windowOver: Trouble = { kind: 'limited', reason: 'window_over', retryAfterMs: 0 };
/** `theirClockMs`: what their Date header said. */
export type ApiAnswer = { kind: 'answer'; status: number; body: unknown; theirClockMs?: number } | Trouble;

const longestRestMs = 900_000;
/** When they name no time. */
const usualRestMs = 5_000;

const envelope = z.looseObject({ status: z.enum(['success', 'error']) });
const errorText = z.object({ error: z.union([z.string(), z.record(z.string(), z.unknown())]) });
/** The status code of a denial is not documented (mailwizz.md 10, row 1), its words are (2.6). */
const denials: [RegExp, string][] = [
  [/enough permissions/i, 'no_permission'],
  [/ip address is not allowed/i, 'ip_not_allowed'],
  [/must be active|not allowed to use the api/i, 'account_not_allowed'],
  [/invalid api request signature|request expired/i, 'signature_wanted'],
  [/invalid api request params/i, 'key_not_read'],
  [/invalid api key/i, 'key_invalid'],
];

/**
 * Judges an answer by its status code first, then by its shape, then by its words, which follow the server's language.
 * A 403 in HTML is a web server or firewall speaking, not MailWizz: no refused key. Nothing says whether MailWizz ran before it, so it is unknown.
 */
export function toAnswer(status: number, headers: Record<string, string | string[] | undefined>, text: string): ApiAnswer {
  const wait = toRestMs(headers['retry-after'], headers['date']);
  if (status === 429) return { kind: 'limited', reason: 'rate_limited', retryAfterMs: wait ?? usualRestMs };
  const read = readBody(text);
  const denial = 'body' in read && status >= 400 ? denials.find(([words]) => words.test(textOf(read.body)))?.[1] : undefined;
  if (denial !== undefined || status === 401 || (status === 403 && 'body' in read))
    return { kind: 'refused', reason: denial ?? `http_${status}` };
  if (status >= 500 || status < 200 || (status >= 300 && status < 400)) return toUnknown(`http_${status}`, wait);
  if ('foreign' in read)
    return toUnknown(status < 300 ? read.foreign : `foreign_${status}`, wait ?? (status === 403 ? usualRestMs : undefined));
  const theirClockMs = Date.parse(String(headers['date']));
  return { kind: 'answer', status, body: read.body, ...(!Number.isNaN(theirClockMs) && { theirClockMs }) };
}

const toUnknown = (reason: string, retryAfterMs: number | undefined): ApiAnswer => ({
  kind: 'unknown',
  reason,
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

/** Theirs, or a word on what came instead. A PHP warning before good JSON is foreign, too: what else it left out nobody knows. */
function readBody(text: string): { body: unknown } | { foreign: string } {
  const trimmed = text.trim();
  if (trimmed === '') return { foreign: 'empty_answer' };
  const body = parseJson(trimmed);
  if (envelope.safeParse(body).success) return { body };
  if (body !== undefined) return { foreign: 'foreign_json' };
  if (/\{\s*"status"\s*:/.test(trimmed.slice(1))) return { foreign: 'text_before_json' };
  return { foreign: trimmed.startsWith('<') ? 'html_answer' : trimmed.startsWith('{') ? 'cut_json' : 'foreign_text' };
}

function parseJson(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return body;
  } catch {
    return undefined;
  }
}

/** Seconds, or a date measured by their own clock (RFC 9110); undefined when they name none. */
function toRestMs(retryAfter: string | string[] | undefined, date: string | string[] | undefined): number | undefined {
  if (typeof retryAfter !== 'string') return undefined;
  const theirNow = Date.parse(String(date));
  const ms = /^\d+$/.test(retryAfter)
    ? Number(retryAfter) * 1_000
    : Date.parse(retryAfter) - (Number.isNaN(theirNow) ? Date.now() : theirNow);
  return Number.isNaN(ms) ? usualRestMs : Math.min(longestRestMs, Math.max(1_000, ms));
}

/** The error of an answer as one text: a string, or the messages of its fields. */
export const textOf = (body: unknown) => [...messagesOf(body).values()].join(' ');

/** The error of an answer by field; a bare text stands under ''. */
export function messagesOf(body: unknown): Map<string, string> {
  const parsed = errorText.safeParse(body);
  if (!parsed.success) return new Map();
  return toMessages(parsed.data.error);
}

/** By field, blanks left out. A bare text, and a list that names no fields, stand under ''. */
export function toMessages(error: unknown): Map<string, string> {
  const messages = typeof error === 'string' || Array.isArray(error) ? { '': error } : typeof error === 'object' && error !== null ? error : {};
  const texts = Object.entries(messages).map(([field, message]): [string, string] => [field, [message].flat(3).map(String).join(' ')]);
  return new Map(texts.filter(([, text]) => text !== ''));
}
