import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { ensureSchedules, hasSchedules } from '../../src/schedules';
import { ensureSearchAttributes } from '../../src/search-attributes';

/** A namespace of its own is a store that knows nothing of us. */
const namespace = `store-${randomBytes(4).toString('hex')}`;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  connection = await Connection.connect({ address: process.env['TEST_TEMPORAL_ADDRESS'] ?? '' });
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: 86_400 as never } });
  client = new Client({ connection, namespace });
});
afterAll(() => connection.close());

const untilKnown = async <T>(call: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200)); // the server learns of a namespace a moment later
    }
  }
};

test('search attributes are made once, and again is no error', async () => {
  expect(await untilKnown(() => ensureSearchAttributes(connection, namespace))).toEqual([]);
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  expect(customAttributes).toMatchObject({ SourceId: 2, BatchState: 2, Received: 3, Injected: 3 });
  expect(await ensureSearchAttributes(connection, namespace)).toEqual([]);
});

test('a store that knows nothing of us is told from one that does', async () => {
  expect(await untilKnown(() => hasSchedules(client))).toBe(false);
  await ensureSchedules(client, 'nobody-listens');
  expect(await hasSchedules(client)).toBe(true);
  await ensureSchedules(client, 'nobody-listens');
});
