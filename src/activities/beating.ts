import { heartbeat } from '@temporalio/activity';

/** A third of the heartbeat time-outs in workflows/proxies.ts. */
const everyMs = 5_000;

/** Beats while `work` goes on: a killed worker is noticed in seconds, a slow foreign system is given its time. */
export async function beating<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => heartbeat(), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
