import { type CalendarSpec, type Client, ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { reconcileWorkflowId, type SweepKind, sweepWorkflowId } from './domain/batch';
import type * as workflows from './workflows';

type Planned = { id: string; workflow: keyof typeof workflows; args: object[]; at: CalendarSpec };

/** Specification 8: every hour, as the upper bound of how long anything stays behind. The minutes keep them apart. */
const sweep = (kind: SweepKind, minute: number): Planned => ({
  id: sweepWorkflowId(kind),
  workflow: 'sweep',
  args: [{ kind }],
  at: { hour: '*', minute, comment: `${kind} sweep, every hour` },
});
const planned: Planned[] = [
  sweep('validation', 5),
  sweep('injection', 25),
  sweep('statistics', 45),
  { id: reconcileWorkflowId(), workflow: 'reconcile', args: [{}], at: { hour: { start: 3, end: 23, step: 6 }, minute: 15, comment: 'our ledger and the lists of MailWizz, every six hours' } },
];

/** False when the store of Temporal knows nothing of us: it is new, or was thrown away. The schedule that is made last stands for all. */
export async function hasSchedules(client: Client): Promise<boolean> {
  const last = planned.at(-1)?.id ?? reconcileWorkflowId();
  try {
    await client.schedule.getHandle(last).describe();
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
  for (const { id, workflow, args, at } of planned) {
    await client.schedule
      .create({
        scheduleId: id,
        spec: { calendars: [at] },
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' },
        state: { triggerImmediately: true },
        action: { type: 'startWorkflow', workflowType: workflow, workflowId: id, taskQueue, args },
      })
      .catch((error: unknown) => {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      });
  }
}
