import { error, localisedDate, page, pageOf, phpMap, success } from '../answers';
import { countCampaign } from '../campaigns/counts';
import {
  type Campaign,
  type CampaignStatus,
  type Columns,
  countAudience,
  findCampaign,
  findCampaigns,
  insertCampaign,
  moveCampaign,
  setServers,
} from '../campaigns/store';
import type { Context } from '../context';
import { instantOf, storedDate } from '../dates';
import { textAt } from '../form';
import type { Answer, Call, Route } from '../router';
import { change, inTransaction, select } from '../sql';
import { readCampaignForm } from '../campaigns/form';

export const campaignRoutes: Route[] = [
  { method: 'GET', path: '/campaigns', name: 'campaigns', handle: listCampaigns },
  { method: 'POST', path: '/campaigns', name: 'campaign-create', handle: createCampaign },
  { method: 'GET', path: '/campaigns/{campaign_uid}', name: 'campaign', handle: withCampaign(readCampaign) },
  { method: 'PUT', path: '/campaigns/{campaign_uid}', name: 'campaign-update', handle: withCampaign(updateCampaign) },
  { method: 'DELETE', path: '/campaigns/{campaign_uid}', name: 'campaign-delete', handle: withCampaign(deleteCampaign) },
  { method: 'POST', path: '/campaigns/{campaign_uid}/copy', name: 'campaign-copy', handle: withCampaign(copyCampaign) },
  { method: 'PUT', path: '/campaigns/{campaign_uid}/pause-unpause', name: 'campaign-pause-unpause', handle: withCampaign(pauseOrGoOn) },
  { method: 'PUT', path: '/campaigns/{campaign_uid}/mark-sent', name: 'campaign-mark-sent', handle: withCampaign(markSent) },
  { method: 'GET', path: '/campaigns/{campaign_uid}/stats', name: 'campaign-stats', handle: withCampaign(readStats) },
];

export function withCampaign(
  handle: (context: Context, campaign: Campaign, call: Call) => Promise<Answer>,
  absent = 'The campaign does not exist.',
): Route['handle'] {
  return async (context, call) => {
    const campaign = await findCampaign(context, call.params['campaign_uid'] ?? '');
    return campaign ? handle(context, campaign, call) : error(404, absent);
  };
}

async function listCampaigns(context: Context, { query }: Call): Promise<Answer> {
  const { pool, switches } = context;
  const listUid = textAt(query, 'list_uid');
  const where = `c.status <> 'pending-delete'${listUid === undefined ? '' : ' AND l.list_uid = ?'}`;
  const values = listUid === undefined ? [] : [listUid];
  const { perPage, offset } = pageOf(query);
  const order = switches.log_order === 'newest' ? 'DESC' : 'ASC';
  const [total] = await select<{ count: number }>(
    pool,
    `SELECT COUNT(*) count FROM mw_campaign c JOIN mw_list l USING (list_id) WHERE ${where}`,
    values,
  );
  const campaigns = await findCampaigns(pool, `${where} ORDER BY c.campaign_id ${order} LIMIT ? OFFSET ?`, [...values, perPage, offset]);
  return page(
    query,
    total?.count ?? 0,
    campaigns.map((campaign) => toShortRecord(context, campaign)),
  );
}

const groupOf = ({ group_uid, group_name }: Campaign) => phpMap(group_uid === null ? {} : { group_uid, name: group_name });

const toShortRecord = ({ switches }: Context, campaign: Campaign) => ({
  campaign_uid: campaign.campaign_uid,
  campaign_id: String(campaign.campaign_id),
  name: campaign.name,
  ...(switches.campaign_type_in_list && { type: campaign.type }),
  status: campaign.status,
  group: groupOf(campaign),
});

async function readCampaign(context: Context, campaign: Campaign): Promise<Answer> {
  const { list_uid, list_name, segment_uid, segment_name } = campaign;
  const inList = await countAudience(context, { ...campaign, segment_id: null });
  const record = {
    campaign_uid: campaign.campaign_uid,
    campaign_id: String(campaign.campaign_id),
    name: campaign.name,
    type: campaign.type,
    from_name: campaign.from_name,
    from_email: campaign.from_email,
    to_name: campaign.to_name,
    reply_to: campaign.reply_to,
    subject: campaign.subject,
    status: campaign.status,
    date_added: shown(context, campaign.date_added),
    send_at: shown(context, campaign.send_at),
    list: { list_uid, name: list_name, subscribers_count: context.switches.list_count_text ? String(inList) : inList },
    segment: phpMap(
      segment_uid === null ? {} : { segment_uid, name: segment_name, subscribers_count: await countAudience(context, campaign) },
    ),
    group: groupOf(campaign),
  };
  return success({ data: { record } });
}

function shown(context: Context, stored: string | null): string {
  if (stored === null) return '';
  return localisedDate(instantOf(context, stored), { timezone: context.customer.timezone, locale: context.switches.display_locale });
}

async function createCampaign(context: Context, { form }: Call): Promise<Answer> {
  const { pool, switches } = context;
  const read = await readCampaignForm(context, form);
  if ('refused' in read) return read.refused;
  if (switches.max_campaigns > 0) {
    const [total] = await select<{ count: number }>(pool, 'SELECT COUNT(*) count FROM mw_campaign');
    if ((total?.count ?? 0) >= switches.max_campaigns)
      return error(switches.quota_code, 'You have reached the maximum number of allowed campaigns.');
  }
  const at = storedDate(context, context.now());
  const campaign: Columns = { status: 'pending-sending', ...read.campaign, date_added: at, last_updated: at };
  const uid = await insertCampaign(context, {
    campaign,
    options: read.options,
    template: read.template ?? {},
    servers: read.servers ?? [],
  });
  return success({ campaign_uid: uid }, switches.create_code);
}

async function updateCampaign(context: Context, existing: Campaign, { form }: Call): Promise<Answer> {
  const { pool, switches } = context;
  if (!allows(switches.update_from, existing.status)) return error(switches.refusal_code, 'This campaign cannot be updated now.');
  const read = await readCampaignForm(context, form, existing);
  if ('refused' in read) return read.refused;
  const { options, template, servers } = read;
  const id = existing.campaign_id;
  const updated = await inTransaction(pool, async (connection) => {
    const columns = { ...read.campaign, last_updated: storedDate(context, context.now()) };
    const { found } = await change(connection, 'UPDATE mw_campaign SET ? WHERE campaign_id = ? AND status IN (?)', [
      columns,
      id,
      switches.update_from,
    ]);
    if (found === 0) return false;
    if (Object.keys(options).length > 0) await change(connection, 'UPDATE mw_campaign_option SET ? WHERE campaign_id = ?', [options, id]);
    if (template) await change(connection, 'UPDATE mw_campaign_template SET ? WHERE campaign_id = ?', [template, id]);
    if (servers) await setServers(connection, id, servers);
    return true;
  });
  return updated ? success({ campaign_uid: existing.campaign_uid }) : error(switches.refusal_code, 'This campaign cannot be updated now.');
}

const allows = (states: readonly CampaignStatus[], status: CampaignStatus) => states.includes(status);

async function copyCampaign(context: Context, { campaign_id: id, name }: Campaign): Promise<Answer> {
  const { pool, switches } = context;
  const [columns] = await select<Columns>(
    pool,
    'SELECT list_id, segment_id, group_id, type, from_name, from_email, to_name, reply_to, subject, send_at FROM mw_campaign WHERE campaign_id = ?',
    [id],
  );
  const [{ campaign_id: _, ...options } = {}] = await select<Columns>(pool, 'SELECT * FROM mw_campaign_option WHERE campaign_id = ?', [id]);
  const [{ campaign_id: __, template_id: ___, ...template } = {}] = await select<Columns>(
    pool,
    'SELECT * FROM mw_campaign_template WHERE campaign_id = ?',
    [id],
  );
  const servers = await select<{ server_id: number }>(pool, 'SELECT server_id FROM mw_campaign_to_delivery_server WHERE campaign_id = ?', [
    id,
  ]);
  const at = storedDate(context, context.now());
  const campaign = {
    ...columns,
    name: `${name.replace(/ #\d+$/, '')} #${Number(/ #(\d+)$/.exec(name)?.[1] ?? 0) + 1}`.slice(0, 255),
    status: switches.copy_status,
    date_added: at,
    last_updated: at,
  };
  const uid = await insertCampaign(context, { campaign, options, template, servers: servers.map(({ server_id }) => server_id) });
  return success({ campaign_uid: uid });
}

async function pauseOrGoOn(context: Context, { campaign_uid, campaign_id: id, status }: Campaign): Promise<Answer> {
  const { pool, switches } = context;
  const at = storedDate(context, context.now());
  // The status read a moment ago may be old: a worker moves between processing and sending all the time.
  const paused = await moveCampaign(pool, { id, from: ['pending-sending', 'processing', 'sending'], to: 'paused', at });
  if (paused) return statusAnswer('paused');
  if (status === 'paused' && (await moveCampaign(pool, { id, from: ['paused'], to: switches.unpause_to, at })))
    return statusAnswer(switches.unpause_to);
  const now = (await findCampaign(context, campaign_uid))?.status ?? status;
  return switches.pause_elsewhere === 'unchanged'
    ? statusAnswer(now)
    : error(switches.refusal_code, 'The campaign does not allow pausing or unpausing it!');
}

const statusAnswer = (status: CampaignStatus) => success({ campaign: { status } });

async function markSent(context: Context, { campaign_id: id }: Campaign): Promise<Answer> {
  const { pool, switches } = context;
  const moved = await moveCampaign(pool, { id, from: switches.mark_sent_from, to: 'sent', at: storedDate(context, context.now()) });
  return moved ? statusAnswer('sent') : error(switches.refusal_code, 'The campaign does not allow marking it as sent!');
}

async function deleteCampaign(context: Context, { campaign_id: id }: Campaign): Promise<Answer> {
  const { pool, switches } = context;
  const moved = await moveCampaign(pool, { id, from: switches.delete_from, to: 'pending-delete', at: storedDate(context, context.now()) });
  if (!moved) return error(switches.refusal_code, 'This campaign cannot be removed now.');
  if (switches.delete_at_once) await change(pool, 'DELETE FROM mw_campaign WHERE campaign_id = ?', [id]);
  return success();
}

async function readStats(context: Context, campaign: Campaign): Promise<Answer> {
  const { switches } = context;
  const counts = await countCampaign(context, campaign.campaign_id);
  const { hard, soft, internal } = counts.bounces;
  const rate = (count: number, base: number) => (base === 0 ? 0 : Number(((100 * count) / base).toFixed(switches.rate_decimals)));
  const rated = (name: string, count: number, base: number) => ({ [`${name}_count`]: count, [`${name}_rate`]: rate(count, base) });
  const base = switches.rate_base === 'success' ? counts.sent : counts.processed;
  const data = {
    campaign_status: campaign.status,
    subscribers_count: campaign.status === 'sent' ? counts.processed : await countAudience(context, campaign),
    processed_count: counts.processed,
    ...rated('delivery_success', counts.sent, counts.processed),
    ...rated('delivery_error', counts.processed - counts.sent, counts.processed),
    ...rated('opens', counts.opens, base),
    ...rated('unique_opens', counts.uniqueOpens, base),
    ...rated('clicks', counts.clicks, base),
    ...rated('unique_clicks', counts.uniqueClicks, base),
    ...rated('unsubscribes', counts.unsubscribes, base),
    ...rated('complaints', counts.complaints, base),
    ...rated('bounces', hard + soft + internal, base),
    ...rated('hard_bounces', hard, base),
    ...rated('soft_bounces', soft, base),
    ...rated('internal_bounces', internal, base),
  };
  return success({ data });
}
