import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../src/activities';
import { toTime } from '../../src/api/campaign-shapes';
import { freshCampaign } from '../../src/domain/campaign';
import { campaignQueue, startRun } from '../../src/domain/campaign-run';
import type * as workflows from '../../src/workflows';

/** What an operator asks for, and the instant that it is: from the rules of the zones, not from our arithmetic. */
const times: [what: string, local: string, zone: string, instant: string][] = [
  ['an hour that the change to summer leaves out', '2027-03-28T02:30', 'Europe/Berlin', '2027-03-28T01:30:00Z'],
  ['an hour that comes twice: its first time', '2027-10-31T02:30', 'Europe/Berlin', '2027-10-31T00:30:00Z'],
  ['the hour after the one that comes twice', '2027-10-31T03:30', 'Europe/Berlin', '2027-10-31T02:30:00Z'],
  ['left out where winter is UTC', '2027-03-28T01:30', 'Europe/London', '2027-03-28T01:30:00Z'],
  ['left out in America', '2027-03-14T02:30', 'America/New_York', '2027-03-14T07:30:00Z'],
  ['twice in America', '2027-11-07T01:30', 'America/New_York', '2027-11-07T05:30:00Z'],
  ['left out by a change of half an hour', '2027-10-03T02:15', 'Australia/Lord_Howe', '2027-10-02T15:45:00Z'],
  ['twice by a change of half an hour', '2027-04-04T01:45', 'Australia/Lord_Howe', '2027-04-03T14:45:00Z'],
  ['twice in quarters of an hour', '2027-04-04T03:15', 'Pacific/Chatham', '2027-04-03T13:30:00Z'],
  ['left out at midnight', '2027-04-30T00:30', 'Africa/Cairo', '2027-04-29T22:30:00Z'],
  ['summer in the south', '2027-12-01T10:00', 'Australia/Sydney', '2027-11-30T23:00:00Z'],
  ['the first place to see a year', '2027-01-01T00:00', 'Pacific/Kiritimati', '2026-12-31T10:00:00Z'],
  ['the last place to see a day', '2027-03-01T12:00', 'Pacific/Pago_Pago', '2027-03-01T23:00:00Z'],
  ['a zone of quarters', '2027-06-01T09:00', 'Asia/Kathmandu', '2027-06-01T03:15:00Z'],
  ['half an hour off, in summer', '2027-07-01T09:00', 'America/St_Johns', '2027-07-01T11:30:00Z'],
  ['a zone without summer', '2027-02-20T10:00', 'Asia/Bangkok', '2027-02-20T03:00:00Z'],
  ['a leap day', '2028-02-29T09:00', 'Asia/Tokyo', '2028-02-29T00:00:00Z'],
];
/** How long before its time every run begins. */
const aheadMs = 3_000;
/** A busy machine may be this late. */
const lateMs = 8_000;

let worker: { taskQueue: string; client: Client; close: () => Promise<void> };
const begun = new Map<number, number[]>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = process.env['TEST_TEMPORAL_ADDRESS'] ?? '';
  const taskQueue = `test-${randomBytes(4).toString('hex')}`;
  const shifted = [join(__dirname, '../support/shifted-clock.ts')];
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: join(__dirname, '../../src/workflows/index.ts'), workflowInterceptorModules: shifted, logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  const activities: Partial<Activities> = {
    saveCampaign: async () => undefined,
    checkCampaign: async () => ({ problems: [], missing: 0, instanceId: 'client-1', revision: 1 }),
    planCampaign: async () => ({ problems: [], audience: 1, legIds: [] }),
    async beginCampaign({ campaignId }) {
      begun.set(campaignId, [...(begun.get(campaignId) ?? []), Date.now()]);
      return { begun: true };
    },
    openLeg: async () => ({ missing: 0 }),
    startLegs: async () => undefined,
    watchLegs: async () => ({ open: 0, behind: false, trouble: null, test: null, nextLookMs: 100 }),
    closeCampaign: async () => ({ audience: 1, sent: 1, skipped: 0, failed: 0, pending: 0 }),
  };
  // Each run has a clock of its own, so each has globals of its own.
  const main = await Worker.create({ connection, taskQueue, workflowBundle, activities, reuseV8Context: false });
  const calls = await Worker.create({ connection, taskQueue: campaignQueue(taskQueue), activities });
  const running = [main.run(), calls.run()];
  worker = {
    taskQueue,
    client: new Client({ connection: clientConnection }),
    async close() {
      main.shutdown();
      calls.shutdown();
      await Promise.all(running);
      await clientConnection.close();
      await connection.close();
    },
  };
}, 120_000);
afterAll(() => worker.close());

test.concurrent.each(times)('a campaign starts once, at the right instant: %s (%s %s)', async (what, local, zone, instant) => {
  const due = Date.parse(instant);
  const { atMs } = toTime({ scheduled_local: local, time_zone: zone })!;
  const campaignId = times.findIndex(([name]) => name === what) + 1;
  const shiftMs = due - aheadMs - Date.now();
  const state = { ...freshCampaign(), status: 'scheduled' as const, scheduledAtMs: atMs };
  await worker.client.workflow.execute<typeof workflows.campaign>('campaign', {
    workflowId: `campaign:${worker.taskQueue}:${campaignId}`, taskQueue: worker.taskQueue, args: [{ campaignId, run: startRun(state, 0) }], memo: { shiftMs }, workflowExecutionTimeout: '1 minute',
  });
  const starts = begun.get(campaignId)!.map((at) => at + shiftMs);
  expect(starts).toHaveLength(1);
  expect(starts[0]).toBeGreaterThanOrEqual(due);
  expect(starts[0]).toBeLessThan(due + lateMs);
}, 90_000);
