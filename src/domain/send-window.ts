import { formatInstant, parseLocal, toInstant, toLocal } from './schedule';

export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof weekdays)[number];

/** When a campaign may send. `to` at or before `from` is on the next day; an opening belongs to the day on which it begins. `24:00` ends a day. */
export type SendWindow = { days: Weekday[]; from: string; to: string; zone: string };
export type Opening = { opensAtMs: number; closesAtMs: number };

/** A week and a day on each side: a zone once skipped a whole day. */
const daysAhead = 9;
const dayMs = 86_400_000;

/** The opening that holds now, or the next one. Undefined only when the window has no day. */
export function nextOpening(nowMs: number, window: SendWindow): Opening | undefined {
  const today = toLocal(nowMs, window.zone);
  for (let offset = -1; offset <= daysAhead; offset += 1) {
    const date = new Date(Date.UTC(today.year, today.month - 1, today.day) + offset * dayMs);
    const weekday = weekdays[date.getUTCDay()];
    if (weekday === undefined || !window.days.includes(weekday)) continue;
    const opensAtMs = instantOn(date, window.from, window.zone);
    const closesOn = window.to <= window.from || window.to === '24:00' ? new Date(date.getTime() + dayMs) : date;
    const closesAtMs = instantOn(closesOn, window.to === '24:00' ? '00:00' : window.to, window.zone);
    // Clocks that skip the whole opening make it empty.
    if (closesAtMs > nowMs && closesAtMs > opensAtMs) return { opensAtMs, closesAtMs };
  }
  return undefined;
}

/** True when the opening holds at that instant. */
export const isOpen = ({ opensAtMs, closesAtMs }: Opening, atMs: number) => opensAtMs <= atMs && atMs < closesAtMs;

/** How a window stands: whether one may send, for how long that holds, and until when as people of its zone say it. */
export type WindowLook = { open: boolean; changesInMs: number; until: string };

/** Openings that follow each other without a break are one: nobody is stopped at midnight to be started at midnight. */
const openingsAtOnce = 8;

/** Undefined without a window. */
export function lookAtWindow(window: SendWindow | null, nowMs: number): WindowLook | undefined {
  const opening = window && nextOpening(nowMs, window);
  if (!opening) return undefined;
  const open = isOpen(opening, nowMs);
  let changesAtMs = open ? opening.closesAtMs : opening.opensAtMs;
  for (let more = 1; open && more < openingsAtOnce; more += 1) {
    const next = nextOpening(changesAtMs, window);
    if (!next || next.opensAtMs > changesAtMs) break;
    changesAtMs = next.closesAtMs;
  }
  return { open, changesInMs: changesAtMs - nowMs, until: formatInstant(changesAtMs, window.zone) };
}

/** True when a campaign may send at that instant. */
export const isInside = (window: SendWindow | null, atMs: number) => lookAtWindow(window, atMs)?.open ?? true;

/** A year of daily openings; by then every grace is over. */
const openingsAtMost = 400;

/** How much of the time between two instants the window was open; counted no further than `enoughMs`. */
export function openTimeBetween({ fromMs, toMs, window, enoughMs }: { fromMs: number; toMs: number; window: SendWindow; enoughMs: number }): number {
  let cursorMs = fromMs;
  let sumMs = 0;
  for (let openings = 0; openings < openingsAtMost && cursorMs < toMs && sumMs <= enoughMs; openings += 1) {
    const opening = nextOpening(cursorMs, window);
    if (!opening) break;
    sumMs += Math.max(0, Math.min(opening.closesAtMs, toMs) - Math.max(opening.opensAtMs, cursorMs));
    cursorMs = opening.closesAtMs;
  }
  return sumMs;
}

function instantOn(date: Date, clock: string, zone: string): number {
  const time = parseLocal(`${date.toISOString().slice(0, 10)}T${clock}`);
  if (!time) throw new Error('a send window with a time that is none');
  return toInstant(time, zone).atMs;
}
