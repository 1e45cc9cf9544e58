import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
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
import { batches, injectionAt, steps, verification } from './proxies';

export const ingestDone = defineUpdate<BatchCounts>(batchMessages.ingestDone);
export const progress = defineQuery<BatchProgress>(batchMessages.progress);
/** As `temporal operator search-attribute` knows them; the SDK's own key builder lives outside the workflow package. */
const attributes = { state: { name: 'BatchState', type: 'KEYWORD' }, received: { name: 'Received', type: 'INT' }, injected: { name: 'Injected', type: 'INT' } } as const;

/** One delivery of contacts (or several small ones of a source) from its raw rows to the lists of MailWizz. */
export async function contactBatch({ batchIds, carried }: ContactBatchInput): Promise<BatchCounts> {
  const state = carried ?? freshProgress();
  setHandler(progress, () => state);
  setHandler(ingestDone, async () => {
    await condition(() => state.ingested);
    return state.counts;
  });

  if (!state.ingested) {
    await steps.openRun({ batchIds, workflowId: workflowInfo().workflowId });
    tell('rows are judged and stored', state.counts);
    await batches.ingestRows({ batchIds });
    state.counts = await batches.dedupeRows({ batchIds });
    state.ingested = true;
    show('running', state.counts);
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
      tell('pages go through verification, enrichment, routing and injection', state.counts);
      continue;
    }
    const due = await steps.nextDue({ batchIds });
    if (!due) break;
    state.afterContactId = 0;
    state.pagesDone += 1;
    tell(`${due.waiting} contacts wait; the next are due in ${Math.ceil(due.inMs / 1000)} s`, state.counts);
    // One timer for a whole bucket of contacts; at least a moment, so that a row that nobody moves cannot spin.
    await sleep(Math.max(due.inMs, 200));
  }
  if (state.counts.duplicates > 0 && patched('placements')) await placeSightings(batchIds);
  state.counts = await steps.closeBatch({ batchIds });
  show('completed', state.counts);
  await condition(allHandlersFinished);
  return state.counts;
}

/** The contacts of one page through every step. What must wait keeps its row open and comes back with its bucket. */
async function carryPage(page: PageRange): Promise<void> {
  const summary = `contacts ${page.afterContactId + 1} to ${page.throughContactId}`;
  await verification.verifyPage.executeWithOptions({ summary }, [page]);
  await steps.enrichPage.executeWithOptions({ summary }, [page]);
  const { instanceIds } = await steps.routePage.executeWithOptions({ summary }, [page]);
  await Promise.all(
    instanceIds.map((instanceId) => injectionAt(instanceId).injectPage.executeWithOptions({ summary: `${summary} into ${instanceId}` }, [{ ...page, instanceId }])),
  );
}

/** Known contacts whose new source sends them to another client get their place there too. */
async function placeSightings(batchIds: number[]): Promise<void> {
  const { instanceIds } = await batches.routeSightings({ batchIds });
  await Promise.all(instanceIds.map((instanceId) => injectionAt(instanceId).injectPlacements({ instanceId, batchIds })));
}

/** One page by itself: an operator's order for a single contact. */
export async function contactPage({ page, force }: { page: PageRange; force: boolean }): Promise<void> {
  if (force) await verification.verifyPage({ ...page, force });
  await carryPage(page);
}

function show(state: string, counts: BatchCounts): void {
  upsertSearchAttributes([
    { key: attributes.state, value: state },
    { key: attributes.received, value: counts.received },
    { key: attributes.injected, value: counts.injected },
  ]);
  upsertMemo({ counts });
  tell(state, counts);
}

/** What the web UI shows on the run's page. */
function tell(stage: string, counts: BatchCounts): void {
  const figures = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  setCurrentDetails(`**${stage}**\n\n${figures.join(' · ')}`);
}
