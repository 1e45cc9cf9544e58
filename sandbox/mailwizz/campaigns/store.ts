import type { Context } from '../context';
import { dateText } from '../dates';
import { segmentCondition } from '../resources/segments';
import { change, type Db, inTransaction, select } from '../sql';
import { newUid } from '../uid';

export const campaignStatuses = [
  'draft',
  'pending-sending',
  'processing',
  'sending',
  'paused',
  'sent',
  'blocked',
  'pending-approve',
  'pending-delete',
] as const;
export type CampaignStatus = (typeof campaignStatuses)[number];

export type Campaign = {
  campaign_id: number;
  campaign_uid: string;
  list_id: number;
  list_uid: string;
  list_name: string;
  segment_id: number | null;
  segment_uid: string | null;
  segment_name: string | null;
  group_uid: string | null;
  group_name: string | null;
  type: 'regular' | 'autoresponder';
  name: string;
  from_name: string;
  from_email: string;
  to_name: string;
  reply_to: string;
  subject: string;
  status: CampaignStatus;
  send_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  date_added: string;
  url_tracking: 'yes' | 'no';
  content: string;
};

const selectCampaigns = `SELECT c.campaign_id, c.campaign_uid, c.list_id, l.list_uid, l.name list_name, c.segment_id, g.segment_uid, g.name segment_name, cg.group_uid, cg.name group_name, c.type, c.name, c.from_name,
    c.from_email, c.to_name, c.reply_to, c.subject, c.status, ${dateText('c.send_at')} send_at, ${dateText('c.started_at')} started_at, ${dateText('c.finished_at')} finished_at,
    ${dateText('c.date_added')} date_added, o.url_tracking, t.content
  FROM mw_campaign c JOIN mw_list l USING (list_id) JOIN mw_campaign_option o USING (campaign_id) JOIN mw_campaign_template t USING (campaign_id)
    LEFT JOIN mw_list_segment g ON g.segment_id = c.segment_id LEFT JOIN mw_campaign_group cg ON cg.group_id = c.group_id`;

export const findCampaigns = (db: Db, where: string, values: unknown[]) =>
  select<Campaign>(db, `${selectCampaigns} WHERE ${where}`, values);

/** A campaign that is queued for removal is gone for the API. */
export async function findCampaign({ pool }: Context, uid: string): Promise<Campaign | undefined> {
  const [campaign] = await findCampaigns(pool, "c.campaign_uid = ? AND c.status <> 'pending-delete'", [uid]);
  return campaign;
}

export type Columns = Record<string, string | number | null>;

export function insertCampaign(
  { pool, customer }: Context,
  { campaign, options, template, servers }: { campaign: Columns; options: Columns; template: Columns; servers: number[] },
): Promise<string> {
  const uid = newUid();
  return inTransaction(pool, async (connection) => {
    const { insertId } = await change(connection, 'INSERT INTO mw_campaign SET ?', [
      { ...campaign, campaign_uid: uid, customer_id: customer.customer_id },
    ]);
    await change(connection, 'INSERT INTO mw_campaign_option SET ?', [{ ...options, campaign_id: insertId }]);
    await change(connection, 'INSERT INTO mw_campaign_template SET ?', [{ ...template, campaign_id: insertId }]);
    await setServers(connection, insertId, servers);
    return uid;
  });
}

export async function setServers(db: Db, campaignId: number, servers: number[]): Promise<void> {
  await change(db, 'DELETE FROM mw_campaign_to_delivery_server WHERE campaign_id = ?', [campaignId]);
  if (servers.length > 0)
    await change(db, 'INSERT IGNORE INTO mw_campaign_to_delivery_server (campaign_id, server_id) VALUES ?', [
      servers.map((id) => [campaignId, id]),
    ]);
}

/** False when it was in none of `from` any more. */
export async function moveCampaign(
  db: Db,
  { id, from, to, at }: { id: number; from: readonly CampaignStatus[]; to: CampaignStatus; at: string },
): Promise<boolean> {
  const times = { processing: ', started_at = COALESCE(started_at, ?)', sent: ', finished_at = ?' };
  const time = to === 'processing' || to === 'sent' ? times[to] : '';
  const { found } = await change(db, `UPDATE mw_campaign SET status = ?, last_updated = ?${time} WHERE campaign_id = ? AND status IN (?)`, [
    to,
    at,
    ...(time === '' ? [] : [at]),
    id,
    from,
  ]);
  return found === 1;
}

export type Condition = { where: string; values: unknown[] };

type Audience = Pick<Campaign, 'list_id' | 'segment_id' | 'segment_uid'>;

/** The subscribers `s` a campaign is for, before the blacklists: the confirmed ones of its list and segment. A segment that was deleted leaves nobody, never everybody. */
export async function audienceOf(context: Context, { list_id, segment_id, segment_uid }: Audience): Promise<Condition> {
  const whole = { where: '1 = 1', values: [] };
  const segment = segment_id === null ? whole : await segmentCondition(context, list_id, segment_uid ?? '');
  return { where: `s.list_id = ? AND s.status = 'confirmed' AND (${segment.where})`, values: [list_id, ...segment.values] };
}

export async function countAudience(context: Context, audience: Audience): Promise<number> {
  const { where, values } = await audienceOf(context, audience);
  const [row] = await select<{ count: number }>(context.pool, `SELECT COUNT(*) count FROM mw_list_subscriber s WHERE ${where}`, values);
  return row?.count ?? 0;
}
