import { isInside, lookAtWindow, openTimeBetween, type SendWindow } from '../../src/domain/send-window';

const office: SendWindow = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:00', zone: 'Europe/Berlin' };
const at = (text: string) => Date.parse(text);
const hour = 3_600_000;

test.each([
  ['open', '2027-03-24T12:00:00+01:00', { open: true, changesInMs: 5 * hour, until: '2027-03-24T17:00:00+01:00' }],
  ['shut for the night', '2027-03-24T20:00:00+01:00', { open: false, changesInMs: 13 * hour, until: '2027-03-25T09:00:00+01:00' }],
  ['shut over a week-end that is an hour short', '2027-03-26T17:00:00+01:00', { open: false, changesInMs: 63 * hour, until: '2027-03-29T09:00:00+02:00' }],
])('a window says how it stands and until when: %s', (_, now, expected) => {
  expect(lookAtWindow(office, at(now))).toEqual(expected);
  expect(isInside(office, at(now))).toBe(expected.open);
});

test('a campaign without a window may always send', () => {
  expect(lookAtWindow(null, 0)).toBeUndefined();
  expect(isInside(null, 0)).toBe(true);
});

test('openings without a break between them are one: nobody is stopped at midnight', () => {
  const days: SendWindow = { ...office, from: '00:00', to: '24:00' };
  expect(lookAtWindow(days, at('2027-03-24T12:00:00+01:00'))).toMatchObject({ open: true, until: '2027-03-27T00:00:00+01:00' });
  expect(lookAtWindow({ ...days, days: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] }, at('2027-03-24T12:00:00+01:00'))?.changesInMs).toBeGreaterThan(6 * 24 * hour);
});

test.each([
  ['nothing of a night', '2027-03-24T18:00:00+01:00', '2027-03-25T09:00:00+01:00', 0],
  ['what was left of the afternoon, and the morning', '2027-03-24T16:30:00+01:00', '2027-03-25T09:15:00+01:00', 0.75 * hour],
  ['no week-end', '2027-03-26T16:00:00+01:00', '2027-03-29T10:00:00+02:00', 2 * hour],
  ['nothing of the future', '2027-03-25T09:00:00+01:00', '2027-03-24T09:00:00+01:00', 0],
])('a delay is counted while the window is open: %s', (_, from, to, expected) => {
  expect(openTimeBetween({ fromMs: at(from), toMs: at(to), window: office, enoughMs: 100 * hour })).toBe(expected);
});

test('a delay of years is counted until it is enough', () => {
  expect(openTimeBetween({ fromMs: at('2001-01-01T00:00:00Z'), toMs: at('2027-01-01T00:00:00Z'), window: office, enoughMs: hour })).toBeGreaterThan(hour);
});
