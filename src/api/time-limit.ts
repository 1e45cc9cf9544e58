import type { Client } from '@temporalio/client';

/** A call to Temporal takes milliseconds. Without a limit of ours its client tries for twenty seconds. */
const callLimitMs = 5_000;

export const withinLimit = <T>(client: Client, call: () => Promise<T>): Promise<T> => client.withDeadline(Date.now() + callLimitMs, call);
