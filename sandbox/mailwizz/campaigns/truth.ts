import { z } from 'zod';
import { countCampaign, deliveryLogs } from './counts';
import { audienceOf, type Campaign, findCampaigns } from './store';
import type { Context } from '../context';
import type { ControlRoute } from '../control';
import { dateText, instantOf, storedDate } from '../dates';
import type { ReactionKind } from '../sending/fate';
import { renderMessage } from './messages';
import { recordReaction } from '../sending/reactions';
import type { Answer } from '../router';
import { change, select } from '../sql';
import { newUid } from '../uid';

const maxPage = 100_000;

/** What really happened, for tests to compare with. */
export const campaignTruthRoutes: ControlRoute[] = [
  { method: 'GET', path: '/truth/campaigns', handle: readCampaigns },
  { method: 'GET', path: '/truth/sent', handle: withCampaign(readSent) },
  { method: 'GET', path: '/truth/events', handle: withCampaign(readEvents) },
  { method: 'GET', path: '/truth/messages', handle: withCampaign(readMessage) },
  { method: 'GET', path: '/truth/transactional', handle: readTransactional },
  { method: 'POST', path: '/events', handle: addEvent },
  { method: 'POST', path: '/campaign-groups', handle: addGroup },
  { method: 'DELETE', path: '/campaigns', handle: removeCampaigns },
];

const problem = (code: number, text: string): Answer => ({ code, body: { error: text } });

export function withCampaign(
  handle: (context: Context, campaign: Campaign, query: URLSearchParams) => Promise<Answer>,
): ControlRoute['handle'] {
  return async (context, _, query) => {
    const campaign = await findAnyCampaign(context, query.get('campaign_uid') ?? '');
    return campaign ? handle(context, campaign, query) : problem(404, 'campaign_uid names no campaign');
  };
}

/** Those queued for removal too: they have been sent all the same. */
async function findAnyCampaign({ pool }: Context, uid: string): Promise<Campaign | undefined> {
  const [campaign] = await findCampaigns(pool, 'c.campaign_uid = ?', [uid]);
  return campaign;
}

const toInstant = (context: Context, stored: string | null) => (stored === null ? null : instantOf(context, stored).toISOString());

/** `audience` is who has had the mail or a failure, and who would still get it. */
async function readCampaigns(context: Context, _: unknown, query: URLSearchParams): Promise<Answer> {
  const uid = query.get('campaign_uid');
  const campaigns = await findCampaigns(
    context.pool,
    `${uid === null ? '1 = 1' : 'c.campaign_uid = ?'} ORDER BY c.campaign_id LIMIT ${maxPage}`,
    uid === null ? [] : [uid],
  );
  const truth = [];
  for (const campaign of campaigns) {
    const counts = await countCampaign(context, campaign.campaign_id);
    const waiting = campaign.status === 'sent' ? 0 : await countWaiting(context, campaign);
    truth.push({
      campaign_uid: campaign.campaign_uid,
      name: campaign.name,
      status: campaign.status,
      list_uid: campaign.list_uid,
      segment_uid: campaign.segment_uid,
      audience: counts.processed + waiting,
      waiting,
      sent: counts.sent,
      success: counts.sent,
      errors: counts.processed - counts.sent,
      statuses: counts.statuses,
      opens: counts.opens,
      unique_opens: counts.uniqueOpens,
      clicks: counts.clicks,
      unique_clicks: counts.uniqueClicks,
      bounces: counts.bounces,
      complaints: counts.complaints,
      unsubscribes: counts.unsubscribes,
      first_send: toInstant(context, counts.firstSend),
      last_send: toInstant(context, counts.lastSend),
      send_at: toInstant(context, campaign.send_at),
      started_at: toInstant(context, campaign.started_at),
      finished_at: toInstant(context, campaign.finished_at),
    });
  }
  return { code: 200, body: { campaigns: truth } };
}

async function countWaiting(context: Context, campaign: Campaign): Promise<number> {
  const audience = await audienceOf(context, campaign);
  const [row] = await select<{ count: number }>(
    context.pool,
    `SELECT COUNT(*) count FROM mw_list_subscriber s WHERE ${audience.where} AND NOT EXISTS (SELECT 1 FROM mw_campaign_delivery_log d WHERE d.campaign_id = ? AND d.subscriber_id = s.subscriber_id)`,
    [...audience.values, campaign.campaign_id],
  );
  return row?.count ?? 0;
}

function limitOf(query: URLSearchParams): number {
  const wanted = Number(query.get('limit') ?? maxPage);
  return Number.isSafeInteger(wanted) && wanted > 0 ? Math.min(wanted, maxPage) : maxPage;
}

/** Every address that a mail really left for; `next` is the `after` of the next page. */
async function readSent(context: Context, { campaign_id: id }: Campaign, query: URLSearchParams): Promise<Answer> {
  const limit = limitOf(query);
  const rows = await select<{ log_id: number; email: string; subscriber_uid: string; at: string }>(
    context.pool,
    `SELECT l.log_id, s.email, s.subscriber_uid, ${dateText('l.date_added')} at FROM ${deliveryLogs} l JOIN mw_list_subscriber s USING (subscriber_id)
      WHERE l.status = 'success' AND l.log_id > ? ORDER BY l.log_id LIMIT ?`,
    [id, id, Number(query.get('after') ?? 0) || 0, limit],
  );
  const sent = rows.map(({ email, subscriber_uid, at }) => ({ email, subscriber_uid, at: toInstant(context, at) }));
  return { code: 200, body: { sent, next: rows.length === limit ? (rows.at(-1)?.log_id ?? null) : null } };
}

type TruthEvent = {
  kind: string;
  email: string;
  subscriber_uid: string;
  at: string;
  url: string | null;
  detail: string | null;
  ip_address: string | null;
  user_agent: string | null;
};

const nobody = 'NULL ip_address, NULL user_agent';
const visitor = 'e.ip_address, e.user_agent';
const clicks = '(SELECT t.*, u.campaign_id, u.destination FROM mw_campaign_track_url t JOIN mw_campaign_url u USING (url_id)) t';

/** Where events are stored; the pages of /truth/events go through these in turn. */
const eventSources = [
  { kind: "'sent'", from: "mw_campaign_delivery_log WHERE status = 'success' AND", key: 'log_id', url: 'NULL', detail: 'NULL', by: nobody },
  {
    kind: "'sent'",
    from: "mw_campaign_delivery_log_archive WHERE status = 'success' AND",
    key: 'log_id',
    url: 'NULL',
    detail: 'NULL',
    by: nobody,
  },
  { kind: "'open'", from: 'mw_campaign_track_open WHERE', key: 'id', url: 'NULL', detail: 'NULL', by: visitor },
  { kind: "'click'", from: `${clicks} WHERE`, key: 'id', url: 'e.destination', detail: 'NULL', by: visitor },
  {
    kind: "CONCAT(e.bounce_type, '-bounce')",
    from: 'mw_campaign_bounce_log WHERE',
    key: 'log_id',
    url: 'NULL',
    detail: 'e.message',
    by: nobody,
  },
  { kind: "'complaint'", from: 'mw_campaign_complain_log WHERE', key: 'log_id', url: 'NULL', detail: 'e.message', by: nobody },
  { kind: "'unsubscribe'", from: 'mw_campaign_track_unsubscribe WHERE', key: 'id', url: 'NULL', detail: 'e.reason', by: visitor },
];

/** `after` is `source:id` of the last event of the page before. */
async function readEvents(context: Context, { campaign_id: campaignId }: Campaign, query: URLSearchParams): Promise<Answer> {
  const limit = limitOf(query);
  const [afterSource = 0, afterId = 0] = (query.get('after') ?? '0:0').split(':').map(Number);
  const events: TruthEvent[] = [];
  for (const [index, { kind, from, key, url, detail, by }] of eventSources.entries()) {
    if (index < afterSource) continue;
    const rows = await select<TruthEvent & { id: number }>(
      context.pool,
      `SELECT ${kind} kind, e.${key} id, s.email, s.subscriber_uid, ${dateText('e.date_added')} at, ${url} url, ${detail} detail, ${by}
        FROM (SELECT * FROM ${from} campaign_id = ? AND ${key} > ? ORDER BY ${key} LIMIT ?) e JOIN mw_list_subscriber s USING (subscriber_id) ORDER BY e.${key}`,
      [campaignId, index === afterSource ? afterId : 0, limit - events.length],
    );
    events.push(...rows.map(({ id: _, ...event }) => ({ ...event, at: instantOf(context, event.at).toISOString() })));
    if (events.length >= limit) return { code: 200, body: { events, next: `${index}:${rows.at(-1)?.id ?? 0}` } };
  }
  return { code: 200, body: { events, next: null } };
}

async function readMessage(context: Context, campaign: Campaign, query: URLSearchParams): Promise<Answer> {
  const message = await renderMessage(context, campaign, query.get('email') ?? '');
  return message ? { code: 200, body: message } : problem(404, 'no such address in the list of the campaign');
}

async function readTransactional({ pool }: Context): Promise<Answer> {
  const emails = await select(
    pool,
    `SELECT email_uid, to_email, to_name, from_email, from_name, subject, CONVERT(body USING utf8mb4) body, CONVERT(plain_text USING utf8mb4) plain_text, status, ${dateText('send_at')} send_at, ${dateText('last_updated')} last_updated
      FROM mw_transactional_email ORDER BY email_id LIMIT ${maxPage}`,
  );
  return { code: 200, body: { emails } };
}

const eventBody = z.strictObject({
  campaign_uid: z.string(),
  email: z.string(),
  kind: z.enum(['open', 'click', 'hard-bounce', 'soft-bounce', 'internal-bounce', 'complaint', 'unsubscribe']),
  url: z.string().optional(),
  message: z.string().max(250).optional(),
  ip_address: z.string().max(45).optional(),
  user_agent: z.string().max(255).optional(),
  at: z.iso.datetime({ offset: true }).optional(),
});

/** Makes one address react, whatever the rates say. */
async function addEvent(context: Context, body: unknown): Promise<Answer> {
  const parsed = eventBody.safeParse(body);
  if (!parsed.success) return problem(422, z.prettifyError(parsed.error));
  const { campaign_uid, email, kind, url, message, ip_address, user_agent, at } = parsed.data;
  const campaign = await findAnyCampaign(context, campaign_uid);
  if (!campaign) return problem(404, 'no such campaign');
  const [subscriber] = await select<{ subscriber_id: number }>(
    context.pool,
    'SELECT subscriber_id FROM mw_list_subscriber WHERE list_id = ? AND email = ? LIMIT 1',
    [campaign.list_id, email],
  );
  if (!subscriber) return problem(404, 'no such address in the list of the campaign');
  const urlId = kind === 'click' ? await findUrl(context, campaign, url) : undefined;
  if (kind === 'click' && urlId === undefined)
    return problem(404, 'the campaign has no such link; links are known once it has begun to send, with url_tracking on');
  const recorded = await recordReaction(context, {
    campaignId: campaign.campaign_id,
    subscriberId: subscriber.subscriber_id,
    kind: kind satisfies ReactionKind,
    at: at === undefined ? context.now() : new Date(at),
    ...(urlId !== undefined && { urlId }),
    ...(message !== undefined && { detail: message }),
    ...(ip_address !== undefined && { ip: ip_address }),
    ...(user_agent !== undefined && { agent: user_agent }),
  });
  return { code: recorded ? 201 : 409, body: { recorded } };
}

async function findUrl({ pool }: Context, { campaign_id: id }: Campaign, url: string | undefined): Promise<number | undefined> {
  const [found] = await select<{ url_id: number }>(
    pool,
    `SELECT url_id FROM mw_campaign_url WHERE campaign_id = ? ${url === undefined ? '' : 'AND destination = ?'} ORDER BY url_id LIMIT 1`,
    [id, ...(url === undefined ? [] : [url])],
  );
  return found?.url_id;
}

/** The API can name a group but not make one. */
async function addGroup(context: Context, body: unknown): Promise<Answer> {
  const name =
    typeof body === 'object' && body !== null && 'name' in body && typeof body.name === 'string' ? body.name.slice(0, 255) : undefined;
  if (name === undefined) return problem(422, 'name it');
  const uid = newUid();
  const at = storedDate(context, context.now());
  await change(context.pool, 'INSERT INTO mw_campaign_group SET ?', [
    { group_uid: uid, customer_id: context.customer.customer_id, name, date_added: at, last_updated: at },
  ]);
  return { code: 201, body: { group_uid: uid, name } };
}

async function removeCampaigns({ pool }: Context): Promise<Answer> {
  await change(pool, 'DELETE FROM mw_campaign');
  await change(pool, 'DELETE FROM mw_transactional_email');
  return { code: 200, body: {} };
}
