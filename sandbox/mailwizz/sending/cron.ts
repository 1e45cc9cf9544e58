import type { Context } from '../context';
import type { ControlRoute } from '../control';
import { storedDate } from '../dates';
import { change, type Db, inTransaction, select } from '../sql';

/** As many bounces as one run looks at. */
const most = 1_000_000;

export type CronReport = { processed_bounces: number; blacklisted: number; removed_campaigns: number; archived_logs: number };

export const cronRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/cron',
    async handle(context, body) {
      const archive = typeof body === 'object' && body !== null && 'archive' in body && body.archive === true;
      return { code: 200, body: await runCron(context, { archive }) };
    },
  },
];

/**
 * What MailWizz does from time to time: bounces are looked at (hard blacklists at once, soft from the limit on, internal never), so are complaints,
 * campaigns queued for removal go, and on demand the delivery logs of sent campaigns move to the archive.
 */
export async function runCron(context: Context, { archive }: { archive: boolean }): Promise<CronReport> {
  const { pool, switches } = context;
  const at = storedDate(context, context.now());
  return inTransaction(pool, async (connection) => {
    const fresh = await select<{ log_id: number; subscriber_id: number; bounce_type: string }>(
      connection,
      "SELECT log_id, subscriber_id, bounce_type FROM mw_campaign_bounce_log WHERE processed = 'no' LIMIT ? FOR UPDATE",
      [most],
    );
    const hard = fresh.filter(({ bounce_type }) => bounce_type === 'hard').map(({ subscriber_id }) => subscriber_id);
    const suspects = fresh.filter(({ bounce_type }) => bounce_type === 'soft').map(({ subscriber_id }) => subscriber_id);
    const soft =
      suspects.length === 0
        ? []
        : await select<{ subscriber_id: number }>(
            connection,
            "SELECT subscriber_id FROM mw_campaign_bounce_log WHERE bounce_type = 'soft' AND subscriber_id IN (?) GROUP BY subscriber_id HAVING COUNT(*) >= ?",
            [suspects, switches.soft_bounce_limit],
          );
    if (fresh.length > 0)
      await change(connection, "UPDATE mw_campaign_bounce_log SET processed = 'yes' WHERE log_id IN (?)", [
        fresh.map(({ log_id }) => log_id),
      ]);
    const complained = await select<{ subscriber_id: number }>(
      connection,
      "SELECT DISTINCT l.subscriber_id FROM mw_campaign_complain_log l JOIN mw_list_subscriber s USING (subscriber_id) WHERE s.status <> 'blacklisted'",
    );
    const reasons: [number[], string][] = [
      [hard, 'Hard bounce'],
      [soft.map(({ subscriber_id }) => subscriber_id), 'Soft bounces'],
      [complained.map(({ subscriber_id }) => subscriber_id), 'Abuse complaint'],
    ];
    for (const [ids, reason] of reasons.filter(([ids]) => ids.length > 0)) {
      await change(
        connection,
        'INSERT IGNORE INTO mw_email_blacklist (subscriber_id, email, reason, date_added, last_updated) SELECT subscriber_id, email, ?, ?, ? FROM mw_list_subscriber WHERE subscriber_id IN (?)',
        [reason, at, at, ids],
      );
      // The same address in another list is blacklisted too: the blacklist is one for all.
      await change(
        connection,
        `UPDATE mw_list_subscriber s JOIN (SELECT email FROM mw_list_subscriber WHERE subscriber_id IN (?)) known ON known.email = s.email SET s.status = 'blacklisted', s.last_updated = ?`,
        [ids, at],
      );
    }
    const removed = await change(connection, "DELETE FROM mw_campaign WHERE status = 'pending-delete'");
    return {
      processed_bounces: fresh.length,
      blacklisted: new Set(reasons.flatMap(([ids]) => ids)).size,
      removed_campaigns: removed.found,
      archived_logs: archive ? await archiveLogs(connection) : 0,
    };
  });
}

async function archiveLogs(connection: Db): Promise<number> {
  const done = "campaign_id IN (SELECT campaign_id FROM mw_campaign WHERE status = 'sent' AND delivery_logs_archived = 'no')";
  const { found } = await change(
    connection,
    `INSERT INTO mw_campaign_delivery_log_archive SELECT * FROM mw_campaign_delivery_log WHERE ${done}`,
  );
  await change(connection, `DELETE FROM mw_campaign_delivery_log WHERE ${done}`);
  await change(connection, "UPDATE mw_campaign SET delivery_logs_archived = 'yes' WHERE status = 'sent'");
  return found;
}
