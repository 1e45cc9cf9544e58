import { parseInstant, parseLocal, toInstant } from './schedule';

/** Seconds since 1970 have ten digits until 2286, milliseconds thirteen. */
const unixSeconds = /^\d{9,10}(\.\d+)?$/;
const unixMilliseconds = /^\d{12,13}$/;
/** As databases and PowerMTA write it: a blank instead of the T, an offset without a colon. */
const loose = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,9})?) ?(Z|[+-]\d{2}:?\d{2})?$/;

/** The instant that a reported time means; one without a zone is of `zone`. Undefined for what is no time: the event is kept all the same. */
export function parseEventTime(value: unknown, zone: string): number | undefined {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
  if (unixSeconds.test(text)) return Math.floor(Number(text)) * 1_000;
  if (unixMilliseconds.test(text)) return Number(text);
  const [, date, time = '', offset] = loose.exec(text) ?? [];
  if (date === undefined) return undefined;
  if (offset !== undefined) return parseInstant(`${date}T${time}${offset.replace(/^([+-]\d{2}):?(\d{2})$/, '$1:$2')}`);
  const local = parseLocal(`${date}T${time.replace(/\.\d+$/, '')}`);
  return local && toInstant(local, zone).atMs;
}
