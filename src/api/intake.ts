import { randomInt } from 'node:crypto';
import type { Pool } from 'pg';
import type { Db } from '../../db/client';
import { countBatches } from '../../db/queries/ingest';
import { appendRows, failUpload, finishUpload, type NewBatch, openUpload, type StoredBatch, storeBatches } from '../../db/queries/intake';
import { findBatchForReplay } from '../../db/queries/batches';
import type { BatchCounts } from '../domain/batch';
import { newBatchId } from '../domain/batch';
import { EngineError } from '../domain/errors';
import type { BatchStarter } from './batch-start';
import type { Accepted, Intake, IntakeInput } from './intake-types';

/** One commit carries at most this many calls and rows; the queue beyond it is bounded too. */
const callsPerCommit = 256;
const rowsPerCommit = 10_000;
const waitingCalls = 5_000;
const waitingRows = 200_000;
/** Commits side by side: while one waits for the disk, the next is built. */
const commitsAtOnce = 3;
/** Callers that wait for their counts; the others are answered at once and their batches share runs. */
const waitersAtOnce = 8;

type Queued = { batch: NewBatch; resolve: (stored: StoredBatch) => void; reject: (error: unknown) => void };

/** Takes batches in: many calls, one commit, each answered after it. */
export function createIntake(deps: { pool: Pool; db: Db; starter: BatchStarter; ingestWaitMs: number; now: () => Date }): Intake {
  const queue: Queued[] = [];
  let queuedRows = 0;
  let commits = 0;
  let waiters = 0;

  return { accept, openStream };

  async function accept(input: IntakeInput & { rows: string[]; wait: boolean }): Promise<Accepted> {
    const inline = input.wait && waiters < waitersAtOnce;
    if (inline) waiters += 1;
    try {
      const batch = toBatch(input, input.rows, inline);
      const stored = await store(batch);
      if (stored.state !== 'stored') return await answerEarlier(stored, input);
      const counts = inline ? await startAndWait(stored.id, batch) : undefined;
      return { batchId: batch.batchId, received: input.rows.length, replayed: false, ...(counts && { counts }) };
    } finally {
      if (inline) waiters -= 1;
    }
  }

  async function openStream(input: IntakeInput) {
    const batch = toBatch(input, [], true);
    const stored = await openUpload(deps.pool, batch);
    if (stored.state !== 'stored') {
      const earlier = await answerEarlier(stored, input);
      throw new EngineError('conflict', `batch ${earlier.batchId} was made with this key`, {
        publicMessage: `This Idempotency-Key was used before, for batch ${earlier.batchId}.`,
      });
    }
    let received = 0;
    return {
      batchId: batch.batchId,
      async append(rows: string[]) {
        await appendRows(deps.pool, { id: stored.id, firstRow: received + 1, rows });
        received += rows.length;
      },
      async finish() {
        await finishUpload(deps.pool, { id: stored.id, received });
        const counts = await startAndWait(stored.id, batch);
        return { received, ...(counts && { counts }) };
      },
      abort: () => failUpload(deps.pool, stored.id),
    };
  }

  function toBatch(input: IntakeInput, rows: string[], inline: boolean): NewBatch {
    return {
      batchId: newBatchId(deps.now(), randomSuffix()),
      sourceId: input.sourceId,
      sourceConfig: input.sourceConfig,
      callerKeyId: input.caller.keyId,
      idempotencyKey: input.idempotencyKey,
      bodyHash: input.bodyHash,
      rows,
      inline,
    };
  }

  function startAndWait(id: number, batch: NewBatch): Promise<BatchCounts | undefined> {
    return deps.starter.startAndWait({ batchIds: [id], firstBatchId: batch.batchId, sourceId: batch.sourceId }, deps.ingestWaitMs);
  }

  function store(batch: NewBatch): Promise<StoredBatch> {
    if (queue.length >= waitingCalls || queuedRows + batch.rows.length > waitingRows) {
      throw new EngineError('rateLimited', 'intake queue is full', { retryAfterMs: 1_000, publicMessage: 'Too many contacts are waiting to be stored.' });
    }
    return new Promise((resolve, reject) => {
      queue.push({ batch, resolve, reject });
      queuedRows += batch.rows.length;
      setImmediate(commitNext); // calls that came with the same turn of the loop share the commit
    });
  }

  function commitNext(): void {
    if (commits >= commitsAtOnce || queue.length === 0) return;
    const calls = takeCalls();
    commits += 1;
    void storeBatches(deps.pool, calls.map((call) => call.batch))
      .then(
        (stored) => calls.forEach((call, index) => settle(call, stored[index])),
        (error: unknown) => calls.forEach((call) => call.reject(error)),
      )
      .finally(() => {
        commits -= 1;
        commitNext();
      });
  }

  function takeCalls(): Queued[] {
    let rows = 0;
    let count = 0;
    // One key twice in one statement would not see itself: the second waits for the next commit.
    const keys = new Set<string>();
    for (const { batch } of queue) {
      const key = batch.idempotencyKey === undefined ? undefined : `${batch.callerKeyId} ${batch.idempotencyKey}`;
      if (count > 0 && (count >= callsPerCommit || rows + batch.rows.length > rowsPerCommit || (key !== undefined && keys.has(key)))) break;
      if (key !== undefined) keys.add(key);
      rows += batch.rows.length;
      count += 1;
    }
    queuedRows -= rows;
    return queue.splice(0, count);
  }

  async function answerEarlier(stored: Exclude<StoredBatch, { state: 'stored' }>, input: IntakeInput): Promise<Accepted> {
    if (stored.state === 'no_source') {
      const message = `There is no data source ${input.sourceId}.`;
      throw new EngineError('invalid', 'unknown source', { publicMessage: message, fields: [{ field: 'source_id', reason: 'unknown_source', message }] });
    }
    if (stored.state === 'inactive') throw new EngineError('conflict', 'inactive source', { publicMessage: `Data source ${input.sourceId} is not active.` });
    if (!stored.sameBody) {
      const message = 'This Idempotency-Key was used before with another body.';
      throw new EngineError('invalid', 'key with another body', { publicMessage: message, fields: [{ field: 'Idempotency-Key', reason: 'key_reused', message }] });
    }
    const earlier = await findBatchForReplay(deps.db, stored.batchId);
    if (earlier?.ingested !== true) return { batchId: stored.batchId, received: stored.received, replayed: true };
    return { batchId: stored.batchId, received: stored.received, replayed: true, counts: await countBatches(deps.db, [earlier.id]) };
  }
}

function settle(call: Queued, stored: StoredBatch | undefined): void {
  if (stored) call.resolve(stored);
  else call.reject(new Error('a commit without an answer for one of its calls'));
}

const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
const randomSuffix = () => Array.from({ length: 8 }, () => letters[randomInt(letters.length)] ?? 'a').join('');
