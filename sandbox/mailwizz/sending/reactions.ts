import type { PoolConnection } from 'mysql2/promise';
import { sqlDate } from '../answers';
import type { Context } from '../context';
import type { ReactionKind } from './fate';
import { change, type Db, inTransaction, select } from '../sql';
import { queueWebhooks } from './webhooks';

export type PlannedReaction = { campaignId: number; subscriberId: number; kind: ReactionKind; urlId?: number; detail?: string; ip?: string; agent?: string; at: Date };

/** As many as one transaction settles. */
const pageSize = 5_000;
const bounceKinds: ReactionKind[] = ['hard-bounce', 'soft-bounce', 'internal-bounce'];

/** What happens once per campaign and subscriber: kinds, and the table that knows. */
const onceOnly: [ReactionKind[], string][] = [
  [bounceKinds, 'mw_campaign_bounce_log'],
  [['complaint'], 'mw_campaign_complain_log'],
  [['unsubscribe'], 'mw_campaign_track_unsubscribe'],
];

export async function planReactions(db: Db, reactions: PlannedReaction[]): Promise<number[]> {
  if (reactions.length === 0) return [];
  const rows = reactions.map(({ campaignId, subscriberId, kind, urlId, detail, ip, agent, at }) => [
    campaignId, subscriberId, kind, urlId ?? null, detail?.slice(0, 255) ?? null, ip ?? '127.0.0.1', agent?.slice(0, 255) ?? '', sqlDate(at),
  ]);
  const { insertId } = await change(db, 'INSERT INTO sandbox_reaction (campaign_id, subscriber_id, kind, url_id, detail, ip_address, user_agent, due_at) VALUES ?', [rows]);
  return rows.map((_, index) => insertId + index);
}

/** False when it had happened before and happens only once. */
export function recordReaction(context: Context, reaction: PlannedReaction): Promise<boolean> {
  return inTransaction(context.pool, async (connection) => {
    // Two calls about one subscriber come one after the other.
    await select(connection, 'SELECT subscriber_id FROM mw_list_subscriber WHERE subscriber_id = ? FOR UPDATE', [reaction.subscriberId]);
    const ids = await planReactions(connection, [reaction]);
    return (await settle(context, connection, ids)) === 1;
  });
}

/** Lets happen what is due; the reactions and what they leave in MailWizz's tables change in one transaction. */
export async function settleReactions(context: Context, now: Date, limit: number): Promise<Partial<Record<ReactionKind, number>>> {
  const counts: Partial<Record<ReactionKind, number>> = {};
  for (let left = limit; left > 0; left -= pageSize) {
    const settled = await inTransaction(context.pool, async (connection) => {
      const due = await select<{ reaction_id: number; kind: ReactionKind }>(
        connection,
        'SELECT reaction_id, kind FROM sandbox_reaction WHERE due_at <= ? ORDER BY due_at, reaction_id LIMIT ? FOR UPDATE',
        [sqlDate(now), Math.min(left, pageSize)],
      );
      await settle(context, connection, due.map(({ reaction_id }) => reaction_id));
      return due;
    });
    for (const { kind } of settled) counts[kind] = (counts[kind] ?? 0) + 1;
    if (settled.length < pageSize) break;
  }
  return counts;
}

async function settle({ switches }: Context, connection: PoolConnection, ids: number[]): Promise<number> {
  if (ids.length === 0) return 0;
  let settled = ids.length;
  for (const [kinds, table] of onceOnly) {
    settled -= (await change(connection, `DELETE r FROM sandbox_reaction r JOIN ${table} USING (campaign_id, subscriber_id) WHERE r.reaction_id IN (?) AND r.kind IN (?)`, [ids, kinds])).found;
  }
  await queueWebhooks(
    connection,
    `SELECT r.campaign_id, r.subscriber_id, r.kind, SUBSTRING_INDEX(r.kind, '-', -1) event, u.destination url, r.detail, r.ip_address, r.user_agent, r.due_at happened_at
      FROM sandbox_reaction r LEFT JOIN mw_campaign_url u ON u.url_id = r.url_id WHERE r.reaction_id IN (?)`,
    [ids],
  );
  const added = `DATE_ADD(due_at, INTERVAL ${switches.database_offset_minutes} MINUTE)`;
  const settleKind = (kinds: ReactionKind[], into: string, columns: string) =>
    change(connection, `INSERT INTO ${into} SELECT ${columns}, ${added} FROM sandbox_reaction WHERE reaction_id IN (?) AND kind IN (?) ORDER BY reaction_id`, [ids, kinds]);
  await settleKind(['open'], 'mw_campaign_track_open (campaign_id, subscriber_id, ip_address, user_agent, date_added)', 'campaign_id, subscriber_id, ip_address, user_agent');
  await settleKind(['click'], 'mw_campaign_track_url (url_id, subscriber_id, ip_address, user_agent, date_added)', 'url_id, subscriber_id, ip_address, user_agent');
  await settleKind(bounceKinds, 'mw_campaign_bounce_log (campaign_id, subscriber_id, message, bounce_type, date_added)', "campaign_id, subscriber_id, detail, SUBSTRING_INDEX(kind, '-', 1)");
  await settleKind(['complaint'], 'mw_campaign_complain_log (campaign_id, subscriber_id, message, date_added)', 'campaign_id, subscriber_id, detail');
  await settleKind(
    ['unsubscribe'],
    'mw_campaign_track_unsubscribe (campaign_id, subscriber_id, ip_address, user_agent, reason, date_added)',
    'campaign_id, subscriber_id, ip_address, user_agent, detail',
  );
  await change(
    connection,
    `UPDATE mw_list_subscriber s JOIN sandbox_reaction r USING (subscriber_id) SET s.status = 'unsubscribed', s.last_updated = ${added}
      WHERE r.reaction_id IN (?) AND r.kind = 'unsubscribe' AND s.status <> 'blacklisted'`,
    [ids],
  );
  await change(connection, 'DELETE FROM sandbox_reaction WHERE reaction_id IN (?)', [ids]);
  return settled;
}
