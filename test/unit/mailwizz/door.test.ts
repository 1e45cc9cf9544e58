import type { ApiAnswer } from '../../../src/adapters/mailwizz/answer';
import { behindDoor, createDoor, usualDoor } from '../../../src/adapters/mailwizz/door';

const good: ApiAnswer = { kind: 'answer', status: 200, body: {} };
const bad: ApiAnswer = { kind: 'unknown', reason: 'http_500' };
const call = { method: 'GET' as const, path: '/' };

function arrange() {
  const clock = { at: 1_000_000 };
  const notes: number[] = [];
  const door = createDoor(() => clock.at, (untilMs) => notes.push(untilMs), { ...usualDoor, waitMs: 500 });
  const pass = async (answer: ApiAnswer) => {
    const closed = await door.enter();
    if (!closed) door.leave(answer);
    return closed;
  };
  const times = async (count: number, answer: ApiAnswer) => {
    let passed = 0;
    for (let done = 0; done < count; done += 1) if (!(await pass(answer))) passed += 1;
    return passed;
  };
  return { clock, notes, door, pass, times };
}

test('it shuts at half of the last 20 calls failing, and not before', async () => {
  const { door, times } = arrange();
  for (let round = 0; round < 9; round += 1) {
    await times(1, bad);
    await times(1, good);
  }
  expect(door.state()).toBe('open');
  await times(1, bad);
  expect(door.state()).toBe('shut');
});

test('while everything fails, at most one call passes in 30 seconds', async () => {
  const { clock, times } = arrange();
  expect(await times(50, bad)).toBe(10);
  let passed = 0;
  for (let second = 0; second < 900; second += 1) {
    clock.at += 1_000;
    passed += await times(5, bad);
  }
  expect(passed).toBeLessThanOrEqual(30);
});

test('one probe at a time: who comes meanwhile waits for its verdict', async () => {
  const { clock, door, times } = arrange();
  await times(10, bad);
  clock.at += 30_000;
  expect(await door.enter()).toBeUndefined();
  const second = door.enter();
  door.leave(bad);
  expect(await second).toEqual({ kind: 'nothing', reason: 'api_resting' });
});

test('whoever waits at the door until it is too late is not let in, and does not hold a place', async () => {
  const { clock, door } = arrange();
  for (let place = 0; place < 4; place += 1) expect(await door.enter()).toBeUndefined();
  const late = door.enter(undefined, clock.at + 20_000);
  clock.at += 20_000;
  door.leave(good);
  expect(await late).toEqual({ kind: 'limited', reason: 'window_over', retryAfterMs: 0 });
  expect(await door.enter()).toBeUndefined();
});

test('the way back takes several good calls, one by one, and a bad one among them shuts again', async () => {
  const { clock, door, times } = arrange();
  await times(10, bad);
  clock.at += 30_000;
  await times(2, good);
  expect(door.state()).toBe('probing');
  await times(1, bad);
  expect(door.state()).toBe('shut');
  clock.at += 30_000;
  await times(3, good);
  expect(door.state()).toBe('open');
});

test('good answers of calls that were inside when it shut do not open it', async () => {
  const { door, times } = arrange();
  for (let inside = 0; inside < 3; inside += 1) await door.enter();
  await times(10, bad);
  for (let inside = 0; inside < 3; inside += 1) door.leave(good);
  expect(door.state()).toBe('shut');
});

test('nobody listening is tried again after 2 seconds, then ever later, up to 30', async () => {
  const { clock, times } = arrange();
  const passed: number[] = [];
  for (let second = 0; second < 120; second += 1) {
    if ((await times(1, { kind: 'nothing', reason: 'econnrefused' })) === 1) passed.push(second);
    clock.at += 1_000;
  }
  expect(passed).toEqual([0, 2, 6, 14, 30, 60, 90]);
});

test('a call that was called off counts neither way', async () => {
  const { door, times } = arrange();
  await times(30, { kind: 'unknown', reason: 'cancelled' });
  expect(door.state()).toBe('open');
});

test('a wait that is asked for holds for all, is told to the other workers, and theirs holds here', async () => {
  const { clock, notes, door, pass } = arrange();
  await pass({ kind: 'limited', reason: 'rate_limited', retryAfterMs: 7_000 });
  expect(notes).toEqual([clock.at + 7_000]);
  expect(await pass(good)).toEqual({ kind: 'limited', reason: 'rate_limited', retryAfterMs: 7_000 });
  clock.at += 7_000;
  door.rest(clock.at + 3_000);
  expect(await pass(good)).toMatchObject({ kind: 'limited', retryAfterMs: 3_000 });
});

test('after a denial nobody asks for a second, and a parked instance is not asked at all', async () => {
  const { clock, door, pass } = arrange();
  await pass({ kind: 'refused', reason: 'key_invalid' });
  expect(await pass(good)).toEqual({ kind: 'refused', reason: 'key_invalid' });
  clock.at += 1_000;
  expect(await pass(good)).toBeUndefined();
  door.park(true);
  clock.at += 86_400_000;
  expect(await pass(good)).toEqual({ kind: 'refused', reason: 'parked' });
  door.park(false);
  expect(await pass(good)).toBeUndefined();
});

test('the late denial of a call that was inside when the instance was parked does not lift the order', async () => {
  const { clock, door, pass } = arrange();
  await door.enter();
  door.park(true);
  door.leave({ kind: 'refused', reason: 'key_invalid' });
  clock.at += 86_400_000;
  expect(await pass(good)).toEqual({ kind: 'refused', reason: 'parked' });
  door.park(false);
  expect(await pass(good)).toBeUndefined();
});

test('four calls are inside at most, and the others come in as these leave', async () => {
  const { door } = arrange();
  const answers: (() => void)[] = [];
  let most = 0;
  const api = behindDoor({ request: () => new Promise((resolve) => { answers.push(() => resolve(good)); most = Math.max(most, answers.length); }) }, door);
  const all = Promise.all(Array.from({ length: 20 }, () => api.request(call)));
  for (let done = 0; done < 20; done += 1) {
    while (answers.length === 0) await new Promise(setImmediate);
    expect(answers.length).toBeLessThanOrEqual(4);
    answers.shift()!();
    await new Promise(setImmediate);
  }
  expect((await all).every(({ kind }) => kind === 'answer')).toBe(true);
  expect(most).toBe(4);
});

test('who waits too long for a turn has surely done nothing', async () => {
  const { door } = arrange();
  for (let inside = 0; inside < 4; inside += 1) await door.enter();
  expect(await door.enter()).toEqual({ kind: 'nothing', reason: 'api_busy' });
});
