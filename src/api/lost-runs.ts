import type { Client } from '@temporalio/client';
import type { Db } from '../../db/client';
import { findOpenRuns, requeueLostBatches } from '../../db/queries/batches';
import { withinLimit } from './time-limit';

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
      const state = run.workflow_id === null ? 'NOT_FOUND' : await stateOf(client, run.workflow_id);
      if (state !== 'RUNNING') requeued += await requeueLostBatches(db, { batchIds: run.batch_ids, error: `run_${state.toLowerCase()}` });
      afterBatchId = Math.max(afterBatchId, ...run.batch_ids);
    }
  }
}

async function stateOf(client: Client, workflowId: string): Promise<string> {
  try {
    return (await withinLimit(client, () => client.workflow.getHandle(workflowId).describe())).status.name;
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return 'NOT_FOUND';
    throw error;
  }
}
