import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { SweepKind } from './domain/batch';
import { sweepWorkflowId } from './domain/batch';
import type * as workflows from './workflows';

/** Specification 8: every hour, as the upper bound of how long anything stays behind. The minutes keep them apart. */
const sweeps: { kind: SweepKind; minute: number }[] = [
  { kind: 'validation', minute: 5 },
  { kind: 'injection', minute: 25 },
  { kind: 'statistics', minute: 45 },
];

/**
 * Makes the schedules that are missing; those that exist stay as an operator left them. A new one runs at once: when all were missing, the store of
 * Temporal is new, and open batches may have lost their runs with the old one.
 */
export async function ensureSchedules(client: Client, taskQueue: string): Promise<void> {
  for (const { kind, minute } of sweeps) {
    await client.schedule
      .create({
        scheduleId: sweepWorkflowId(kind),
        spec: { calendars: [{ hour: '*', minute, comment: `${kind} sweep, every hour` }] },
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' },
        state: { triggerImmediately: true },
        action: { type: 'startWorkflow', workflowType: 'sweep' satisfies keyof typeof workflows, workflowId: sweepWorkflowId(kind), taskQueue, args: [{ kind }] },
      })
      .catch((error: unknown) => {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      });
  }
}

