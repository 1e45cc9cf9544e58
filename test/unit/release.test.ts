import fc from 'fast-check';
import { findReleaseRoom, type LimitedLeg, type Limits, mayGoOn } from '../../src/domain/release';

const minute = 60_000;
const hour = 60 * minute;
const none = { hourly: null, daily: null };
const own = (hourly: number | null, daily: number | null = null): Limits => ({ campaign: { hourly, daily }, instance: none });
const shared = (hourly: number): Limits => ({ campaign: none, instance: { hourly, daily: null } });
const leg = (id: number, campaignId: number, contacts: number, facts: Partial<LimitedLeg> = {}): LimitedLeg => ({
  id, campaignId, contacts, state: 'planned', skipped: 0, isThere: false, releasedAtMs: null, pausedAtMs: null, finishedAtMs: null, runs: true, ...facts,
});
const room = (limits: Limits, legs: LimitedLeg[], nowMs = 10 * hour, largestBucket = 1) => findReleaseRoom({ limits, legs, campaignId: 1, largestBucket, nowMs });

test('a part that is out counts until an hour after its end, however long MailWizz takes', () => {
  const reservoir = leg(1, 1, 500);
  const out = (facts: Partial<LimitedLeg>) => [reservoir, leg(2, 1, 100, { state: 'started', releasedAtMs: 0, isThere: true, ...facts })];
  expect(room(own(100), out({}))).toMatchObject({ contacts: 0, isEnough: false });
  expect(room(own(100), out({ state: 'finished', finishedAtMs: 9 * hour + 1 }))).toMatchObject({ contacts: 0, isEnough: false, nextAtMs: 10 * hour + 1 });
  expect(room(own(100), out({ state: 'finished', finishedAtMs: 9 * hour }))).toMatchObject({ contacts: 100, isEnough: true });
  expect(room(own(100), out({ state: 'finished', finishedAtMs: 9 * hour + 1, skipped: 30 }))).toMatchObject({ contacts: 30, isEnough: true });
});

test('crumbs are left until they make a quarter of the cap, or all that is left', () => {
  const used = (contacts: number) => leg(2, 1, contacts, { state: 'started', releasedAtMs: 0 });
  expect(room(own(100), [leg(1, 1, 500), used(76)])).toMatchObject({ contacts: 24, isEnough: false });
  expect(room(own(100), [leg(1, 1, 500), used(75)])).toMatchObject({ contacts: 25, isEnough: true });
  expect(room(own(100), [leg(1, 1, 24), used(76)])).toMatchObject({ contacts: 24, isEnough: true });
});

test('campaigns of one instance share its cap alike, and one that is paused or outside its window asks for nothing', () => {
  const other = leg(3, 2, 500);
  expect(room(shared(100), [leg(1, 1, 500), other]).contacts).toBe(50);
  expect(room(shared(100), [leg(1, 1, 500), { ...other, runs: false }]).contacts).toBe(100);
  expect(room(shared(100), [leg(1, 1, 500), leg(3, 2, 80, { state: 'started', releasedAtMs: 0 })]).contacts).toBe(20);
  expect(room(shared(4), [leg(1, 1, 500), other], 10 * hour, 3).contacts).toBe(3);
});

test('what was stopped goes on before anything new is released, and all of it counts again', () => {
  const stopped = leg(2, 1, 80, { state: 'paused', pausedAtMs: 5 * hour, isThere: true });
  expect(room(own(100), [leg(1, 1, 500), stopped]).contacts).toBe(20);
  const may = (others: LimitedLeg[], limits = shared(100)) => mayGoOn({ limits, legs: [stopped, ...others], leg: stopped, nowMs: 10 * hour });
  expect(may([])).toBe(true);
  expect(may([leg(3, 2, 20, { state: 'started', releasedAtMs: 0 })])).toBe(true);
  expect(may([leg(3, 2, 21, { state: 'started', releasedAtMs: 0 })])).toBe(false);
  // The cap was lowered below what was out already: it goes on alone.
  expect(may([], shared(10))).toBe(true);
  expect(may([leg(3, 2, 1, { state: 'started', releasedAtMs: 0 })], shared(10))).toBe(false);
});

test('what a pause stopped counts for an hour more, and then leaves its room to others', () => {
  const paused = (pausedAtMs: number) => leg(2, 2, 80, { state: 'paused', pausedAtMs, isThere: true, runs: false });
  expect(room(shared(100), [leg(1, 1, 500), paused(9 * hour + 1)]).contacts).toBe(20);
  expect(room(shared(100), [leg(1, 1, 500), paused(9 * hour)]).contacts).toBe(100);
});

test('a cancelled part counts when MailWizz had it, and not when it never got there', () => {
  const cancelled = (isThere: boolean) => leg(2, 1, 100, { state: 'cancelled', finishedAtMs: 10 * hour - 1, isThere });
  expect(room(own(100), [leg(1, 1, 500), cancelled(true)]).contacts).toBe(0);
  expect(room(own(100), [leg(1, 1, 500), cancelled(false)]).contacts).toBe(100);
});

test('no hour and no day ever holds more than its cap, with campaigns that release, dawdle, stop and go on', () => {
  const what = fc.record({ campaign: fc.integer({ min: 1, max: 2 }), act: fc.constantFrom('release', 'send', 'send', 'pause', 'goOn'), afterMs: fc.integer({ min: 0, max: 40 * minute }), share: fc.double({ min: 0, max: 1, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(what, { minLength: 80, maxLength: 160, size: 'max' }), (acts) => {
      const limits: Limits = { campaign: { hourly: 95, daily: 300 }, instance: { hourly: 100, daily: 400 } };
      const legs: LimitedLeg[] = [leg(1, 1, 1_000), leg(2, 2, 1_000)];
      const unsent = new Map<number, number>();
      const mails: { atMs: number; campaignId: number; contacts: number }[] = [];
      let nowMs = 0;
      const change = (id: number, facts: Partial<LimitedLeg>) => legs.splice(legs.findIndex((other) => other.id === id), 1, { ...legs.find((other) => other.id === id)!, ...facts });
      for (const { campaign, act, afterMs, share } of acts) {
        nowMs += afterMs;
        const running = legs.find(({ campaignId, state }) => campaignId === campaign && state === 'started');
        const stopped = legs.find(({ campaignId, state }) => campaignId === campaign && state === 'paused');
        if (act === 'release' && legs[campaign - 1]!.runs) {
          const { isEnough, contacts } = findReleaseRoom({ limits, legs, campaignId: campaign, largestBucket: 1, nowMs });
          const part = Math.min(contacts, legs[campaign - 1]!.contacts);
          if (!isEnough || part === 0) continue;
          change(campaign, { contacts: legs[campaign - 1]!.contacts - part });
          legs.push(leg(legs.length + 1, campaign, part, { state: 'started', releasedAtMs: nowMs, isThere: true }));
          unsent.set(legs.length, part);
        } else if (act === 'send' && running) {
          const contacts = Math.ceil(unsent.get(running.id)! * share);
          unsent.set(running.id, unsent.get(running.id)! - contacts);
          mails.push({ atMs: nowMs, campaignId: campaign, contacts });
          if (unsent.get(running.id) === 0) change(running.id, { state: 'finished', finishedAtMs: nowMs });
        } else if (act === 'pause' || act === 'goOn') {
          for (const { id } of legs.filter(({ campaignId }) => campaignId === campaign)) change(id, { runs: act === 'goOn' });
          if (act === 'pause' && running) change(running.id, { state: 'paused', releasedAtMs: null, pausedAtMs: nowMs });
          else if (stopped && mayGoOn({ limits, legs, leg: legs.find(({ id }) => id === stopped.id)!, nowMs })) change(stopped.id, { state: 'started', releasedAtMs: nowMs });
        }
      }
      for (const { atMs } of mails) {
        const sent = (lengthMs: number, campaignId?: number) =>
          mails.filter((mail) => mail.atMs > atMs - lengthMs && mail.atMs <= atMs && (campaignId === undefined || mail.campaignId === campaignId)).reduce((sum, { contacts }) => sum + contacts, 0);
        expect([sent(hour) <= 100, sent(24 * hour) <= 400, sent(hour, 1) <= 95, sent(24 * hour, 2) <= 300]).toEqual([true, true, true, true]);
      }
    }),
    { numRuns: 200 },
  );
});
