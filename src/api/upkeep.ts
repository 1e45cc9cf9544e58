import { className } from '../domain/errors';
import type { Log } from '../log';
import { codeOf } from './errors';

const lookAgainMs = 20_000;
const temporalAwayMs = 3_000;

export type UpkeepDeps = {
  /** Does the store of Temporal know us: our schedules, our search attributes? */
  isPrepared: () => Promise<boolean>;
  prepare: () => Promise<void>;
  requeueLostRuns: () => Promise<number>;
  log: Log;
};

/** Temporal may come later than we do, or come back with an empty store: what it must know of us and the open runs are looked at again and again. */
export function startUpkeep({ isPrepared, prepare, requeueLostRuns, log }: UpkeepDeps): { stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  // What an earlier version of ours prepared may lack something: the first look makes everything that is missing.
  let prepared = false;
  void run();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };

  async function run(): Promise<void> {
    const nextMs = await look().catch((error: unknown) => {
      log.info({ error: className(error), code: codeOf(error) }, 'schedules and open runs wait for Temporal');
      return temporalAwayMs;
    });
    if (!stopped) timer = setTimeout(() => void run(), nextMs);
  }

  async function look(): Promise<number> {
    if (!prepared || !(await isPrepared())) await prepare();
    prepared = true;
    const lost = await requeueLostRuns();
    if (lost > 0) log.warn({ lost }, 'batches without a run were queued again');
    return lookAgainMs;
  }
}
