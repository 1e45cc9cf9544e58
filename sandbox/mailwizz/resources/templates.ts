import { error, page, pageOf, success } from '../answers';
import type { Context } from '../context';
import { storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import type { Answer, Call, Route } from '../router';
import { change, select } from '../sql';
import { newUid } from '../uid';
import { readHtmlOfZip } from '../zip';

export const templateRoutes: Route[] = [
  { method: 'GET', path: '/templates', name: 'templates', handle: listTemplates },
  { method: 'POST', path: '/templates', name: 'template-create', handle: createTemplate },
  { method: 'GET', path: '/templates/{template_uid}', name: 'template', handle: readTemplate },
  { method: 'PUT', path: '/templates/{template_uid}', name: 'template-update', handle: updateTemplate },
  { method: 'DELETE', path: '/templates/{template_uid}', name: 'template-delete', handle: deleteTemplate },
];

type Template = { template_uid: string; name: string; content: string; screenshot: string | null };
const uidOf = (call: Call) => call.params['template_uid'] ?? '';
const notFound = error(404, 'The template does not exist.');

async function listTemplates({ pool, switches }: Context, { query }: Call): Promise<Answer> {
  const name = textAt(mapAt(query, 'filter'), 'name');
  const where = name === undefined ? '1 = 1' : 'name LIKE ?';
  const values = name === undefined ? [] : [`%${name.replace(/[\\%_]/g, (sign) => `\\${sign}`)}%`];
  const { perPage, offset } = pageOf(query);
  const found = await select<Template>(
    pool,
    `SELECT template_uid, name, screenshot FROM mw_customer_email_template WHERE ${where} ORDER BY template_id ${switches.log_order === 'newest' ? 'DESC' : 'ASC'} LIMIT ? OFFSET ?`,
    [...values, perPage, offset],
  );
  const records = found.map(({ template_uid, name: title, screenshot }) => ({ template_uid, name: title, screenshot }));
  if (!switches.template_pages) return success({ data: { records } });
  const [total] = await select<{ count: number }>(pool, `SELECT COUNT(*) count FROM mw_customer_email_template WHERE ${where}`, values);
  return page(query, total?.count ?? 0, records);
}

async function readTemplate({ pool }: Context, call: Call): Promise<Answer> {
  const [found] = await select<Template>(pool, 'SELECT name, content, screenshot FROM mw_customer_email_template WHERE template_uid = ?', [
    uidOf(call),
  ]);
  return found ? success({ data: { record: { name: found.name, content: found.content, screenshot: found.screenshot } } }) : notFound;
}

async function createTemplate(context: Context, { form }: Call): Promise<Answer> {
  const { pool, switches, customer } = context;
  const read = readTemplateForm(context, form);
  if ('problems' in read) return error(switches.validation_code, read.problems);
  if (read.columns.content === undefined) return error(switches.validation_code, { content: 'Content cannot be blank.' });
  const uid = newUid();
  const at = storedDate(context, context.now());
  await change(pool, 'INSERT INTO mw_customer_email_template SET ?', [
    { ...read.columns, template_uid: uid, customer_id: customer.customer_id, date_added: at, last_updated: at },
  ]);
  return success({ template_uid: uid }, switches.create_code);
}

async function updateTemplate(context: Context, call: Call): Promise<Answer> {
  const { pool, switches } = context;
  const [known] = await select(pool, 'SELECT 1 FROM mw_customer_email_template WHERE template_uid = ?', [uidOf(call)]);
  if (!known) return notFound;
  const read = readTemplateForm(context, call.form);
  if ('problems' in read) return error(switches.validation_code, read.problems);
  await change(pool, 'UPDATE mw_customer_email_template SET ? WHERE template_uid = ?', [
    { ...read.columns, last_updated: storedDate(context, context.now()) },
    uidOf(call),
  ]);
  return success();
}

async function deleteTemplate({ pool }: Context, call: Call): Promise<Answer> {
  const { found } = await change(pool, 'DELETE FROM mw_customer_email_template WHERE template_uid = ?', [uidOf(call)]);
  return found > 0 ? success() : notFound;
}

/** The name is needed every time, on an update too. */
function readTemplateForm(
  { switches }: Context,
  form: PhpMap,
): { problems: Record<string, string> } | { columns: { name: string; content?: string; inline_css?: string } } {
  const given = mapAt(form, 'template');
  const name = textAt(given, 'name');
  if (name === undefined) return { problems: { name: 'Name cannot be blank.' } };
  if ([...name].length > 255) return { problems: { name: 'Name is too long (maximum is 255 characters).' } };
  const archive = textAt(given, 'archive');
  const encoded = textAt(given, 'content');
  const content =
    archive === undefined ? encoded && Buffer.from(encoded, 'base64').toString('utf8') : readHtmlOfZip(Buffer.from(archive, 'base64'));
  if (archive !== undefined && content === undefined) return { problems: { archive: 'The archive holds no template.' } };
  if (content !== undefined && switches.unsubscribe_tag_required && !content.includes('[UNSUBSCRIBE_URL]')) {
    return { problems: { content: 'The following template tags are required but were not found in the content: [UNSUBSCRIBE_URL]' } };
  }
  const inline = textAt(given, 'inline_css');
  return {
    columns: { name, ...(content !== undefined && { content }), ...((inline === 'yes' || inline === 'no') && { inline_css: inline }) },
  };
}
