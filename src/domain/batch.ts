/** `uploading`: a stream that has not ended; nothing of it was answered with 202 yet. */
export const batchStates = ['uploading', 'received', 'running', 'completed', 'failed'] as const;
export type BatchState = (typeof batchStates)[number];

/** What ingest made of a row: received = accepted + duplicate + rejected. */
export const rowOutcomes = ['accepted', 'duplicate', 'rejected'] as const;
export type RowOutcome = (typeof rowOutcomes)[number];

/** What became of an accepted row in the end; none yet means in flight. */
export const rowFates = ['injected', 'invalid', 'suppressed', 'unroutable', 'failed'] as const;
export type RowFate = (typeof rowFates)[number];

/** Every figure of a batch. accepted = injected + invalid + suppressed + unroutable + failed + waiting. */
export type BatchCounts = {
  received: number;
  accepted: number;
  duplicates: number;
  rejected: number;
  injected: number;
  invalid: number;
  suppressed: number;
  unroutable: number;
  failed: number;
  waiting: number;
};

export const noCounts: BatchCounts = {
  received: 0,
  accepted: 0,
  duplicates: 0,
  rejected: 0,
  injected: 0,
  invalid: 0,
  suppressed: 0,
  unroutable: 0,
  failed: 0,
  waiting: 0,
};

/** A slice of the accepted contacts of one run: contact ids in (afterContactId, throughContactId]. */
export type PageRange = { batchIds: number[]; afterContactId: number; throughContactId: number };

export type ContactBatchInput = { batchIds: number[]; carried?: BatchProgress };

/** All a run carries from one execution to the next. */
export type BatchProgress = {
  ingested: boolean;
  /** Another run was first to open the batches. */
  left: boolean;
  afterContactId: number;
  pagesDone: number;
  counts: BatchCounts;
};

export const freshProgress = (): BatchProgress => ({
  ingested: false,
  left: false,
  afterContactId: 0,
  pagesDone: 0,
  counts: { ...noCounts },
});

export const batchWorkflowId = (batchId: string) => `batch:${batchId}`;

/** A readable id with one-second time and six random characters: batch-20260216-100000-k3x9qa. */
export function newBatchId(at: Date, random: string): string {
  const digits = at.toISOString().replace(/[-:]/g, '');
  return `batch-${digits.slice(0, 8)}-${digits.slice(9, 15)}-${random}`;
}

/** An open upload says that it lives every half minute: one that has not for so long lost its process, and its Idempotency-Key is free. */
export const uploadBeatMs = 30_000;
export const uploadLostMs = 300_000;

/** Names shared by the workflow and those who talk to it. */
export const batchMessages = { ingestDone: 'ingestDone', progress: 'progress' } as const;

/** An activity costs about 23 ms whatever its size (temporal.md 6.3), so pages are large; what talks to the outside splits them again. */
export const pageSize = 2000;
export const pagesInFlight = 3;
/** About 30 events a page: 60 pages stay below the 2,000 events that replay in about a second. */
export const pagesPerRun = 60;
/** A row larger than this is kept by its first characters only and rejected (reliability.md 2.5, D7). */
export const maxRowBytes = 64 * 1024;
/** Rows judged and stored in one transaction. */
export const rowsAtOnce = 2000;
/** Small batches of one source that wait together may share one run, up to these limits. */
export const batchesPerRun = 500;
export const rowsPerSharedRun = 10_000;
/** Rows whose waits are used up are left to the hourly sweep: `retry_at` is then this. */
export const leftToSweep = 'infinity';

/** Dialogues with mail servers take minutes: on slots of their own they hold no other step of any source. */
export const verificationQueue = (taskQueue: string) => `${taskQueue}:verification`;

export type SweepKind = 'validation' | 'injection' | 'statistics';
export const sweepWorkflowId = (kind: SweepKind) => `sweep:${kind}`;
export const reconcileWorkflowId = (instanceId?: string) => (instanceId === undefined ? 'reconcile' : `reconcile:${instanceId}`);

/** Everything of a batch must be somewhere: what is neither counted nor open would be lost. */
export const waitingOf = (counts: Omit<BatchCounts, 'waiting'>) =>
  counts.accepted - counts.injected - counts.invalid - counts.suppressed - counts.unroutable - counts.failed;
