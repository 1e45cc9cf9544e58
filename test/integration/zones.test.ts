import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { zones } from '../support/zone-workflow';

const times: [string, string][] = [
  ['2027-03-28T02:30', 'Europe/Berlin'],
  ['2027-10-31T02:30', 'Europe/Berlin'],
  ['2027-03-14T02:30', 'America/New_York'],
  ['2027-10-03T02:15', 'Australia/Lord_Howe'],
  ['2027-01-01T00:00', 'Pacific/Kiritimati'],
];

test('zones are the same inside a workflow as outside, and again when its history is replayed', async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = process.env['TEST_TEMPORAL_ADDRESS'] ?? '';
  const taskQueue = `test-${randomBytes(4).toString('hex')}`;
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: join(__dirname, '../support/zone-workflow.ts'),
    logger: new DefaultLogger('WARN'),
  });
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  const worker = await Worker.create({ connection, taskQueue, workflowBundle });
  const running = worker.run();
  try {
    const handle = await new Client({ connection: clientConnection }).workflow.start(zones, {
      workflowId: taskQueue,
      taskQueue,
      args: [times],
    });
    expect(await handle.result()).toEqual(await zones(times));
    await Worker.runReplayHistory({ workflowBundle }, await handle.fetchHistory());
  } finally {
    worker.shutdown();
    await running;
    await clientConnection.close();
    await connection.close();
  }
}, 120_000);
