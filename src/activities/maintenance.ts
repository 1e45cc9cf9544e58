import { failStaleUploads, makePartitions, refreshSourceTotals, reopenLeftRows, requeueBatches } from '../../db/queries/batches';
import type { SweepKind } from '../domain/batch';
import type { Deps } from './deps';

/** An upload older than this has been given up by its sender. */
const staleUploadMs = 3_600_000;
const rowsPerSweep = 10_000;

export const createMaintenanceActivities = ({ db, log }: Pick<Deps, 'db' | 'log'>) => ({
  /** Finds what finished runs left behind and queues it again; the relay does the rest. Safe to repeat. */
  async sweep({ kind }: { kind: SweepKind }): Promise<{ requeued: number }> {
    if (kind === 'statistics') {
      await makePartitions(db);
      await failStaleUploads(db, staleUploadMs);
      await refreshSourceTotals(db);
      return { requeued: 0 };
    }
    const requeued = await requeueBatches(db, await reopenLeftRows(db, { stage: kind, limit: rowsPerSweep }));
    if (requeued > 0) log.info({ kind, left: requeued }, 'sweep queued batches again');
    return { requeued };
  },
});
