import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../src/activities';
import { verificationQueue } from '../../src/domain/batch';
import { instanceQueue } from '../../src/domain/injection';
import { bundleWorkflows } from '../../src/workflow-bundle';

const address = () => process.env['TEST_TEMPORAL_ADDRESS'] ?? '';

export type WorkflowBench = {
  client: Client;
  /** Runs `work` beside a worker that serves these activities, and the queues of these instances. */
  serve: <T>(activities: Partial<Activities>, work: (taskQueue: string) => Promise<T>, instanceIds?: string[]) => Promise<T>;
  close: () => Promise<void>;
};

/** Real workflows on the real server, beside activities that a test makes up: typed, so that a renamed one breaks the test when it is compiled. */
export async function openWorkflowBench(): Promise<WorkflowBench> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const workflowBundle = await bundleWorkflows();
  const connection = await NativeConnection.connect({ address: address() });
  const clientConnection = await Connection.connect({ address: address() });
  return {
    client: new Client({ connection: clientConnection }),
    async serve(activities, work, instanceIds = []) {
      const taskQueue = `test-${randomBytes(4).toString('hex')}`;
      const main = await Worker.create({ connection, taskQueue, workflowBundle, activities });
      const queues = [verificationQueue(taskQueue), ...instanceIds.map((id) => instanceQueue(taskQueue, id))];
      const others = await Promise.all(queues.map((queue) => Worker.create({ connection, taskQueue: queue, activities })));
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
