import { EngineError } from '../../domain/errors';

/** What a form carries: PHP nests by brackets, `{ campaign: { name: 'x' } }` is `campaign[name]=x`. Undefined is left out. */
export type FormValue = string | number | undefined | FormValue[] | { [key: string]: FormValue };
export type Form = { [key: string]: FormValue };

const plain = /^[A-Za-z0-9_.-]*$/;
const beyond: Record<string, string> = { '%20': '+', '!': '%21', "'": '%27', '(': '%28', ')': '%29', '*': '%2A', '~': '%7E' };

/** As PHP's urlencode writes it: what is signed, logged or filtered on the way then looks the same as from the vendor's own client. */
export function encode(text: string): string {
  if (plain.test(text)) return text;
  if (!text.isWellFormed()) throw new EngineError('invalid', 'a value is not well-formed text');
  return encodeURIComponent(text).replace(/%20|[!'()*~]/g, (found) => beyond[found] ?? found);
}

/** As PHP's http_build_query: brackets encoded, since some firewalls refuse them bare. */
export function toForm(form: Form): string {
  return pairsOf(form, '').join('&');
}

function pairsOf(value: FormValue, name: string): string[] {
  if (value === undefined) return [];
  if (typeof value !== 'object') return [`${name}=${encode(String(value))}`];
  return Object.entries(value).flatMap(([key, inner]) => pairsOf(inner, name === '' ? encode(key) : `${name}%5B${encode(key)}%5D`));
}

/** The query of a GET, with its question mark; nothing when there is nothing to ask. */
export function toQuery(query: Form): string {
  const text = toForm(query);
  return text === '' ? '' : `?${text}`;
}

/** A path whose parts come from outside: path`/lists/${listUid}/fields`. */
export const path = (parts: TemplateStringsArray, ...values: (string | number)[]) =>
  String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));
