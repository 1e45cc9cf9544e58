import { type Client, WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Db } from '../../db/client';
import { type Campaign, findOpenCampaigns, getCampaign, listVariants, recordCampaignRun, stateOf } from '../../db/queries/campaigns';
import type { VariantKey } from '../domain/ab-test';
import { applyOrder, type CampaignOrder, campaignWorkflowId } from '../domain/campaign';
import { type CampaignInput, campaignMessages, type CampaignReport, startRun } from '../domain/campaign-run';
import { className, EngineError } from '../domain/errors';
import type { Log } from '../log';
import type * as workflows from '../workflows';

const campaign = 'campaign' satisfies keyof typeof workflows;
/** An order is answered within this, or not at all. */
const orderWaitMs = 5_000;
/** A younger campaign is being started by the request that made it. */
const settledMs = 10_000;
const campaignsPerLook = 200;
const listWaitMs = 10_000;
const runsPerPage = 1_000;
const runsAtMost = 50_000;

export type Order = Exclude<CampaignOrder, { order: 'reschedule' | 'change' }> | { order: 'reschedule'; at: string; scheduledAtMs: number } | { order: 'change'; revision: number };
export type CampaignOrders = ReturnType<typeof createCampaignOrders>;

/** Starts runs of campaigns and gives them orders. A run that is missing is started from its row by the order itself. */
export function createCampaignOrders({ db, client, taskQueue, log }: { db: Db; client: Client; taskQueue: string; log: Log }) {
  const options = (row: Campaign) => ({
    workflowId: campaignWorkflowId(row.id),
    taskQueue,
    args: [{ campaignId: row.id, run: startRun(stateOf(row), row.stateVersion) }] satisfies [CampaignInput],
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const, // the row is the final word on "over"; only open campaigns get here
    memo: { campaign: row.id, instance: row.mailwizzInstance },
    staticSummary: `campaign ${row.id} at ${row.mailwizzInstance}`,
  });

  return { start, order, choose, restartLost };

  /** False when Temporal is away: the row is there, and the next look starts it. */
  async function start(row: Campaign): Promise<boolean> {
    try {
      await client.withDeadline(Date.now() + orderWaitMs, () => client.workflow.start<typeof workflows.campaign>(campaign, options(row)));
      await recordCampaignRun(db, { id: row.id, workflowId: campaignWorkflowId(row.id), restarted: false });
      return true;
    } catch (error) {
      log.info({ error: className(error) }, 'a campaign waits for Temporal');
      return false;
    }
  }

  /** Obeyed, or refused with 409; 503 when the run could not be reached. */
  async function order(campaignId: number, given: Order): Promise<Campaign> {
    const row = await getCampaign(db, campaignId);
    const over = row.status === 'completed' || row.status === 'cancelled';
    const applied = applyOrder(stateOf(row), given);
    if (over && 'refusal' in applied) throw conflict(applied.refusal.message);
    if (over) return row;
    await send(row, given.order, given.order === 'reschedule' ? [given.at] : given.order === 'change' ? [given.revision] : []);
    return getCampaign(db, campaignId);
  }

  async function choose(campaignId: number, variant: VariantKey): Promise<Campaign> {
    const row = await getCampaign(db, campaignId);
    if (row.abTest === null || row.abDecision?.chosen != null) throw conflict(row.abTest === null ? 'The campaign has no test.' : 'The test is decided.');
    const variants = (await listVariants(db, campaignId)).map(({ key }) => key);
    if (!variants.includes(variant)) throw conflict(`The test has no variant ${variant}; there are ${variants.join(', ')}.`);
    await send(row, campaignMessages.choose, [variant]);
    return getCampaign(db, campaignId);
  }

  async function send(row: Campaign, name: string, args: [] | [string | number]): Promise<CampaignReport> {
    const startWorkflowOperation = new WithStartWorkflowOperation<typeof workflows.campaign>(campaign, options(row));
    try {
      return await client.withDeadline(Date.now() + orderWaitMs, () =>
        client.workflow.executeUpdateWithStart<typeof workflows.campaign, CampaignReport, (string | number)[]>(name, { startWorkflowOperation, args }),
      );
    } catch (error) {
      throw toRefusal(error);
    }
  }

  function toRefusal(error: unknown): EngineError {
    const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
    if (cause instanceof ApplicationFailure && (cause.type === 'conflict' || cause.type === 'invalid')) return new EngineError(cause.type, 'order refused', { publicMessage: cause.message });
    log.warn({ error: className(error) }, 'a campaign did not answer an order');
    return new EngineError('unavailable', 'order not answered', { publicMessage: 'The campaign did not answer in time. The order may still be carried out: look at the campaign, or repeat the order.' });
  }

  /** Campaigns whose run is gone (the store of Temporal was lost, the run failed, or Temporal was away at their creation) get a new one. Answers how many. */
  async function restartLost(): Promise<number> {
    let restarted = 0;
    const running = await listRunning();
    for (let afterId = 0; ; ) {
      const open = await findOpenCampaigns(db, { afterId, limit: campaignsPerLook, olderThanMs: settledMs });
      for (const row of open) {
        afterId = row.id;
        if (running.has(campaignWorkflowId(row.id)) || (await isRunning(row.id))) continue;
        await client.workflow.start<typeof workflows.campaign>(campaign, options(await getCampaign(db, row.id)));
        await recordCampaignRun(db, { id: row.id, workflowId: campaignWorkflowId(row.id), restarted: row.workflowId !== null });
        restarted += 1;
      }
      if (open.length < campaignsPerLook) return restarted;
    }
  }

  /** Some pages instead of a question for each of thousands; it may lag behind, so whoever is not in it is asked for. */
  async function listRunning(): Promise<Set<string>> {
    const running = new Set<string>();
    await client.withDeadline(Date.now() + listWaitMs, async () => {
      for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${campaign}' AND ExecutionStatus = 'Running'`, pageSize: runsPerPage })) {
        running.add(workflowId);
        if (running.size >= runsAtMost) return;
      }
    });
    return running;
  }

  async function isRunning(campaignId: number): Promise<boolean> {
    try {
      return (await client.workflow.getHandle(campaignWorkflowId(campaignId)).describe()).status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
      throw error;
    }
  }
}

const conflict = (message: string) => new EngineError('conflict', 'order refused', { publicMessage: message });
