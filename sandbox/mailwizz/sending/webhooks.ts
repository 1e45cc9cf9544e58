import { Agent, request } from 'undici';
import { z } from 'zod';
import { sqlDate } from '../answers';
import { findCampaign } from '../campaigns/store';
import type { Context } from '../context';
import type { ControlRoute } from '../control';
import { dateText } from '../dates';
import type { Answer } from '../router';
import { change, type Db, select } from '../sql';
import { type QueuedWebhook, renderWebhook } from './webhook-bodies';

const eventNames = ['sent', 'delivered', 'open', 'click', 'bounce', 'complaint', 'unsubscribe'] as const;
const maxCopies = 50;
/** As many as are read, and posted side by side, at a time. */
const pageSize = 500;
const sideBySide = 16;

const webhookBody = z.strictObject({
  url: z.url(),
  campaign_uid: z.string().max(13).optional(),
  /** native: MailWizz's own, opens and clicks. engine: one address per kind of event below `url`. */
  style: z.enum(['native', 'engine']).default('native'),
  events: z.array(z.enum(eventNames)).min(1).max(eventNames.length).optional(),
  headers: z.record(z.string().max(200), z.string().max(2_000)).default({}),
  copies: z.tuple([z.int().min(1).max(maxCopies), z.int().min(1).max(maxCopies)]).default([1, 1]),
  shuffle: z.boolean().default(false),
  delay_seconds: z
    .int()
    .min(0)
    .max(30 * 86_400)
    .default(0),
  seed: z.union([z.string().max(50), z.int()]).default('1'),
  /** Queue what has happened already, too. */
  past: z.boolean().default(false),
});

export const webhookRoutes: ControlRoute[] = [
  { method: 'POST', path: '/webhooks', handle: addWebhook },
  { method: 'GET', path: '/webhooks', handle: listWebhooks },
  { method: 'DELETE', path: '/webhooks', handle: removeWebhooks },
  { method: 'GET', path: '/webhooks/queue', handle: readQueue },
];

async function addWebhook(context: Context, body: unknown): Promise<Answer> {
  const { pool } = context;
  const parsed = webhookBody.safeParse(body);
  if (!parsed.success) return { code: 422, body: { error: z.prettifyError(parsed.error) } };
  const { url, campaign_uid, style, headers, copies, shuffle, delay_seconds, seed, past } = parsed.data;
  const campaign = campaign_uid === undefined ? undefined : await findCampaign(context, campaign_uid);
  if (campaign_uid !== undefined && !campaign) return { code: 404, body: { error: 'no such campaign' } };
  const events = parsed.data.events ?? (style === 'native' ? ['open', 'click'] : eventNames);
  if (style === 'native' && events.some((event) => event !== 'open' && event !== 'click'))
    return { code: 422, body: { error: 'MailWizz itself tells of open and click only' } };
  const row = {
    campaign_id: campaign?.campaign_id ?? null,
    style,
    url,
    events: events.join(','),
    headers: JSON.stringify(headers),
    copies_min: Math.min(...copies),
    copies_max: Math.max(...copies),
    shuffle: shuffle ? 'yes' : 'no',
    delay_seconds,
    seed: String(seed),
  };
  const { insertId } = await change(pool, 'INSERT INTO sandbox_webhook SET ?', [row]);
  const queued = past ? await queuePast(context, insertId) : 0;
  return { code: 201, body: { webhook_id: insertId, queued } };
}

async function listWebhooks({ pool }: Context): Promise<Answer> {
  return {
    code: 200,
    body: {
      webhooks: await select(
        pool,
        'SELECT w.*, c.campaign_uid FROM sandbox_webhook w LEFT JOIN mw_campaign c USING (campaign_id) ORDER BY webhook_id',
      ),
    },
  };
}

async function removeWebhooks({ pool }: Context): Promise<Answer> {
  await change(pool, 'DELETE FROM sandbox_webhook');
  return { code: 200, body: {} };
}

async function readQueue({ pool }: Context, _: unknown, query: URLSearchParams): Promise<Answer> {
  const limit = Math.min(10_000, Number(query.get('limit') ?? 100) || 100);
  const statuses = await select<{ status: string; count: number }>(
    pool,
    'SELECT status, COUNT(*) count FROM sandbox_webhook_queue GROUP BY status',
  );
  const queue = await select(
    pool,
    `SELECT q.queue_id, q.webhook_id, c.campaign_uid, s.email, q.kind, q.status, q.attempts, ${dateText('q.happened_at')} happened_at, ${dateText('q.next_at')} next_at, q.last_answer
      FROM sandbox_webhook_queue q JOIN mw_campaign c USING (campaign_id) JOIN mw_list_subscriber s USING (subscriber_id) ORDER BY q.queue_id LIMIT ?`,
    [limit],
  );
  return { code: 200, body: { counts: Object.fromEntries(statuses.map(({ status, count }) => [status, count])), queue } };
}

/** In [0, 1), the same for the same seed, address and event. */
const drawn = (word: string) =>
  `CONV(LEFT(MD5(CONCAT_WS('/', w.seed, '${word}', c.name, s.email, e.kind, n.copy)), 8), 16, 10) / 4294967296`;

/** `events` is a SELECT of campaign_id, subscriber_id, kind, event, url, detail, ip_address, user_agent, happened_at (UTC). Belongs into the transaction that stores those events. */
export async function queueWebhooks(db: Db, events: string, values: unknown[], webhookId?: number): Promise<number> {
  const [known] = await select(db, 'SELECT 1 FROM sandbox_webhook LIMIT 1');
  if (!known) return 0;
  const { found } = await change(
    db,
    `INSERT INTO sandbox_webhook_queue (webhook_id, campaign_id, subscriber_id, kind, url, detail, ip_address, user_agent, happened_at, next_at, place)
      WITH RECURSIVE n AS (SELECT 1 copy UNION ALL SELECT copy + 1 FROM n WHERE copy < ${maxCopies})
      SELECT w.webhook_id, e.campaign_id, e.subscriber_id, e.kind, e.url, e.detail, e.ip_address, e.user_agent, e.happened_at,
        DATE_ADD(e.happened_at, INTERVAL FLOOR(w.delay_seconds * ${drawn('delay')}) SECOND), IF(w.shuffle = 'yes', FLOOR(1000000000 * ${drawn('place')}), 0)
      FROM (${events}) e JOIN mw_campaign c USING (campaign_id) JOIN mw_list_subscriber s USING (subscriber_id)
        JOIN sandbox_webhook w ON (w.campaign_id IS NULL OR w.campaign_id = e.campaign_id) AND FIND_IN_SET(e.event, w.events) AND (? IS NULL OR w.webhook_id = ?)
        JOIN n ON n.copy <= w.copies_min + FLOOR((w.copies_max - w.copies_min + 1) * CONV(LEFT(MD5(CONCAT_WS('/', w.seed, 'copies', c.name, s.email, e.kind)), 8), 16, 10) / 4294967296)
      ORDER BY e.happened_at, e.kind, e.subscriber_id, n.copy`,
    [...values, webhookId ?? null, webhookId ?? null],
  );
  return found;
}

const utcOf = ({ switches }: Context) => `DATE_SUB(date_added, INTERVAL ${switches.database_offset_minutes} MINUTE)`;

/** The two things a sent mail tells: that it left, and that it was taken. */
export const sentEvents = (context: Context, where: string) => {
  const logs = (event: string) =>
    `SELECT campaign_id, subscriber_id, '${event}' kind, '${event}' event, NULL url, NULL detail, NULL ip_address, NULL user_agent, ${utcOf(context)} happened_at FROM mw_campaign_delivery_log WHERE ${where}`;
  return `${logs('sent')} AND status = 'success' UNION ALL ${logs('delivered')} AND status = 'success'`;
};

async function queuePast(context: Context, webhookId: number): Promise<number> {
  const at = utcOf(context);
  const visit = (table: string, kind: string) =>
    `SELECT campaign_id, subscriber_id, '${kind}', '${kind}', NULL, NULL, ip_address, user_agent, ${at} FROM ${table}`;
  const past = [
    sentEvents(context, '1 = 1'),
    visit('mw_campaign_track_open', 'open'),
    visit('mw_campaign_track_unsubscribe', 'unsubscribe'),
    `SELECT campaign_id, subscriber_id, 'click', 'click', destination, NULL, ip_address, user_agent, ${at} FROM
      (SELECT u.campaign_id, u.destination, t.subscriber_id, t.ip_address, t.user_agent, t.date_added FROM mw_campaign_track_url t JOIN mw_campaign_url u USING (url_id)) clicks`,
    `SELECT campaign_id, subscriber_id, CONCAT(bounce_type, '-bounce'), 'bounce', NULL, LEFT(message, 255), NULL, NULL, ${at} FROM mw_campaign_bounce_log`,
    `SELECT campaign_id, subscriber_id, 'complaint', 'complaint', NULL, LEFT(message, 255), NULL, NULL, ${at} FROM mw_campaign_complain_log`,
  ];
  return queueWebhooks(context.pool, past.join(' UNION ALL '), [], webhookId);
}

/** Posts what is due, at most `limit`. Only 2xx counts; what fails is tried again after the wait, a limited number of times. */
export async function deliverWebhooks(context: Context, now: Date, limit: number): Promise<{ delivered: number; failed: number }> {
  const total = { delivered: 0, failed: 0 };
  const connections = new Agent({ connections: sideBySide });
  try {
    for (let left = limit; left > 0; left -= pageSize) {
      const due = await findDue(context, now, Math.min(left, pageSize));
      const { delivered, failed } = await postAll(context, due, now, connections);
      total.delivered += delivered.length;
      total.failed += failed.length;
      if (due.length < pageSize) break;
    }
  } finally {
    await connections.destroy();
  }
  return total;
}

async function postAll(context: Context, due: QueuedWebhook[], now: Date, connections: Agent) {
  const { pool, switches } = context;
  const rendered = await renderWebhook(context, due, now);
  const delivered: number[] = [];
  const failed: { id: number; answer: string }[] = [];
  let next = 0;
  const post = async () => {
    for (let item = rendered[next++]; item !== undefined; item = rendered[next++]) {
      const { id, url, headers, body } = item;
      const answer = await request(url, {
        method: 'POST',
        headers,
        body,
        dispatcher: connections,
        signal: AbortSignal.timeout(switches.webhook_timeout_ms),
      })
        .then(async ({ statusCode, body: answered }) => {
          await answered.dump({ limit: 64 << 10 });
          return String(statusCode);
        })
        .catch((error: unknown) => (error instanceof Error ? `${error.name} ${error.message}` : 'failed').slice(0, 100));
      if (answer.startsWith('2') && answer.length === 3) delivered.push(id);
      else failed.push({ id, answer });
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, post));
  if (delivered.length > 0)
    await change(
      pool,
      "UPDATE sandbox_webhook_queue SET status = 'delivered', attempts = attempts + 1, last_answer = '2xx' WHERE queue_id IN (?)",
      [delivered],
    );
  const again = sqlDate(new Date(now.getTime() + switches.webhook_retry_seconds * 1_000));
  for (const { id, answer } of failed) {
    await change(
      pool,
      "UPDATE sandbox_webhook_queue SET attempts = attempts + 1, status = IF(attempts > ?, 'given-up', 'waiting'), next_at = ?, last_answer = ? WHERE queue_id = ?",
      [switches.webhook_retries, again, answer, id],
    );
  }
  return { delivered, failed };
}

const findDue = ({ pool }: Context, now: Date, limit: number) =>
  select<QueuedWebhook>(
    pool,
    `SELECT q.queue_id, w.style, w.url webhook_url, w.headers, q.kind, q.url, q.detail, q.ip_address, q.user_agent, ${dateText('q.happened_at')} happened_at, c.campaign_uid, c.name campaign_name,
        l.list_uid, l.name list_name, s.subscriber_id, s.subscriber_uid, s.email, s.source, s.status, s.ip_address subscriber_ip
      FROM (SELECT * FROM sandbox_webhook_queue WHERE status = 'waiting' AND next_at <= ? ORDER BY place, queue_id LIMIT ?) q
        JOIN sandbox_webhook w USING (webhook_id) JOIN mw_campaign c ON c.campaign_id = q.campaign_id JOIN mw_list l ON l.list_id = c.list_id JOIN mw_list_subscriber s ON s.subscriber_id = q.subscriber_id
      ORDER BY q.place, q.queue_id`,
    [sqlDate(now), limit],
  );
