import { windowOver } from './answer';
import type { Calls } from './calls';
import type { Called } from './calls/called';
import type { Api } from './api';
import type { Instance } from './instances';

export type MailwizzLog = { warn: (facts: object, message: string) => void };

/** What the work on one page needs: where it goes, and until when it may start calls. */
export type Way = {
  instance: Instance;
  /** Those of the instance, none of which is let in after `untilMs`: who waits at the door would else start late. */
  api: Api;
  calls: Calls;
  listUid: string;
  /** The tags that the list has. */
  known: ReadonlySet<string>;
  /** No call starts later; by `now`, a clock that a sleeping worker finds moved on. */
  untilMs: number;
  now: () => number;
  signal: AbortSignal | undefined;
  log: MailwizzLog | undefined;
};

/** Longer rests than this are not waited out within a page: its contacts wait in the ledger. */
const patienceMs = 5_000;
const restsAtMost = 8;
/** Spread, so that all who waited do not come in one moment. */
const spreadMs = 200;

/** One call, and once more after each short rest that the instance asks for, while there is time. A limited call has surely done nothing. */
export async function callWithin<T>(way: Way, call: () => Promise<Called<T>>): Promise<Called<T>> {
  for (let rests = 0; ; rests += 1) {
    if (way.now() >= way.untilMs) return windowOver;
    const called = await call();
    if (
      called.kind !== 'limited' ||
      rests >= restsAtMost ||
      called.retryAfterMs > patienceMs ||
      way.now() + called.retryAfterMs >= way.untilMs
    )
      return called;
    await pause(called.retryAfterMs + Math.random() * spreadMs, way.signal);
    if (way.signal?.aborted) return { kind: 'nothing', reason: 'cancelled' };
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
