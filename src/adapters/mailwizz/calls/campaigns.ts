import { z } from 'zod';
import type { Api } from '../api';
import { path } from '../form';
import { ask, askPage, type Called, collect, nothingElse, type Page, type PageAsked } from './called';
import {
  type Campaign,
  type CampaignChange,
  campaignRecord,
  type CampaignRow,
  campaignRow,
  type CampaignStats,
  campaignStats,
  type NewCampaign,
  toCampaignForm,
} from './campaign-shapes';
import { recordIn, uid } from './shapes';

const made = z.looseObject({ campaign_uid: uid }).transform((found) => ({ campaignUid: found.campaign_uid }));
const moved = z.looseObject({ campaign: z.looseObject({ status: z.string() }) }).transform((found) => ({ status: found.campaign.status }));

const campaignPagesAtMost = 500;
/** States in which the one verb that pauses and resumes is known to work (mailwizz.md 4.5). */
const running = ['pending-sending', 'sending', 'processing'];
/** Somebody else may flip the switch between our look and our call. */
const triesToMove = 3;

export const createCampaignCalls = (api: Api) => {
  const read = async (campaignUid: string, signal?: AbortSignal): Promise<Called<Campaign>> => {
    const called = await ask(api, { method: 'GET', path: path`/campaigns/${campaignUid}`, signal }, recordIn(campaignRecord));
    if (called.kind !== 'done') return called;
    const {
      campaign_id: campaignId,
      name,
      status,
      from_name: fromName,
      from_email: fromEmail,
      reply_to: replyTo,
      subject,
      list: listUid,
      segment: segmentUid,
    } = called.value;
    return { kind: 'done', value: { campaignUid, campaignId, name, status, fromName, fromEmail, replyTo, subject, listUid, segmentUid } };
  };
  const readPage = (asked: PageAsked & { listUid?: string }): Promise<Called<Page<CampaignRow>>> =>
    askPage(api, { ...asked, path: '/campaigns', query: { list_uid: asked.listUid } }, campaignRow);

  /** The verb toggles, so the state is read before; an answer that got lost is `unknown`, and the next attempt begins with a look again. */
  async function setPaused(campaignUid: string, paused: boolean): Promise<Called<{ status: string }>> {
    for (let tries = 0; tries < triesToMove; tries += 1) {
      const found = await read(campaignUid);
      if (found.kind !== 'done') return found;
      const { status } = found.value;
      if (paused ? status === 'paused' : running.includes(status)) return { kind: 'done', value: { status } };
      if (paused ? !running.includes(status) : status !== 'paused')
        return { kind: 'rejected', status: 409, messages: new Map([['status', status]]) };
      const called = await ask(api, { method: 'PUT', path: path`/campaigns/${campaignUid}/pause-unpause` }, moved);
      if (called.kind !== 'done' || (called.value.status === 'paused') === paused) return called;
    }
    return { kind: 'unknown', reason: 'state_keeps_moving' };
  }

  return {
    readPage,
    read,
    setPaused,

    /** The campaign whose name carries the marker. `done` with undefined only after every page was read. */
    async findByMarker(listUid: string, marker: string, signal?: AbortSignal): Promise<Called<CampaignRow | undefined>> {
      let unreadable = 0;
      const readOne = async (page: number) => {
        const called = await readPage({ listUid, page, signal });
        if (called.kind === 'done') unreadable += called.value.unreadable;
        return called;
      };
      const all = await collect(readOne, campaignPagesAtMost);
      if (all.kind !== 'done') return all;
      const found = all.value.find(({ name, status }) => name.includes(marker) && status !== 'pending-delete');
      return !found && unreadable > 0 ? { kind: 'unknown', reason: 'foreign_shape' } : { kind: 'done', value: found };
    },

    /** Paused from the first moment: MailWizz's own default would send it. Nothing hinders a second one of the same name: look by marker before. */
    create: (campaign: NewCampaign): Promise<Called<{ campaignUid: string }>> =>
      ask(api, { method: 'POST', path: '/campaigns', form: toCampaignForm({ ...campaign, status: 'paused' }) }, made),
    /** Only what is given changes; only before it was sent. */
    update: (campaignUid: string, change: CampaignChange): Promise<Called<undefined>> =>
      ask(api, { method: 'PUT', path: path`/campaigns/${campaignUid}`, form: toCampaignForm(change) }, nothingElse),
    copy: (campaignUid: string): Promise<Called<{ campaignUid: string }>> =>
      ask(api, { method: 'POST', path: path`/campaigns/${campaignUid}/copy` }, made),
    markSent: (campaignUid: string): Promise<Called<{ status: string }>> =>
      ask(api, { method: 'PUT', path: path`/campaigns/${campaignUid}/mark-sent` }, moved),
    remove: (campaignUid: string): Promise<Called<undefined>> =>
      ask(api, { method: 'DELETE', path: path`/campaigns/${campaignUid}` }, nothingElse),
    readStats: (campaignUid: string, signal?: AbortSignal): Promise<Called<CampaignStats>> =>
      ask(api, { method: 'GET', path: path`/campaigns/${campaignUid}/stats`, signal }, recordIn(campaignStats)),
  };
};
