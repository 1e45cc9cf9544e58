import type { Context } from './context';
import { storedDate } from './dates';
import { select } from './sql';
import type { Condition } from './subscriber-read';

type FieldCondition = { field_id: number; operator: string; value: string };
type CampaignCondition = { campaign_id: number; action: string; time_comparison_operator: string; time_value: number; time_unit: string };

/** Which subscribers `s` of a list belong to the segment: usable in `SELECT … FROM mw_list_subscriber s WHERE s.list_id = ? AND <where>`. */
export async function segmentCondition(context: Context, listId: number, segmentUid: string): Promise<Condition> {
  const [segment] = await select<{ segment_id: number; operator_match: 'any' | 'all' }>(context.pool, 'SELECT segment_id, operator_match FROM mw_list_segment WHERE list_id = ? AND segment_uid = ?', [listId, segmentUid]);
  if (!segment) return { where: '1 = 0', values: [] };
  const onFields = await select<FieldCondition>(
    context.pool,
    'SELECT c.field_id, o.slug operator, c.value FROM mw_list_segment_condition c JOIN mw_list_segment_operator o USING (operator_id) WHERE c.segment_id = ? ORDER BY c.condition_id LIMIT 1000',
    [segment.segment_id],
  );
  const onCampaigns = await select<CampaignCondition>(
    context.pool,
    'SELECT campaign_id, action, time_comparison_operator, time_value, time_unit FROM mw_list_segment_campaign_condition WHERE segment_id = ? ORDER BY condition_id LIMIT 1000',
    [segment.segment_id],
  );
  const conditions = [...onFields.map((condition) => ofField(condition, context.switches.segment_numbers)), ...onCampaigns.map((condition) => ofCampaign(context, condition))];
  // Without a condition a segment is the whole list.
  if (conditions.length === 0) return { where: '1 = 1', values: [] };
  return { where: `(${conditions.map(({ where }) => where).join(segment.operator_match === 'all' ? ' AND ' : ' OR ')})`, values: conditions.flatMap(({ values }) => values) };
}

const like = (text: string) => text.replace(/[\\%_]/g, '\\$&');
const comparisons: Record<string, { sql: string; value: (text: string) => string }> = {
  is: { sql: 'v.value = ?', value: (text) => text },
  'is-not': { sql: 'v.value <> ?', value: (text) => text },
  contains: { sql: 'v.value LIKE ?', value: (text) => `%${like(text)}%` },
  'not-contains': { sql: 'v.value NOT LIKE ?', value: (text) => `%${like(text)}%` },
  starts: { sql: 'v.value LIKE ?', value: (text) => `${like(text)}%` },
  'not-starts': { sql: 'v.value NOT LIKE ?', value: (text) => `${like(text)}%` },
  ends: { sql: 'v.value LIKE ?', value: (text) => `%${like(text)}` },
  'not-ends': { sql: 'v.value NOT LIKE ?', value: (text) => `%${like(text)}` },
  greater: { sql: 'v.value > ?', value: (text) => text },
  less: { sql: 'v.value < ?', value: (text) => text },
};
const asNumbers: Record<string, string> = { greater: 'v.value + 0 > ? + 0', less: 'v.value + 0 < ? + 0' };

function ofField({ field_id, operator, value }: FieldCondition, numbers: boolean): Condition {
  const comparison = comparisons[operator];
  if (!comparison) return { where: '1 = 0', values: [] };
  const sql = (numbers ? asNumbers[operator] : undefined) ?? comparison.sql;
  return { where: `EXISTS (SELECT 1 FROM mw_list_field_value v WHERE v.subscriber_id = s.subscriber_id AND v.field_id = ? AND ${sql})`, values: [field_id, comparison.value(value)] };
}

const signs: Record<string, string> = { lte: '<=', lt: '<', gte: '>=', gt: '>', eq: '=' };
const units: Record<string, string> = { day: 'DAY', month: 'MONTH', year: 'YEAR' };

/** Opened or clicked so long ago. */
function ofCampaign(context: Context, { campaign_id, action, time_comparison_operator, time_value, time_unit }: CampaignCondition): Condition {
  const tracks =
    action === 'click'
      ? 'mw_campaign_track_url t JOIN mw_campaign_url u USING (url_id) WHERE u.campaign_id = ? AND t.subscriber_id = s.subscriber_id'
      : 'mw_campaign_track_open t WHERE t.campaign_id = ? AND t.subscriber_id = s.subscriber_id';
  const age = `TIMESTAMPDIFF(${units[time_unit] ?? 'DAY'}, t.date_added, ?) ${signs[time_comparison_operator] ?? '<='} ?`;
  return { where: `EXISTS (SELECT 1 FROM ${tracks} AND ${age})`, values: [campaign_id, storedDate(context, context.now()), time_value] };
}
