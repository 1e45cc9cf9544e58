import { type Client, WithStartWorkflowOperation, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/client';
import { defineSearchAttributeKey, type TypedSearchAttributes } from '@temporalio/common';
import type { BatchCounts, ContactBatchInput } from '../domain/batch';
import { batchMessages, batchWorkflowId } from '../domain/batch';
import { className } from '../domain/errors';
import type { Log } from '../log';
import type * as workflows from '../workflows';
import { withinLimit } from './time-limit';

const contactBatch = 'contactBatch' satisfies keyof typeof workflows;
const sourceKey = defineSearchAttributeKey('SourceId', 'KEYWORD');
const stateKey = defineSearchAttributeKey('BatchState', 'KEYWORD');

export type Run = { batchIds: number[]; firstBatchId: string; sourceId: string };

/** Starts runs of `contactBatch`. The workflow id is the first batch's, so a second start finds the first one. */
export function createBatchStarter({ client, taskQueue, log }: { client: Client; taskQueue: string; log: Log }) {
  const options = ({ batchIds, firstBatchId, sourceId }: Run) => ({
    workflowId: batchWorkflowId(firstBatchId),
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE, // the batch's row is the final word on "already run"; only open batches get here
    taskQueue,
    args: [{ batchIds }] satisfies [ContactBatchInput],
    memo: { batch: firstBatchId, source: sourceId, batches: batchIds.length },
    typedSearchAttributes: [
      { key: sourceKey, value: sourceId },
      { key: stateKey, value: 'ingesting' },
    ] satisfies ConstructorParameters<typeof TypedSearchAttributes>[0],
    priority: { fairnessKey: sourceId.slice(0, 64) },
    staticSummary: batchIds.length === 1 ? `${sourceId}: ${firstBatchId}` : `${sourceId}: ${batchIds.length} batches from ${firstBatchId}`,
  });

  return {
    /** Undefined when Temporal is slow or away: the batch is committed, and the outbox relay starts it. */
    startAndWait: (run: Run, waitMs: number): Promise<BatchCounts | undefined> => {
      const startWorkflowOperation = new WithStartWorkflowOperation<typeof workflows.contactBatch>(contactBatch, {
        ...options(run),
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      });
      return client
        .withDeadline(Date.now() + waitMs, () =>
          client.workflow.executeUpdateWithStart<typeof workflows.contactBatch, BatchCounts, []>(batchMessages.ingestDone, { startWorkflowOperation }),
        )
        .catch((error: unknown) => {
          log.info({ batchId: run.firstBatchId, error: className(error) }, 'counts did not come in time');
          return undefined;
        });
    },

    /** Throws when Temporal is away: the run stays in the outbox. */
    start: async (run: Run): Promise<void> => {
      await withinLimit(client, () =>
        client.workflow.start<typeof workflows.contactBatch>(contactBatch, { ...options(run), workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING }),
      );
    },
  };
}
export type BatchStarter = ReturnType<typeof createBatchStarter>;
