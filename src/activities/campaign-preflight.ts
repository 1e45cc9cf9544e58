import { countBuckets, countMissing, findLeavers, findSourceNumber, freezeAudience, recordLeaver, resolveAudience, toFilter } from '../../db/queries/campaign-audience';
import { getLeg, listLegs, recordLeg } from '../../db/queries/campaign-legs';
import { findLargestBucket, findLimits } from '../../db/queries/campaign-releases';
import { beginCampaign, type Campaign, getCampaign, listVariants, saveCampaignState } from '../../db/queries/campaigns';
import { listInstanceLists } from '../../db/queries/instances';
import type { Db } from '../../db/client';
import type { ListPlace } from '../adapters/mailwizz/campaigning';
import { everyBucket, type Leg, legMarker } from '../domain/audience';
import type { CampaignState, HoldReason } from '../domain/campaign';
import { cutFirstLegs, holdFor } from '../domain/campaign-content';
import type { Preflight, SegmentCheck } from '../domain/campaign-run';
import { EngineError } from '../domain/errors';
import { isLimited, leastCap, releasesAtMost } from '../domain/release';
import { judgeStart } from '../domain/schedule';
import { tagsOf, toConditions } from '../domain/segment';
import { lookAtWindow, openTimeBetween } from '../domain/send-window';
import { checkTemplate, listVariables } from '../domain/template';
import { beating } from './beating';
import { getInstance, type Mail, readMails } from './campaign-content';
import type { Deps } from './deps';

/** Each costs a call; a list with more of them is cleaned over several looks. */
const leaversAtOnce = 500;
const lotsOfLeavers = 10;

/** Everything between the due time and the start: nothing of it reaches a reader. */
export const createPreflightActivities = ({ db, campaigns: mailwizz, now }: Deps) => {
  return {
    /** Stores what the run decided. Safe to repeat: a state that is older than the stored one changes nothing. */
    async saveCampaign({ campaignId, version, state }: { campaignId: number; version: number; state: CampaignState }): Promise<void> {
      await saveCampaignState(db, { id: campaignId, version, state });
    },

    /** Looks whether the campaign can start as it is, and prepares the list for it. Safe to repeat. */
    async checkCampaign({ campaignId, dueAtMs }: { campaignId: number; dueAtMs: number | null }): Promise<Preflight> {
      return beating(async () => {
        const campaign = await getCampaign(db, campaignId);
        const { revision, mailwizzInstance: instanceId } = campaign;
        if (dueAtMs !== null && isLate(campaign, dueAtMs)) return { problems: [holdFor('late', `It was due at ${new Date(dueAtMs).toISOString()}: too long ago to start by itself.`)], missing: 0, instanceId, revision };
        const instance = await getInstance(db, campaign);
        const listUid = await findListUid(db, campaign);
        const mails = await readMails(db, campaign, instance);
        const problems = mails.flatMap(checkMail);
        if (!instance.isActive || instance.parkedAt !== null) problems.push(holdFor('instance', `Instance ${instanceId} is ${instance.isActive ? 'parked' : 'not active'}.`));
        if (listUid === undefined) problems.push(holdFor('list', `List ${campaign.mailwizzListId} of ${instanceId} is not known: synchronise its lists.`));
        if (problems.length > 0 || listUid === undefined) return { problems, missing: 0, instanceId, revision };

        const tags = await mailwizz.readFieldTags({ instanceId, listUid });
        problems.push(...(await checkFields(campaign, tags)), ...mails.flatMap((mail) => checkContent(mail, tags)));
        if (problems.length > 0) return { problems, missing: 0, instanceId, revision };
        const window = lookAtWindow(campaign.sendWindow, now().getTime());
        if (dueAtMs !== null && window && !window.open) return { problems, missing: 0, instanceId, revision, window };
        await tellLeavers({ db, campaigns: mailwizz }, campaign, listUid);
        const audience = await resolveAudience(db, campaign);
        const missing = await countMissing(db, audience);
        const members = (await countBuckets(db, audience)).reduce((sum, { contacts }) => sum + contacts, 0);
        if (members === 0 && missing === 0) problems.push(holdFor('audience', 'Nobody is in the audience.'));
        return { problems, missing, instanceId, revision };
      });
    },

    /** Counts, cuts and freezes the audience. Safe to repeat: before the start a new plan replaces the old one. */
    async planCampaign({ campaignId }: { campaignId: number }): Promise<{ problems: HoldReason[]; audience: number; legIds: number[] }> {
      return beating(async () => {
        const campaign = await getCampaign(db, campaignId);
        const variants = campaign.abTest === null ? [] : await listVariants(db, campaignId);
        const test = campaign.abTest === null ? null : { variants, samplePercent: campaign.abTest.samplePercent };
        const audience = await freezeAudience(db, {
          campaign,
          cut: (counts) => cutFirstLegs(counts, { maxContacts: campaign.maxContacts, countries: campaign.targetCountryCodes ?? [], test }),
          toMarker: markerOf(campaign),
          now: now(),
        });
        const legIds = (await listLegs(db, campaignId)).map(({ id }) => id);
        const tooFew = audience === 0 ? 'Nobody is in the audience.' : `The ${audience} contacts of the audience do not suffice for the samples of its variants.`;
        return { problems: legIds.length === 0 ? [holdFor('audience', tooFew)] : await checkCaps(campaign, { audience, legs: legIds.length }), audience, legIds };
      });
    },

    /** Makes the segment of a leg and compares counts. Safe to repeat: a segment of that name is made to be this one. */
    async prepareSegment({ legId }: { legId: number }): Promise<SegmentCheck> {
      return beating(() => makeSegment({ db, campaigns: mailwizz }, legId));
    },

    /** Fixes time and content. False when the content changed since it was checked. Safe to repeat. */
    async beginCampaign({ campaignId, revision }: { campaignId: number; revision: number }): Promise<{ begun: boolean }> {
      return { begun: await beginCampaign(db, { id: campaignId, revision, now: now() }) };
    },
  };

  /** Time in which the send window was shut is no delay of ours. */
  function isLate({ graceMinutes, sendWindow }: Campaign, dueAtMs: number): boolean {
    const graceMs = graceMinutes * 60_000;
    const nowMs = now().getTime();
    if (sendWindow) return openTimeBetween({ fromMs: dueAtMs, toMs: nowMs, window: sendWindow, enoughMs: graceMs }) > graceMs;
    return judgeStart({ dueAtMs, nowMs, graceMs }) === 'late';
  }

  /** Caps that could never be kept, or only with more MailWizz campaigns than anybody could oversee. */
  async function checkCaps(campaign: Campaign, { audience, legs }: { audience: number; legs: number }): Promise<HoldReason[]> {
    const limits = await findLimits(db, campaign);
    if (!isLimited(limits)) return [];
    const cap = leastCap(limits);
    const largest = await findLargestBucket(db, campaign.id);
    if (largest > cap) return [holdFor('budget', `A cap of ${cap} cannot be kept: ${largest} contacts of the audience can only be released together.`)];
    const releases = Math.ceil(audience / cap) * legs;
    return releases > releasesAtMost ? [holdFor('budget', `A cap of ${cap} would cut the campaign into ${releases} MailWizz campaigns; ${releasesAtMost} are the most.`)] : [];
  }

  /** The fields that the filter needs; without one MailWizz could not select exactly our audience. */
  async function checkFields(campaign: Campaign, tags: string[]): Promise<HoldReason[]> {
    const filter = toFilter(campaign, await findSourceNumber(db, campaign.sourceId));
    const cut = campaign.maxContacts !== null || campaign.abTest !== null || isLimited(await findLimits(db, campaign));
    const wanted = toConditions(filter, { country: filter.countries[0] ?? null, range: cut ? { ...everyBucket, from: 1 } : everyBucket });
    const lacking = tagsOf(wanted).filter((tag) => !tags.includes(tag));
    return lacking.length === 0 ? [] : [holdFor('list_fields', `List ${campaign.mailwizzListId} lacks the fields ${lacking.join(', ')}: create them (POST /api/v1/mailwizz-instances/${campaign.mailwizzInstance}/fields).`)];
  }
};

/** MailWizz must not send to people who are meant by the filter but may not be mailed: it is told before. */
export async function tellLeavers({ db, campaigns: mailwizz }: Pick<Deps, 'db' | 'campaigns'>, campaign: Campaign, listUid: string): Promise<void> {
  const place = { instanceId: campaign.mailwizzInstance, listUid };
  for (let lots = 0; lots < lotsOfLeavers; lots += 1) {
    const leavers = await findLeavers(db, campaign, leaversAtOnce);
    for (const { contact_id: contactId, uid } of leavers) {
      await mailwizz.unsubscribe(place, uid);
      await recordLeaver(db, { instanceId: campaign.mailwizzInstance, listId: campaign.mailwizzListId, contactId });
    }
    if (leavers.length < leaversAtOnce) return;
  }
}

/** Selects exactly the recipients of a leg, and says how far MailWizz agrees. */
export async function makeSegment({ db, campaigns: mailwizz }: Pick<Deps, 'db' | 'campaigns'>, legId: number): Promise<SegmentCheck & { segmentUid: string }> {
  const leg = await getLeg(db, legId);
  const campaign = await getCampaign(db, leg.campaignId);
  const filter = toFilter(campaign, await findSourceNumber(db, campaign.sourceId));
  const conditions = toConditions(filter, { country: leg.country, range: { from: leg.bucketFrom, to: leg.bucketTo } });
  const { segmentUid, subscribers } = await mailwizz.ensureSegment(await getPlace(db, campaign), { name: leg.marker, conditions });
  const differs = subscribers !== null && subscribers !== leg.contacts;
  await recordLeg(db, legId, { mailwizzSegmentUid: segmentUid, segmentContacts: subscribers, lastError: differs ? `The segment in MailWizz holds ${subscribers} of ${leg.contacts} contacts.` : null });
  return { legId, ours: leg.contacts, theirs: subscribers, segmentUid };
}

export async function getPlace(db: Db, campaign: Campaign): Promise<ListPlace> {
  const listUid = await findListUid(db, campaign);
  if (listUid === undefined) throw new EngineError('invalid', `list ${campaign.mailwizzListId} of ${campaign.mailwizzInstance} is not known`);
  return { instanceId: campaign.mailwizzInstance, listUid };
}

async function findListUid(db: Db, { mailwizzInstance, mailwizzListId }: Campaign): Promise<string | undefined> {
  return (await listInstanceLists(db, mailwizzInstance)).find(({ listId }) => listId === mailwizzListId)?.listUid;
}

function checkMail({ key, templateId, head, content }: Mail): HoldReason[] {
  const who = key === null ? 'The campaign' : `Variant ${key}`;
  return [
    ...(content ? [] : [holdFor('template', templateId === null ? `${who} has no template.` : `Template ${templateId} is gone.`)]),
    ...(head.fromName === null || head.fromEmail === null ? [holdFor('sender', `${who} has no sender, and the instance has no default one.`)] : []),
  ];
}

function checkContent({ key, content }: Mail, tags: string[]): HoldReason[] {
  if (!content) return [];
  const problems = checkTemplate(content, listVariables(tags));
  return problems.slice(0, 5).map(({ part, line, column, message }) => holdFor('variables', `${key === null ? '' : `Variant ${key}, `}${part} ${line}:${column}: ${message}.`));
}

/** The campaign's birth in it: another data base may have had a campaign of the same number in this MailWizz. */
export const markerOf = (campaign: Campaign) => (leg: Pick<Leg, 'variant' | 'country' | 'range'>) => `${legMarker(campaign.id, leg)}-${Math.floor(campaign.createdAt.getTime() / 1_000).toString(36)}`;
