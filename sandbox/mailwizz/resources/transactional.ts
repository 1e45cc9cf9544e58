import { error, page, pageOf, success } from '../answers';
import type { Context } from '../context';
import { dateText, storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import type { Answer, Call, Route } from '../router';
import { change, type Db, inTransaction, select } from '../sql';
import { newUid, stableUid } from '../uid';

export const transactionalRoutes: Route[] = [
  { method: 'GET', path: '/transactional-emails', name: 'transactional-emails', handle: listEmails },
  { method: 'POST', path: '/transactional-emails', name: 'transactional-email-create', handle: createEmail },
  { method: 'GET', path: '/transactional-emails/{email_uid}', name: 'transactional-email', handle: readEmail },
  { method: 'DELETE', path: '/transactional-emails/{email_uid}', name: 'transactional-email-delete', handle: deleteEmail },
];

type Email = {
  email_id: number;
  email_uid: string;
  customer_id: number;
  to_email: string;
  to_name: string;
  from_email: string;
  from_name: string;
  reply_to_email: string | null;
  reply_to_name: string | null;
  subject: string;
  body: string;
  plain_text: string | null;
  priority: number;
  retries: number;
  max_retries: number;
  send_at: string;
  fallback_system_servers: string;
  status: string;
  date_added: string;
  last_updated: string;
};
const selectEmails = `SELECT email_id, email_uid, customer_id, to_email, to_name, from_email, from_name, reply_to_email, reply_to_name, subject, CONVERT(body USING utf8mb4) body, CONVERT(plain_text USING utf8mb4) plain_text,
  priority, retries, max_retries, ${dateText('send_at')} send_at, fallback_system_servers, status, ${dateText('date_added')} date_added, ${dateText('last_updated')} last_updated FROM mw_transactional_email`;

const required: [string, string][] = [
  ['to_name', 'To name'],
  ['to_email', 'To email'],
  ['from_name', 'From name'],
  ['subject', 'Subject'],
  ['body', 'Body'],
  ['send_at', 'Send at'],
];
const dateShape = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;
const emailShape = /^[^\s@<>()]+@[^\s@.]+(\.[^\s@.]+)+$/u;
const maxAttachments = 20;
/** Plain text that was not given is made from the body, as a reader without HTML would see it. */
const toPlainText = (html: string) =>
  html
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();

async function listEmails(context: Context, { query }: Call): Promise<Answer> {
  const { pool, switches } = context;
  const { perPage, offset } = pageOf(query);
  const [total] = await select<{ count: number }>(pool, 'SELECT COUNT(*) count FROM mw_transactional_email');
  const emails = await select<Email>(
    pool,
    `${selectEmails} ORDER BY email_id ${switches.log_order === 'newest' ? 'DESC' : 'ASC'} LIMIT ? OFFSET ?`,
    [perPage, offset],
  );
  return page(query, total?.count ?? 0, await Promise.all(emails.map((email) => toRecord(context, email))));
}

async function readEmail(context: Context, { params }: Call): Promise<Answer> {
  const [email] = await select<Email>(context.pool, `${selectEmails} WHERE email_uid = ?`, [params['email_uid']]);
  return email ? success({ data: { record: await toRecord(context, email) } }) : error(404, 'The email does not exist.');
}

async function deleteEmail({ pool }: Context, { params }: Call): Promise<Answer> {
  const { found } = await change(pool, 'DELETE FROM mw_transactional_email WHERE email_uid = ?', [params['email_uid']]);
  return found > 0 ? success() : error(404, 'The email does not exist.');
}

async function toRecord({ pool, switches }: Context, { email_id, customer_id, priority, retries, max_retries, ...email }: Email) {
  const attachments = await select<{ type: string; name: string; data: Buffer }>(
    pool,
    'SELECT type, name, data FROM mw_transactional_email_attachment WHERE email_id = ? ORDER BY attachment_id',
    [email_id],
  );
  const texts = switches.transactional_shape === 'docs';
  return {
    ...email,
    ...(texts ? { customer_id: String(customer_id) } : { customer_uid: stableUid(`customer/${customer_id}`) }),
    ...(texts
      ? { priority: String(priority), retries: String(retries), max_retries: String(max_retries) }
      : { priority, retries, max_retries }),
    attachments: attachments.map(({ type, name, data }) => ({ type, name, data: data.toString('base64') })),
  };
}

/** Nothing leaves at once: it is a queue, and its `send_at` is UTC. */
async function createEmail(context: Context, { form }: Call): Promise<Answer> {
  const { pool, switches, customer } = context;
  const given = mapAt(form, 'email');
  const problems = problemsOf(given);
  if (Object.keys(problems).length > 0) return error(switches.validation_code, problems);
  const decode = (key: string) => Buffer.from(textAt(given, key) ?? '', 'base64').toString('utf8');
  const text = (key: string) => textAt(given, key) ?? null;
  const body = decode('body');
  const uid = newUid();
  const at = storedDate(context, context.now());
  await inTransaction(pool, async (connection) => {
    const columns = {
      email_uid: uid,
      customer_id: customer.customer_id,
      to_email: text('to_email'),
      to_name: text('to_name'),
      from_email: text('from_email') ?? 'noreply@sandbox.test',
      from_name: text('from_name'),
      reply_to_email: text('reply_to_email'),
      reply_to_name: text('reply_to_name'),
      subject: text('subject'),
      body,
      plain_text: textAt(given, 'plain_text') === undefined ? toPlainText(body) : decode('plain_text'),
      send_at: text('send_at'),
      date_added: at,
      last_updated: at,
    };
    const { insertId } = await change(connection, 'INSERT INTO mw_transactional_email SET ?', [columns]);
    await insertAttachments(connection, insertId, mapAt(given, 'attachments'));
  });
  return success({ email_uid: uid }, switches.create_code);
}

function problemsOf(given: PhpMap | undefined): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const [key, label] of required) if (textAt(given, key) === undefined) problems[key] = `${label} cannot be blank.`;
  for (const [key, label] of [
    ['to_email', 'To email'],
    ['from_email', 'From email'],
    ['reply_to_email', 'Reply to email'],
  ] as const) {
    const address = textAt(given, key);
    if (address !== undefined && !emailShape.test(address)) problems[key] = `${label} is not a valid email address.`;
  }
  const sendAt = textAt(given, 'send_at');
  if (sendAt !== undefined && !dateShape.test(sendAt)) problems['send_at'] = 'The format of send at is invalid.';
  return problems;
}

async function insertAttachments(db: Db, emailId: number, given: PhpMap | undefined): Promise<void> {
  const rows = [...(given?.values() ?? [])].slice(0, maxAttachments).flatMap((attachment) => {
    if (!(attachment instanceof Map)) return [];
    const data = textAt(attachment, 'data');
    return data === undefined
      ? []
      : [
          [
            emailId,
            (textAt(attachment, 'type') ?? '').slice(0, 50),
            (textAt(attachment, 'name') ?? '').slice(0, 255),
            Buffer.from(data, 'base64'),
          ],
        ];
  });
  if (rows.length > 0) await change(db, 'INSERT INTO mw_transactional_email_attachment (email_id, type, name, data) VALUES ?', [rows]);
}

/** What the queue's own cron does: everything due leaves, at most `limit` at a time. */
export async function sendTransactional(context: Context, now: Date, limit: number): Promise<number> {
  const at = storedDate(context, now);
  const { found } = await change(
    context.pool,
    "UPDATE mw_transactional_email SET status = 'sent', last_updated = ? WHERE status = 'unsent' AND send_at <= ? ORDER BY send_at, email_id LIMIT ?",
    [at, sendAtUtc(now), limit],
  );
  return found;
}

const sendAtUtc = (now: Date) => now.toISOString().slice(0, 19).replace('T', ' ');
