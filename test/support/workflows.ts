import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../src/activities';
import { mapFailures } from '../../src/activities/failures';
import { verificationQueue } from '../../src/domain/batch';
import { campaignQueue } from '../../src/domain/campaign-run';
import { instanceQueue } from '../../src/domain/injection';
import { createLog } from '../../src/log';
import { bundleWorkflows } from '../../src/workflow-bundle';

const address = () => process.env['TEST_TEMPORAL_ADDRESS'] ?? '';

export type WorkflowBench = {
  client: Client;
  /** Runs `work` beside a worker that serves these activities, and the queues of these instances; on a queue of its own, or on one that was served before. */
  serve: <T>(activities: Partial<Activities>, work: (taskQueue: string) => Promise<T>, instanceIds?: string[], on?: string, options?: { maxCachedWorkflows: number }) => Promise<T>;
  close: () => Promise<void>;
};

export const freshQueue = () => `test-${randomBytes(4).toString('hex')}`;

/** Real workflows on the real server, beside activities that a test makes up: typed, so that a renamed one breaks the test when it is compiled. */
export async function openWorkflowBench(): Promise<WorkflowBench> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const workflowBundle = await bundleWorkflows();
  const connection = await NativeConnection.connect({ address: address() });
  const clientConnection = await Connection.connect({ address: address() });
  return {
    client: new Client({ connection: clientConnection }),
    async serve(activities, work, instanceIds = [], taskQueue = freshQueue(), options) {
      const interceptors = { activity: [mapFailures(createLog(process.env['TEST_LOG'] ?? 'silent'))] };
      const main = await Worker.create({ connection, taskQueue, workflowBundle, activities, interceptors, ...options });
      const queues = [verificationQueue(taskQueue), campaignQueue(taskQueue), ...instanceIds.map((id) => instanceQueue(taskQueue, id))];
      const others = await Promise.all(queues.map((queue) => Worker.create({ connection, taskQueue: queue, activities, interceptors })));
      const running = [main, ...others].map((worker) => worker.run());
      try {
        return await work(taskQueue);
      } finally {
        for (const worker of [main, ...others]) worker.shutdown();
        await Promise.all(running);
      }
    },
    async close() {
      await clientConnection.close();
      await connection.close();
    },
  };
}
