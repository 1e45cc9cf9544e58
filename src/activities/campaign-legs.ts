import { claimOrder, getLeg, type LegFacts, listLegs, moveLeg, recordFirstUid, recordLeg, type StoredLeg } from '../../db/queries/campaign-legs';
import { findLimits, releaseStopped, replanOpenLegs, returnRelease, returnReleases } from '../../db/queries/campaign-releases';
import { type Campaign, getCampaign } from '../../db/queries/campaigns';
import type { Standing } from '../adapters/mailwizz/campaigning';
import type { LegState } from '../domain/campaign';
import type { OpenedLeg } from '../domain/campaign-run';
import { EngineError } from '../domain/errors';
import { isLimited } from '../domain/release';
import { lookAtWindow } from '../domain/send-window';
import { toMailwizz } from '../domain/template';
import { beating } from './beating';
import { getInstance, type Mail, readMails } from './campaign-content';
import { getPlace, makeSegment, tellLeavers } from './campaign-preflight';
import { releaseNext } from './campaign-releases';
import type { Deps } from './deps';

/** Longer than a request waits at the door and lives: after it, a campaign that is not there was surely not made. */
const orderLifeMs = 70_000;
const legsAtOnce = 4;
const live: LegState[] = ['created', 'started', 'paused'];
const nameAtMost = 200;

/** The MailWizz campaigns of a campaign: made once each, started, paused, ended. Every call can be repeated. */
export const createLegActivities = ({ db, campaigns: mailwizz, now }: Deps) => {
  /** Looked for by its marker first. An order whose answer was lost may still be under way, so nothing is ordered again while it can live. */
  async function findOrCreate(campaign: Campaign, leg: StoredLeg): Promise<LegFacts> {
    const place = await getPlace(db, campaign);
    const found = await mailwizz.findCampaign(place, leg.marker);
    if (found) return { mailwizzCampaignUid: found.campaignUid, mailwizzCampaignId: found.campaignId };
    const aliveForMs = (leg.orderedAt?.getTime() ?? 0) + orderLifeMs - now().getTime();
    if (aliveForMs > 0) throw new EngineError('unavailable', `leg ${leg.id} may still be on its way`, { retryAfterMs: aliveForMs });
    const mail = (await readMails(db, campaign, await getInstance(db, campaign))).find(({ key }) => key === null || key === leg.variant);
    const segmentUid = leg.mailwizzSegmentUid ?? (await segmentOf(campaign, leg));
    const order = toOrder(campaign, leg, mail, segmentUid);
    // Of two attempts that run side by side, one orders.
    if (!(await claimOrder(db, { id: leg.id, seen: leg.orderedAt, now: now() }))) throw new EngineError('unavailable', `leg ${leg.id} is ordered by another attempt`, { retryAfterMs: orderLifeMs });
    const made = await mailwizz.createCampaign(place, order);
    if ('campaignUid' in made) return { mailwizzCampaignUid: made.campaignUid };
    await recordLeg(db, leg.id, { orderedAt: null });
    throw new EngineError('unavailable', `leg ${leg.id} could not be made (${made.nothingDone})`);
  }

  /** The rest of a test gets its segment when the winner is known, a released part when it is released. More people there than here must not be mailed. */
  async function segmentOf(campaign: Campaign, leg: StoredLeg): Promise<string> {
    const { segmentUid, ours, theirs } = await makeSegment({ db, campaigns: mailwizz }, leg.id);
    if (theirs === null || theirs <= ours) return segmentUid;
    await tellLeavers({ db, campaigns: mailwizz }, campaign, (await getPlace(db, campaign)).listUid);
    if (leg.releasedAt !== null) await returnRelease(db, leg.id);
    else await db.transaction((tx) => replanOpenLegs(tx, campaign));
    throw new EngineError('refused', `the segment of leg ${leg.id} holds ${theirs} instead of ${ours}`);
  }

  /** Planned legs that may be made: all of them without caps; with caps those that are released, and those that MailWizz may have heard of. */
  async function listReady(campaignId: number, limited: boolean): Promise<StoredLeg[]> {
    return (await listLegs(db, campaignId)).filter(({ state, releasedAt, orderedAt }) => state === 'planned' && (!limited || releasedAt !== null || orderedAt !== null));
  }

  async function forEachLeg(campaignId: number, states: LegState[], work: (leg: StoredLeg & { uid: string }, campaign: Campaign) => Promise<void>): Promise<void> {
    const campaign = await getCampaign(db, campaignId);
    const legs = (await listLegs(db, campaignId)).flatMap((leg) => (states.includes(leg.state) && leg.mailwizzCampaignUid !== null ? [{ ...leg, uid: leg.mailwizzCampaignUid }] : []));
    const failures: unknown[] = [];
    for (let from = 0; from < legs.length; from += legsAtOnce) {
      const results = await Promise.allSettled(legs.slice(from, from + legsAtOnce).map((leg) => work(leg, campaign)));
      failures.push(...results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])));
    }
    // One that fails keeps none of the others from being stopped.
    if (failures.length > 0) throw failures[0];
  }

  return {
    /**
     * Makes the next MailWizz campaign that is missing, paused; answers how many are missing still. Under caps it releases the next part when all that is
     * released is made. Does nothing outside the send window. Safe to repeat: one per leg, whatever happens.
     */
    async openLeg({ campaignId }: { campaignId: number }): Promise<OpenedLeg> {
      return beating(async () => {
        const campaign = await getCampaign(db, campaignId);
        const window = lookAtWindow(campaign.sendWindow, now().getTime());
        if (window && !window.open) return { missing: 0, window };
        const limits = await findLimits(db, campaign);
        let ready = await listReady(campaignId, isLimited(limits));
        if (ready.length === 0 && isLimited(limits)) {
          await releaseNext({ db, now }, campaign, limits);
          ready = await listReady(campaignId, true);
        }
        const [next] = ready;
        if (!next) return { missing: 0 };
        const facts = await findOrCreate(campaign, await getLeg(db, next.id));
        await recordLeg(db, next.id, facts);
        await moveLeg(db, { id: next.id, from: ['planned'], to: 'created', now: now() });
        await recordFirstUid(db, campaignId);
        return { missing: ready.length - 1 };
      });
    },

    /** Lets MailWizz send what is made or paused, under caps as far as there is room. Safe to repeat: what runs goes on. */
    async startLegs({ campaignId }: { campaignId: number }): Promise<void> {
      await beating(async () => {
        const campaign = await getCampaign(db, campaignId);
        const limits = await findLimits(db, campaign);
        if (isLimited(limits)) await releaseStopped(db, { campaign, limits, now: now() });
        await forEachLeg(campaignId, ['created', 'paused'], async (leg, { mailwizzInstance }) => {
          if (isLimited(limits) && leg.releasedAt === null) return;
          const standing = await mailwizz.setPaused(mailwizzInstance, leg.uid, false);
          await recordStanding(leg, standing, standing === 'sending' || standing === 'sent');
        });
      });
    },

    /** Stops MailWizz. Also what a lost answer may have started. What caps had released is given back. Safe to repeat. */
    async pauseLegs({ campaignId }: { campaignId: number }): Promise<void> {
      await beating(async () => {
        await forEachLeg(campaignId, live, async (leg, { mailwizzInstance }) => {
          const standing = await mailwizz.setPaused(mailwizzInstance, leg.uid, true);
          if (standing === 'paused' && leg.state === 'started') await moveLeg(db, { id: leg.id, from: ['started'], to: 'paused', now: now() });
          else if (standing === 'sent') await moveLeg(db, { id: leg.id, from: live, to: 'started', now: now() });
        });
        await returnReleases(db, campaignId);
      });
    },

    /** Ends every MailWizz campaign for good: paused, then marked as sent. Safe to repeat. */
    async endLegs({ campaignId }: { campaignId: number }): Promise<void> {
      await beating(() =>
        forEachLeg(campaignId, live, async (leg, { mailwizzInstance }) => {
          await mailwizz.endCampaign(mailwizzInstance, leg.uid);
        }),
      );
    },
  };

  async function recordStanding(leg: StoredLeg, standing: Standing, runs: boolean): Promise<void> {
    if (runs) await moveLeg(db, { id: leg.id, from: ['created', 'paused'], to: 'started', now: now() });
    else await recordLeg(db, leg.id, { lastError: `MailWizz did not start it: it is ${standing} there.` });
  }
};

function toOrder(campaign: Campaign, leg: StoredLeg, mail: Mail | undefined, segmentUid: string) {
  if (!mail?.content || mail.head.fromName === null || mail.head.fromEmail === null || mail.head.replyTo === null) throw new EngineError('invalid', `leg ${leg.id} has no content or no sender`);
  const { subject, html, text } = toMailwizz(mail.content);
  return {
    name: `${campaign.name.slice(0, nameAtMost)} [${leg.marker}]`,
    segmentUid,
    fromName: mail.head.fromName,
    fromEmail: mail.head.fromEmail,
    replyTo: mail.head.replyTo,
    subject,
    content: { html, ...(text !== null && { plainText: text }) },
    trackUrls: true,
  };
}
