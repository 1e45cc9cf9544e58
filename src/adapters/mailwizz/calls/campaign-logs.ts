import { z } from 'zod';
import type { Api } from '../api';
import { path } from '../form';
import { ask, askPage, type Called, type Page, type PageAsked } from './called';
import { maybeNumber, maybeText, recordIn, uid } from './shapes';

type Person = { subscriberUid: string; email: string | undefined };
export type Bounce = Person & { bounceType: string | undefined; message: string | undefined; processed: boolean; at: string | undefined };
export type Unsubscribe = Person & {
  reason: string | undefined;
  note: string | undefined;
  ipAddress: string | undefined;
  userAgent: string | undefined;
  at: string | undefined;
};
export type Complaint = Person & { message: string | undefined; at: string | undefined };
/** `status`: success, error, fatal-error, temporary-error, blacklisted, suppressed, giveup, blocked, ds-dp-reject, hdl-by-sg-cmp. `at` has no zone. */
export type Delivery = Person & {
  campaignUid: string | undefined;
  status: string;
  message: string | undefined;
  messageId: string | undefined;
  confirmed: boolean | undefined;
  retries: number | undefined;
  at: string | undefined;
};

const subscriber = z
  .looseObject({ subscriber_uid: uid, email: maybeText })
  .transform((found): Person => ({ subscriberUid: found.subscriber_uid, email: found.email }));
const bounce = z
  .looseObject({ subscriber, bounce_type: maybeText, message: maybeText, processed: maybeText, date_added: maybeText })
  .transform((row): Bounce => ({
    ...row.subscriber,
    bounceType: row.bounce_type,
    message: row.message,
    processed: row.processed === 'yes',
    at: row.date_added,
  }));
const unsubscribe = z
  .looseObject({ subscriber, reason: maybeText, note: maybeText, ip_address: maybeText, user_agent: maybeText, date_added: maybeText })
  .transform((row): Unsubscribe => ({
    ...row.subscriber,
    reason: row.reason,
    note: row.note,
    ipAddress: row.ip_address,
    userAgent: row.user_agent,
    at: row.date_added,
  }));
const complaint = z
  .looseObject({ subscriber, message: maybeText, date_added: maybeText })
  .transform((row): Complaint => ({ ...row.subscriber, message: row.message, at: row.date_added }));
/** The campaign is a map, or missing where the path names it. */
const itsCampaign = z
  .unknown()
  .optional()
  .transform((value) => z.looseObject({ campaign_uid: uid }).safeParse(value).data?.campaign_uid);
const delivery = z
  .looseObject({
    subscriber,
    campaign: itsCampaign,
    status: z.string(),
    message: maybeText,
    email_message_id: maybeText,
    delivery_confirmed: maybeText,
    retries: maybeNumber,
    date_added: maybeText,
  })
  .transform((row): Delivery => ({
    ...row.subscriber,
    campaignUid: row.campaign,
    status: row.status,
    message: row.message,
    messageId: row.email_message_id,
    confirmed: row.delivery_confirmed === undefined ? undefined : row.delivery_confirmed === 'yes',
    retries: row.retries,
    at: row.date_added,
  }));

/** One page a call: a poller keeps its place in a cursor of its own. New entries may move older ones to later pages, so pages overlap. */
export const createCampaignLogCalls = (api: Api) => ({
  readBounces: (campaignUid: string, asked: PageAsked): Promise<Called<Page<Bounce>>> =>
    askPage(api, { ...asked, path: path`/campaigns/${campaignUid}/bounces` }, bounce),
  readUnsubscribes: (campaignUid: string, asked: PageAsked): Promise<Called<Page<Unsubscribe>>> =>
    askPage(api, { ...asked, path: path`/campaigns/${campaignUid}/unsubscribes` }, unsubscribe),
  readComplaints: (campaignUid: string, asked: PageAsked): Promise<Called<Page<Complaint>>> =>
    askPage(api, { ...asked, path: path`/campaigns/${campaignUid}/complaints` }, complaint),
  readDeliveries: (campaignUid: string, asked: PageAsked): Promise<Called<Page<Delivery>>> =>
    askPage(api, { ...asked, path: path`/campaigns/${campaignUid}/delivery-logs` }, delivery),

  /** The vendor's documents and its OpenAPI name different paths: `absent` only when neither knows the message. */
  async findDelivery(messageId: string, signal?: AbortSignal): Promise<Called<Delivery>> {
    const documented = await ask(
      api,
      { method: 'GET', path: path`/campaigns/delivery-logs/email-message-id/${messageId}`, signal },
      recordIn(delivery),
    );
    if (documented.kind === 'done') return documented;
    const modelled = await ask(api, { method: 'GET', path: path`/campaigns/email-message-id/${messageId}`, signal }, recordIn(delivery));
    return modelled.kind === 'done' || documented.kind === 'absent' ? modelled : documented;
  },
});
