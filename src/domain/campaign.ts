export const campaignStatuses = ['draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled'] as const;
export type CampaignStatus = (typeof campaignStatuses)[number];

/** What a paused campaign resumes to. */
export const pausedFroms = ['scheduled', 'running'] as const;
export type PausedFrom = (typeof pausedFroms)[number];

export const pauseReasons = ['operator', 'bounce_rate', 'complaint_rate', 'instance'] as const;
export type PauseReason = (typeof pauseReasons)[number];

/** Why a campaign that is due does not start. */
export const holdCodes = [
  'late',
  'template',
  'variables',
  'sender',
  'instance',
  'list',
  'list_fields',
  'audience',
  'placements',
  'budget',
] as const;
export type HoldReason = { code: (typeof holdCodes)[number]; message: string };

/** What became of one member of an audience: audience = sent + skipped + failed + pending. */
export const recipientOutcomes = ['pending', 'sent', 'skipped', 'failed'] as const;
export type RecipientOutcome = (typeof recipientOutcomes)[number];

/** One MailWizz campaign of ours, from the plan to its end. */
export const legStates = ['planned', 'created', 'started', 'paused', 'finished', 'cancelled'] as const;
export type LegState = (typeof legStates)[number];

/** What MailWizz says of one of its campaigns. */
export type LegFigures = { delivered: number; bounces: number; opens: number; clicks: number; unsubscribes: number; complaints: number };

/** Times are milliseconds since 1970: a workflow carries this state, and JSON has no dates. */
export type CampaignState = {
  status: CampaignStatus;
  pausedFrom: PausedFrom | null;
  pauseReason: PauseReason | null;
  scheduledAtMs: number | null;
  /** An operator said "now": it counts instead of the schedule, until there is a new one. */
  launchedAtMs: number | null;
  /** Not empty: the campaign is due and waits for the operator, who launches it or gives it a new time. */
  held: HoldReason[];
  /** Goes up with every change of content, so that a repeated change is seen to be one. */
  revision: number;
};

export const campaignOrders = ['launch', 'pause', 'resume', 'cancel', 'reschedule', 'change'] as const;
/** What operators want. `change` stands for new content; what it holds is not the machine's business. */
export type CampaignOrder =
  | { order: 'launch'; atMs: number }
  | { order: 'pause'; reason?: PauseReason }
  | { order: 'resume' }
  | { order: 'cancel' }
  | { order: 'reschedule'; scheduledAtMs: number }
  | { order: 'change'; revision: number };

export const campaignSteps = ['begin', 'hold', 'complete'] as const;
/** What the workflow does by itself. From `begin` on, time and content are fixed. */
export type CampaignStep = { step: 'begin' } | { step: 'hold'; reasons: HoldReason[] } | { step: 'complete' };

export const refusals = {
  is_draft: 'The campaign is a draft: schedule or launch it first.',
  is_scheduled: 'The campaign has not started.',
  is_held: 'The campaign is held: launch it or give it a new time.',
  is_paused: 'The campaign is paused: resume it first.',
  has_started: 'The campaign has started: its time and content are fixed.',
  is_completed: 'The campaign is completed.',
  is_cancelled: 'The campaign is cancelled.',
} as const;
export type RefusalCode = keyof typeof refusals;
export type Refusal = { code: RefusalCode; message: string };
export type Applied = { state: CampaignState } | { refusal: Refusal };

/** A status, with the two kinds of pause apart: before the start much is allowed that is not allowed after it. */
type Stage = Exclude<CampaignStatus, 'paused'> | 'pausedBefore' | 'pausedAmid';
type Verb = (typeof campaignOrders)[number] | (typeof campaignSteps)[number];
type Move = Stage | RefusalCode;

const ended = { completed: 'is_completed', cancelled: 'is_cancelled' } as const;

/** The whole machine: where each verb leads from each stage, or why it is refused. Leading to where it is already is how a repeated order reads. */
// prettier-ignore
export const campaignMoves: Record<Verb, Record<Stage, Move>> = {
  launch: { draft: 'scheduled', scheduled: 'scheduled', running: 'running', pausedBefore: 'is_paused', pausedAmid: 'is_paused', ...ended },
  pause: { draft: 'is_draft', scheduled: 'pausedBefore', running: 'pausedAmid', pausedBefore: 'pausedBefore', pausedAmid: 'pausedAmid', ...ended },
  resume: { draft: 'is_draft', scheduled: 'scheduled', running: 'running', pausedBefore: 'scheduled', pausedAmid: 'running', ...ended },
  cancel: { draft: 'cancelled', scheduled: 'cancelled', running: 'cancelled', pausedBefore: 'cancelled', pausedAmid: 'cancelled', completed: 'is_completed', cancelled: 'cancelled' },
  reschedule: { draft: 'scheduled', scheduled: 'scheduled', running: 'has_started', pausedBefore: 'pausedBefore', pausedAmid: 'has_started', ...ended },
  change: { draft: 'draft', scheduled: 'scheduled', running: 'has_started', pausedBefore: 'pausedBefore', pausedAmid: 'has_started', ...ended },
  begin: { draft: 'is_draft', scheduled: 'running', running: 'running', pausedBefore: 'is_paused', pausedAmid: 'is_paused', ...ended },
  hold: { draft: 'is_draft', scheduled: 'scheduled', running: 'has_started', pausedBefore: 'is_paused', pausedAmid: 'has_started', ...ended },
  complete: { draft: 'is_draft', scheduled: 'is_scheduled', running: 'completed', pausedBefore: 'is_paused', pausedAmid: 'is_paused', completed: 'completed', cancelled: 'is_cancelled' },
};

/** The state of a campaign that has just been made. */
export const freshCampaign = (): CampaignState => ({
  status: 'draft',
  pausedFrom: null,
  pauseReason: null,
  scheduledAtMs: null,
  launchedAtMs: null,
  held: [],
  revision: 1,
});

/** The instant at which a campaign is to start: the order to launch goes before the schedule. */
export const dueAtMs = (state: CampaignState): number | null => state.launchedAtMs ?? state.scheduledAtMs;

/** Obeys an operator, or says why not. An order repeated in the state it leads to answers that state unchanged. */
export function applyOrder(state: CampaignState, order: CampaignOrder): Applied {
  const moved = move(state, order.order);
  if ('refusal' in moved) return moved;
  const next = moved.state;
  switch (order.order) {
    case 'launch':
      return next.status === 'scheduled' && (next.launchedAtMs === null || next.held.length > 0)
        ? { state: { ...next, launchedAtMs: order.atMs, held: [] } }
        : moved;
    case 'pause':
      return state.status === 'paused' ? moved : { state: { ...next, pauseReason: order.reason ?? 'operator' } };
    case 'reschedule':
      return { state: { ...next, scheduledAtMs: order.scheduledAtMs, launchedAtMs: null, held: [] } };
    case 'change':
      return { state: { ...next, revision: Math.max(next.revision, order.revision) } };
    case 'resume':
    case 'cancel':
      return moved;
  }
}

/** Moves the campaign on by itself. A held campaign never begins: only an operator ends a hold. */
export function applyStep(state: CampaignState, step: CampaignStep): Applied {
  const moved = move(state, step.step);
  if ('refusal' in moved || step.step === 'complete') return moved;
  if (step.step === 'hold') return { state: { ...moved.state, held: step.reasons } };
  return state.held.length > 0 ? refuse('is_held') : moved;
}

function move(state: CampaignState, verb: Verb): Applied {
  const target = campaignMoves[verb][stageOf(state)];
  return isRefusal(target) ? refuse(target) : { state: { ...state, ...statusOf(target, state) } };
}

const stageOf = ({ status, pausedFrom }: CampaignState): Stage =>
  status !== 'paused' ? status : pausedFrom === 'running' ? 'pausedAmid' : 'pausedBefore';

function statusOf(stage: Stage, { pauseReason }: CampaignState): Pick<CampaignState, 'status' | 'pausedFrom' | 'pauseReason'> {
  if (stage === 'pausedBefore') return { status: 'paused', pausedFrom: 'scheduled', pauseReason };
  if (stage === 'pausedAmid') return { status: 'paused', pausedFrom: 'running', pauseReason };
  return { status: stage, pausedFrom: null, pauseReason: null };
}

const isRefusal = (target: Move): target is RefusalCode => Object.hasOwn(refusals, target);
const refuse = (code: RefusalCode): Applied => ({ refusal: { code, message: refusals[code] } });

/** One workflow a campaign: a second start finds the first. */
export const campaignWorkflowId = (campaignId: number) => `campaign:${campaignId}`;
