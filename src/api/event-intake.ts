import type { MailEvent } from '../domain/mail-event';
import { className, EngineError } from '../domain/errors';
import type { Log } from '../log';
import { codeOf } from './errors';

/** One commit carries at most this many events, or one larger call; all that wait is bounded too: beyond it callers come again. */
const eventsPerCommit = 1_000;
const waitingEvents = 20_000;

export type EventIntake = { accept: (events: MailEvent[]) => Promise<void>; waiting: () => number };

type Queued = { events: MailEvent[]; resolve: () => void; reject: (error: unknown) => void };

/**
 * Many calls, one commit, each answered after it. One commit at a time: it locks the same figures as the next, and while it is under way the calls that
 * come are gathered, so the load itself makes the commits large.
 */
export function createEventIntake({ store, log }: { store: (events: MailEvent[]) => Promise<unknown>; log: Log }): EventIntake {
  const queue: Queued[] = [];
  let waiting = 0;
  let committing = false;

  return { accept, waiting: () => waiting };

  function accept(events: MailEvent[]): Promise<void> {
    if (waiting > 0 && waiting + events.length > waitingEvents) {
      throw new EngineError('busy', 'event queue is full', { retryAfterMs: 1_000, publicMessage: 'Too many events are waiting to be stored. Send it again.' });
    }
    return new Promise((resolve, reject) => {
      queue.push({ events, resolve, reject });
      waiting += events.length;
      if (!committing) setImmediate(commitNext); // calls that came with the same turn of the loop share the commit
    });
  }

  function commitNext(): void {
    if (committing || queue.length === 0) return;
    const calls = takeCalls();
    committing = true;
    void commit(calls).finally(() => {
      committing = false;
      commitNext();
    });
  }

  function takeCalls(): Queued[] {
    let events = 0;
    let count = 0;
    for (const call of queue) {
      if (count > 0 && events + call.events.length > eventsPerCommit) break;
      events += call.events.length;
      count += 1;
    }
    return queue.splice(0, count);
  }

  async function commit(calls: Queued[]): Promise<void> {
    try {
      await store(calls.flatMap((call) => call.events));
      settle(calls, undefined);
    } catch (error) {
      // What one call brought may be what Postgres refuses (class 22 and 23): the others do not suffer for it.
      if (calls.length > 1 && /^2[23]/.test(codeOf(error))) {
        for (const call of calls) await commit([call]);
        return;
      }
      log.warn({ error: className(error), code: codeOf(error), count: calls.length }, 'events could not be stored; their senders are told');
      settle(calls, error);
    }
  }

  function settle(calls: Queued[], error: unknown): void {
    for (const { events, resolve, reject } of calls) {
      waiting -= events.length;
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}
