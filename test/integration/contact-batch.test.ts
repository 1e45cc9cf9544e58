import { randomBytes } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/activity';
import type { Activities } from '../../src/activities';
import { type BatchCounts, batchMessages, noCounts, pagesPerRun } from '../../src/domain/batch';
import type * as workflows from '../../src/workflows';
import { openWorkflowBench, type WorkflowBench } from '../support/workflows';

let bench: WorkflowBench;
beforeAll(async () => {
  bench = await openWorkflowBench();
}, 60_000);
afterAll(() => bench.close());

/** A batch of `pages` pages of one contact each, all for client-1; a test changes the step it is about. */
function batchOf(pages: number, counts: Partial<BatchCounts> = {}) {
  const total = { ...noCounts, received: pages, accepted: pages, ...counts };
  const none = async () => undefined;
  return {
    openRun: jest.fn(async ({ batchIds }: { batchIds: number[] }) => ({ batchIds })),
    ingestRows: jest.fn(none),
    dedupeRows: jest.fn(async () => total),
    nextPages: jest.fn(async ({ afterContactId, limit }: { afterContactId: number; limit: number }) =>
      Array.from({ length: Math.min(limit, pages - afterContactId) }, (_, index) => ({ batchIds: [1], afterContactId: afterContactId + index, throughContactId: afterContactId + index + 1 })),
    ),
    verifyPage: jest.fn(none),
    enrichPage: jest.fn(none),
    routePage: jest.fn(async () => ({ instanceIds: ['client-1'] })),
    injectPage: jest.fn(none),
    deferInstance: jest.fn(none),
    nextDue: jest.fn(none),
    countBatch: jest.fn(async () => total),
    closeBatch: jest.fn(async () => total),
    routeSightings: jest.fn(async () => ({ instanceIds: ['client-2'] })),
    injectPlacements: jest.fn(none),
  } satisfies Partial<Record<keyof Activities, unknown>>;
}

const run = (activities: Partial<Activities>) =>
  bench.serve(
    activities,
    async (taskQueue) => {
      const workflowId = `batch:test-${randomBytes(4).toString('hex')}`;
      const handle = await bench.client.workflow.start<typeof workflows.contactBatch>('contactBatch', { workflowId, taskQueue, args: [{ batchIds: [1] }] });
      const counted = await handle.executeUpdate<BatchCounts, []>(batchMessages.ingestDone);
      await handle.result();
      return { counted, workflowId, firstRunId: handle.firstExecutionRunId };
    },
    ['client-1', 'client-2'],
  );

test('a batch larger than one run goes on in the next one: every page once, the ingest step not again', async () => {
  const pages = pagesPerRun + 5;
  const activities = batchOf(pages);
  const { workflowId, firstRunId } = await run(activities);
  const seen = activities.injectPage.mock.calls.map(([page]: unknown[]) => (page as { throughContactId: number }).throughContactId).toSorted((a, b) => a - b);
  expect(seen).toEqual(Array.from({ length: pages }, (_, index) => index + 1));
  expect(activities.ingestRows).toHaveBeenCalledTimes(1);
  expect((await bench.client.workflow.getHandle(workflowId, firstRunId).describe()).status.name).toBe('CONTINUED_AS_NEW');
}, 120_000);

test('a page goes to every instance it was routed to, and to no other', async () => {
  const activities = { ...batchOf(1), routePage: async () => ({ instanceIds: ['client-2', 'client-1'] }) };
  await run(activities);
  expect(activities.injectPage.mock.calls.map(([page]: unknown[]) => (page as { instanceId: string }).instanceId).toSorted()).toEqual(['client-1', 'client-2']);
}, 60_000);

test('the counts of the ingest step are answered before any page is verified', async () => {
  const activities = batchOf(1, { duplicates: 2 });
  let release = () => undefined as void;
  const held = new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
  activities.verifyPage.mockImplementation(() => held);
  const { counted } = await bench.serve(
    activities,
    async (taskQueue) => {
      const handle = await bench.client.workflow.start<typeof workflows.contactBatch>('contactBatch', { workflowId: `batch:test-${randomBytes(4).toString('hex')}`, taskQueue, args: [{ batchIds: [1] }] });
      const answer = await handle.executeUpdate<BatchCounts, []>(batchMessages.ingestDone);
      release();
      await handle.result();
      return { counted: answer };
    },
    ['client-1', 'client-2'],
  );
  expect(counted).toMatchObject({ received: 1, duplicates: 2 });
}, 60_000);

test('contacts that wait come back on one timer for all of them', async () => {
  const activities = batchOf(2);
  const due = [{ inMs: 300, waiting: 5 }, { inMs: 300, waiting: 1 }];
  await run({ ...activities, nextDue: async () => due.shift() });
  expect(activities.verifyPage).toHaveBeenCalledTimes(6); // two pages, three times through
}, 60_000);

test('placements at other clients are looked for when, and only when, known contacts were delivered', async () => {
  const without = batchOf(1);
  await run(without);
  expect(without.routeSightings).not.toHaveBeenCalled();
  const withDuplicates = batchOf(0, { duplicates: 1 });
  await run(withDuplicates);
  expect(withDuplicates.injectPlacements.mock.calls).toEqual([[{ batchIds: [1], instanceId: 'client-2' }]]);
}, 60_000);

test('an instance in trouble holds nobody else: its contacts are put off and those of the others arrive', async () => {
  const activities = batchOf(2);
  activities.routePage.mockImplementation(async () => ({ instanceIds: ['client-1', 'client-2'] }));
  const injectPage = jest.fn(async ({ instanceId }: { instanceId: string }) => {
    if (instanceId === 'client-1') throw ApplicationFailure.nonRetryable('the secret does not open', 'contract');
  });
  await run({ ...activities, injectPage });
  const instancesOf = (calls: unknown[][]) => calls.map(([page]) => (page as { instanceId: string }).instanceId);
  expect(instancesOf(activities.deferInstance.mock.calls)).toEqual(['client-1', 'client-1']);
  expect(instancesOf(injectPage.mock.calls).filter((id) => id === 'client-2')).toHaveLength(2);
}, 60_000);

test('a batch that another run has opened is left to that run, and its counts are not guessed', async () => {
  const activities = { ...batchOf(1), openRun: async () => ({ batchIds: [] }) };
  await bench.serve(activities, async (taskQueue) => {
    const handle = await bench.client.workflow.start<typeof workflows.contactBatch>('contactBatch', { workflowId: `batch:test-${randomBytes(4).toString('hex')}`, taskQueue, args: [{ batchIds: [1] }] });
    await expect(handle.executeUpdate(batchMessages.ingestDone)).rejects.toThrow();
    await handle.result();
  });
  expect(activities.ingestRows).not.toHaveBeenCalled();
  expect(activities.closeBatch).not.toHaveBeenCalled();
}, 60_000);
