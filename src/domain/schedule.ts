/**
 * Zones and daylight saving, computed from the platform's own zone data by Intl. Pure, and it runs in a workflow, too; yet let an activity or the API
 * compute and hand the instant over: two workers may hold different zone data, and a replay must decide as the first run did.
 */

/** A time as clocks on a wall show it, to the second. */
export type LocalTime = { year: number; month: number; day: number; hour: number; minute: number; second: number };

/** `gap`: clocks skip that time, so it is shifted forward by what they skip. `overlap`: they show it twice, and the first one counts. */
export type Placed = { atMs: number; clock: 'plain' | 'gap' | 'overlap' };

const secondMs = 1_000;
const dayMs = 86_400_000;

/** True for a zone of the IANA data base; offsets such as `+02:00` and short names such as `EST` know no daylight saving and are refused, `UTC` is not. */
export function isZone(text: string): boolean {
  if (text.length > 64 || !/^(UTC|[A-Z][A-Za-z_]+(\/[A-Za-z0-9_+-]+){1,2})$/.test(text)) return false;
  try {
    clockOf(text);
    return true;
  } catch {
    return false;
  }
}

const instant = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}(?::\d{2})?)(?:\.\d{1,9})?(Z|[+-](\d{2}):(\d{2}))$/;

/** The instant of an ISO 8601 time with `Z` or an offset. Undefined for a naive one: nobody could say when it is. */
export function parseInstant(text: string): number | undefined {
  const [, date, time, , hours = '0', minutes = '0'] = instant.exec(text) ?? [];
  if (date === undefined || !parseLocal(`${date}T${time}`) || Number(hours) > 14 || Number(minutes) > 59) return undefined;
  return Date.parse(text);
}

const local = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2}))?$/;

/** `2027-03-28T02:30` or with seconds, a date that the calendar has. Undefined for anything else, above all for a time with an offset. */
export function parseLocal(text: string): LocalTime | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (local.exec(text) ?? [])
    .slice(1)
    .map((digits) => Number(digits ?? 0));
  const time = { year, month, day, hour, minute, second };
  return year >= 1970 && formatLocal(fromWall(toWall(time))).startsWith(text) ? time : undefined;
}

export const formatLocal = ({ year, month, day, hour, minute, second }: LocalTime) =>
  `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
const two = (value: number) => String(value).padStart(2, '0');

/** The instant at which clocks of the zone show that time. */
export function toInstant(time: LocalTime, zone: string): Placed {
  const wall = toWall(time);
  // The offsets a day before and after are the only ones that can hold in between: no zone changes twice within two days.
  const before = offsetMs(wall - dayMs, zone);
  const after = offsetMs(wall + dayMs, zone);
  const hits = [...new Set([wall - before, wall - after])].filter((atMs) => atMs + offsetMs(atMs, zone) === wall).sort((a, b) => a - b);
  const [first] = hits;
  if (first === undefined) return { atMs: wall - before, clock: 'gap' };
  return { atMs: first, clock: hits.length > 1 ? 'overlap' : 'plain' };
}

/** What clocks of the zone show at that instant. */
export const toLocal = (atMs: number, zone: string): LocalTime => fromWall(atMs + offsetMs(atMs, zone));

/** The instant for people: `2027-03-28T03:30:00+02:00`. */
export function formatInstant(atMs: number, zone: string): string {
  const minutes = Math.round(offsetMs(atMs, zone) / 60_000);
  const sign = minutes < 0 ? '-' : '+';
  return `${formatLocal(toLocal(atMs, zone))}${sign}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
}

/** How far clocks of the zone are ahead of UTC at that instant. */
function offsetMs(atMs: number, zone: string): number {
  const whole = Math.floor(atMs / secondMs) * secondMs;
  const shown = new Map(
    clockOf(zone)
      .formatToParts(whole)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (name: Intl.DateTimeFormatPartTypes) => shown.get(name) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) - whole;
}

/** A wall time as if it were UTC: arithmetic without any zone. */
const toWall = ({ year, month, day, hour, minute, second }: LocalTime) => Date.UTC(year, month - 1, day, hour, minute, second);

function fromWall(wallMs: number): LocalTime {
  const wall = new Date(wallMs);
  return {
    year: wall.getUTCFullYear(),
    month: wall.getUTCMonth() + 1,
    day: wall.getUTCDate(),
    hour: wall.getUTCHours(),
    minute: wall.getUTCMinutes(),
    second: wall.getUTCSeconds(),
  };
}

/** Making one costs about a hundred times as much as using it. There are some 600 zones. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known) return known;
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  clocks.set(zone, clock);
  return clock;
}

export const startJudgements = ['wait', 'start', 'late'] as const;

/** We may have been down, or the campaign paused, when it was due: within the grace it still starts, after it the operator decides. */
export function judgeStart({
  dueAtMs,
  nowMs,
  graceMs,
}: {
  dueAtMs: number;
  nowMs: number;
  graceMs: number;
}): (typeof startJudgements)[number] {
  if (nowMs < dueAtMs) return 'wait';
  return nowMs <= dueAtMs + graceMs ? 'start' : 'late';
}
