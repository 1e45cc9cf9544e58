import { type Client, ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import type { SweepKind } from './domain/batch';
import { sweepWorkflowId } from './domain/batch';
import type * as workflows from './workflows';

/** Specification 8: every hour, as the upper bound of how long anything stays behind. The minutes keep them apart. */
const sweeps: { kind: SweepKind; minute: number }[] = [
  { kind: 'validation', minute: 5 },
  { kind: 'injection', minute: 25 },
  { kind: 'statistics', minute: 45 },
];

/** False when the store of Temporal knows nothing of us: it is new, or was thrown away. The schedule that is made last stands for all. */
export async function hasSchedules(client: Client): Promise<boolean> {
  const last = sweeps.at(-1)?.kind ?? 'statistics';
  try {
    await client.schedule.getHandle(sweepWorkflowId(last)).describe();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}

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
