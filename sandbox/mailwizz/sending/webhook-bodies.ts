import { phpMap } from '../answers';
import type { Context } from '../context';
import { buildQuery, type PhpMap, type PhpValue } from '../form';
import { select } from '../sql';

export type QueuedWebhook = {
  queue_id: number;
  style: 'native' | 'engine';
  webhook_url: string;
  headers: string;
  kind: string;
  url: string | null;
  detail: string | null;
  ip_address: string | null;
  user_agent: string | null;
  happened_at: string;
  campaign_uid: string;
  campaign_name: string;
  list_uid: string;
  list_name: string;
  subscriber_id: number;
  subscriber_uid: string;
  email: string;
  source: string;
  status: string;
  subscriber_ip: string | null;
};
export type RenderedWebhook = { id: number; url: string; headers: Record<string, string>; body: string };

/** The last word of an engine webhook's address, and the name of the event in its body. */
const engineEvents: Record<string, string> = {
  sent: 'sent',
  delivered: 'delivered',
  open: 'opened',
  click: 'clicked',
  bounce: 'bounced',
  unsubscribe: 'unsubscribed',
  complaint: 'spam-report',
};

export async function renderWebhook(context: Context, due: QueuedWebhook[], now: Date): Promise<RenderedWebhook[]> {
  const fields = await fieldsOf(
    context,
    due.filter(({ style }) => style === 'native').map(({ subscriber_id }) => subscriber_id),
  );
  return due.map((webhook) => {
    const headers = toHeaders(webhook.headers);
    if (webhook.style === 'engine')
      return { id: webhook.queue_id, ...toEngine(webhook), headers: { ...headers, 'content-type': 'application/json' } };
    const native = toNative(context, webhook, fields.get(webhook.subscriber_id) ?? {}, now);
    const asForm = context.switches.webhook_body === 'form';
    return {
      id: webhook.queue_id,
      url: webhook.webhook_url,
      headers: { ...headers, 'content-type': asForm ? 'application/x-www-form-urlencoded' : 'application/json' },
      body: asForm ? buildQuery(toPhpMap(native)) : JSON.stringify(native),
    };
  });
}

/** `timestamp` is when it is sent, `date_added` when it happened, without a zone. */
function toNative({ switches }: Context, webhook: QueuedWebhook, fields: Record<string, string>, now: Date) {
  const key = webhook.kind === 'click' ? switches.click_url_key : 'none';
  const offsetMs = switches.database_offset_minutes * 60_000;
  const dateAdded = new Date(Date.parse(`${webhook.happened_at.replace(' ', 'T')}Z`) + offsetMs)
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ');
  return {
    event: {
      type: webhook.kind,
      ip_address: webhook.ip_address,
      user_agent: webhook.user_agent,
      date_added: dateAdded,
      ...(key === 'event.url' && { url: webhook.url }),
      ...(key === 'event.destination' && { destination: webhook.url }),
    },
    timestamp: Math.floor(now.getTime() / 1_000),
    list: { attributes: { list_uid: webhook.list_uid, name: webhook.list_name } },
    subscriber: {
      attributes: {
        subscriber_uid: webhook.subscriber_uid,
        email: webhook.email,
        source: webhook.source,
        status: webhook.status,
        ip_address: webhook.subscriber_ip ?? '',
      },
      fields: phpMap(fields),
    },
    campaign: { attributes: { campaign_uid: webhook.campaign_uid, name: webhook.campaign_name } },
    ...(key === 'url.attributes' && { url: { attributes: { destination: webhook.url } } }),
  };
}

function toEngine({
  webhook_url,
  kind,
  url,
  detail,
  ip_address,
  user_agent,
  happened_at,
  campaign_uid,
  subscriber_uid,
  email,
}: QueuedWebhook) {
  const [type, bounce] = kind.endsWith('-bounce') ? [kind.slice(0, -'-bounce'.length), true] : [undefined, false];
  const event = engineEvents[bounce ? 'bounce' : kind] ?? kind;
  const eventData = {
    ...(url !== null && { url }),
    ...(type !== undefined && { bounce_type: type }),
    ...(detail !== null && { message: detail }),
  };
  const body = {
    subscriber_uid,
    email,
    campaign_uid,
    event_type: `email_${event.replace('-', '_')}`,
    timestamp: `${happened_at.replace(' ', 'T')}Z`,
    ip_address,
    user_agent,
    event_data: eventData,
  };
  return { url: `${webhook_url.replace(/\/$/, '')}/email-${event}`, body: JSON.stringify(body) };
}

async function fieldsOf({ pool }: Context, subscriberIds: number[]): Promise<Map<number, Record<string, string>>> {
  const found = new Map<number, Record<string, string>>();
  if (subscriberIds.length === 0) return found;
  const values = await select<{ subscriber_id: number; tag: string; value: string }>(
    pool,
    'SELECT v.subscriber_id, f.tag, v.value FROM mw_list_field_value v JOIN mw_list_field f USING (field_id) WHERE v.subscriber_id IN (?) ORDER BY f.sort_order',
    [subscriberIds],
  );
  for (const { subscriber_id, tag, value } of values) found.set(subscriber_id, { ...found.get(subscriber_id), [tag]: value });
  return found;
}

function toHeaders(json: string): Record<string, string> {
  const parsed: unknown = JSON.parse(json);
  return Object.fromEntries(
    typeof parsed === 'object' && parsed !== null ? Object.entries(parsed).map(([name, value]) => [name, String(value)]) : [],
  );
}

function toPhpMap(value: object): PhpMap {
  const toValue = (inner: unknown): PhpValue =>
    typeof inner === 'object' && inner !== null
      ? toPhpMap(inner)
      : typeof inner === 'string' || typeof inner === 'number'
        ? String(inner)
        : '';
  return new Map(Object.entries(value).map(([key, inner]: [string, unknown]) => [key, toValue(inner)]));
}
