import type { Tx } from '../../db/client';
import { assignRest, countCampaign, type Delivered, findStopped, insertLegs, listLegs, moveLeg, recordDeliveries, recordLeg, recordTotals, skipPending, skipRecipient, type StoredLeg } from '../../db/queries/campaign-legs';
import { findRestBuckets, lockDecision, recordDecision, recordWinner } from '../../db/queries/campaign-tests';
import { findLimits, lookAtRelease } from '../../db/queries/campaign-releases';
import { type Campaign, getCampaign, listVariants, recordFinish } from '../../db/queries/campaigns';
import { type AbDecision, decideAbTest, type VariantKey } from '../domain/ab-test';
import { everyBucket, planLegs } from '../domain/audience';
import type { LegFigures, LegState } from '../domain/campaign';
import type { CampaignFigures, CampaignLook } from '../domain/campaign-run';
import { EngineError } from '../domain/errors';
import { isLimited } from '../domain/release';
import { lookAtWindow } from '../domain/send-window';
import { beating } from './beating';
import { getPlace, markerOf } from './campaign-preflight';
import type { Deps } from './deps';

/** A look is short, so that an order never waits long for its end; what is left is read by the next one. */
const lookBudgetMs = 2_000;
const stoppedAtOnce = 200;
/** With fewer mails delivered a rate says nothing. */
const ratedFrom = 50;
const live: LegState[] = ['created', 'started', 'paused'];
/** Opens and clicks go on after the end. Of many legs that have ended, those are asked for that were longest ago. */
const endedPerLook = 20;

export const createWatchActivities = ({ db, campaigns: mailwizz, settings, now }: Deps) => {
  type Look = { campaign: Campaign; leg: StoredLeg; untilMs: number };

  /** Reads on in the delivery log of a leg. True when there is more of it. A log may show its newest first: `whole` reads all of it. */
  async function readLog({ campaign, leg, untilMs }: Look, uid: string, { last }: { last: boolean }): Promise<boolean> {
    const { mailwizzInstance: instanceId, mailwizzListId: listId } = campaign;
    for (let page = leg.logPage; ; ) {
      const { deliveries, nextPage } = await mailwizz.readDeliveries(instanceId, uid, page);
      await recordDeliveries(db, { leg, instanceId, listId, deliveries: last ? deliveries.map(toFinal) : deliveries });
      if (nextPage === undefined) return false;
      page = nextPage;
      await recordLeg(db, leg.id, { logPage: page });
      if (now().getTime() > untilMs) return true;
    }
  }

  /** A leg that has ended is read from the first page to the last one before it counts as finished. True when there is more to read. */
  async function finishLeg(look: Look, uid: string): Promise<boolean> {
    const { campaign, leg } = look;
    const firstTime = leg.finishedAt === null;
    if (firstTime) await recordLeg(db, leg.id, { logPage: 1, finishedAt: now() });
    if (await readLog({ ...look, leg: firstTime ? { ...leg, logPage: 1 } : leg }, uid, { last: true })) return true;
    await skipPending(db, { campaignId: campaign.id, legId: leg.id, reason: 'not_sent_there' });
    await moveLeg(db, { id: leg.id, from: live, to: 'finished', now: now() });
    return false;
  }

  /** Who must not be mailed any more is taken out there before it is called skipped here. */
  async function stopRecipients(campaign: Campaign): Promise<void> {
    const { id: campaignId, mailwizzInstance: instanceId, mailwizzListId: listId } = campaign;
    const place = await getPlace(db, campaign);
    for (const { contact_id: contactId, uid, reason } of await findStopped(db, { campaignId, instanceId, listId, limit: stoppedAtOnce })) {
      if (uid !== null) await mailwizz.unsubscribe(place, uid);
      await skipRecipient(db, { campaignId, contactId, reason });
    }
  }

  return {
    /** Brings rows and figures up to date with MailWizz. `shut`: its legs stand still because its send window is. Safe to repeat: what is known stays known. */
    async watchLegs({ campaignId, shut = false }: { campaignId: number; shut?: boolean }): Promise<CampaignLook> {
      return beating(async () => {
        const campaign = await getCampaign(db, campaignId);
        await stopRecipients(campaign);
        const untilMs = now().getTime() + lookBudgetMs;
        const limited = isLimited(await findLimits(db, campaign));
        const stats: LegFigures[] = [];
        let behind = false;
        let stopped = false;
        const before = await listLegs(db, campaignId);
        const known = pickKnown(before);
        for (const leg of before) {
          if (leg.mailwizzCampaignUid === null) continue;
          if (leg.figures && known.has(leg.id)) {
            stats.push(leg.figures);
            continue;
          }
          const { standing, processed, ...figures } = await mailwizz.readStats(campaign.mailwizzInstance, leg.mailwizzCampaignUid);
          stats.push(figures);
          if (!live.includes(leg.state)) {
            if (before.length > endedPerLook) await recordLeg(db, leg.id, { figures, figuresAt: now() });
            continue;
          }
          const look = { campaign, leg, untilMs };
          if (standing === 'gone') await abandon(leg);
          else if (standing === 'sent') behind = (await finishLeg(look, leg.mailwizzCampaignUid)) || behind;
          else {
            if (processed > 0) behind = (await readLog(look, leg.mailwizzCampaignUid, { last: false })) || behind;
            // A leg that waits for room stands still rightly.
            stopped ||= campaign.status === 'running' && !shut && standing !== 'sending' && (!limited || leg.state === 'started' || leg.releasedAt !== null);
          }
        }
        await countCampaign(db, campaignId);
        await recordTotals(db, campaignId, sumStats(stats));
        const legs = await listLegs(db, campaignId);
        return {
          open: legs.filter(({ state }) => !['finished', 'cancelled'].includes(state)).length,
          behind,
          trouble: stopped ? 'instance' : findExcess(campaign, stats),
          test: testOf(campaign, legs),
          nextLookMs: settings.campaignLookMs,
          window: lookAtWindow(campaign.sendWindow, now().getTime()),
          release: limited || legs.some(({ state }) => state === 'planned') ? await lookAtRelease(db, campaign, now().getTime()) : undefined,
        };
      });
    },

    /** What the figures of a test decide, and the legs of the rest when they do. Safe to repeat: a decision stays. */
    async decideTest({ campaignId }: { campaignId: number }): Promise<{ chosen: VariantKey | null }> {
      const campaign = await getCampaign(db, campaignId);
      if (campaign.abDecision?.chosen) return { chosen: campaign.abDecision.chosen };
      return { chosen: await decide(campaign, await judgeTest(campaign)) };
    },

    /** An operator's choice, with the figures of the moment; refused when the test has no such variant. Safe to repeat: a decision stays. */
    async chooseVariant({ campaignId, variant }: { campaignId: number; variant: VariantKey }): Promise<{ refused: boolean } | undefined> {
      const campaign = await getCampaign(db, campaignId);
      if (campaign.abDecision?.chosen) return undefined;
      if (!(await listVariants(db, campaignId)).some(({ key }) => key === variant)) return { refused: true };
      const decision = await judgeTest(campaign);
      await decide(campaign, { ...decision, chosen: variant, reason: `${decision.reason} An operator chose ${variant}.` });
      return undefined;
    },

    /** Nobody stays pending: the sums of a campaign that is over are closed. Safe to repeat. */
    async closeCampaign({ campaignId, reason }: { campaignId: number; reason: string }): Promise<CampaignFigures> {
      return db.transaction(async (tx) => {
        await skipPending(tx, { campaignId, reason });
        for (const leg of await listLegs(tx, campaignId)) await moveLeg(tx, { id: leg.id, from: ['planned', ...live], to: 'cancelled', now: now() });
        const figures = await countCampaign(tx, campaignId);
        await recordFinish(tx, { id: campaignId, figures, now: now() });
        return figures;
      });
    },
  };

  async function abandon(leg: StoredLeg): Promise<void> {
    await recordLeg(db, leg.id, { lastError: 'Its MailWizz campaign is gone.' });
    await skipPending(db, { campaignId: leg.campaignId, legId: leg.id, reason: 'gone_there' });
    await moveLeg(db, { id: leg.id, from: live, to: 'cancelled', now: now() });
  }

  /** The figures from MailWizz, and what they say. */
  async function judgeTest(campaign: Campaign): Promise<AbDecision> {
    if (!campaign.abTest) throw new EngineError('invalid', `campaign ${campaign.id} has no test`);
    const { metric } = campaign.abTest;
    const results = new Map((await listVariants(db, campaign.id)).map(({ key }) => [key, { key, recipients: 0, hits: 0 }]));
    for (const leg of await listLegs(db, campaign.id)) {
      const result = results.get(leg.variant);
      if (!result || leg.mailwizzCampaignUid === null || leg.part !== 'sample') continue;
      const figures = await mailwizz.readStats(campaign.mailwizzInstance, leg.mailwizzCampaignUid);
      result.recipients += figures.delivered;
      result.hits += metric === 'opens' ? figures.opens : figures.clicks;
    }
    return decideAbTest([...results.values()], campaign.abTest);
  }

  /** The decision and the legs of the rest, all or nothing: what the rest gets is what is said to have been chosen. The first choice stays. */
  async function decide(campaign: Campaign, decision: AbDecision): Promise<VariantKey | null> {
    return db.transaction(async (tx) => {
      const earlier = await lockDecision(tx, campaign.id);
      if (earlier?.chosen) return earlier.chosen;
      if (decision.chosen) await planRest(tx, campaign, decision.chosen);
      await recordDecision(tx, campaign.id, decision);
      return decision.chosen;
    });
  }

  async function planRest(tx: Tx, campaign: Campaign, variant: VariantKey): Promise<void> {
    const counts = await findRestBuckets(tx, campaign.id);
    const buckets = counts.map(({ bucket }) => bucket);
    const range = buckets.length === 0 ? everyBucket : { from: Math.min(...buckets), to: Math.max(...buckets) };
    await recordWinner(tx, { campaignId: campaign.id, variant });
    await insertLegs(tx, campaign.id, planLegs(counts, [{ variant, part: 'rest', range }], campaign.targetCountryCodes ?? []), markerOf(campaign));
    await assignRest(tx, campaign.id);
  }

  /** The time of a test begins when the last part of its samples was started. */
  function testOf({ abTest, abDecision, startedAt }: Campaign, legs: StoredLeg[]): CampaignLook['test'] {
    if (!abTest || abDecision?.chosen) return null;
    const samples = legs.filter(({ part, state }) => part === 'sample' && state !== 'cancelled');
    const lastMs = Math.max(startedAt?.getTime() ?? 0, ...samples.map((leg) => (leg.startedAt ?? now()).getTime()));
    return { endsInMs: Math.max(0, lastMs + abTest.testMinutes * 60_000 - now().getTime()) };
  }
};

/** Legs that have ended and whose figures are young enough: all but those that were asked for longest ago. */
function pickKnown(legs: StoredLeg[]): Set<number> {
  const ended = legs.filter(({ state, mailwizzCampaignUid }) => !live.includes(state) && mailwizzCampaignUid !== null);
  const youngestFirst = ended.toSorted((a, b) => (b.figuresAt?.getTime() ?? 0) - (a.figuresAt?.getTime() ?? 0));
  return new Set(youngestFirst.slice(0, Math.max(0, ended.length - endedPerLook)).map(({ id }) => id));
}

/** What MailWizz gave up trying has failed when its campaign is over. */
const toFinal = (delivery: Delivered): Delivered => (delivery.outcome === 'pending' ? { ...delivery, outcome: 'failed' } : delivery);

const sum = (stats: LegFigures[], of: (figures: LegFigures) => number) => stats.reduce((total, figures) => total + of(figures), 0);

const sumStats = (stats: LegFigures[]) => ({
  sent: sum(stats, ({ delivered }) => delivered),
  delivered: Math.max(0, sum(stats, ({ delivered, bounces }) => delivered - bounces)),
  bounced: sum(stats, ({ bounces }) => bounces),
  opened: sum(stats, ({ opens }) => opens),
  clicked: sum(stats, ({ clicks }) => clicks),
  unsubscribed: sum(stats, ({ unsubscribes }) => unsubscribes),
  spamReports: sum(stats, ({ complaints }) => complaints),
});

function findExcess({ bounceLimit, complaintLimit }: Campaign, stats: LegFigures[]): CampaignLook['trouble'] {
  const { sent, bounced, spamReports } = sumStats(stats);
  if (sent < ratedFrom) return null;
  if (bounced / sent > bounceLimit) return 'bounce_rate';
  return spamReports / sent > complaintLimit ? 'complaint_rate' : null;
}
