import { randomBytes } from 'node:crypto';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../../src/activities';
import { applyOrder, type CampaignOrder, type CampaignState, freshCampaign } from '../../src/domain/campaign';
import { type CampaignLook, campaignMessages, type CampaignReport, looksPerRun, startRun } from '../../src/domain/campaign-run';
import type * as workflows from '../../src/workflows';
import { until } from '../support/engine';
import { openWorkflowBench, type WorkflowBench } from '../support/workflows';

let bench: WorkflowBench;
beforeAll(async () => {
  bench = await openWorkflowBench();
}, 60_000);
afterAll(() => bench.close());

const inAnHour = Date.now() + 3_600_000;
const scheduled: CampaignState = { ...freshCampaign(), status: 'scheduled', scheduledAtMs: inAnHour };
const running: CampaignState = { ...scheduled, status: 'running' };
const sending: CampaignLook = { open: 1, behind: false, trouble: null, test: null, nextLookMs: 100 };
const figures = { audience: 1, sent: 1, skipped: 0, failed: 0, pending: 0 };

/** A campaign of one leg that MailWizz sends until a test says otherwise. */
function parts() {
  const none = async () => undefined;
  return {
    saveCampaign: jest.fn<Promise<void>, Parameters<Activities['saveCampaign']>>(none),
    checkCampaign: jest.fn<ReturnType<Activities['checkCampaign']>, Parameters<Activities['checkCampaign']>>(async () => ({ problems: [], missing: 0, instanceId: 'client-1', revision: 1 })),
    planCampaign: jest.fn<ReturnType<Activities['planCampaign']>, []>(async () => ({ problems: [], audience: 1, legIds: [7] })),
    prepareSegment: jest.fn(async ({ legId }: { legId: number }) => ({ legId, ours: 1, theirs: 1, segmentUid: 'u' })),
    beginCampaign: jest.fn(async () => ({ begun: true })),
    openLeg: jest.fn(async () => ({ missing: 0 })),
    startLegs: jest.fn(none),
    pauseLegs: jest.fn(none),
    endLegs: jest.fn(none),
    watchLegs: jest.fn<Promise<CampaignLook>, []>(async () => sending),
    decideTest: jest.fn<ReturnType<Activities['decideTest']>, []>(async () => ({ chosen: null })),
    chooseVariant: jest.fn(none),
    closeCampaign: jest.fn(async () => figures),
    injectPlacements: jest.fn(none),
  } satisfies Partial<Record<keyof Activities, unknown>>;
}

type Run = Awaited<ReturnType<typeof start>>;
async function start(taskQueue: string, state: CampaignState) {
  const workflowId = `campaign:test-${randomBytes(4).toString('hex')}`;
  const handle = await bench.client.workflow.start<typeof workflows.campaign>('campaign', { workflowId, taskQueue, args: [{ campaignId: 1, run: startRun(state, 0) }] });
  const order = (name: string, ...args: (string | number)[]) => handle.executeUpdate<CampaignReport, [number]>(name, { args: args as [number] });
  return { handle, order, signal: (name: string, ...args: string[]) => handle.signal(name, ...args), state: () => handle.query<CampaignReport>(campaignMessages.state) };
}
const withRun = <T>(activities: Partial<Activities>, state: CampaignState, work: (run: Run) => Promise<T>) =>
  bench.serve(
    activities,
    async (taskQueue) => {
      const run = await start(taskQueue, state);
      try {
        return await work(run);
      } finally {
        await run.handle.terminate().catch(() => undefined);
      }
    },
    ['client-1'],
  );
const shows = (run: Run, check: (state: CampaignReport) => boolean, what: string) => until(async () => check(await run.state()), what, 20_000);

const stages: [string, CampaignState][] = [
  ['draft', freshCampaign()],
  ['scheduled', scheduled],
  ['running', running],
  ['paused before its start', { ...scheduled, status: 'paused', pausedFrom: 'scheduled', pauseReason: 'operator' }],
  ['paused amid', { ...running, status: 'paused', pausedFrom: 'running', pauseReason: 'operator' }],
];
const later = new Date(inAnHour + 3_600_000).toISOString();
const orders: [CampaignOrder, (string | number)[]][] = [
  [{ order: 'launch', atMs: 0 }, []],
  [{ order: 'pause' }, []],
  [{ order: 'resume' }, []],
  [{ order: 'cancel' }, []],
  [{ order: 'reschedule', scheduledAtMs: Date.parse(later) }, [later]],
  [{ order: 'change', revision: 2 }, [2]],
];

test('every order from every state is answered, or refused with its reason, as the state machine says', async () => {
  // A launched campaign would go on by itself: what is told is the answer, so its check never ends.
  let release = () => undefined as void;
  const never = new Promise<never>((_, reject) => (release = () => reject(ApplicationFailure.nonRetryable('released', 'refused'))));
  never.catch(() => undefined);
  const hanging = { ...parts(), checkCampaign: () => never, endLegs: () => never };
  await bench.serve(hanging, async (taskQueue) => {
    for (const [stage, state] of stages) {
      for (const [order, args] of orders) {
        const run = await start(taskQueue, state);
        const expected = applyOrder(state, order);
        const answer = await run.order(order.order, ...args).catch((error: unknown) => error);
        if ('state' in expected) expect([stage, order.order, answer]).toEqual([stage, order.order, expect.objectContaining({ status: expected.state.status, scheduledAtMs: expected.state.scheduledAtMs, pausedFrom: expected.state.pausedFrom })]);
        else {
          expect(answer).toBeInstanceOf(WorkflowUpdateFailedError);
          expect((answer as WorkflowUpdateFailedError).cause).toMatchObject({ type: 'conflict', message: expected.refusal.message });
        }
        await run.handle.terminate();
      }
    }
    release();
  });
}, 120_000);

test('an order is answered when it is stored, and not before', async () => {
  let store = () => undefined as void;
  const held = new Promise<void>((resolve) => (store = resolve));
  const saveCampaign = jest.fn<Promise<void>, Parameters<Activities['saveCampaign']>>(() => held);
  await withRun({ ...parts(), saveCampaign }, scheduled, async (run) => {
    let answered = false;
    const order = run.order('pause').then(() => (answered = true));
    await until(async () => saveCampaign.mock.calls.length > 0, 'the save');
    expect(answered).toBe(false);
    store();
    await order;
    expect(saveCampaign.mock.calls).toEqual([[expect.objectContaining({ campaignId: 1, version: 1, state: expect.objectContaining({ status: 'paused' }) })]]);
  });
}, 60_000);

test('a campaign starts at its time and not before, and a reschedule moves it', async () => {
  const activities = parts();
  await withRun(activities, { ...scheduled, scheduledAtMs: Date.now() + 3_600_000 }, async (run) => {
    const at = Date.now() + 1_500;
    await run.order('reschedule', new Date(at).toISOString());
    expect(activities.checkCampaign).not.toHaveBeenCalled();
    await shows(run, ({ status }) => status === 'running', 'the start');
    expect(Date.now()).toBeGreaterThanOrEqual(at);
    expect(activities.checkCampaign.mock.calls[0]![0]).toMatchObject({ dueAtMs: at });
  });
}, 60_000);

test('a due time that passes while paused waits for the resume, and is then judged by its grace', async () => {
  const activities = parts();
  activities.checkCampaign.mockImplementation(async ({ dueAtMs }) => ({ problems: dueAtMs !== null && dueAtMs < Date.now() - 500 ? [{ code: 'late', message: 'It was due before.' }] : [], missing: 0, instanceId: 'client-1', revision: 1 }));
  const dueAtMs = Date.now() + 8_000; // time enough for the pause to arrive on a busy machine
  await withRun(activities, { ...scheduled, scheduledAtMs: dueAtMs }, async (run) => {
    await run.order('pause');
    await until(async () => Date.now() > dueAtMs + 600, 'the due time');
    expect(activities.checkCampaign).not.toHaveBeenCalled();
    await run.order('resume');
    await shows(run, ({ held }) => held[0]?.code === 'late', 'the hold');
    await run.order('launch');
    await shows(run, ({ status, held }) => status === 'running' && held.length === 0, 'the start');
  });
}, 60_000);

test('an order that comes while the start is prepared wins over the start', async () => {
  const activities = parts();
  let go = () => undefined as void;
  const held = new Promise<void>((resolve) => (go = resolve));
  activities.planCampaign.mockImplementation(async () => {
    await held;
    return { problems: [], audience: 1, legIds: [7] };
  });
  await withRun(activities, { ...scheduled, scheduledAtMs: Date.now() - 1 }, async (run) => {
    await until(async () => activities.planCampaign.mock.calls.length > 0, 'the plan');
    await run.order('pause');
    go();
    await shows(run, ({ status }) => status === 'paused', 'the pause');
    await run.order('cancel');
    await run.handle.result();
    expect(activities.beginCampaign).not.toHaveBeenCalled();
    expect(activities.openLeg).not.toHaveBeenCalled();
  });
}, 60_000);

test('a segment that holds more people than our audience holds the campaign', async () => {
  const activities = { ...parts(), prepareSegment: async ({ legId }: { legId: number }) => ({ legId, ours: 1, theirs: 2, segmentUid: 'u' }) };
  await withRun(activities, { ...scheduled, scheduledAtMs: Date.now() }, async (run) => {
    await shows(run, ({ held }) => held[0]?.code === 'audience', 'the hold');
    expect(activities.beginCampaign).not.toHaveBeenCalled();
  });
}, 60_000);

test('contacts on their way into MailWizz are waited for', async () => {
  const activities = parts();
  activities.checkCampaign.mockResolvedValueOnce({ problems: [], missing: 3, instanceId: 'client-1', revision: 1 });
  await withRun(activities, { ...scheduled, scheduledAtMs: Date.now() }, async (run) => {
    await shows(run, ({ status }) => status === 'running', 'the start');
    expect(activities.injectPlacements.mock.calls).toEqual([[{ instanceId: 'client-1' }]]);
  });
}, 60_000);

test('a pause stops MailWizz and nothing starts it until the resume; signals do the same as updates', async () => {
  const activities = parts();
  await withRun(activities, running, async (run) => {
    await until(async () => activities.startLegs.mock.calls.length > 0, 'the start');
    await run.signal('pause');
    await until(async () => activities.pauseLegs.mock.calls.length > 0, 'the pause there', 5_000);
    const starts = activities.startLegs.mock.calls.length;
    await run.signal('pause'); // repeated: no harm
    await run.signal('reschedule', 'tomorrow'); // not understood: no harm
    await shows(run, ({ status }) => status === 'paused', 'the pause');
    expect(activities.startLegs.mock.calls).toHaveLength(starts);
    await run.signal('resume');
    await until(async () => activities.startLegs.mock.calls.length > starts, 'the resume there', 5_000);
  });
}, 60_000);

test('an instance in trouble does not keep orders from being obeyed', async () => {
  const watchLegs = async () => {
    throw ApplicationFailure.nonRetryable('denied', 'refused');
  };
  const activities = { ...parts(), watchLegs };
  await withRun(activities, running, async (run) => {
    await until(async () => activities.startLegs.mock.calls.length > 0, 'the start');
    expect(await run.order('pause')).toMatchObject({ status: 'paused' });
    await until(async () => activities.pauseLegs.mock.calls.length > 0, 'the pause there', 10_000);
  });
}, 60_000);

test('a rate above its limit pauses the campaign once, and an operator may go on in spite of it', async () => {
  const activities = parts();
  activities.watchLegs.mockResolvedValue({ ...sending, trouble: 'bounce_rate' });
  await withRun(activities, running, async (run) => {
    await shows(run, ({ status, pauseReason }) => status === 'paused' && pauseReason === 'bounce_rate', 'the pause');
    await run.order('resume');
    const looks = activities.watchLegs.mock.calls.length;
    await until(async () => activities.watchLegs.mock.calls.length > looks + 2, 'more looks');
    expect(await run.state()).toMatchObject({ status: 'running' });
  });
}, 60_000);

test('a test without a winner waits for the operator, whose choice goes to the rest', async () => {
  const activities = parts();
  activities.watchLegs.mockResolvedValue({ ...sending, open: 0, test: { endsInMs: 0 } });
  activities.chooseVariant.mockImplementation(async () => {
    activities.watchLegs.mockResolvedValue({ ...sending, open: 0 });
    return undefined;
  });
  await withRun(activities, running, async (run) => {
    await until(async () => activities.decideTest.mock.calls.length > 0, 'the decision');
    await run.signal('choose', 'z');
    await run.order('choose', 'b');
    expect(await run.handle.result()).toEqual(figures);
    expect(activities.chooseVariant.mock.calls).toEqual([[{ campaignId: 1, variant: 'b' }]]);
  });
}, 60_000);

test('a worker that remembers nothing carries a campaign all the same: every task begins with a replay', async () => {
  const activities = parts();
  await bench.serve(activities, async (taskQueue) => {
    const run = await start(taskQueue, freshCampaign());
    await shows(run, ({ stage }) => stage.includes('draft'), 'the draft');
    await run.order('reschedule', later);
    await run.order('pause');
    await run.order('resume');
    await run.signal('launch');
    await shows(run, ({ status }) => status === 'running', 'the start');
    await until(async () => activities.watchLegs.mock.calls.length > 0, 'a look', 20_000);
    await run.order('pause');
    await until(async () => activities.pauseLegs.mock.calls.length > 0, 'the pause', 20_000);
    await run.signal('resume');
    await run.signal('pause');
    await run.signal('resume');
    activities.watchLegs.mockResolvedValue({ ...sending, open: 0 });
    expect(await run.handle.result()).toEqual(figures);
    expect(activities.beginCampaign).toHaveBeenCalledTimes(1);
    const history = await run.handle.fetchHistory();
    expect(history.events!.filter(({ workflowTaskFailedEventAttributes: failed }) => failed)).toEqual([]);
  }, ['client-1'], undefined, { maxCachedWorkflows: 0 });
}, 60_000);

test('a long campaign goes on in a new run and ends with its figures', async () => {
  const activities = parts();
  let looks = 0;
  activities.watchLegs.mockImplementation(async () => ({ ...sending, open: (looks += 1) > looksPerRun + 3 ? 0 : 1, nextLookMs: 1 }));
  await withRun(activities, running, async (run) => {
    expect(await run.handle.result()).toEqual(figures);
    expect(activities.saveCampaign.mock.calls.at(-1)![0]).toMatchObject({ state: { status: 'completed' } });
    expect((await bench.client.workflow.getHandle(run.handle.workflowId, run.handle.firstExecutionRunId).describe()).status.name).toBe('CONTINUED_AS_NEW');
  });
}, 400_000);
