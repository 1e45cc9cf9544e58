import { error, page, pageOf, success } from '../answers';
import type { Context } from '../context';
import { dateText, storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import { inList, type List } from '../list-store';
import { quotaProblem } from '../quota';
import type { Answer, Call, Route } from '../router';
import { change, inTransaction, select } from '../sql';
import { createSubscribers, writeValues } from '../subscriber-create';
import { type Candidate, checkEmail, checkLengths, emailOf, statuses, textsOf, toCandidate, valuesOf } from '../subscriber-form';
import { type Condition, countSubscribers, findSubscriber, readRecords, type Row } from '../subscriber-read';
import { bulk } from './bulk';

const missingList = 'The subscribers list does not exist.';
const missingSubscriber = () => error(404, 'The subscriber does not exist in this list.');
const inSubscribers = (work: (context: Context, call: Call, list: List) => Promise<Answer>) => inList(work, missingList);
const base = '/lists/{list_uid}/subscribers';

export const subscriberRoutes: Route[] = [
  { method: 'GET', path: base, name: 'subscribers', handle: inSubscribers(list) },
  { method: 'POST', path: base, name: 'create', handle: inSubscribers(create) },
  { method: 'POST', path: `${base}/bulk`, name: 'bulk', handle: inSubscribers(bulk) },
  { method: 'GET', path: `${base}/search-by-email`, name: 'search', handle: inSubscribers(search) },
  { method: 'GET', path: `${base}/search-by-custom-fields`, name: 'search-fields', handle: inSubscribers(searchByFields) },
  { method: 'GET', path: '/lists/subscribers/search-by-email-in-all-lists', name: 'search-all', handle: searchAll },
  { method: 'PUT', path: '/lists/subscribers/unsubscribe-by-email-from-all-lists', name: 'unsubscribe-all', handle: unsubscribeAll },
  { method: 'GET', path: `${base}/{subscriber_uid}`, name: 'subscriber', handle: inSubscribers(one) },
  { method: 'PUT', path: `${base}/{subscriber_uid}`, name: 'update', handle: inSubscribers(update) },
  { method: 'DELETE', path: `${base}/{subscriber_uid}`, name: 'delete-subscriber', handle: inSubscribers(remove) },
  { method: 'PUT', path: `${base}/{subscriber_uid}/unsubscribe`, name: 'unsubscribe', handle: inSubscribers(unsubscribe) },
];

async function list(context: Context, { query }: Call, { list_id }: List): Promise<Answer> {
  const status = textAt(query, 'status');
  const condition: Condition = status === undefined ? { where: '1 = 1', values: [] } : { where: 's.status = ?', values: [status] };
  return pageOfSubscribers(context, query, list_id, condition);
}

/** Also the members of a segment: the same rows. */
export async function pageOfSubscribers(context: Context, query: PhpMap, listId: number, condition: Condition): Promise<Answer> {
  return page(query, await countSubscribers(context, listId, condition), await readRecords(context, listId, condition, pageOf(query)));
}

const bySubscriberUid = (call: Call): Condition => ({ where: 's.subscriber_uid = ?', values: [call.params['subscriber_uid']] });

async function one(context: Context, call: Call, { list_id }: List): Promise<Answer> {
  const [record] = await readRecords(context, list_id, bySubscriberUid(call), { page: 1, perPage: 1, offset: 0 });
  return record ? success({ data: { record } }) : missingSubscriber();
}

/** The parameter is upper-case. */
const searchedEmail = ({ switches }: Context, query: PhpMap) => textAt(query, 'EMAIL') ?? (switches.search_lower_case ? textAt(query, 'email') : undefined);

async function search(context: Context, { query }: Call, { list_id }: List): Promise<Answer> {
  const email = searchedEmail(context, query);
  if (email === undefined) return error(context.switches.validation_code, 'Please provide the subscriber email address.');
  const found = await findSubscriber(context, list_id, { where: 's.email = ?', values: [email] });
  return found ? success({ data: { subscriber_uid: found.subscriber_uid, status: found.status, date_added: found.date_added } }) : missingSubscriber();
}

type Anywhere = Row & { list_uid: string; display_name: string; name: string };

async function searchAll(context: Context, { query }: Call): Promise<Answer> {
  const email = searchedEmail(context, query);
  if (email === undefined) return error(context.switches.validation_code, 'Please provide the subscriber email address.');
  const from = "FROM mw_list_subscriber s JOIN mw_list l USING (list_id) WHERE s.email = ? AND l.customer_id = ? AND l.status = 'active'";
  const values = [email, context.customer.customer_id];
  const [counted] = await select<{ count: number }>(context.pool, `SELECT COUNT(*) count ${from}`, values);
  const { perPage, offset } = pageOf(query);
  const rows = await select<Anywhere>(
    context.pool,
    `SELECT s.subscriber_uid, s.email, s.status, s.source, s.ip_address, ${dateText('s.date_added')} date_added, l.list_uid, l.display_name, l.name ${from} ORDER BY s.subscriber_id LIMIT ? OFFSET ?`,
    [...values, perPage, offset],
  );
  const records = rows.map(({ subscriber_uid, email: stored, status, source, ip_address, date_added, list_uid, display_name, name }) => ({
    subscriber_uid, email: stored, status, source, ip_address: ip_address ?? '', list: { list_uid, display_name, name }, date_added,
  }));
  return page(query, counted?.count ?? 0, records, { integerCount: true });
}

/** Tags come straight in the query, or below `custom_fields`. */
async function searchByFields(context: Context, { query }: Call, { list_id }: List): Promise<Answer> {
  const wanted = new Map([...query, ...(mapAt(query, 'custom_fields') ?? [])]);
  const terms = (await context.fields.of(list_id)).flatMap(({ field_id, tag }) => valuesOf(wanted, tag).map((value) => ({ field_id, value })));
  const hasValue = 'EXISTS (SELECT 1 FROM mw_list_field_value v WHERE v.subscriber_id = s.subscriber_id AND v.field_id = ? AND v.value = ?)';
  const condition: Condition = { where: terms.length === 0 ? '1 = 0' : terms.map(() => hasValue).join(' AND '), values: terms.flatMap(({ field_id, value }) => [field_id, value]) };
  if (context.switches.custom_search_answer === 'page') return pageOfSubscribers(context, query, list_id, condition);
  const [record] = await readRecords(context, list_id, condition, { page: 1, perPage: 1, offset: 0 });
  return record ? success({ data: record }) : missingSubscriber();
}

async function create(context: Context, { form }: Call, target: List): Promise<Answer> {
  const { switches } = context;
  const full = await quotaProblem(context, target, 1);
  if (full !== undefined) return error(switches.quota_code, full);
  const [made] = await createSubscribers(context, target, [form]);
  if (!made || made.errors || made.uid === undefined) return refusal(context, made);
  const record = { subscriber_uid: made.uid, email: made.email, ip_address: made.details.ip ?? '', source: made.details.source, date_added: createdDate(context) };
  return success({ data: { record } }, switches.create_code);
}

function refusal({ switches }: Context, candidate: Candidate | undefined): Answer {
  const text = Object.values(candidate?.errors ?? {})[0] ?? 'Unable to save the subscriber!';
  const texts = textsOf(switches);
  if (text === texts.exists) return error(switches.exists_code, text);
  return error(text === texts.blacklisted ? switches.blacklisted_code : switches.validation_code, text);
}

/** An unevaluated SQL expression: so it really comes. */
function createdDate(context: Context) {
  const { created_date } = context.switches;
  if (created_date === 'string') return storedDate(context, context.now());
  return { expression: 'NOW()', params: created_date === 'object' ? [] : {} };
}

async function update(context: Context, call: Call, target: List): Promise<Answer> {
  const { switches, pool } = context;
  const { form } = call;
  const found = await findSubscriber(context, target.list_id, bySubscriberUid(call));
  if (!found) return missingSubscriber();
  const fields = await context.fields.of(target.list_id);
  const email = textAt(form, 'EMAIL') === undefined && !switches.update_needs_email ? found.email : emailOf(form, switches);
  const errors = { ...checkEmail(email), ...checkLengths(form, fields, switches) };
  const [problem] = Object.values(errors);
  if (problem !== undefined) return error(switches.validation_code, problem);
  const other = await findSubscriber(context, target.list_id, { where: 's.email = ? AND s.subscriber_id <> ?', values: [email, found.subscriber_id] });
  if (other) return error(switches.exists_code, 'Another subscriber with this email address already exists in this list.');

  const wanted = switches.status_on_update ? textAt(mapAt(form, 'details'), 'status') : undefined;
  const status = statuses.find((known) => known === wanted) ?? found.status;
  const changed = { ...toCandidate(form, fields, target, context), email };
  await inTransaction(pool, async (connection) => {
    await change(connection, 'UPDATE mw_list_subscriber SET email = ?, status = ?, last_updated = ? WHERE subscriber_id = ?', [email, status, storedDate(context, context.now()), found.subscriber_id]);
    await writeValues(context, connection, found.subscriber_id, fields.filter(({ tag }) => tag === 'EMAIL' || valuesOf(form, tag).length > 0), changed);
  });
  const record = { subscriber_uid: found.subscriber_uid, email, ip_address: found.ip_address ?? '', source: found.source, date_added: found.date_added };
  return success({ data: { record } });
}

async function unsubscribe(context: Context, call: Call, { list_id }: List): Promise<Answer> {
  const found = await findSubscriber(context, list_id, bySubscriberUid(call));
  if (!found) return missingSubscriber();
  await change(context.pool, `${setUnsubscribed} AND subscriber_id = ?`, [storedDate(context, context.now()), found.subscriber_id]);
  return success();
}
const setUnsubscribed = "UPDATE mw_list_subscriber SET status = 'unsubscribed', last_updated = ? WHERE status <> 'blacklisted'";

async function unsubscribeAll(context: Context, { form }: Call): Promise<Answer> {
  const email = textAt(form, 'EMAIL');
  if (email === undefined) return error(context.switches.validation_code, 'Please provide the subscriber email address.');
  const lists = await select<{ list_id: number }>(context.pool, 'SELECT list_id FROM mw_list WHERE customer_id = ?', [context.customer.customer_id]);
  await change(context.pool, `${setUnsubscribed} AND list_id IN (?) AND email = ?`, [storedDate(context, context.now()), lists.map(({ list_id }) => list_id), email]);
  return success();
}

async function remove(context: Context, call: Call, { list_id }: List): Promise<Answer> {
  const { found } = await change(context.pool, 'DELETE FROM mw_list_subscriber WHERE list_id = ? AND subscriber_uid = ?', [list_id, call.params['subscriber_uid']]);
  return found > 0 ? success() : missingSubscriber();
}
