import { error } from '../answers';
import type { Campaign, Columns } from './store';
import type { Context } from '../context';
import { fromZonedDate, storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import type { Answer } from '../router';
import { select } from '../sql';
import { readHtmlOfZip } from '../zip';

export type CampaignForm = { campaign: Columns; options: Columns; template: Columns | undefined; servers: number[] | undefined };
type Refused = { refused: Answer };

const labels: [string, string][] = [
  ['name', 'Campaign name'],
  ['from_name', 'From name'],
  ['from_email', 'From email'],
  ['subject', 'Subject'],
  ['reply_to', 'Reply to'],
  ['send_at', 'Send at'],
];
const lengths: Record<string, number> = { name: 255, from_name: 100, from_email: 100, subject: 500, reply_to: 100, to_name: 255 };
const yesNoOptions = ['url_tracking', 'json_feed', 'xml_feed', 'plain_text_email', 'embed_images'];
const textOptions: [string, number][] = [
  ['email_stats', 255],
  ['cronjob', 255],
  ['autoresponder_event', 20],
  ['autoresponder_time_unit', 6],
];
const numberOptions = ['tracking_domain_id', 'cronjob_enabled', 'autoresponder_time_value', 'autoresponder_open_campaign_id'];
const emailShape = /^[^\s@<>()]+@[^\s@.]+(\.[^\s@.]+)+$/u;

/** Reads `campaign[…]`. With an existing campaign only what is given is checked and changed. */
export async function readCampaignForm(context: Context, form: PhpMap, existing?: Campaign): Promise<CampaignForm | Refused> {
  const given = mapAt(form, 'campaign');
  const fail = (text: string | Record<string, string>, code: number = context.switches.validation_code): Refused => ({
    refused: error(code, text),
  });

  const listUid = textAt(given, 'list_uid') ?? existing?.list_uid;
  if (listUid === undefined) return fail('Please provide a list for this campaign.');
  const list = await idOf(context, "SELECT list_id id FROM mw_list WHERE list_uid = ? AND status = 'active'", listUid);
  if (list === undefined) return fail('Provided list does not exist.', 404);

  const segmentUid = textAt(given, 'segment_uid');
  const segment =
    segmentUid === undefined
      ? undefined
      : await idOf(context, 'SELECT segment_id id FROM mw_list_segment WHERE segment_uid = ? AND list_id = ?', segmentUid, list);
  if (segmentUid !== undefined && segment === undefined) return fail('Provided list segment does not exist.', 404);
  const groupUid = textAt(given, 'group_uid');
  const group =
    groupUid === undefined ? undefined : await idOf(context, 'SELECT group_id id FROM mw_campaign_group WHERE group_uid = ?', groupUid);
  if (groupUid !== undefined && group === undefined) return fail({ group_id: 'Group is invalid.' });

  const read = await readTemplate(context, mapAt(given, 'template'));
  if ('refused' in read) return read;
  if (read.template === undefined && !existing) return fail('Please provide a template for your campaign.');

  const problems = problemsOf(context, given, existing !== undefined);
  if (Object.keys(problems).length > 0) return fail(problems);
  const campaign = {
    ...columnsOf(context, given),
    ...(given?.has('list_uid') === true || !existing ? { list_id: list } : {}),
    ...(segment !== undefined && { segment_id: segment }),
    ...(group !== undefined && { group_id: group }),
  };
  const servers = textAt(given, 'delivery_servers')
    ?.split(',')
    .map(Number)
    .filter((id) => Number.isSafeInteger(id) && id > 0);
  return { campaign, options: optionsOf(mapAt(given, 'options')), template: read.template, servers };
}

async function idOf({ pool }: Context, statement: string, ...values: unknown[]): Promise<number | undefined> {
  const [row] = await select<{ id: number }>(pool, statement, values);
  return row?.id;
}

function problemsOf({ customer }: Context, given: PhpMap | undefined, partial: boolean): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const [key, label] of labels) {
    const text = textAt(given, key);
    if (text === undefined && !partial) problems[key] = `${label} cannot be blank.`;
    if (text === undefined) continue;
    const most = lengths[key];
    if (most !== undefined && [...text].length > most) problems[key] = `${label} is too long (maximum is ${most} characters).`;
    else if ((key === 'from_email' || key === 'reply_to') && !emailShape.test(text))
      problems[key] = `${label} is not a valid email address.`;
    else if (key === 'send_at' && fromZonedDate(text, customer.timezone) === undefined) problems[key] = 'The format of send at is invalid.';
  }
  const type = textAt(given, 'type');
  if (type !== undefined && type !== 'regular' && type !== 'autoresponder') problems['type'] = 'Type is not in the list.';
  return problems;
}

/** What a status nobody knows means is not documented; like an absent one it schedules the campaign. */
function columnsOf(context: Context, given: PhpMap | undefined): Columns {
  const texts = ['name', 'from_name', 'from_email', 'subject', 'reply_to', 'to_name', 'type'].flatMap((key) => {
    const text = textAt(given, key);
    return text === undefined ? [] : [[key, text] as const];
  });
  const status = ['draft', 'paused', 'pending-sending'].find((known) => known === textAt(given, 'status'));
  const sendAt = fromZonedDate(textAt(given, 'send_at') ?? '', context.customer.timezone);
  return { ...Object.fromEntries(texts), ...(status !== undefined && { status }), ...(sendAt && { send_at: storedDate(context, sendAt) }) };
}

function optionsOf(given: PhpMap | undefined): Columns {
  const options: Columns = {};
  for (const key of yesNoOptions) {
    const value = textAt(given, key);
    if (value === 'yes' || value === 'no') options[key] = value;
  }
  for (const [key, length] of textOptions) {
    const value = textAt(given, key);
    if (value !== undefined) options[key] = value.slice(0, length);
  }
  for (const key of numberOptions) {
    const value = Number(textAt(given, key));
    if (Number.isSafeInteger(value)) options[key] = value;
  }
  return options;
}

/** Content and plain text come in base64; whoever forgets it gets what PHP makes of that: rubbish, without a word. */
async function readTemplate(context: Context, given: PhpMap | undefined): Promise<{ template: Columns | undefined } | Refused> {
  const refuse = (text: string, code: number = context.switches.validation_code): Refused => ({ refused: error(code, text) });
  const templateUid = textAt(given, 'template_uid');
  const archive = textAt(given, 'archive');
  let content = decode(textAt(given, 'content'));
  let customerTemplate: number | null = null;
  if (archive !== undefined) {
    content = readHtmlOfZip(Buffer.from(archive, 'base64'));
    if (content === undefined) return refuse('Please provide a template for your campaign.');
  } else if (templateUid !== undefined) {
    const [found] = await select<{ template_id: number; content: string }>(
      context.pool,
      'SELECT template_id, content FROM mw_customer_email_template WHERE template_uid = ?',
      [templateUid],
    );
    if (!found) return refuse('Provided template does not exist.', 404);
    content = found.content;
    customerTemplate = found.template_id;
  }
  if (content === undefined) return { template: undefined };
  if (context.switches.unsubscribe_tag_required && !content.includes('[UNSUBSCRIBE_URL]'))
    return refuse('The following template tags are required but were not found in the content: [UNSUBSCRIBE_URL]');
  const plainText = decode(textAt(given, 'plain_text'));
  const flags = ['inline_css', 'auto_plain_text'].flatMap((key) => {
    const value = textAt(given, key);
    return value === 'yes' || value === 'no' ? [[key, value] as const] : [];
  });
  return { template: { content, customer_template_id: customerTemplate, plain_text: plainText ?? null, ...Object.fromEntries(flags) } };
}

const decode = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text, 'base64').toString('utf8'));
