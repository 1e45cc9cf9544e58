import { error, localisedDate, page, pageOf, success } from '../answers';
import type { Context } from '../context';
import { dateText, instantOf, storedDate } from '../dates';
import { mapAt, type PhpMap, textAt } from '../form';
import { inList, type List } from '../list-store';
import type { Answer, Call, Route } from '../router';
import { segmentCondition } from '../segment-condition';
import { change, type Db, inTransaction, select } from '../sql';
import { countSubscribers } from '../subscriber-read';
import { newUid } from '../uid';
import { pageOfSubscribers } from './subscribers';

export { segmentCondition };
const base = '/lists/{list_uid}/segments';

export const segmentRoutes: Route[] = [
  { method: 'GET', path: '/lists/segments/condition-operators', name: 'condition-operators', handle: operators },
  { method: 'GET', path: base, name: 'segments', handle: inList(all) },
  { method: 'POST', path: base, name: 'create-segment', handle: inList(create) },
  { method: 'GET', path: `${base}/{segment_uid}`, name: 'segment', handle: inList(one) },
  { method: 'PUT', path: `${base}/{segment_uid}`, name: 'update-segment', handle: inList(update) },
  { method: 'DELETE', path: `${base}/{segment_uid}`, name: 'delete-segment', handle: inList(remove) },
  { method: 'GET', path: `${base}/{segment_uid}/subscribers`, name: 'segment-subscribers', handle: inList(members) },
];

type Segment = { segment_id: number; segment_uid: string; name: string; operator_match: string; date_added: string };
const columns = `segment_id, segment_uid, name, operator_match, ${dateText('date_added')} date_added`;
const missing = () => error(404, 'The list segment does not exist.');

async function operators({ pool }: Context): Promise<Answer> {
  const rows = await select<{ operator_id: number; name: string; slug: string }>(pool, 'SELECT operator_id, name, slug FROM mw_list_segment_operator ORDER BY operator_id');
  return success({ data: { count: String(rows.length), records: rows.map(({ operator_id, name, slug }) => ({ operator_id: String(operator_id), name, slug })) } });
}

async function all(context: Context, { query }: Call, { list_id }: List): Promise<Answer> {
  const [counted] = await select<{ count: number }>(context.pool, 'SELECT COUNT(*) count FROM mw_list_segment WHERE list_id = ?', [list_id]);
  const { perPage, offset } = pageOf(query);
  const rows = await select<Segment>(context.pool, `SELECT ${columns} FROM mw_list_segment WHERE list_id = ? ORDER BY segment_id LIMIT ? OFFSET ?`, [list_id, perPage, offset]);
  const records = [];
  for (const { segment_uid, name } of rows) records.push({ segment_uid, name, subscribers_count: await countMembers(context, list_id, segment_uid) });
  return page(query, counted?.count ?? 0, records);
}

async function countMembers(context: Context, listId: number, segmentUid: string): Promise<number> {
  const { where, values } = await segmentCondition(context, listId, segmentUid);
  return countSubscribers(context, listId, { where: `s.status = 'confirmed' AND ${where}`, values });
}

async function findSegment({ pool }: Context, { list_id }: List, segmentUid: unknown): Promise<Segment | undefined> {
  const [segment] = await select<Segment>(pool, `SELECT ${columns} FROM mw_list_segment WHERE list_id = ? AND segment_uid = ?`, [list_id, segmentUid]);
  return segment;
}

async function one(context: Context, { params }: Call, list: List): Promise<Answer> {
  const segment = await findSegment(context, list, params['segment_uid']);
  return segment ? success({ data: { record: await describe(context, list, segment) } }) : missing();
}

async function describe(context: Context, { list_id }: List, segment: Segment) {
  const conditions = await select<{ field_id: number; operator_id: number; value: string }>(
    context.pool, 'SELECT field_id, operator_id, value FROM mw_list_segment_condition WHERE segment_id = ? ORDER BY condition_id LIMIT 1000', [segment.segment_id],
  );
  const onCampaigns = await select<{ action: string; campaign_id: number; time_comparison_operator: string; time_value: number; time_unit: string }>(
    context.pool,
    'SELECT action, campaign_id, time_comparison_operator, time_value, time_unit FROM mw_list_segment_campaign_condition WHERE segment_id = ? ORDER BY condition_id LIMIT 1000',
    [segment.segment_id],
  );
  return {
    segment_uid: segment.segment_uid,
    segment_id: String(segment.segment_id),
    name: segment.name,
    operator_match: segment.operator_match,
    date_added: localisedDate(instantOf(context, segment.date_added), { timezone: context.customer.timezone, locale: context.switches.display_locale }),
    subscribers_count: await countMembers(context, list_id, segment.segment_uid),
    conditions: conditions.map(({ field_id, operator_id, value }) => ({ field_id: String(field_id), operator_id: String(operator_id), value })),
    campaign_conditions: onCampaigns.map(({ campaign_id, time_value, ...rest }) => ({ ...rest, campaign_id: String(campaign_id), time_value: String(time_value) })),
  };
}

async function create(context: Context, { form }: Call, list: List): Promise<Answer> {
  const { switches } = context;
  const wanted = await judge(context, list, form);
  if ('code' in wanted) return wanted;
  const uid = newUid();
  const now = storedDate(context, context.now());
  await inTransaction(context.pool, async (db) => {
    const { insertId } = await change(db, 'INSERT INTO mw_list_segment (segment_uid, list_id, name, operator_match, date_added, last_updated) VALUES (?)', [[uid, list.list_id, wanted.name, wanted.match, now, now]]);
    await writeConditions(db, insertId, wanted, now);
  });
  if (switches.segment_uid_at_top) return success({ segment_uid: uid }, switches.create_code);
  const made = await findSegment(context, list, uid);
  return made ? success({ data: { record: await describe(context, list, made) } }, switches.create_code) : missing();
}

async function update(context: Context, { form, params }: Call, list: List): Promise<Answer> {
  const segment = await findSegment(context, list, params['segment_uid']);
  if (!segment) return missing();
  const wanted = await judge(context, list, form);
  if ('code' in wanted) return wanted;
  const now = storedDate(context, context.now());
  await inTransaction(context.pool, async (db) => {
    await change(db, 'UPDATE mw_list_segment SET name = ?, operator_match = ?, last_updated = ? WHERE segment_id = ?', [wanted.name, wanted.match, now, segment.segment_id]);
    // Only the conditions that are given now are kept.
    for (const table of ['mw_list_segment_condition', 'mw_list_segment_campaign_condition']) await change(db, `DELETE FROM ${table} WHERE segment_id = ?`, [segment.segment_id]);
    await writeConditions(db, segment.segment_id, wanted, now);
  });
  const changed = await findSegment(context, list, segment.segment_uid);
  return changed ? success({ data: { record: await describe(context, list, changed) } }) : missing();
}

async function remove(context: Context, { params }: Call, list: List): Promise<Answer> {
  const { found } = await change(context.pool, 'DELETE FROM mw_list_segment WHERE list_id = ? AND segment_uid = ?', [list.list_id, params['segment_uid']]);
  return found > 0 ? success() : missing();
}

async function members(context: Context, { params, query }: Call, list: List): Promise<Answer> {
  const segment = await findSegment(context, list, params['segment_uid']);
  if (!segment) return missing();
  return pageOfSubscribers(context, query, list.list_id, await segmentCondition(context, list.list_id, segment.segment_uid));
}

type Wanted = { name: string; match: string; conditions: PhpMap[]; campaignConditions: PhpMap[] };
const rowsAt = (form: PhpMap, key: string) => [...(mapAt(form, key)?.values() ?? [])].filter((row) => row instanceof Map);

async function judge({ pool, switches }: Context, { list_id }: List, form: PhpMap): Promise<Wanted | Answer> {
  const name = textAt(form, 'name');
  const match = textAt(form, 'operator_match');
  const conditions = rowsAt(form, 'conditions');
  const campaignConditions = rowsAt(form, 'campaign_conditions');
  const fields = await idsOf(pool, 'SELECT field_id id FROM mw_list_field WHERE list_id = ? LIMIT 1000', [list_id]);
  const known = await idsOf(pool, 'SELECT operator_id id FROM mw_list_segment_operator');
  const problems: Record<string, string> = {
    ...(name === undefined && { name: 'Name cannot be blank.' }),
    ...(match !== 'any' && match !== 'all' && { operator_match: 'Operator match is not in the list.' }),
    ...(conditions.some((row) => !fields.has(textAt(row, 'field_id') ?? '')) && { field_id: 'Field is invalid.' }),
    ...(conditions.some((row) => !known.has(textAt(row, 'operator_id') ?? '')) && { operator_id: 'Operator is invalid.' }),
    ...(campaignConditions.some((row) => !isCampaignCondition(row)) && { campaign_conditions: 'A campaign condition is invalid.' }),
  };
  if (name === undefined || match === undefined || Object.keys(problems).length > 0) return error(switches.validation_code, problems);
  return { name, match, conditions, campaignConditions };
}

async function idsOf(db: Db, statement: string, values: unknown[] = []): Promise<Set<string>> {
  return new Set((await select<{ id: number }>(db, statement, values)).map(({ id }) => String(id)));
}

const isCampaignCondition = (row: PhpMap) =>
  ['open', 'click'].includes(textAt(row, 'action') ?? '') &&
  /^\d{1,9}$/.test(textAt(row, 'campaign_id') ?? '') &&
  ['lte', 'lt', 'gte', 'gt', 'eq'].includes(textAt(row, 'time_comparison_operator') ?? '') &&
  /^\d{1,6}$/.test(textAt(row, 'time_value') ?? '') &&
  ['day', 'month', 'year'].includes(textAt(row, 'time_unit') ?? '');

async function writeConditions(db: Db, segmentId: number, { conditions, campaignConditions }: Wanted, now: string): Promise<void> {
  const onFields = conditions.map((row) => [segmentId, textAt(row, 'operator_id'), textAt(row, 'field_id'), textAt(row, 'value') ?? '', now, now]);
  if (onFields.length > 0) await change(db, 'INSERT INTO mw_list_segment_condition (segment_id, operator_id, field_id, value, date_added, last_updated) VALUES ?', [onFields]);
  const keys = ['action', 'campaign_id', 'time_comparison_operator', 'time_value', 'time_unit'];
  const onCampaigns = campaignConditions.map((row) => [segmentId, ...keys.map((key) => textAt(row, key)), now, now]);
  if (onCampaigns.length > 0) await change(db, `INSERT INTO mw_list_segment_campaign_condition (segment_id, ${keys.join(', ')}, date_added, last_updated) VALUES ?`, [onCampaigns]);
}
