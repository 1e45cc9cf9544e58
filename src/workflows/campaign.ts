import { ActivityFailure, allHandlersFinished, ApplicationFailure, condition, continueAsNew, defineQuery, defineSignal, defineUpdate, isCancellation, log, patched, setCurrentDetails, setHandler, TimeoutFailure, workflowInfo } from '@temporalio/workflow';
import { type VariantKey, variantKeys } from '../domain/ab-test';
import { applyOrder, applyStep, type CampaignOrder, type CampaignState, type CampaignStep, dueAtMs, type HoldReason, type PauseReason } from '../domain/campaign';
import { type CampaignFigures, type CampaignInput, type CampaignLook, campaignMessages, type CampaignReport, looksPerRun, placementsLookMs, placementsWaitMs } from '../domain/campaign-run';
import { parseInstant } from '../domain/schedule';
import type { WindowLook } from '../domain/send-window';
import { batches, campaignCalls, injectionAt, steps } from './proxies';

const update = <Args extends [] | [string] | [number]>(name: string) => defineUpdate<CampaignReport, Args>(name);
const signal = <Args extends [] | [string]>(name: string) => defineSignal<Args>(name);
export const campaignState = defineQuery<CampaignReport>(campaignMessages.state);

/** A state in which an instance does not answer is looked at again after this. */
const troubleWaitMs = 5_000;
/** Where nothing moves, only every so many looks is taken. */
const idleLooks = 60;
/** How long a timer may be in one piece; a year ahead is as far as anybody plans. */
const longestTimerMs = 365 * 86_400_000;

/** One campaign from its draft to the last counted recipient. Orders only change the state; the story below follows it. */
export async function campaign({ campaignId, run }: CampaignInput): Promise<CampaignFigures | undefined> {
  let { state, version, chosen } = run;
  const waived = { ...run.waived };
  let saved = run.version;
  let stage = 'begins';
  let looks = 0;
  /** All legs that are known are made and started: nothing to do but to watch them. */
  let legsRun = false;
  /** Runs that began before there was `settled` keep their order of steps. */
  const settles = patched('settled');
  /** The send window as it was seen last; it turns when its time is over. */
  let window: { open: boolean; turnsAtMs: number; until: string } | undefined;

  const report = (): CampaignReport => ({ ...state, campaignId, stage });
  setHandler(campaignState, report);
  listen(campaignMessages.launch, () => ({ order: 'launch', atMs: Date.now() }));
  listen(campaignMessages.pause, () => ({ order: 'pause' }));
  listen(campaignMessages.resume, () => ({ order: 'resume' }));
  listen(campaignMessages.cancel, () => ({ order: 'cancel' }));
  setHandler(update<[string]>(campaignMessages.reschedule), (at) => obey(toReschedule(at)), { validator: (at: string) => allow(toReschedule(at)) });
  setHandler(signal<[string]>(campaignMessages.reschedule), (at) => obeyIfAllowed(() => toReschedule(at)));
  setHandler(update<[number]>(campaignMessages.change), (revision) => obey({ order: 'change', revision }), { validator: (revision: number) => allow({ order: 'change', revision }) });
  setHandler(update<[string]>(campaignMessages.choose), (variant) => choose(toVariant(variant)), { validator: (variant: string) => void toVariant(variant) });
  setHandler(signal<[string]>(campaignMessages.choose), chooseIfAllowed);

  return await Promise.race([story(), keepSaved()]);

  async function story(): Promise<CampaignFigures | undefined> {
    for (;;) {
      await settled();
      if (hasBegun()) break;
      await goOnInNewRun();
      if (isDue()) await prepare();
      else await untilDue();
    }
    return await carry();
  }

  /** Waits for the due time, or for an order that changes it. */
  async function untilDue(): Promise<void> {
    const due = dueAtMs(state);
    if (state.status !== 'scheduled' || state.held.length > 0 || due === null) {
      tell(state.held.length > 0 ? `is held: ${state.held.map(({ message }) => message).join(' ')}` : `is ${state.status} and waits for an order`);
      return await changed();
    }
    tell('waits for its time');
    await changed(Math.min(due - Date.now(), longestTimerMs));
  }

  function isDue(): boolean {
    const due = dueAtMs(state);
    return state.status === 'scheduled' && state.held.length === 0 && due !== null && due <= Date.now();
  }

  /** All that must be in order before the first mail; what is not holds the campaign. An order meanwhile begins it anew. */
  async function prepare(): Promise<void> {
    const seen = version;
    tell('is checked before its start');
    try {
      const { problems, missing, instanceId, revision, window: shut } = await campaignCalls().checkCampaign({ campaignId, dueAtMs: dueAtMs(state) });
      if (version !== seen) return;
      if (problems.length > 0) return hold(problems);
      if (shut) return await untilOpen(shut);
      if (missing > 0 && !waived.placements && !(await awaitPlacements(instanceId))) return;
      const plan = await batches.planCampaign({ campaignId });
      if (version !== seen) return;
      if (plan.problems.length > 0) return hold(plan.problems);
      const segments = await Promise.all(plan.legIds.map((legId) => campaignCalls().prepareSegment({ legId })));
      if (version !== seen) return;
      const larger = segments.filter(({ ours, theirs }) => theirs !== null && theirs > ours);
      if (larger.length > 0) return hold(larger.map(({ ours, theirs }) => ({ code: 'audience', message: `The segment in MailWizz holds ${theirs} contacts instead of ${ours}: reconcile the list.` })));
      await condition(() => saved === version);
      if (version !== seen) return;
      const { begun } = await steps.beginCampaign({ campaignId, revision });
      if (begun) step({ step: 'begin' });
    } catch (error) {
      if (isCancellation(error)) throw error;
      if (version !== seen) return;
      if (!isOwnTrouble(error)) return hold([{ code: 'instance', message: 'MailWizz could not be prepared: it does not answer, or refuses.' }]);
      tell('waits for a worker that checks it before its start');
      await changed(troubleWaitMs);
    }
  }

  /** Waits for the send window, or for an order. */
  async function untilOpen(shut: WindowLook): Promise<void> {
    tell(`waits for its send window until ${shut.until}`);
    await changed(Math.min(shut.changesInMs, longestTimerMs));
  }

  /** True when nobody of the audience is on the way into MailWizz any more. */
  async function awaitPlacements(instanceId: string): Promise<boolean> {
    const seen = version;
    const until = Date.now() + placementsWaitMs;
    tell('waits for contacts on their way into MailWizz');
    await injectionAt(instanceId).injectPlacements({ instanceId });
    for (;;) {
      const { missing } = await campaignCalls().checkCampaign({ campaignId, dueAtMs: null });
      if (version !== seen) return false;
      if (missing === 0) return true;
      if (Date.now() >= until) {
        hold([{ code: 'placements', message: `${missing} contacts of the audience are not in MailWizz yet. Launch again to go without them.` }]);
        return false;
      }
      await changed(placementsLookMs);
    }
  }

  /** From the first leg to the last one: makes them, starts and pauses them as ordered, watches, decides the test, and counts. */
  async function carry(): Promise<CampaignFigures | undefined> {
    for (;;) {
      await settled();
      await goOnInNewRun();
      const seen = version;
      looks += 1;
      try {
        if (state.status === 'cancelled') return await end();
        if (await follow()) return await complete();
      } catch (error) {
        if (isCancellation(error)) throw error;
        legsRun = false;
        log.warn('MailWizz is in trouble; tried again');
        tell('waits for MailWizz, which does not answer or refuses');
        if (version === seen) await changed(troubleWaitMs);
      }
    }
  }

  /** One look; true when all is over. */
  async function follow(): Promise<boolean> {
    const seen = version;
    const shut = state.status === 'running' && isShut();
    if (state.status === 'paused' || shut) {
      legsRun = false;
      await campaignCalls().pauseLegs({ campaignId });
    } else if (!legsRun) {
      tell('makes and starts its MailWizz campaigns');
      const opened = await campaignCalls().openLeg({ campaignId });
      if (opened.window) {
        see(opened.window);
        return false; // It is shut: the next look stops MailWizz, if it was not.
      }
      if (opened.missing > 0 || version !== seen) return false;
      await campaignCalls().startLegs({ campaignId });
      legsRun = true;
    }
    if (version !== seen) return false;
    const look = await campaignCalls().watchLegs({ campaignId, ...(shut && { shut }) });
    see(look.window);
    if (version !== seen) return false;
    if (look.trouble !== null && state.status === 'running' && (look.trouble === 'instance' || !waived.rates)) {
      pauseFor(look.trouble);
      return false;
    }
    if (look.behind) return false;
    if (state.status === 'paused') {
      tell('is paused');
      await changed(look.open > 0 ? idleLooks * look.nextLookMs : undefined);
      return false;
    }
    if (look.open === 0 && !look.test) return true;
    if (shut) await untilTurn(idleLooks * look.nextLookMs);
    else if (look.test) return await followTest(look.test.endsInMs, waitFor(look));
    else await followLegs(look);
    return false;
  }

  /** Stopped there, until the send window opens. What was under way there may still be counted meanwhile. */
  async function untilTurn(longestMs: number): Promise<void> {
    if (!window || !isShut()) return;
    tell(`waits for its send window until ${window.until}`);
    await changed(Math.min(window.turnsAtMs - Date.now(), longestMs));
  }

  /** What is out is watched; what waits for room is tried when there may be some. */
  async function followLegs(look: CampaignLook): Promise<void> {
    const { release } = look;
    tell(release?.alone === true && release.inMs > 0 ? `waits for its caps until ${new Date(Date.now() + release.inMs).toISOString()}` : 'is being sent');
    await changed(waitFor(look));
  }

  /** How long nothing is to be done. A part that may be released by then is tried, so the run opens legs again. */
  function waitFor({ nextLookMs, release }: CampaignLook): number {
    const longestMs = release?.alone === true ? idleLooks * nextLookMs : nextLookMs;
    const waitMs = Math.min(longestMs, Math.max(release?.inMs ?? longestMs, nextLookMs));
    if (release && release.inMs <= waitMs) legsRun = false;
    return window?.open === true ? Math.min(waitMs, Math.max(0, window.turnsAtMs - Date.now())) : waitMs;
  }

  function see(look: WindowLook | undefined): void {
    window = look && { open: look.open, turnsAtMs: Date.now() + look.changesInMs, until: look.until };
  }

  function isShut(): boolean {
    return window !== undefined && Date.now() < window.turnsAtMs !== window.open;
  }

  /** Samples are out until their time is over; then figures decide, or an operator. */
  async function followTest(endsInMs: number, nextLookMs: number): Promise<boolean> {
    if (endsInMs <= 0 || chosen !== null) legsRun = false; // the rest may be planned now
    if (chosen !== null) {
      const answer = await campaignCalls().chooseVariant({ campaignId, variant: chosen });
      if (answer?.refused === true) chosen = null; // it came by a signal, which nobody had judged
    } else if (endsInMs > 0) {
      tell('tests its variants');
      await changed(Math.min(endsInMs, nextLookMs));
    } else if ((await campaignCalls().decideTest({ campaignId })).chosen === null) {
      tell('waits for an operator to choose a variant');
      await changed(idleLooks * nextLookMs);
    }
    return false;
  }

  /** Stops MailWizz for good. What is under way there when it is stopped still counts: hence one more look after a while. */
  async function end(): Promise<CampaignFigures> {
    tell('is being cancelled');
    await campaignCalls().endLegs({ campaignId });
    for (let more = true; more; ) {
      const look = await campaignCalls().watchLegs({ campaignId });
      more = look.behind;
    }
    return await leave(await batches.closeCampaign({ campaignId, reason: 'cancelled' }));
  }

  async function complete(): Promise<CampaignFigures> {
    const figures = await batches.closeCampaign({ campaignId, reason: 'not_sent' });
    // A pause that came when everything was out has nothing left to hold.
    if (state.status === 'paused') move({ ...state, status: 'running', pausedFrom: null, pauseReason: null });
    if (state.status !== 'cancelled') step({ step: 'complete' });
    return await leave(figures);
  }

  async function leave(figures: CampaignFigures): Promise<CampaignFigures> {
    tell('is over');
    await condition(isStored);
    return figures;
  }

  /** Stores every state, one after the other, whatever the story waits for. */
  async function keepSaved(): Promise<never> {
    for (;;) {
      await condition(() => saved < version);
      const storing = version;
      await steps.saveCampaign({ campaignId, version: storing, state });
      saved = storing;
    }
  }

  function listen(name: string, toOrder: () => CampaignOrder): void {
    setHandler(update<[]>(name), () => obey(toOrder()), { validator: () => allow(toOrder()) });
    setHandler(signal<[]>(name), () => obeyIfAllowed(toOrder));
  }

  /** Answered when the new state is stored: who reads the row afterwards sees it. */
  async function obey(order: CampaignOrder): Promise<CampaignReport> {
    const applied = applyOrder(state, order);
    if ('refusal' in applied) throw refused(applied.refusal.message);
    if (order.order === 'launch' && state.held.some(({ code }) => code === 'placements')) waived.placements = true;
    if (order.order === 'resume' && state.pauseReason?.endsWith('_rate') === true) waived.rates = true;
    move(applied.state);
    return await stored();
  }

  function obeyIfAllowed(toOrder: () => CampaignOrder): void {
    try {
      const applied = applyOrder(state, toOrder());
      if ('state' in applied) void obey(toOrder());
      else log.warn('an order was refused', { reason: applied.refusal.code });
    } catch (error) {
      log.warn('an order was not understood', { reason: error instanceof ApplicationFailure ? String(error.type) : 'unknown' });
    }
  }

  function allow(order: CampaignOrder): void {
    const applied = applyOrder(state, order);
    if ('refusal' in applied) throw refused(applied.refusal.message);
  }

  async function choose(variant: VariantKey): Promise<CampaignReport> {
    if (state.status !== 'running' && state.status !== 'paused') throw refused('There is no test to decide.');
    chosen = variant;
    move(state);
    return await stored();
  }

  /** A signal is answered to nobody: what it gets wrong changes nothing. */
  function chooseIfAllowed(variant: string): void {
    if (isVariant(variant)) void choose(variant).catch(() => undefined);
  }

  async function stored(): Promise<CampaignReport> {
    const mine = version;
    await condition(() => saved >= mine);
    return report();
  }

  function pauseFor(reason: PauseReason): void {
    const applied = applyOrder(state, { order: 'pause', reason });
    if ('state' in applied) move(applied.state);
  }

  function hold(reasons: HoldReason[]): void {
    step({ step: 'hold', reasons });
  }

  function step(taken: CampaignStep): void {
    const applied = applyStep(state, taken);
    if ('state' in applied) move(applied.state);
    else move(state); // The row may be ahead of an order that came between: it is stored as it stands.
  }

  function move(next: CampaignState): void {
    state = next;
    version += 1;
  }

  /** From the start on, or over: then its legs, if there are any, have to be looked after. */
  function hasBegun(): boolean {
    return ['running', 'completed', 'cancelled'].includes(state.status) || state.pausedFrom === 'running';
  }

  function isStored(): boolean {
    return saved === version && allHandlersFinished();
  }

  /**
   * The story goes on from states that are stored and answered, so that what an order does comes first and alone. A worker that takes the run over may hear
   * of an order together with what was before it, where a replay hears of them one after the other: both must lead to the same steps.
   */
  async function settled(): Promise<void> {
    if (settles) await condition(isStored);
  }

  async function changed(timeoutMs?: number): Promise<void> {
    const seen = version;
    const hasChanged = () => version !== seen && (!settles || isStored());
    if (timeoutMs === undefined) await condition(hasChanged);
    else await condition(hasChanged, Math.max(timeoutMs, 50));
  }

  async function goOnInNewRun(): Promise<void> {
    if (looks < looksPerRun && !workflowInfo().continueAsNewSuggested) return;
    await condition(isStored);
    await continueAsNew<typeof campaign>({ campaignId, run: { state, version, waived, chosen } });
  }

  function tell(what: string): void {
    stage = what;
    setCurrentDetails(`**Campaign ${campaignId} ${what}**`);
  }
}

/** Nobody of ours took the work, or finished it: nothing is said about MailWizz. */
const isOwnTrouble = (error: unknown) => error instanceof ActivityFailure && error.cause instanceof TimeoutFailure && !(error.cause.cause instanceof ApplicationFailure);
const refused = (message: string) => ApplicationFailure.nonRetryable(message, 'conflict');
const invalid = (message: string) => ApplicationFailure.nonRetryable(message, 'invalid');

function toReschedule(at: string): CampaignOrder {
  const scheduledAtMs = typeof at === 'string' ? parseInstant(at) : undefined;
  if (scheduledAtMs === undefined) throw invalid('A time with its offset is needed, such as 2026-02-20T10:00:00Z.');
  return { order: 'reschedule', scheduledAtMs };
}

const isVariant = (text: string): text is VariantKey => variantKeys.some((key) => key === text);

function toVariant(text: string): VariantKey {
  if (!isVariant(text)) throw invalid('A variant is a letter from a to e.');
  return text;
}
