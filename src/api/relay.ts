import type { Db } from '../../db/client';
import { claimWaitingRuns } from '../../db/queries/batches';
import { className } from '../domain/errors';
import type { Log } from '../log';
import type { BatchStarter, Run } from './batch-start';
import { codeOf } from './errors';

const lookEveryMs = 300;
/** A starter that dies holds its batches no longer than this. */
const holdMs = 15_000;
const batchesPerLook = 2_000;
/** Runs in flight at the server: more would only queue there. */
const startsAtOnce = 4;

/**
 * Starts the workflows of batches that wait in the outbox: those whose caller did not wait, and those whose start failed. The workflow itself takes
 * its batches out of the outbox, so a start that was lost is simply repeated. Any number of relays may run.
 */
export function startRelay({ db, starter, log }: { db: Db; starter: BatchStarter; log: Log }): { stop: () => Promise<void> } {
  let stopping = false;
  let wake: () => void = () => undefined;
  const done = loop();

  return {
    async stop() {
      stopping = true;
      wake();
      await done;
    },
  };

  async function loop(): Promise<void> {
    while (!stopping) {
      const started = await relayOnce().catch((error: unknown) => {
        log.warn({ error: className(error) }, 'outbox could not be relayed; it is tried again');
        return 0;
      });
      if (started === 0) await pause(lookEveryMs);
    }
  }

  async function relayOnce(): Promise<number> {
    const runs = await claimWaitingRuns(db, { limit: batchesPerLook, holdMs });
    for (let from = 0; from < runs.length && !stopping; from += startsAtOnce) {
      await Promise.all(runs.slice(from, from + startsAtOnce).map(start));
    }
    return runs.length;
  }

  /** One that cannot be started stays in the outbox, and holds nobody behind it. */
  async function start(run: Run): Promise<void> {
    await starter.start(run).catch((error: unknown) => log.warn({ batchId: run.firstBatchId, error: className(error), code: codeOf(error) }, 'a run could not be started; it is tried again'));
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
