import { heartbeat } from '@temporalio/activity';
import { failStaleUploads, findOpenRuns, makePartitions, refreshSourceTotals, reopenLeftRows, requeueBatches } from '../../db/queries/batches';
import type { SweepKind } from '../domain/batch';
import type { Deps } from './deps';

/** A run younger than this may be about to start; an upload older than the other has been given up by its sender. */
const settledMs = 30_000;
const staleUploadMs = 3_600_000;
const runsPerLook = 200;
const rowsPerSweep = 10_000;

export const createMaintenanceActivities = ({ db, runs, log }: Deps) => {
  /** Open batches whose workflow is gone (its store was lost, or it failed) go back into the queue. */
  async function requeueLostRuns(): Promise<number> {
    let requeued = 0;
    let afterBatchId = 0;
    for (;;) {
      const open = await findOpenRuns(db, { olderThanMs: settledMs, limit: runsPerLook, afterBatchId });
      if (open.length === 0) return requeued;
      for (const run of open) {
        const alive = run.workflow_id !== null && (await runs.isRunning(run.workflow_id));
        if (!alive) requeued += await requeueBatches(db, run.batch_ids);
        afterBatchId = Math.max(afterBatchId, ...run.batch_ids);
        heartbeat();
      }
    }
  }

  return {
    /** Finds what was left behind and queues it again; the relay does the rest. Safe to repeat. */
    async sweep({ kind }: { kind: SweepKind }): Promise<{ requeued: number }> {
      if (kind === 'statistics') {
        await makePartitions(db);
        await failStaleUploads(db, staleUploadMs);
        await refreshSourceTotals(db);
        return { requeued: 0 };
      }
      const lost = await requeueLostRuns();
      const left = await requeueBatches(db, await reopenLeftRows(db, { stage: kind, limit: rowsPerSweep }));
      if (lost + left > 0) log.info({ kind, lost, left }, 'sweep queued batches again');
      return { requeued: lost + left };
    },
  };
};
