import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { verificationQueue } from '../domain/batch';
import { instanceQueue } from '../domain/injection';

/** Repeats for a day and not for ever: a run that cannot go on fails visibly, and the sweep takes its batches up again. */
const patience = { scheduleToCloseTimeout: '24 hours', retry: { initialInterval: '500ms', maximumInterval: '1 minute' } } as const;

/** Steps that are statements in our own database. A large batch is ingested by one activity that beats between chunks. */
export const batches = proxyActivities<Activities>({ startToCloseTimeout: '30 minutes', heartbeatTimeout: '15 seconds', ...patience });

/** Short statements; without heartbeat. */
export const steps = proxyActivities<Activities>({ startToCloseTimeout: '30 seconds', ...patience });

/** Dialogues with mail servers: a lot of addresses may take minutes, each with its own deadlines. */
export const verificationOf = () =>
  proxyActivities<Activities>({
    taskQueue: verificationQueue(workflowInfo().taskQueue),
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: '15 seconds',
    ...patience,
  });

/** One queue per instance: a slow MailWizz holds only its own contacts. Its contacts stay in the ledger when the budget ends. */
export const injectionAt = (instanceId: string) =>
  proxyActivities<Activities>({
    taskQueue: instanceQueue(workflowInfo().taskQueue, instanceId),
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: '15 seconds',
    scheduleToCloseTimeout: '30 minutes',
    retry: { initialInterval: '1s', maximumInterval: '1 minute' },
  });

/** A list of a million is read in a quarter of an hour; on the queue of its instance, beside the injections. */
export const reconciliationAt = (instanceId: string) =>
  proxyActivities<Activities>({
    taskQueue: instanceQueue(workflowInfo().taskQueue, instanceId),
    startToCloseTimeout: '1 hour',
    heartbeatTimeout: '15 seconds',
    scheduleToCloseTimeout: '3 hours',
    retry: { initialInterval: '5s', maximumInterval: '5 minutes' },
  });

export const maintenance = proxyActivities<Activities>({
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '15 seconds',
  scheduleToCloseTimeout: '1 hour',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});
