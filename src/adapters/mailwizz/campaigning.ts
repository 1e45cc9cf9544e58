import type { LegFigures, RecipientOutcome } from '../../domain/campaign';
import { EngineError } from '../../domain/errors';
import type { SegmentCondition } from '../../domain/segment';
import type { Calls } from './calls';
import { toValue } from './calls/called';
import type { NewCampaign } from './calls/campaign-shapes';

export type ListPlace = { instanceId: string; listUid: string };
/** How a MailWizz campaign stands: `gone` when nobody knows it there, `strange` in states that need a person (blocked, draft, approval). */
export type Standing = 'paused' | 'sending' | 'sent' | 'gone' | 'strange';
export type LegStats = LegFigures & { standing: Standing; processed: number };
export type Delivery = { uid: string; outcome: RecipientOutcome; reason: string | null };
export type DeliveryPage = { deliveries: Delivery[]; nextPage: number | undefined };

/** What the campaigns of the hub ask of MailWizz. Throws EngineErrors; every call can be repeated. */
export type MailwizzCampaigns = {
  readFieldTags: (place: ListPlace) => Promise<string[]>;
  /** Makes the segment of that name be what is said here; answers how many MailWizz counts in it. */
  ensureSegment: (place: ListPlace, segment: { name: string; conditions: SegmentCondition[] }) => Promise<{ segmentUid: string; subscribers: number | null }>;
  findCampaign: (place: ListPlace, marker: string) => Promise<{ campaignUid: string; campaignId: number | null } | undefined>;
  /** Paused. Look for the marker before, and keep in mind that a lost answer may have made it: `unavailable` says so, `surely` when nothing was done. */
  createCampaign: (place: ListPlace, campaign: Omit<NewCampaign, 'listUid' | 'sendAt'>) => Promise<{ campaignUid: string } | { nothingDone: string }>;
  setPaused: (instanceId: string, campaignUid: string, paused: boolean) => Promise<Standing>;
  /** Paused first, then marked as sent: nobody gets it any more. */
  endCampaign: (instanceId: string, campaignUid: string) => Promise<Standing>;
  readStats: (instanceId: string, campaignUid: string) => Promise<LegStats>;
  readDeliveries: (instanceId: string, campaignUid: string, page: number) => Promise<DeliveryPage>;
  unsubscribe: (place: ListPlace, subscriberUid: string) => Promise<void>;
};

/** Long past, whatever the time zone of the customer: a paused campaign starts when it is told to. */
const sendAt = '2020-01-01 00:00:00';
const deliveriesPerPage = 100;

export function createMailwizzCampaigns(callsOf: (instanceId: string) => Promise<Calls>): MailwizzCampaigns {
  return {
    async readFieldTags({ instanceId, listUid }) {
      const { fields } = await callsOf(instanceId);
      return toValue(await fields.readAll(listUid), 'the fields of a list').map(({ tag }) => tag);
    },

    async ensureSegment({ instanceId, listUid }, { name, conditions }) {
      const { fields, segments } = await callsOf(instanceId);
      const idOf = new Map(toValue(await fields.readAll(listUid), 'the fields of a list').map(({ tag, fieldId }) => [tag, fieldId]));
      const wanted = {
        name,
        match: 'all' as const,
        conditions: conditions.map(({ tag, operatorId, value }) => ({ fieldId: needed(idOf.get(tag), tag), operatorId, value })),
      };
      const known = toValue(await segments.findByName(listUid, name), 'the segments of a list');
      if (known) toValue(await segments.update(listUid, known.segmentUid, wanted), 'a segment');
      const segmentUid = known?.segmentUid ?? toValue(await segments.create(listUid, wanted), 'a new segment').segmentUid;
      const { subscribers } = toValue(await segments.read(listUid, segmentUid), 'a segment');
      return { segmentUid, subscribers: subscribers ?? null };
    },

    async findCampaign({ instanceId, listUid }, marker) {
      const { campaigns } = await callsOf(instanceId);
      const found = toValue(await campaigns.findByMarker(listUid, marker), 'the campaigns of a list');
      return found && { campaignUid: found.campaignUid, campaignId: found.campaignId ?? null };
    },

    async createCampaign({ instanceId, listUid }, campaign) {
      const { campaigns } = await callsOf(instanceId);
      const called = await campaigns.create({ ...campaign, listUid, sendAt });
      if (called.kind === 'nothing' || called.kind === 'limited') return { nothingDone: called.reason };
      return toValue(called, 'a new campaign');
    },

    setPaused: async (instanceId, campaignUid, paused) => setPaused(await callsOf(instanceId), campaignUid, paused),

    async endCampaign(instanceId, campaignUid) {
      const calls = await callsOf(instanceId);
      const standing = await setPaused(calls, campaignUid, true);
      if (standing === 'gone' || standing === 'sent') return standing;
      const marked = await calls.campaigns.markSent(campaignUid);
      // Refused: it stays paused, which sends nothing either.
      if (marked.kind === 'rejected') return standing;
      return marked.kind === 'absent' ? 'gone' : toStanding(toValue(marked, 'the end of a campaign').status);
    },

    async readStats(instanceId, campaignUid) {
      const { campaigns } = await callsOf(instanceId);
      const called = await campaigns.readStats(campaignUid);
      if (called.kind === 'absent') return { standing: 'gone', processed: 0, delivered: 0, bounces: 0, opens: 0, clicks: 0, unsubscribes: 0, complaints: 0 };
      const { status, processed, counts } = toValue(called, 'the figures of a campaign');
      const count = (name: string) => counts.get(name) ?? 0;
      return {
        standing: toStanding(status ?? (await standingOf(campaigns, campaignUid))),
        processed,
        delivered: count('delivery_success'),
        bounces: count('bounces'),
        opens: count('unique_opens'),
        clicks: count('unique_clicks'),
        unsubscribes: count('unsubscribes'),
        complaints: count('complaints'),
      };
    },

    async readDeliveries(instanceId, campaignUid, page) {
      const { campaignLogs } = await callsOf(instanceId);
      const { records, nextPage } = toValue(await campaignLogs.readDeliveries(campaignUid, { page, perPage: deliveriesPerPage }), 'a delivery log');
      return { deliveries: records.map(({ subscriberUid: uid, status }) => ({ uid, ...toOutcome(status) })), nextPage };
    },

    async unsubscribe({ instanceId, listUid }, subscriberUid) {
      const { subscribers } = await callsOf(instanceId);
      const called = await subscribers.unsubscribe(listUid, subscriberUid);
      // Who is not there, or has left already, gets nothing.
      if (called.kind !== 'absent' && called.kind !== 'rejected') toValue(called, 'an unsubscription');
    },
  };
}

async function setPaused({ campaigns }: Calls, campaignUid: string, paused: boolean): Promise<Standing> {
  const called = await campaigns.setPaused(campaignUid, paused);
  if (called.kind === 'absent') return 'gone';
  // It cannot be switched from where it stands: that is told, too.
  if (called.kind === 'rejected') return toStanding(called.messages.get('status') ?? (await standingOf(campaigns, campaignUid)));
  return toStanding(toValue(called, 'the switch of a campaign').status);
}

async function standingOf(campaigns: Calls['campaigns'], campaignUid: string): Promise<string> {
  const called = await campaigns.read(campaignUid);
  return called.kind === 'absent' ? 'pending-delete' : toValue(called, 'a campaign').status;
}

function toStanding(status: string): Standing {
  if (status === 'paused' || status === 'sent') return status;
  if (status === 'pending-delete') return 'gone';
  return ['pending-sending', 'sending', 'processing'].includes(status) ? 'sending' : 'strange';
}

/** Not to be mailed there is no failure of the mail; what MailWizz will try again is still open. */
function toOutcome(status: string): Omit<Delivery, 'uid'> {
  if (status === 'success') return { outcome: 'sent', reason: null };
  if (status === 'blacklisted' || status === 'suppressed') return { outcome: 'skipped', reason: `${status}_there` };
  return { outcome: status === 'temporary-error' ? 'pending' : 'failed', reason: status.slice(0, 50) };
}

function needed(fieldId: number | undefined, tag: string): number {
  if (fieldId === undefined) throw new EngineError('invalid', `the list has no field ${tag}`);
  return fieldId;
}

