import { error, page, pageOf, success } from '../answers';
import { type Company, companyColumns, readCompany } from '../company';
import type { Context } from '../context';
import { storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import { copyList } from '../list-copy';
import { inList, type List } from '../list-store';
import type { Answer, Call, Route } from '../router';
import { change, type Db, inTransaction, select } from '../sql';
import { addressFormat } from '../tables/prepare';
import { newUid } from '../uid';

export const listRoutes: Route[] = [
  { method: 'GET', path: '/lists', name: 'lists', handle: all },
  { method: 'POST', path: '/lists', name: 'create-list', handle: create },
  { method: 'GET', path: '/lists/{list_uid}', name: 'list', handle: inList(one) },
  { method: 'PUT', path: '/lists/{list_uid}', name: 'update-list', handle: inList(update) },
  { method: 'DELETE', path: '/lists/{list_uid}', name: 'delete-list', handle: inList(remove) },
  { method: 'POST', path: '/lists/{list_uid}/copy', name: 'copy-list', handle: inList(copy) },
];

type Full = {
  list_uid: string; name: string; display_name: string; description: string;
  from_name: string | null; from_email: string | null; reply_to: string | null; subject: string | null;
  subscribe: string | null; unsubscribe: string | null; subscribe_to: string | null; unsubscribe_to: string | null;
  company_name: string | null; address_1: string; address_2: string | null; zone_name: string | null; city: string; zip_code: string; phone: string | null; address_format: string;
  country_id: number | null; country_name: string; country_code: string; zone_id: number | null; named_zone: string; zone_code: string;
};

const selectLists = `SELECT l.list_uid, l.name, l.display_name, l.description, d.from_name, d.from_email, d.reply_to, d.subject, n.subscribe, n.unsubscribe, n.subscribe_to, n.unsubscribe_to,
    c.name company_name, c.address_1, c.address_2, c.zone_name, c.city, c.zip_code, c.phone, c.address_format, c.country_id, o.name country_name, o.code country_code, c.zone_id, z.name named_zone, z.code zone_code
  FROM mw_list l LEFT JOIN mw_list_default d USING (list_id) LEFT JOIN mw_list_customer_notification n USING (list_id) LEFT JOIN mw_list_company c USING (list_id)
    LEFT JOIN mw_country o ON o.country_id = c.country_id LEFT JOIN mw_zone z ON z.zone_id = c.zone_id
  WHERE l.customer_id = ? AND l.status = 'active'`;

async function all({ pool, customer }: Context, { query }: Call): Promise<Answer> {
  const [counted] = await select<{ count: number }>(pool, "SELECT COUNT(*) count FROM mw_list WHERE customer_id = ? AND status = 'active'", [customer.customer_id]);
  const { perPage, offset } = pageOf(query);
  const rows = await select<Full>(pool, `${selectLists} ORDER BY l.list_id LIMIT ? OFFSET ?`, [customer.customer_id, perPage, offset]);
  return page(query, counted?.count ?? 0, rows.map((row) => describe(row, false)));
}

async function one({ pool, customer }: Context, _: Call, { list_id }: List): Promise<Answer> {
  const [row] = await select<Full>(pool, `${selectLists} AND l.list_id = ?`, [customer.customer_id, list_id]);
  return row ? success({ data: { record: describe(row, true) } }) : error(404, 'The list does not exist.');
}

/** A page of lists leaves out `from_email`, one list has it. */
const describe = (row: Full, withFromEmail: boolean) => ({
  general: { list_uid: row.list_uid, name: row.name, display_name: row.display_name, description: row.description },
  defaults: { ...(withFromEmail && { from_email: row.from_email ?? '' }), from_name: row.from_name ?? '', reply_to: row.reply_to ?? '', subject: row.subject ?? '' },
  notifications: { subscribe: row.subscribe ?? 'no', unsubscribe: row.unsubscribe ?? 'no', subscribe_to: row.subscribe_to ?? '', unsubscribe_to: row.unsubscribe_to ?? '' },
  company: row.company_name === null ? [] : describeCompany(row),
});

const describeCompany = (row: Full) => ({
  name: row.company_name,
  address_1: row.address_1,
  address_2: row.address_2 ?? '',
  zone_name: row.named_zone ?? row.zone_name ?? '',
  city: row.city,
  zip_code: row.zip_code,
  phone: row.phone ?? '',
  address_format: row.address_format,
  country: { country_id: String(row.country_id), name: row.country_name, code: row.country_code },
  ...(row.zone_id !== null && { zone: { zone_id: String(row.zone_id), name: row.named_zone, code: row.zone_code } }),
});

type Wanted = { general: PhpMap | undefined; defaults: PhpMap | undefined; notifications: PhpMap | undefined; company: Company | undefined };

async function create(context: Context, { form }: Call): Promise<Answer> {
  const wanted = await readForm(context, form);
  if ('code' in wanted) return wanted;
  const { pool, customer } = context;
  const listUid = newUid();
  const now = storedDate(context, context.now());
  await inTransaction(pool, async (db) => {
    const { insertId } = await change(db, "INSERT INTO mw_list (list_uid, customer_id, name, display_name, opt_in, date_added, last_updated) VALUES (?, ?, '', '', 'double', ?, ?)", [listUid, customer.customer_id, now, now]);
    await write(db, insertId, wanted);
    await insertUsualFields(db, insertId, now);
  });
  return success({ list_uid: listUid }, context.switches.create_code);
}

async function update(context: Context, { form }: Call, { list_id }: List): Promise<Answer> {
  const wanted = await readForm(context, form);
  if ('code' in wanted) return wanted;
  await inTransaction(context.pool, async (db) => {
    await write(db, list_id, wanted);
    await change(db, 'UPDATE mw_list SET last_updated = ? WHERE list_id = ?', [storedDate(context, context.now()), list_id]);
  });
  return success();
}

async function readForm(context: Context, form: PhpMap): Promise<Wanted | Answer> {
  const [general, defaults, notifications] = [mapAt(form, 'general'), mapAt(form, 'defaults'), mapAt(form, 'notifications')];
  const problems = {
    ...required(general, { name: 'Name', description: 'Description' }),
    ...required(defaults, { from_name: 'From name', from_email: 'From email', reply_to: 'Reply to' }),
    ...addresses(defaults, { from_email: 'From email', reply_to: 'Reply to' }),
  };
  if (Object.keys(problems).length > 0) return error(context.switches.validation_code, problems);
  const given = mapAt(form, 'company');
  const company = given && (await readCompany(context, given));
  if (company && 'problem' in company) return error(context.switches.validation_code, company.problem);
  return { general, defaults, notifications, company };
}

const required = (map: PhpMap | undefined, labels: Record<string, string>) =>
  Object.fromEntries(Object.entries(labels).flatMap(([key, label]) => (textAt(map, key) === undefined ? [[key, `${label} cannot be blank.`]] : [])));
const addresses = (map: PhpMap | undefined, labels: Record<string, string>) =>
  Object.fromEntries(Object.entries(labels).flatMap(([key, label]) => (/^$|^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(textAt(map, key) ?? '') ? [] : [[key, `${label} is not a valid email address.`]])));
const yesNo = (text: string | undefined) => (text === 'yes' ? 'yes' : 'no');

/** All rows of a list but its fields; without a company, the customer's is taken. */
async function write(db: Db, listId: number, { general, defaults, notifications, company }: Wanted): Promise<void> {
  const name = textAt(general, 'name') ?? '';
  const optIn = textAt(general, 'opt_in');
  await change(db, 'UPDATE mw_list SET name = ?, display_name = ?, description = ?, opt_in = IF(? IN (\'single\', \'double\'), ?, opt_in) WHERE list_id = ?', [
    name, textAt(general, 'display_name') ?? name, textAt(general, 'description') ?? '', optIn ?? '', optIn ?? '', listId,
  ]);
  await change(db, 'REPLACE INTO mw_list_default (list_id, from_name, from_email, reply_to, subject) VALUES (?)', [
    [listId, textAt(defaults, 'from_name'), textAt(defaults, 'from_email'), textAt(defaults, 'reply_to'), textAt(defaults, 'subject') ?? ''],
  ]);
  await change(db, 'REPLACE INTO mw_list_customer_notification (list_id, subscribe, unsubscribe, subscribe_to, unsubscribe_to) VALUES (?)', [
    [listId, yesNo(textAt(notifications, 'subscribe')), yesNo(textAt(notifications, 'unsubscribe')), textAt(notifications, 'subscribe_to') ?? '', textAt(notifications, 'unsubscribe_to') ?? ''],
  ]);
  const columns = companyColumns.join(', ');
  if (company) await change(db, `REPLACE INTO mw_list_company (list_id, address_format, ${columns}) VALUES (?)`, [[listId, addressFormat, ...companyColumns.map((column) => company[column])]]);
  else await change(db, `INSERT IGNORE INTO mw_list_company (list_id, address_format, ${columns}) SELECT ?, ?, ${columns} FROM mw_customer_company WHERE customer_id = 1`, [listId, addressFormat]);
}

/** Every list begins with these three. */
async function insertUsualFields(db: Db, listId: number, now: string): Promise<void> {
  const usual = [['EMAIL', 'Email', 'yes'], ['FNAME', 'First name', 'no'], ['LNAME', 'Last name', 'no']];
  for (const [order, [tag, label, isRequired]] of usual.entries()) {
    await change(
      db,
      "INSERT INTO mw_list_field (type_id, list_id, label, tag, required, sort_order, date_added, last_updated) SELECT type_id, ?, ?, ?, ?, ?, ?, ? FROM mw_list_field_type WHERE identifier = 'text'",
      [listId, label, tag, isRequired, order, now, now],
    );
  }
}

async function copy(context: Context, _: Call, list: List): Promise<Answer> {
  return success({ list_uid: await copyList(context, list) });
}

async function remove(context: Context, _: Call, list: List): Promise<Answer> {
  if (list.removable === 'no') return error(context.switches.refusal_code, 'This list cannot be removed now.');
  await change(context.pool, 'DELETE FROM mw_list WHERE list_id = ?', [list.list_id]);
  context.fields.forget(list.list_id);
  return success();
}
