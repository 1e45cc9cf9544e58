import type { Client } from '@temporalio/client';
import type { Db } from '../../db/client';
import { findOpenRuns, requeueBatches } from '../../db/queries/batches';

/** A younger run may be about to start. */
const settledMs = 10_000;
const runsPerLook = 200;

/**
 * Open batches whose workflow is gone (the store of Temporal was lost, or the run failed) go back into the queue: Postgres is the truth, Temporal holds
 * only what can be made again. Answers how many.
 */
export async function requeueLostRuns({ db, client }: { db: Db; client: Client }): Promise<number> {
  let requeued = 0;
  for (let afterBatchId = 0; ; ) {
    const open = await findOpenRuns(db, { olderThanMs: settledMs, limit: runsPerLook, afterBatchId });
    if (open.length === 0) return requeued;
    for (const run of open) {
      const alive = run.workflow_id !== null && (await isRunning(client, run.workflow_id));
      if (!alive) requeued += await requeueBatches(db, run.batch_ids);
      afterBatchId = Math.max(afterBatchId, ...run.batch_ids);
    }
  }
}

async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
    throw error;
  }
}
