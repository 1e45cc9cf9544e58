import { sqlDate } from './answers';
import type { Context } from './context';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const shape = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;

/** SQL that reads a date as text, so that no driver's idea of time zones comes in. */
export const dateText = (column: string) => `DATE_FORMAT(${column}, '%Y-%m-%d %H:%i:%s')`;

/** An instant as the application's own connection would write it, and back. */
export const storedDate = ({ switches }: Context, at: Date): string =>
  sqlDate(new Date(at.getTime() + switches.database_offset_minutes * minuteMs));
export const instantOf = ({ switches }: Context, stored: string): Date =>
  new Date(parse(stored) - switches.database_offset_minutes * minuteMs);

/** `Y-m-d H:i:s` as a clock in that zone shows it. Shown twice in autumn: the first time. Left out in spring: as much later. */
export function fromZonedDate(text: string, timezone: string): Date | undefined {
  if (!shape.test(text)) return undefined;
  const local = parse(text);
  if (Number.isNaN(local) || sqlDate(new Date(local)) !== text) return undefined;
  const before = offsetMs(local - dayMs, timezone);
  const instants = [before, offsetMs(local + dayMs, timezone)]
    .map((offset) => local - offset)
    .filter((at) => at + offsetMs(at, timezone) === local);
  return new Date(instants.length > 0 ? Math.min(...instants) : local - before);
}

const parse = (text: string) => Date.parse(`${text.replace(' ', 'T')}Z`);
const formats = new Map<string, Intl.DateTimeFormat>();

function offsetMs(at: number, timezone: string): number {
  const format =
    formats.get(timezone) ??
    new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
  formats.set(timezone, format);
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const part = (name: string) => parts[name] ?? 0;
  return (
    Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) - Math.floor(at / 1000) * 1000
  );
}
