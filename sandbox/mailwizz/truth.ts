import type { Context } from './context';
import { select } from './sql';

const rowsAtOnce = 10_000;

/** The values of these subscribers by tag, as the tables hold them. */
export async function readFields({ pool, fields }: Context, listId: number, rows: { subscriber_id: number }[]): Promise<Map<number, Record<string, string>>> {
  const tags = new Map((await fields.of(listId)).map(({ field_id, tag }) => [field_id, tag]));
  const values = new Map<number, Record<string, string>>();
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    const ids = rows.slice(from, from + rowsAtOnce).map(({ subscriber_id }) => subscriber_id);
    const stored = await select<{ subscriber_id: number; field_id: number; value: string }>(pool, 'SELECT subscriber_id, field_id, value FROM mw_list_field_value WHERE subscriber_id IN (?) ORDER BY value_id', [ids]);
    for (const { subscriber_id, field_id, value } of stored) {
      const known = values.get(subscriber_id) ?? {};
      known[tags.get(field_id) ?? String(field_id)] = value;
      values.set(subscriber_id, known);
    }
  }
  return values;
}
