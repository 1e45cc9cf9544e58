import type { VariantKey } from './ab-test';
import type { CampaignState, HoldReason, RecipientOutcome } from './campaign';
import type { WindowLook } from './send-window';

/** Names shared by the workflow and those who talk to it: each order is an update, which is answered, and a signal, which is not. */
export const campaignMessages = {
  launch: 'launch',
  pause: 'pause',
  resume: 'resume',
  cancel: 'cancel',
  reschedule: 'reschedule',
  change: 'change',
  choose: 'choose',
  state: 'state',
} as const;

/** What operators are told of a run. */
export type CampaignReport = CampaignState & { campaignId: number; stage: string };

/** All a run carries from one execution to the next; the rest is in the rows of the campaign. */
export type CampaignRun = {
  state: CampaignState;
  /** Goes up with every change of the state, so that the row never goes back. */
  version: number;
  /** The operator goes on without contacts that are not in MailWizz yet, and in spite of its rates. */
  waived: { placements: boolean; rates: boolean };
  /** By hand, when the figures of a test do not decide. */
  chosen: VariantKey | null;
};
export type CampaignInput = { campaignId: number; run: CampaignRun };

export const startRun = (state: CampaignState, version: number): CampaignRun => ({ state, version, waived: { placements: false, rates: false }, chosen: null });

/** audience = sent + skipped + failed + pending, always. */
export type CampaignFigures = Record<RecipientOutcome, number> & { audience: number };

/** What a look before the start found. `missing`: contacts of the audience that are on their way into MailWizz. `window`: it is shut. */
export type Preflight = { problems: HoldReason[]; missing: number; instanceId: string; revision: number; window?: WindowLook };
export type SegmentCheck = { legId: number; ours: number; theirs: number | null };

/** What a look at the legs of a running campaign found. */
export type CampaignLook = {
  /** Legs whose MailWizz campaign has not ended. */
  open: number;
  /** There is more of the delivery logs to read, at once. */
  behind: boolean;
  /** Somebody stopped a leg in MailWizz, or a rate is above its limit. */
  trouble: 'bounce_rate' | 'complaint_rate' | 'instance' | null;
  test: { endsInMs: number } | null;
  nextLookMs: number;
  /** Where there is a send window. */
  window?: WindowLook | undefined;
  /** Where a part waits for room under caps: when to try, and whether nothing is under way in MailWizz meanwhile. */
  release?: { inMs: number; alone: boolean } | undefined;
};

/** `window`: it is shut, and nothing was made. */
export type OpenedLeg = { missing: number; window?: WindowLook };

/** Short calls to MailWizz, on slots of their own: a pause never waits behind thousands of injections. */
export const campaignQueue = (taskQueue: string) => `${taskQueue}:campaigns`;

/** How long contacts on their way into MailWizz are waited for. */
export const placementsWaitMs = 600_000;
export const placementsLookMs = 3_000;
/** Some ten events a look: a run goes on in a new one before it takes long to replay. */
export const looksPerRun = 150;
