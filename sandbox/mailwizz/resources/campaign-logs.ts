import { error, page, pageOf, success } from '../answers';
import type { Campaign } from '../campaigns/store';
import type { Context } from '../context';
import { dateText } from '../dates';
import { textAt } from '../form';
import { recordReaction } from '../sending/reactions';
import type { Answer, Call, Route } from '../router';
import { select } from '../sql';
import { withCampaign } from './campaigns';

export const campaignLogRoutes: Route[] = [
  { method: 'GET', path: '/campaigns/{campaign_uid}/bounces', name: 'bounces', handle: withCampaign(listBounces) },
  {
    method: 'POST',
    path: '/campaigns/{campaign_uid}/bounces',
    name: 'bounce-create',
    handle: withCampaign(createBounce, 'The campaign does not exist!'),
  },
  { method: 'GET', path: '/campaigns/{campaign_uid}/complaints', name: 'complaints', handle: withCampaign(listComplaints) },
  { method: 'GET', path: '/campaigns/{campaign_uid}/unsubscribes', name: 'unsubscribes', handle: withCampaign(listUnsubscribes) },
  { method: 'GET', path: '/campaigns/{campaign_uid}/delivery-logs', name: 'delivery-logs', handle: withCampaign(listDeliveryLogs) },
  // The vendor's documentation and its OpenAPI file disagree on the path: both are served.
  { method: 'GET', path: '/campaigns/delivery-logs/email-message-id/{id*}', name: 'delivery-log', handle: readDeliveryLog },
  { method: 'GET', path: '/campaigns/email-message-id/{id*}', name: 'delivery-log', handle: readDeliveryLog },
];

type Subscriber = { subscriber_uid: string; email: string };
const toSubscriber = ({ subscriber_uid, email }: Subscriber) => ({ subscriber_uid, email });

/** One page of a log that has `log_id` or `id` as its key. */
async function pageOfLog<Row extends object>(
  { pool, switches }: Context,
  { query }: Call,
  log: { columns: string; table: string; key: string; campaignId: number },
  toRecord: (row: Row) => unknown,
): Promise<Answer> {
  const { perPage, offset } = pageOf(query);
  const order = switches.log_order === 'newest' ? 'DESC' : 'ASC';
  const [total] = await select<{ count: number }>(pool, `SELECT COUNT(*) count FROM ${log.table} WHERE campaign_id = ?`, [log.campaignId]);
  const rows = await select<Row>(
    pool,
    `SELECT s.subscriber_uid, s.email, ${log.columns} FROM (SELECT * FROM ${log.table} WHERE campaign_id = ? ORDER BY ${log.key} ${order} LIMIT ? OFFSET ?) r
      JOIN mw_list_subscriber s USING (subscriber_id) ORDER BY r.${log.key} ${order}`,
    [log.campaignId, perPage, offset],
  );
  return page(query, total?.count ?? 0, rows.map(toRecord));
}

type Bounce = Subscriber & { message: string; processed: string; bounce_type: string };
const toBounce = (row: Bounce) => ({
  message: row.message,
  processed: row.processed,
  bounce_type: row.bounce_type,
  subscriber: toSubscriber(row),
});

function listBounces(context: Context, { campaign_id: campaignId }: Campaign, call: Call): Promise<Answer> {
  return pageOfLog<Bounce>(
    context,
    call,
    { columns: 'r.message, r.processed, r.bounce_type', table: 'mw_campaign_bounce_log', key: 'log_id', campaignId },
    toBounce,
  );
}

function listComplaints(context: Context, { campaign_id: campaignId }: Campaign, call: Call): Promise<Answer> {
  const log = { columns: 'r.message', table: 'mw_campaign_complain_log', key: 'log_id', campaignId };
  return pageOfLog<Subscriber & { message: string }>(context, call, log, (row) => ({
    message: row.message,
    subscriber: toSubscriber(row),
  }));
}

type Unsubscribe = Subscriber & { ip_address: string; user_agent: string; reason: string | null; note: string | null; date_added: string };

function listUnsubscribes(context: Context, { campaign_id: campaignId }: Campaign, call: Call): Promise<Answer> {
  const log = {
    columns: `r.ip_address, r.user_agent, r.reason, r.note, ${dateText('r.date_added')} date_added`,
    table: 'mw_campaign_track_unsubscribe',
    key: 'id',
    campaignId,
  };
  return pageOfLog<Unsubscribe>(context, call, log, ({ ip_address, user_agent, reason, note, date_added, ...row }) => ({
    ip_address,
    user_agent,
    reason,
    note,
    date_added,
    subscriber: toSubscriber(row),
  }));
}

async function createBounce(context: Context, campaign: Campaign, { form }: Call): Promise<Answer> {
  const { pool, switches } = context;
  const type = (['hard', 'soft', 'internal'] as const).find((known) => known === textAt(form, 'bounce_type'));
  const message = textAt(form, 'message') ?? '';
  const [subscriber] = await select<Subscriber & { subscriber_id: number }>(
    pool,
    'SELECT subscriber_id, subscriber_uid, email FROM mw_list_subscriber WHERE list_id = ? AND subscriber_uid = ?',
    [campaign.list_id, textAt(form, 'subscriber_uid') ?? ''],
  );
  if (!subscriber) return error(404, 'The subscriber does not exist!');
  if (!type) return error(switches.validation_code, 'Invalid bounce type!');
  if ([...message].length > 250) return error(switches.validation_code, { message: 'Message is too long (maximum is 250 characters).' });
  const recorded = await recordReaction(context, {
    campaignId: campaign.campaign_id,
    subscriberId: subscriber.subscriber_id,
    kind: `${type}-bounce`,
    detail: message,
    at: context.now(),
  });
  if (!recorded) return error(switches.refusal_code, 'This subscriber has already been marked as bounced!');
  return success({ data: { record: toBounce({ ...subscriber, message, processed: 'no', bounce_type: type }) } }, switches.create_code);
}

type DeliveryLog = Subscriber & {
  campaign_uid: string;
  list_uid: string;
  message: string;
  retries: number;
  max_retries: number;
  email_message_id: string;
  delivery_confirmed: string;
  status: string;
  date_added: string;
};
const deliveryColumns = `r.message, r.retries, r.max_retries, r.email_message_id, r.delivery_confirmed, r.status, ${dateText('r.date_added')} date_added`;
const toDeliveryLog = (row: DeliveryLog) => ({
  campaign: { campaign_uid: row.campaign_uid, list: { list_uid: row.list_uid } },
  subscriber: toSubscriber(row),
  message: row.message,
  retries: String(row.retries),
  max_retries: String(row.max_retries),
  email_message_id: row.email_message_id,
  delivery_confirmed: row.delivery_confirmed,
  status: row.status,
  date_added: row.date_added,
});

/** Archived logs are not shown here: the archive is read through MySQL only. */
async function listDeliveryLogs(
  context: Context,
  { campaign_id: campaignId, campaign_uid, list_uid }: Campaign,
  call: Call,
): Promise<Answer> {
  const log = { columns: deliveryColumns, table: 'mw_campaign_delivery_log', key: 'log_id', campaignId };
  return pageOfLog<Omit<DeliveryLog, 'campaign_uid' | 'list_uid'>>(context, call, log, (row) =>
    toDeliveryLog({ ...row, campaign_uid, list_uid }),
  );
}

async function readDeliveryLog({ pool }: Context, { params }: Call): Promise<Answer> {
  const [row] = await select<DeliveryLog>(
    pool,
    `SELECT c.campaign_uid, l.list_uid, s.subscriber_uid, s.email, ${deliveryColumns} FROM mw_campaign_delivery_log r JOIN mw_campaign c USING (campaign_id) JOIN mw_list l USING (list_id)
      JOIN mw_list_subscriber s USING (subscriber_id) WHERE r.email_message_id = ? LIMIT 1`,
    [params['id']],
  );
  return row ? success({ data: { record: toDeliveryLog(row) } }) : error(404, 'The delivery log does not exist!');
}
