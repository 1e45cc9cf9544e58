import type { Context } from '../context';
import { dateText } from '../dates';
import { select } from '../sql';

export type CampaignCounts = {
  processed: number;
  sent: number;
  statuses: Record<string, number>;
  firstSend: string | null;
  lastSend: string | null;
  opens: number;
  uniqueOpens: number;
  clicks: number;
  uniqueClicks: number;
  bounces: Record<'hard' | 'soft' | 'internal', number>;
  complaints: number;
  unsubscribes: number;
};

/** Delivery logs move to an archive some day: both are one. */
export const deliveryLogs =
  '(SELECT * FROM mw_campaign_delivery_log WHERE campaign_id = ? UNION ALL SELECT * FROM mw_campaign_delivery_log_archive WHERE campaign_id = ?)';

export async function countCampaign({ pool }: Context, id: number): Promise<CampaignCounts> {
  type Total = { total: number; people: number };
  const [logs, [opens], [clicks], bounces, [complaints], [unsubscribes]] = await Promise.all([
    select<{ status: string; total: number; first: string; last: string }>(
      pool,
      `SELECT status, COUNT(*) total, ${dateText('MIN(date_added)')} first, ${dateText('MAX(date_added)')} last FROM ${deliveryLogs} l GROUP BY status`,
      [id, id],
    ),
    select<Total>(pool, 'SELECT COUNT(*) total, COUNT(DISTINCT subscriber_id) people FROM mw_campaign_track_open WHERE campaign_id = ?', [
      id,
    ]),
    select<Total>(
      pool,
      'SELECT COUNT(*) total, COUNT(DISTINCT t.subscriber_id) people FROM mw_campaign_track_url t JOIN mw_campaign_url u USING (url_id) WHERE u.campaign_id = ?',
      [id],
    ),
    select<{ type: 'hard' | 'soft' | 'internal'; total: number }>(
      pool,
      'SELECT bounce_type type, COUNT(*) total FROM mw_campaign_bounce_log WHERE campaign_id = ? GROUP BY bounce_type',
      [id],
    ),
    select<Total>(pool, 'SELECT COUNT(*) total, COUNT(DISTINCT subscriber_id) people FROM mw_campaign_complain_log WHERE campaign_id = ?', [
      id,
    ]),
    select<Total>(
      pool,
      'SELECT COUNT(*) total, COUNT(DISTINCT subscriber_id) people FROM mw_campaign_track_unsubscribe WHERE campaign_id = ?',
      [id],
    ),
  ]);
  const success = logs.find(({ status }) => status === 'success');
  const bounced = (type: string) => bounces.find((row) => row.type === type)?.total ?? 0;
  return {
    processed: logs.reduce((sum, { total }) => sum + total, 0),
    sent: success?.total ?? 0,
    statuses: Object.fromEntries(logs.map(({ status, total }) => [status, total])),
    firstSend: success?.first ?? null,
    lastSend: success?.last ?? null,
    opens: opens?.total ?? 0,
    uniqueOpens: opens?.people ?? 0,
    clicks: clicks?.total ?? 0,
    uniqueClicks: clicks?.people ?? 0,
    bounces: { hard: bounced('hard'), soft: bounced('soft'), internal: bounced('internal') },
    complaints: complaints?.total ?? 0,
    unsubscribes: unsubscribes?.total ?? 0,
  };
}
