import type { PoolConnection } from 'mysql2/promise';
import { sqlDate } from '../answers';
import type { Context } from '../context';
import type { ReactionKind } from './fate';
import { change, type Db, inTransaction, select } from '../sql';
import { queueWebhooks } from './webhooks';

export type PlannedReaction = {
  campaignId: number;
  subscriberId: number;
  kind: ReactionKind;
  urlId?: number;
  detail?: string;
  ip?: string;
  agent?: string;
  at: Date;
};

/** As many as one transaction settles. */
const pageSize = 5_000;
const bounceKinds: ReactionKind[] = ['hard-bounce', 'soft-bounce', 'internal-bounce'];

/** What happens once per campaign and subscriber: kinds, and the table that knows. */
const onceOnly: [ReactionKind[], string][] = [
  [bounceKinds, 'mw_campaign_bounce_log'],
  [['complaint'], 'mw_campaign_complain_log'],
  [['unsubscribe'], 'mw_campaign_track_unsubscribe'],
];

/** What each kind leaves in MailWizz's tables; the date comes last. */
const traces: { kinds: ReactionKind[]; into: string; columns: string }[] = [
  {
    kinds: ['open'],
    into: 'mw_campaign_track_open (campaign_id, subscriber_id, ip_address, user_agent, date_added)',
    columns: 'campaign_id, subscriber_id, ip_address, user_agent',
  },
  {
    kinds: ['click'],
    into: 'mw_campaign_track_url (url_id, subscriber_id, ip_address, user_agent, date_added)',
    columns: 'url_id, subscriber_id, ip_address, user_agent',
  },
  {
    kinds: bounceKinds,
    into: 'mw_campaign_bounce_log (campaign_id, subscriber_id, message, bounce_type, date_added)',
    columns: "campaign_id, subscriber_id, detail, SUBSTRING_INDEX(kind, '-', 1)",
  },
  {
    kinds: ['complaint'],
    into: 'mw_campaign_complain_log (campaign_id, subscriber_id, message, date_added)',
    columns: 'campaign_id, subscriber_id, detail',
  },
  {
    kinds: ['unsubscribe'],
    into: 'mw_campaign_track_unsubscribe (campaign_id, subscriber_id, ip_address, user_agent, reason, date_added)',
    columns: 'campaign_id, subscriber_id, ip_address, user_agent, detail',
  },
];

const reactionEvents = `SELECT r.campaign_id, r.subscriber_id, r.kind, SUBSTRING_INDEX(r.kind, '-', -1) event, u.destination url, r.detail, r.ip_address, r.user_agent, r.due_at happened_at
  FROM sandbox_reaction r LEFT JOIN mw_campaign_url u ON u.url_id = r.url_id WHERE r.reaction_id IN (?)`;

type Due = { id: number; kind: ReactionKind };

export async function planReactions(db: Db, reactions: PlannedReaction[]): Promise<number[]> {
  if (reactions.length === 0) return [];
  const rows = reactions.map(({ campaignId, subscriberId, kind, urlId, detail, ip, agent, at }) => [
    campaignId,
    subscriberId,
    kind,
    urlId ?? null,
    detail?.slice(0, 255) ?? null,
    ip ?? '127.0.0.1',
    agent?.slice(0, 255) ?? '',
    sqlDate(at),
  ]);
  const { insertId } = await change(
    db,
    'INSERT INTO sandbox_reaction (campaign_id, subscriber_id, kind, url_id, detail, ip_address, user_agent, due_at) VALUES ?',
    [rows],
  );
  return rows.map((_, index) => insertId + index);
}

/** False when it had happened before and happens only once. */
export function recordReaction(context: Context, reaction: PlannedReaction): Promise<boolean> {
  return inTransaction(context.pool, async (connection) => {
    // Two calls about one subscriber come one after the other.
    await select(connection, 'SELECT subscriber_id FROM mw_list_subscriber WHERE subscriber_id = ? FOR UPDATE', [reaction.subscriberId]);
    const [id = 0] = await planReactions(connection, [reaction]);
    return (await settle(context, connection, [{ id, kind: reaction.kind }])).length === 1;
  });
}

/** Lets happen what is due; the reactions and what they leave in MailWizz's tables change in one transaction. */
export async function settleReactions(context: Context, now: Date, limit: number): Promise<Partial<Record<ReactionKind, number>>> {
  const counts: Partial<Record<ReactionKind, number>> = {};
  for (let left = limit; left > 0; left -= pageSize) {
    const settled = await inTransaction(context.pool, async (connection) => {
      const due = await select<Due>(
        connection,
        'SELECT reaction_id id, kind FROM sandbox_reaction WHERE due_at <= ? ORDER BY due_at, reaction_id LIMIT ? FOR UPDATE',
        [sqlDate(now), Math.min(left, pageSize)],
      );
      return { seen: due.length, happened: await settle(context, connection, due) };
    });
    for (const { kind } of settled.happened) counts[kind] = (counts[kind] ?? 0) + 1;
    if (settled.seen < pageSize) break;
  }
  return counts;
}

/** Those that really happened. */
async function settle({ switches }: Context, connection: PoolConnection, due: Due[]): Promise<Due[]> {
  if (due.length === 0) return [];
  const repeats = await findRepeats(connection, due);
  const fresh = due.filter(({ id }) => !repeats.has(id));
  const idsOf = (kinds: ReactionKind[]) => fresh.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id);
  const all = fresh.map(({ id }) => id);
  if (all.length > 0) await queueWebhooks(connection, reactionEvents, [all]);

  const at = `DATE_ADD(due_at, INTERVAL ${switches.database_offset_minutes} MINUTE)`;
  for (const { kinds, into, columns } of traces) {
    const ids = idsOf(kinds);
    if (ids.length > 0)
      await change(
        connection,
        `INSERT INTO ${into} SELECT ${columns}, ${at} FROM sandbox_reaction WHERE reaction_id IN (?) ORDER BY reaction_id`,
        [ids],
      );
  }
  const left = idsOf(['unsubscribe']);
  if (left.length > 0) {
    await change(
      connection,
      `UPDATE sandbox_reaction r STRAIGHT_JOIN mw_list_subscriber s USING (subscriber_id) SET s.status = 'unsubscribed', s.last_updated = ${at} WHERE r.reaction_id IN (?) AND s.status <> 'blacklisted'`,
      [left],
    );
  }
  await change(connection, 'DELETE FROM sandbox_reaction WHERE reaction_id IN (?)', [due.map(({ id }) => id)]);
  return fresh;
}

/** STRAIGHT_JOIN: the few reactions first, else a large log is read from end to end. */
async function findRepeats(connection: PoolConnection, due: Due[]): Promise<Set<number>> {
  const repeats = new Set<number>();
  for (const [kinds, table] of onceOnly) {
    const ids = due.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id);
    if (ids.length === 0) continue;
    const found = await select<{ id: number }>(
      connection,
      `SELECT r.reaction_id id FROM sandbox_reaction r STRAIGHT_JOIN ${table} l ON l.campaign_id = r.campaign_id AND l.subscriber_id = r.subscriber_id WHERE r.reaction_id IN (?)`,
      [ids],
    );
    for (const { id } of found) repeats.add(id);
  }
  return repeats;
}
