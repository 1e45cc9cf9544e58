import { randomInt } from 'node:crypto';
import type { Pool } from 'pg';
import type { Db } from '../../db/client';
import { countBatches } from '../../db/queries/ingest';
import { appendRows, failUpload, finishUpload, type NewBatch, type NewRow, openUpload, type StoredBatch, storeBatches, touchUpload } from '../../db/queries/intake';
import { findBatchForReplay } from '../../db/queries/batches';
import type { BatchCounts } from '../domain/batch';
import { newBatchId, uploadBeatMs } from '../domain/batch';
import { EngineError } from '../domain/errors';
import type { BatchStarter } from './batch-start';
import type { Accepted, Intake, IntakeInput, Stream } from './intake-types';

/** One commit carries at most this much, or one larger call; the queue beyond it is bounded too. A character is one or two bytes of memory. */
const callsPerCommit = 256;
const rowsPerCommit = 10_000;
const charactersPerCommit = 16 << 20;
const waitingCalls = 5_000;
const waitingRows = 200_000;
const waitingCharacters = 128 << 20;
/** Commits side by side: while one waits for the disk, the next is built. */
const commitsAtOnce = 3;
/** Callers that wait for their counts; the others are answered at once and their batches share runs. */
const waitersAtOnce = 8;

type Queued = { batch: NewBatch; characters: number; resolve: (stored: StoredBatch) => void; reject: (error: unknown) => void };

/** Takes batches in: many calls, one commit, each answered after it. */
export function createIntake(deps: { pool: Pool; db: Db; starter: BatchStarter; ingestWaitMs: number; now: () => Date; beatMs?: number }): Intake {
  const beatMs = deps.beatMs ?? uploadBeatMs;
  const queue: Queued[] = [];
  let queuedRows = 0;
  let queuedCharacters = 0;
  let commits = 0;
  let waiters = 0;

  return { accept, openStream };

  async function accept(input: IntakeInput & { bodyHash: string | undefined; rows: string[]; wait: boolean }): Promise<Accepted> {
    const inline = input.wait && waiters < waitersAtOnce;
    if (inline) waiters += 1;
    try {
      const batch = toBatch(input, input.rows, inline, input.bodyHash);
      const stored = await withFreedKey(() => store(batch));
      if (stored.state !== 'stored') return await answerEarlier(findEarlier(stored, input), input.bodyHash);
      const counts = inline ? await startAndWait(stored.id, batch) : undefined;
      return { batchId: batch.batchId, received: input.rows.length, replayed: false, ...(counts && { counts }) };
    } finally {
      if (inline) waiters -= 1;
    }
  }

  async function openStream(input: IntakeInput): Promise<Stream> {
    const batch = toBatch(input, [], true, undefined);
    const stored = await withFreedKey(() => openUpload(deps.pool, batch));
    if (stored.state !== 'stored') {
      const earlier = findEarlier(stored, input);
      // Whether it is the same body is known when it has been read.
      return { append: () => Promise.resolve(), finish: ({ bodyHash }) => answerEarlier(earlier, bodyHash), abort: () => Promise.resolve() };
    }
    const { id } = stored;
    let received = 0;
    let rejected = 0;
    // One that fails is made up for by the next.
    const beat = setInterval(() => void touchUpload(deps.pool, id).catch(() => undefined), beatMs).unref();
    return {
      async append(rows: NewRow[]) {
        if (!(await appendRows(deps.pool, { id, firstRow: received + 1, rows }))) throw givenUp(batch.batchId);
        received += rows.length;
        rejected += rows.filter((row) => typeof row !== 'string').length;
      },
      async finish({ bodyHash, wait }) {
        clearInterval(beat);
        if (!(await finishUpload(deps.pool, { id, received, rejected, bodyHash, inline: wait }))) throw givenUp(batch.batchId);
        const counts = wait ? await startAndWait(id, batch) : undefined;
        return { batchId: batch.batchId, received, replayed: false, ...(counts && { counts }) };
      },
      async abort() {
        clearInterval(beat);
        await failUpload(deps.pool, id);
      },
    };
  }

  function toBatch(input: IntakeInput, rows: NewRow[], inline: boolean, bodyHash: string | undefined): NewBatch {
    return {
      batchId: newBatchId(deps.now(), randomSuffix()),
      sourceId: input.sourceId,
      sourceConfig: input.sourceConfig,
      callerKeyId: input.caller.keyId,
      idempotencyKey: input.idempotencyKey,
      bodyHash,
      rows,
      inline,
    };
  }

  function startAndWait(id: number, batch: NewBatch): Promise<BatchCounts | undefined> {
    return deps.starter.startAndWait({ batchIds: [id], firstBatchId: batch.batchId, sourceId: batch.sourceId }, deps.ingestWaitMs);
  }

  function store(batch: NewBatch): Promise<StoredBatch> {
    const characters = batch.rows.reduce((sum, row) => sum + (typeof row === 'string' ? row : row.payload).length, 0);
    if (queue.length >= waitingCalls || queuedRows + batch.rows.length > waitingRows || queuedCharacters + characters > waitingCharacters) {
      throw new EngineError('rateLimited', 'intake queue is full', { retryAfterMs: 1_000, publicMessage: 'Too many contacts are waiting to be stored.' });
    }
    return new Promise((resolve, reject) => {
      queue.push({ batch, characters, resolve, reject });
      queuedRows += batch.rows.length;
      queuedCharacters += characters;
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
    let characters = 0;
    let count = 0;
    // One key twice in one statement would not see itself: the second waits for the next commit.
    const keys = new Set<string>();
    for (const { batch, characters: more } of queue) {
      const key = batch.idempotencyKey === undefined ? undefined : `${batch.callerKeyId} ${batch.idempotencyKey}`;
      const isFull = count >= callsPerCommit || rows + batch.rows.length > rowsPerCommit || characters + more > charactersPerCommit;
      if (count > 0 && (isFull || (key !== undefined && keys.has(key)))) break;
      if (key !== undefined) keys.add(key);
      rows += batch.rows.length;
      characters += more;
      count += 1;
    }
    queuedRows -= rows;
    queuedCharacters -= characters;
    return queue.splice(0, count);
  }

  /** The same body gets the same answer, with the counts when there are any by now. */
  async function answerEarlier({ batchId, received, bodyHash }: Earlier, hash: string | undefined): Promise<Accepted> {
    if (bodyHash !== (hash ?? null)) {
      const message = 'This Idempotency-Key was used before with another body.';
      throw new EngineError('invalid', 'key with another body', { publicMessage: message, fields: [{ field: 'Idempotency-Key', reason: 'key_reused', message }] });
    }
    const earlier = await findBatchForReplay(deps.db, batchId);
    const counts = earlier?.ingested === true ? await countBatches(deps.db, [earlier.id]) : undefined;
    return { batchId, received, replayed: true, ...(counts && { counts }) };
  }
}

type Earlier = Extract<StoredBatch, { state: 'replayed' }>;

/** A key that turned out to be free is ours when we ask for it once more. */
async function withFreedKey(take: () => Promise<StoredBatch>): Promise<StoredBatch> {
  const stored = await take();
  return stored.state === 'key_freed' ? take() : stored;
}

/** The finished delivery that had the key before; everything else is a refusal. */
function findEarlier(stored: Exclude<StoredBatch, { state: 'stored' }>, { sourceId }: IntakeInput): Earlier {
  if (stored.state === 'no_source') {
    const message = `There is no data source ${sourceId}.`;
    throw new EngineError('invalid', 'unknown source', { publicMessage: message, fields: [{ field: 'source_id', reason: 'unknown_source', message }] });
  }
  if (stored.state === 'inactive') throw new EngineError('conflict', 'inactive source', { publicMessage: `Data source ${sourceId} is not active.` });
  if (stored.state === 'key_freed') throw new EngineError('unavailable', 'key freed', { publicMessage: 'The upload that had this Idempotency-Key was given up just now. Send it again.' });
  if (stored.uploading) throw new EngineError('conflict', 'key in flight', { publicMessage: `The upload with this Idempotency-Key, batch ${stored.batchId}, has not ended yet.` });
  return stored;
}

const givenUp = (batchId: string) =>
  new EngineError('unavailable', `upload ${batchId} was given up`, { publicMessage: 'The upload stood still for too long and was given up: nothing of it is accepted. Send it again.' });

function settle(call: Queued, stored: StoredBatch | undefined): void {
  if (stored) call.resolve(stored);
  else call.reject(new Error('a commit without an answer for one of its calls'));
}

const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
const randomSuffix = () => Array.from({ length: 8 }, () => letters[randomInt(letters.length)] ?? 'a').join('');
