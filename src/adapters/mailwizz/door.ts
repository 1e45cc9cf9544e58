import { type ApiAnswer, type Trouble, windowOver } from './answer';
import { type Api, callsAtOnce } from './api';

/** When a door shuts, and how it opens again. */
export type DoorSettings = {
  /** It shuts when `failuresToShut` of the last `window` calls failed. */
  window: number;
  failuresToShut: number;
  /** After that, one call per `probeEveryMs` tries; one that could not connect is tried again sooner at first, as nobody is bothered by it. */
  probeEveryMs: number;
  firstRestMs: number;
  /** So many good calls, one by one, open it wholly: one good answer of a server that is just coming up proves little. */
  goodCallsToOpen: number;
  /** After a denial nobody asks for a moment: long enough for the park order to be written. */
  refusedRestMs: number;
  /** How long a call waits for its turn. */
  waitMs: number;
};
export const usualDoor: DoorSettings = {
  window: 20,
  failuresToShut: 10,
  probeEveryMs: 30_000,
  firstRestMs: 2_000,
  goodCallsToOpen: 3,
  refusedRestMs: 1_000,
  waitMs: 30_000,
};

export type DoorState = 'open' | 'probing' | 'shut' | 'resting' | 'refused';
export type Door = ReturnType<typeof createDoor>;

/** One per instance, passed by every call: limits how many are inside, and shuts while the instance fails, denies us or asks us to wait. */
export function createDoor(now: () => number, noteRest: (untilMs: number) => void, settings: DoorSettings = usualDoor) {
  const recent: boolean[] = [];
  let shut: { probeAt: number; restMs: number; goodCalls: number } | undefined;
  let restUntil = 0;
  let refused: { until: number; reason: string } | undefined;
  let inside = 0;
  let waiting: (() => void)[] = [];

  return { enter, leave, rest, park, state };

  /**
   * Undefined: come in, and `leave` afterwards. Else why not. Who has to wait for the probe is let in after it, or sent away with it; nobody is let in
   * after `untilMs`.
   */
  async function enter(signal?: AbortSignal, untilMs = Number.POSITIVE_INFINITY): Promise<Trouble | undefined> {
    const deadline = performance.now() + settings.waitMs;
    for (;;) {
      if (signal?.aborted) return { kind: 'nothing', reason: 'cancelled' };
      if (now() >= untilMs) return windowOver;
      const closed = whyShut();
      if (closed) return closed;
      if (inside < (shut ? 1 : callsAtOnce)) break;
      if (performance.now() >= deadline) return { kind: 'nothing', reason: 'api_busy' };
      await turn(Math.min(deadline - performance.now(), Math.max(0, untilMs - now())));
    }
    inside += 1;
    return undefined;
  }

  function leave(answer: ApiAnswer): void {
    inside -= 1;
    note(answer);
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  }

  function whyShut(): Trouble | undefined {
    if (refused && refused.until > now()) return { kind: 'refused', reason: refused.reason };
    if (restUntil > now()) return { kind: 'limited', reason: 'rate_limited', retryAfterMs: restUntil - now() };
    return shut && shut.probeAt > now() ? { kind: 'nothing', reason: 'api_resting' } : undefined;
  }

  function note(answer: ApiAnswer): void {
    // The answer of a call that was inside when the park order came must not lift it.
    if (answer.kind === 'refused' && !parked()) refused = { until: now() + settings.refusedRestMs, reason: answer.reason };
    if ('retryAfterMs' in answer && answer.retryAfterMs !== undefined) {
      rest(now() + answer.retryAfterMs);
      noteRest(restUntil);
    }
    if ('reason' in answer && answer.reason === 'cancelled') return;
    // Who denies us or asks us to wait is well: neither good nor bad.
    if (answer.kind === 'answer') noteGood();
    else if (answer.kind === 'nothing' || answer.kind === 'unknown') noteBad(answer.kind === 'nothing');
  }

  // Calls that were inside when it shut say nothing about now: only a probe does.
  function probing(): boolean {
    return shut !== undefined && shut.probeAt <= now();
  }

  function noteGood(): void {
    remember(true);
    if (!shut || !probing()) return;
    shut.goodCalls += 1;
    if (shut.goodCalls < settings.goodCallsToOpen) return;
    shut = undefined;
    recent.length = 0;
  }

  function noteBad(notConnected: boolean): void {
    remember(false);
    if (shut && !probing()) return;
    const failing = recent.filter((good) => !good).length >= settings.failuresToShut;
    if (!shut && !failing && !notConnected) return;
    const restMs = failing ? settings.probeEveryMs : Math.min(settings.probeEveryMs, shut ? shut.restMs * 2 : settings.firstRestMs);
    shut = { probeAt: now() + restMs, restMs, goodCalls: 0 };
  }

  function remember(good: boolean): void {
    recent.push(good);
    if (recent.length > settings.window) recent.shift();
  }

  /** Also told by other workers: nobody calls before that. */
  function rest(untilMs: number): void {
    restUntil = Math.max(restUntil, untilMs);
  }

  /** The word of the operator's table, over all workers: a parked instance is not asked; a replaced key starts anew. */
  function park(order: boolean): void {
    if (order) refused = { until: Number.POSITIVE_INFINITY, reason: 'parked' };
    else if (parked()) refused = undefined;
  }

  function parked(): boolean {
    return refused?.until === Number.POSITIVE_INFINITY;
  }

  function state(): DoorState {
    const closed = whyShut();
    if (closed) return closed.kind === 'refused' ? 'refused' : closed.kind === 'limited' ? 'resting' : 'shut';
    return shut ? 'probing' : 'open';
  }

  function turn(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** The same calls, each through the door, and none later than `untilMs`. */
export const behindDoor = (api: Api, door: Door, untilMs?: number): Api => ({
  async request(call) {
    const closed = await door.enter(call.signal, untilMs);
    if (closed) return closed;
    const answer = await api.request(call);
    door.leave(answer);
    return answer;
  },
});
