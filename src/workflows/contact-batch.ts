import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { BatchCounts, BatchProgress, ContactBatchInput, PageRange } from '../domain/batch';
import { batchMessages, freshProgress, pagesInFlight, pagesPerRun } from '../domain/batch';
import { batches, injectionAt, steps, verificationOf } from './proxies';

export const ingestDone = defineUpdate<BatchCounts>(batchMessages.ingestDone);
export const progress = defineQuery<BatchProgress>(batchMessages.progress);
/** As `temporal operator search-attribute` knows them; the SDK's own key builder lives outside the workflow package. */
const attributes = { state: { name: 'BatchState', type: 'KEYWORD' }, received: { name: 'Received', type: 'INT' }, injected: { name: 'Injected', type: 'INT' } } as const;

/** One delivery of contacts (or several small ones of a source) from its raw rows to the lists of MailWizz. */
export async function contactBatch({ batchIds: given, carried }: ContactBatchInput): Promise<BatchCounts> {
  const state = carried ?? freshProgress();
  let batchIds = given;
  setHandler(progress, () => state);
  setHandler(ingestDone, async () => {
    await condition(() => state.ingested || state.left);
    if (state.left) throw ApplicationFailure.nonRetryable('another run carries this batch', 'conflict');
    return state.counts;
  });

  if (!state.ingested) {
    const owned = await steps.openRun.executeWithOptions({ summary: 'take the batches' }, [{ batchIds, workflowId: workflowInfo().workflowId }]);
    batchIds = owned?.batchIds ?? batchIds; // a run of before this answer owned all of its batches
    if (batchIds.length === 0) return await leaveToOtherRun(state);
    tell('rows are judged and stored', state.counts);
    await batches.ingestRows.executeWithOptions({ summary: 'judge and store the rows' }, [{ batchIds }]);
    state.counts = await batches.dedupeRows.executeWithOptions({ summary: 'merge what repeats a known contact' }, [{ batchIds }]);
    state.ingested = true;
    show('running', 'pages are cut', state.counts);
  }
  for (;;) {
    if (state.pagesDone >= pagesPerRun || workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      return await continueAsNew<typeof contactBatch>({ batchIds, carried: { ...state, pagesDone: 0 } });
    }
    const pages = await steps.nextPages({ batchIds, afterContactId: state.afterContactId, limit: pagesInFlight });
    const last = pages.at(-1);
    if (last) {
      await Promise.all(pages.map(carryPage));
      state.afterContactId = last.throughContactId;
      state.pagesDone += pages.length;
      state.counts = await steps.countBatch({ batchIds });
      showOnTheWay('running', 'pages go through verification, enrichment, routing and injection', state.counts);
      continue;
    }
    const due = await steps.nextDue({ batchIds });
    if (!due) break;
    state.afterContactId = 0;
    state.pagesDone += 1;
    showOnTheWay('waiting', `${due.waiting} contacts wait; the next are due in ${Math.ceil(due.inMs / 1000)} s`, state.counts);
    // One timer for a whole bucket of contacts; at least a moment, so that a row that nobody moves cannot spin.
    await sleep(Math.max(due.inMs, 200));
  }
  if (state.counts.duplicates > 0 && patched('placements')) await placeSightings(batchIds);
  state.counts = await steps.closeBatch({ batchIds });
  show('completed', 'completed', state.counts);
  await condition(allHandlersFinished);
  return state.counts;
}

/** The contacts of one page through every step. What must wait keeps its row open and comes back with its bucket. */
async function carryPage(page: PageRange): Promise<void> {
  const summary = `contacts ${page.afterContactId + 1} to ${page.throughContactId}`;
  await verificationOf().verifyPage.executeWithOptions({ summary }, [page]);
  await steps.enrichPage.executeWithOptions({ summary }, [page]);
  const { instanceIds } = await steps.routePage.executeWithOptions({ summary }, [page]);
  await Promise.all(instanceIds.map((instanceId) => inject({ ...page, instanceId }, `${summary} into ${instanceId}`)));
}

/** An instance in trouble holds nobody else: its contacts stay in the ledger and come back later. */
async function inject(page: PageRange & { instanceId: string }, summary: string): Promise<void> {
  try {
    await injectionAt(page.instanceId).injectPage.executeWithOptions({ summary }, [page]);
  } catch (error) {
    if (isCancellation(error)) throw error;
    await steps.deferInstance.executeWithOptions({ summary: `put off ${summary}` }, [page]);
  }
}

/** Somebody else was first to open these batches. */
async function leaveToOtherRun(state: BatchProgress): Promise<BatchCounts> {
  state.left = true;
  show('left', 'another run carries these batches', state.counts);
  await condition(allHandlersFinished);
  return state.counts;
}

/** Known contacts whose new source sends them to another client get their place there too. */
async function placeSightings(batchIds: number[]): Promise<void> {
  const { instanceIds } = await batches.routeSightings.executeWithOptions({ summary: 'look whether known contacts go to another client too' }, [{ batchIds }]);
  // One in trouble is left to the hourly sweep.
  await Promise.allSettled(instanceIds.map((instanceId) => injectionAt(instanceId).injectPlacements.executeWithOptions({ summary: `place them at ${instanceId}` }, [{ instanceId, batchIds }])));
}

/** One page by itself: an operator's order for a single contact. */
export async function contactPage({ page, force }: { page: PageRange; force: boolean }): Promise<void> {
  if (force) await verificationOf().verifyPage({ ...page, force });
  await carryPage(page);
}

/** What lists of runs can be filtered by, and what the run's own page shows. */
function show(state: string, stage: string, counts: BatchCounts): void {
  upsertSearchAttributes([
    { key: attributes.state, value: state },
    { key: attributes.received, value: counts.received },
    { key: attributes.injected, value: counts.injected },
  ]);
  upsertMemo({ counts });
  tell(stage, counts);
}

/** Runs that began before this was shown on the way go on without it. */
function showOnTheWay(state: string, stage: string, counts: BatchCounts): void {
  if (patched('shown-on-the-way')) show(state, stage, counts);
  else tell(stage, counts);
}

/** What the web UI shows on the run's page. */
function tell(stage: string, counts: BatchCounts): void {
  const figures = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  setCurrentDetails(`**${stage}**\n\n${figures.join(' · ')}`);
}
