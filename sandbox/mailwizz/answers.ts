import { type PhpMap, textAt } from './form';
import type { Answer } from './router';

export const success = (body: object = {}, code = 200): Answer => ({ code, body: { status: 'success', ...body } });
export const error = (code: number, text: string | Record<string, string>): Answer => ({ code, body: { status: 'error', error: text } });

export type Page = { page: number; perPage: number; offset: number };

/** The page that a query asks for; SQL takes it as LIMIT perPage OFFSET offset. */
export function pageOf(query: PhpMap): Page {
  const whole = (key: string, otherwise: number) => {
    const text = textAt(query, key) ?? '';
    return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : otherwise;
  };
  const page = whole('page', 1);
  const perPage = whole('per_page', 10);
  return { page, perPage, offset: (page - 1) * perPage };
}

/** The envelope of a collection: the count is a string nearly everywhere, the page fields are integers. */
export function page(query: PhpMap, count: number, records: unknown[], { integerCount = false } = {}): Answer {
  const { page: current, perPage } = pageOf(query);
  const pages = Math.max(1, Math.ceil(count / perPage));
  const data = {
    count: integerCount ? count : String(count),
    total_pages: pages,
    current_page: current,
    next_page: current < pages ? current + 1 : null,
    prev_page: current > 1 ? current - 1 : null,
    records,
  };
  return success({ data });
}

/** PHP has one kind of array: an empty map is written as a list. */
export const phpMap = <T extends object>(map: T): T | [] => (Object.keys(map).length === 0 ? [] : map);

const pad = (value: number) => String(value).padStart(2, '0');

/** `YYYY-MM-DD HH:MM:SS` in UTC: what the application's own connection writes as NOW(). */
export const sqlDate = (date: Date) =>
  `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())} ${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;

/** The display form of campaign and segment dates, `2/24/21, 11:38 PM`, in the customer's time zone. */
export function localisedDate(date: Date, { timezone, locale = 'en-US' }: { timezone: string; locale?: string }): string {
  // Newer ICU puts a narrow no-break space before AM and PM, the captures have a plain one.
  return new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'short', timeZone: timezone }).format(date).replaceAll('\u202f', ' ');
}
