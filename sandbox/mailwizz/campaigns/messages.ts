import type { Campaign } from './store';
import type { Context } from '../context';
import { instantOf } from '../dates';
import { select } from '../sql';

export type Message = {
  to: string;
  to_name: string;
  from: string;
  reply_to: string;
  subject: string;
  html: string;
  plain_text: string | null;
  headers: Record<string, string>;
  links: { hash: string; destination: string }[];
};

/** The mail as one subscriber would get it now: every [TAG] that is known is replaced, unknown ones stay. */
export async function renderMessage(context: Context, campaign: Campaign, email: string): Promise<Message | undefined> {
  const { pool, instanceId } = context;
  const [subscriber] = await select<{ subscriber_id: number; subscriber_uid: string; email: string }>(
    pool,
    'SELECT subscriber_id, subscriber_uid, email FROM mw_list_subscriber WHERE list_id = ? AND email = ? LIMIT 1',
    [campaign.list_id, email],
  );
  if (!subscriber) return undefined;
  const fields = await select<{ tag: string; value: string }>(
    pool,
    'SELECT f.tag, COALESCE(v.value, f.default_value, ?) value FROM mw_list_field f LEFT JOIN mw_list_field_value v ON v.field_id = f.field_id AND v.subscriber_id = ? WHERE f.list_id = ?',
    ['', subscriber.subscriber_id, campaign.list_id],
  );
  const [template] = await select<{ plain_text: string | null }>(
    pool,
    'SELECT plain_text FROM mw_campaign_template WHERE campaign_id = ?',
    [campaign.campaign_id],
  );
  const links = await select<{ hash: string; destination: string }>(
    pool,
    'SELECT hash, destination FROM mw_campaign_url WHERE campaign_id = ? ORDER BY url_id',
    [campaign.campaign_id],
  );
  const page = (name: string) => `https://${instanceId}.sandbox.test/${name}/${subscriber.subscriber_uid}/${campaign.campaign_uid}`;
  const sentAt = campaign.started_at === null ? context.now() : instantOf(context, campaign.started_at);
  const tags = new Map<string, string>([
    ...fields.map(({ tag, value }) => [tag, value] as const),
    ['EMAIL', subscriber.email],
    ['SUBSCRIBER_UID', subscriber.subscriber_uid],
    ['CAMPAIGN_UID', campaign.campaign_uid],
    ['CAMPAIGN_NAME', campaign.name],
    ['CAMPAIGN_SUBJECT', campaign.subject],
    ['LIST_UID', campaign.list_uid],
    ['LIST_NAME', campaign.list_name],
    ['FROM_NAME', campaign.from_name],
    ['FROM_EMAIL', campaign.from_email],
    ['REPLY_TO', campaign.reply_to],
    ['UNSUBSCRIBE_URL', page(`lists/${campaign.list_uid}/unsubscribe`)],
    ['UPDATE_PROFILE_URL', page(`lists/${campaign.list_uid}/update-profile`)],
    ['WEB_VERSION_URL', page('campaigns/web-version')],
    ['CURRENT_YEAR', String(sentAt.getUTCFullYear())],
    ['DATE', sentAt.toISOString().slice(0, 10)],
  ]);
  const fill = (text: string) => text.replace(/\[([A-Z0-9_]+)\]/g, (whole, tag: string) => tags.get(tag) ?? whole);
  return {
    to: subscriber.email,
    to_name: fill(campaign.to_name),
    from: `${campaign.from_name} <${campaign.from_email}>`,
    reply_to: campaign.reply_to,
    subject: fill(campaign.subject),
    html: fill(campaign.content),
    plain_text: template?.plain_text == null ? null : fill(template.plain_text),
    headers: messageHeaders(campaign, subscriber),
    links,
  };
}

/** What MailWizz, and the delivery server set up for PowerMTA, put into the head of a mail. */
export const messageHeaders = (
  { campaign_uid, list_uid, list_name }: Pick<Campaign, 'campaign_uid' | 'list_uid' | 'list_name'>,
  { subscriber_uid }: { subscriber_uid: string },
) => ({
  'X-Mw-Campaign-Uid': campaign_uid,
  'X-Mw-Subscriber-Uid': subscriber_uid,
  'List-Id': `${list_uid} <${list_name}>`,
  'X-Job': `mailwizz-${campaign_uid}`,
});
