import { createHash } from 'node:crypto';
import { audienceOf, type Campaign, type CampaignStatus, findCampaigns, moveCampaign } from '../campaigns/store';
import type { Context } from '../context';
import { storedDate } from '../dates';
import { decideDelivery, decideReactions, type DeliveryStatus, expectsReactions, type Rates } from './fate';
import { planReactions, type PlannedReaction } from './reactions';
import { change, type Db, inTransaction, select } from '../sql';
import { queueWebhooks, sentEvents } from './webhooks';

/** As many as one transaction sends: a pause takes hold after each. */
const chunkSize = 2_000;
/** More due campaigns wait for the next tick. */
const maxCampaigns = 100;
const sendable: readonly CampaignStatus[] = ['pending-sending', 'processing', 'sending'];

export type SendingReport = { campaign_uid: string; name: string; status: CampaignStatus; sent: number; failed: number };
type Recipient = { subscriber_id: number; subscriber_uid: string; email: string; black: number };
type Batch = { context: Context; campaign: Campaign; urlIds: number[]; rates: Rates; now: Date };

/** Sends what is due, at most `max` mails. Nothing but the delivery log says who has had one, so a kill at any point changes nothing. */
export async function sendDue(context: Context, { rates, now, max }: { rates: Rates; now: Date; max: number }): Promise<SendingReport[]> {
  const due = await findDue(context, now);
  const reports: SendingReport[] = [];
  let left = max;
  for (const campaign of due) {
    if (left <= 0) break;
    const report = await sendBatch(context, campaign, { rates, now, max: left });
    left -= report.sent + report.failed;
    reports.push(report);
  }
  return reports;
}

/** `processing` is due too: ticks come one after the other, so it is what a killed worker left behind. */
function findDue(context: Context, now: Date): Promise<Campaign[]> {
  const waiting = context.switches.sending_heeds_send_at
    ? "c.status IN ('pending-sending', 'sending', 'processing') AND c.send_at <= ?"
    : "(c.status = 'pending-sending' AND c.send_at <= ? OR c.status IN ('sending', 'processing'))";
  return findCampaigns(context.pool, `c.type = 'regular' AND ${waiting} ORDER BY c.send_at, c.campaign_id LIMIT ${maxCampaigns}`, [
    storedDate(context, now),
  ]);
}

async function sendBatch(
  context: Context,
  campaign: Campaign,
  { rates, now, max }: { rates: Rates; now: Date; max: number },
): Promise<SendingReport> {
  const { pool } = context;
  const id = campaign.campaign_id;
  const at = storedDate(context, now);
  const report = { campaign_uid: campaign.campaign_uid, name: campaign.name, sent: 0, failed: 0 };
  if (!(await moveCampaign(pool, { id, from: sendable, to: 'processing', at }))) return { ...report, status: await statusOf(context, id) };

  const batch = { context, campaign, urlIds: await prepareUrls(context, campaign, at), rates, now };
  const waiting = await findWaiting(context, campaign, max);
  let next = 0;
  while (next < waiting.length) {
    const chunk = await sendChunk(batch, waiting.slice(next, next + chunkSize));
    if (!chunk) break;
    report.sent += chunk.sent;
    report.failed += chunk.failed;
    next += chunkSize;
  }
  await moveCampaign(pool, { id, from: ['processing'], to: waiting.length < max ? 'sent' : 'sending', at });
  return { ...report, status: await statusOf(context, id) };
}

const isBlack =
  'EXISTS (SELECT 1 FROM mw_email_blacklist b WHERE b.email = s.email) OR EXISTS (SELECT 1 FROM mw_customer_email_blacklist b WHERE b.email = s.email)';
const notSentTo = 'LEFT JOIN mw_campaign_delivery_log d ON d.campaign_id = ? AND d.subscriber_id = s.subscriber_id';

/** Asked once a batch: a segment costs the same for one subscriber as for all. */
async function findWaiting(context: Context, campaign: Campaign, limit: number): Promise<number[]> {
  const audience = await audienceOf(context, campaign);
  const passed = context.switches.log_blacklisted ? '' : `AND NOT (${isBlack})`;
  const rows = await select<{ subscriber_id: number }>(
    context.pool,
    `SELECT s.subscriber_id FROM mw_list_subscriber s ${notSentTo} WHERE ${audience.where} ${passed} AND d.log_id IS NULL ORDER BY s.subscriber_id LIMIT ?`,
    [campaign.campaign_id, ...audience.values, limit],
  );
  return rows.map(({ subscriber_id }) => subscriber_id);
}

/** Undefined when the campaign was paused, marked or deleted meanwhile. The campaign's row is locked, so no second worker sends beside us. */
function sendChunk({ context, campaign, urlIds, rates, now }: Batch, ids: number[]) {
  const id = campaign.campaign_id;
  return inTransaction(context.pool, async (connection) => {
    const [row] = await select<{ status: CampaignStatus }>(connection, 'SELECT status FROM mw_campaign WHERE campaign_id = ? FOR UPDATE', [
      id,
    ]);
    if (row?.status !== 'processing') return undefined;
    const recipients = await findRecipients(connection, id, ids);
    const decided = recipients.map(
      (recipient) =>
        ({ recipient, status: recipient.black === 1 ? 'blacklisted' : decideDelivery(rates, campaign.name, recipient.email) }) as const,
    );
    const logged = context.switches.log_blacklisted ? decided : decided.filter(({ status }) => status !== 'blacklisted');
    if (logged.length > 0) await insertLogs(context, connection, campaign, logged, now);

    const delivered = decided.filter(({ status }) => status === 'success').map(({ recipient }) => recipient);
    if (expectsReactions(rates))
      await planReactions(
        connection,
        delivered.flatMap((recipient) => reactionsOf({ campaign, recipient, urlIds, rates, now })),
      );
    return { sent: delivered.length, failed: logged.length - delivered.length };
  });
}

/** Who of them is still to be sent to: some may have unsubscribed a moment ago. */
const findRecipients = (db: Db, id: number, ids: number[]) =>
  select<Recipient>(
    db,
    `SELECT s.subscriber_id, s.subscriber_uid, s.email, ${isBlack} black
      FROM mw_list_subscriber s ${notSentTo} WHERE s.subscriber_id IN (?) AND s.status = 'confirmed' AND d.log_id IS NULL ORDER BY s.subscriber_id`,
    [id, ids],
  );

async function insertLogs(
  context: Context,
  db: Db,
  campaign: Campaign,
  logged: readonly { recipient: Recipient; status: DeliveryStatus }[],
  now: Date,
): Promise<void> {
  const at = storedDate(context, now);
  const rows = logged.map(({ recipient, status }) => {
    const sent = status === 'success';
    return [
      campaign.campaign_id,
      recipient.subscriber_id,
      1,
      sent ? 'OK' : messageOf(status),
      'yes',
      messageId(context, campaign, recipient),
      sent ? 'yes' : 'no',
      status,
      at,
    ];
  });
  const { insertId } = await change(
    db,
    'INSERT INTO mw_campaign_delivery_log (campaign_id, subscriber_id, server_id, message, processed, email_message_id, delivery_confirmed, status, date_added) VALUES ?',
    [rows],
  );
  await queueWebhooks(db, sentEvents(context, `log_id BETWEEN ${insertId} AND ${insertId + rows.length - 1}`), []);
}

const messageOf = (status: DeliveryStatus) =>
  status === 'blacklisted' ? 'This email is blacklisted. Sending is denied!' : `${status}: the server did not take the message`;

const messageId = ({ instanceId }: Context, campaign: Campaign, { subscriber_uid }: Recipient) =>
  `${createHash('sha1').update(`${campaign.campaign_uid}/${subscriber_uid}`).digest('hex')}@${instanceId}.sandbox.test`;

function reactionsOf({
  campaign,
  recipient,
  urlIds,
  rates,
  now,
}: Pick<Batch, 'campaign' | 'urlIds' | 'rates' | 'now'> & { recipient: Recipient }): PlannedReaction[] {
  return decideReactions(rates, campaign.name, recipient.email, urlIds.length).map(({ afterSeconds, urlIndex, ...reaction }) => {
    const urlId = urlIndex === undefined ? undefined : urlIds[urlIndex];
    return {
      ...reaction,
      campaignId: campaign.campaign_id,
      subscriberId: recipient.subscriber_id,
      at: new Date(now.getTime() + afterSeconds * 1_000),
      ...(urlId !== undefined && { urlId }),
    };
  });
}

/** The links of the content, once each, in their order. A campaign whose option `url_tracking` is off has none: nobody learns of its clicks. */
async function prepareUrls(
  { pool }: Context,
  { campaign_id: id, campaign_uid: uid, content, url_tracking }: Campaign,
  at: string,
): Promise<number[]> {
  if (url_tracking === 'no') return [];
  const links = [
    ...new Set([...content.matchAll(/href\s*=\s*["'](https?:\/\/[^"']+)["']/gi)].map(([, link]) => (link ?? '').replaceAll('&amp;', '&'))),
  ];
  if (links.length === 0) return [];
  const rows = links.map((link) => [id, createHash('sha1').update(`${uid}/${link}`).digest('hex'), link, at]);
  await change(pool, 'INSERT IGNORE INTO mw_campaign_url (campaign_id, hash, destination, date_added) VALUES ?', [rows]);
  const urls = await select<{ url_id: number }>(pool, 'SELECT url_id FROM mw_campaign_url WHERE campaign_id = ? ORDER BY url_id', [id]);
  return urls.map(({ url_id }) => url_id);
}

async function statusOf({ pool }: Context, id: number): Promise<CampaignStatus> {
  const [row] = await select<{ status: CampaignStatus }>(pool, 'SELECT status FROM mw_campaign WHERE campaign_id = ?', [id]);
  return row?.status ?? 'pending-delete';
}
