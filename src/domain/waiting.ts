/** Why a contact comes back later; each kind has its own list of waits. */
export const waitKinds = ['greylist', 'busy', 'dns', 'provider', 'pool'] as const;
export type WaitKind = (typeof waitKinds)[number];
export type Waits = Record<WaitKind, number[]>;

/** Undefined when the waits are used up. A wait that the server stated wins over a shorter one of ours. */
export function nextWaitMs(waits: Waits, kind: WaitKind, attempt: number, statedMs = 0): number | undefined {
  const wait = waits[kind][attempt];
  return wait === undefined ? undefined : Math.max(wait, Math.min(statedMs, 6 * 3_600_000));
}

/** Due times are rounded up to a bucket, so that one timer serves all contacts of the bucket. */
export const toDueBucket = (dueAtMs: number, bucketMs: number) => Math.ceil(dueAtMs / bucketMs) * bucketMs;
