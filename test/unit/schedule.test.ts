import fc from 'fast-check';
import { formatInstant, formatLocal, isZone, judgeStart, parseInstant, parseLocal, toInstant, toLocal } from '../../src/domain/schedule';
import { isOpen, nextOpening, type SendWindow, weekdays } from '../../src/domain/send-window';

const place = (local: string, zone: string) => {
  const { atMs, clock } = toInstant(parseLocal(local)!, zone);
  return [new Date(atMs).toISOString(), formatInstant(atMs, zone), clock];
};

test.each([
  ['2027-03-28T02:30', 'Europe/Berlin', '2027-03-28T01:30:00.000Z', '2027-03-28T03:30:00+02:00', 'gap'],
  ['2027-10-31T02:30', 'Europe/Berlin', '2027-10-31T00:30:00.000Z', '2027-10-31T02:30:00+02:00', 'overlap'],
  ['2027-03-14T02:30', 'America/New_York', '2027-03-14T07:30:00.000Z', '2027-03-14T03:30:00-04:00', 'gap'],
  ['2027-11-07T01:30', 'America/New_York', '2027-11-07T05:30:00.000Z', '2027-11-07T01:30:00-04:00', 'overlap'],
  ['2027-10-03T02:15', 'Australia/Lord_Howe', '2027-10-02T15:45:00.000Z', '2027-10-03T02:45:00+11:00', 'gap'],
  ['2027-04-04T01:45', 'Australia/Lord_Howe', '2027-04-03T14:45:00.000Z', '2027-04-04T01:45:00+11:00', 'overlap'],
  ['2027-01-15T09:30', 'Asia/Kolkata', '2027-01-15T04:00:00.000Z', '2027-01-15T09:30:00+05:30', 'plain'],
  ['2027-01-01T00:00', 'Pacific/Kiritimati', '2026-12-31T10:00:00.000Z', '2027-01-01T00:00:00+14:00', 'plain'],
  ['2027-01-01T00:00', 'Etc/GMT+12', '2027-01-01T12:00:00.000Z', '2027-01-01T00:00:00-12:00', 'plain'],
  ['2027-02-20T10:00:30', 'Asia/Bangkok', '2027-02-20T03:00:30.000Z', '2027-02-20T10:00:30+07:00', 'plain'],
  ['2027-01-15T12:00', 'Pacific/Chatham', '2027-01-14T22:15:00.000Z', '2027-01-15T12:00:00+13:45', 'plain'],
  ['2027-03-28T02:00', 'Antarctica/Troll', '2027-03-28T02:00:00.000Z', '2027-03-28T04:00:00+02:00', 'gap'],
  ['2011-12-30T12:00', 'Pacific/Apia', '2011-12-30T22:00:00.000Z', '2011-12-31T12:00:00+14:00', 'gap'],
  ['2027-07-01T12:00', 'America/Sao_Paulo', '2027-07-01T15:00:00.000Z', '2027-07-01T12:00:00-03:00', 'plain'],
])('%s in %s is one instant: %s', (local, zone, ...expected) => expect(place(local, zone)).toEqual(expected));

const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Pacific/Kiritimati',
  'Etc/GMT+12',
  'Pacific/Apia',
  'Africa/Casablanca',
  'Asia/Tehran',
  'America/St_Johns',
  'UTC',
];
const zone = fc.constantFrom(...zones);
const instant = fc.integer({ min: Date.UTC(1971, 0, 1) / 1000, max: Date.UTC(2100, 0, 1) / 1000 }).map((seconds) => seconds * 1000);

test('clocks show what the platform says they show, at any instant', () => {
  fc.assert(
    fc.property(instant, zone, (atMs, timeZone) =>
      expect(formatLocal(toLocal(atMs, timeZone)).replace('T', ' ')).toBe(new Date(atMs).toLocaleString('sv-SE', { timeZone })),
    ),
    { numRuns: 2_000 },
  );
});

test('there and back again is the same instant, or the first of two', () => {
  fc.assert(
    fc.property(instant, zone, (atMs, timeZone) => {
      const { atMs: back, clock } = toInstant(toLocal(atMs, timeZone), timeZone);
      expect(clock).not.toBe('gap');
      expect(back).toBeLessThanOrEqual(atMs);
      if (clock === 'plain') expect(back).toBe(atMs);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  '2026-02-20T10:00:00',
  '2026-02-20',
  '2026-02-30T10:00:00Z',
  '2026-02-20T24:00:00Z',
  '2026-02-20 10:00:00Z',
  '2026-02-20T10:00:00+25:00',
  'tomorrow',
  '',
])('%p is no instant', (text) => expect(parseInstant(text)).toBeUndefined());
test('an instant is read with its offset', () => {
  expect([parseInstant('2026-02-20T10:00:00Z'), parseInstant('2026-02-20T10:00+07:00')]).toEqual([
    Date.UTC(2026, 1, 20, 10),
    Date.UTC(2026, 1, 20, 3),
  ]);
});
test.each([
  '2026-02-20T10:00:00Z',
  '2026-02-20T10:00+01:00',
  '2026-02-29T10:00',
  '2026-13-01T10:00',
  '2026-02-20T24:00',
  '2026-02-20T10:61',
  '26-02-20T10:00',
])('%p is no local time', (text) => expect(parseLocal(text)).toBeUndefined());
test('a zone has a name of the data base, not an offset', () => {
  expect(['Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+12', 'UTC'].map(isZone)).toEqual([true, true, true, true]);
  expect(['+02:00', 'EST', 'Europe/Atlantis', 'Europe/', '', 'x'.repeat(100)].map(isZone)).toEqual([
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

const graced = (nowMs: number) => judgeStart({ dueAtMs: 1_000, nowMs, graceMs: 500 });
test('a start is early, in time up to the end of its grace, then late', () => {
  expect([999, 1_000, 1_500, 1_501].map(graced)).toEqual(['wait', 'start', 'start', 'late']);
});

const opening = (now: string, window: Partial<SendWindow>) => {
  const found = nextOpening(Date.parse(now), {
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    from: '09:00',
    to: '17:00',
    zone: 'Europe/Berlin',
    ...window,
  })!;
  return [formatInstant(found.opensAtMs, 'Europe/Berlin'), formatInstant(found.closesAtMs, 'Europe/Berlin')];
};
test.each([
  ['amid it', '2027-03-25T12:00:00Z', {}, '2027-03-25T09:00:00+01:00', '2027-03-25T17:00:00+01:00'],
  ['as it closes', '2027-03-25T16:00:00Z', {}, '2027-03-26T09:00:00+01:00', '2027-03-26T17:00:00+01:00'],
  ['over a weekend that changes the clocks', '2027-03-26T20:00:00Z', {}, '2027-03-29T09:00:00+02:00', '2027-03-29T17:00:00+02:00'],
  [
    'by night, after midnight',
    '2027-03-25T01:00:00Z',
    { from: '22:00', to: '06:00' },
    '2027-03-24T22:00:00+01:00',
    '2027-03-25T06:00:00+01:00',
  ],
  [
    'on a night that ends on a day without window',
    '2027-03-27T01:00:00Z',
    { from: '22:00', to: '06:00' },
    '2027-03-26T22:00:00+01:00',
    '2027-03-27T06:00:00+01:00',
  ],
  ['to the end of a day', '2027-03-25T22:30:00Z', { to: '24:00' }, '2027-03-25T09:00:00+01:00', '2027-03-26T00:00:00+01:00'],
  [
    'within hours that clocks skip',
    '2027-03-27T12:00:00Z',
    { days: ['sun' as const], from: '02:00', to: '03:00' },
    '2027-04-04T02:00:00+02:00',
    '2027-04-04T03:00:00+02:00',
  ],
  [
    'within an hour that clocks show twice',
    '2027-10-30T12:00:00Z',
    { days: ['sun' as const], from: '01:30', to: '03:30' },
    '2027-10-31T01:30:00+02:00',
    '2027-10-31T03:30:00+01:00',
  ],
])('a window %s opens and closes by the clocks of its zone', (_, now, window, ...expected) =>
  expect(opening(now, window)).toEqual(expected),
);

test('an opening is never past, begins on one of its days, and is at most ten days away', () => {
  const clock = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
  fc.assert(
    // Apia once skipped a whole day, and with it every opening of that day.
    fc.property(
      instant,
      fc.constantFrom(...zones.filter((name) => name !== 'Pacific/Apia')),
      fc.uniqueArray(fc.constantFrom(...weekdays), { minLength: 1 }),
      clock,
      clock,
      (nowMs, timeZone, days, from, to) => {
        const found = nextOpening(nowMs, { days, from, to, zone: timeZone })!;
        expect(found.closesAtMs).toBeGreaterThan(nowMs);
        expect(found.opensAtMs - nowMs).toBeLessThan(10 * 86_400_000);
        expect(isOpen(found, Math.max(nowMs, found.opensAtMs))).toBe(true);
        expect(days).toContain(weekdays[new Date(Date.UTC(...dateOf(found.opensAtMs, timeZone))).getUTCDay()]);
      },
    ),
    { numRuns: 1_000 },
  );
});
const dateOf = (atMs: number, timeZone: string) => {
  const { year, month, day } = toLocal(atMs, timeZone);
  return [year, month - 1, day] as const;
};
