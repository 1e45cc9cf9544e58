import type { Context } from './context';
import { storedDate } from './dates';
import type { List } from './list-store';
import { change, type Db, inTransaction, select } from './sql';
import { newUid } from './uid';

/** Settings, fields with options and segments with conditions; no subscribers. */
export async function copyList(context: Context, list: List): Promise<string> {
  const listUid = newUid();
  const now = storedDate(context, context.now());
  await inTransaction(context.pool, async (db) => {
    const { insertId: copyId } = await change(
      db,
      `INSERT INTO mw_list (list_uid, customer_id, name, display_name, description, visibility, opt_in, opt_out, merged, welcome_email, removable, subscriber_require_approval, subscriber_404_redirect, subscriber_exists_redirect,
          meta_data, status, date_added, last_updated)
        SELECT ?, customer_id, ?, display_name, description, visibility, opt_in, opt_out, merged, welcome_email, removable, subscriber_require_approval, subscriber_404_redirect, subscriber_exists_redirect, meta_data, status, ?, ?
        FROM mw_list WHERE list_id = ?`,
      [listUid, nextName(list.name), now, now, list.list_id],
    );
    await copyRow(db, 'mw_list_default', ['from_name', 'from_email', 'reply_to', 'subject'], { from: list.list_id, to: copyId });
    await copyRow(db, 'mw_list_customer_notification', ['daily', 'subscribe', 'unsubscribe', 'daily_to', 'subscribe_to', 'unsubscribe_to'], { from: list.list_id, to: copyId });
    const company = ['type_id', 'country_id', 'zone_id', 'name', 'website', 'address_1', 'address_2', 'zone_name', 'city', 'zip_code', 'phone', 'address_format'];
    await copyRow(db, 'mw_list_company', company, { from: list.list_id, to: copyId });
    const fieldIds = await copyFields(db, { from: list.list_id, to: copyId }, now);
    await copySegments(db, { from: list.list_id, to: copyId }, fieldIds, now);
  });
  return listUid;
}

/** The name counts up: `List #4` becomes `List #5`. */
function nextName(name: string): string {
  const [, stem = name, number = '1'] = /^(.*?) ?#(\d+)$/.exec(name) ?? [];
  return `${stem} #${Number(number) + 1}`.slice(-255);
}

type Ways = { from: number; to: number };

async function copyRow(db: Db, table: string, columns: string[], { from, to }: Ways): Promise<void> {
  await change(db, `INSERT INTO ${table} (list_id, ${columns.join(', ')}) SELECT ?, ${columns.join(', ')} FROM ${table} WHERE list_id = ?`, [to, from]);
}

async function copyFields(db: Db, { from, to }: Ways, now: string): Promise<Map<number, number>> {
  const ids = new Map<number, number>();
  for (const { field_id } of await select<{ field_id: number }>(db, 'SELECT field_id FROM mw_list_field WHERE list_id = ? ORDER BY field_id LIMIT 1000', [from])) {
    const columns = 'type_id, label, tag, default_value, help_text, description, required, visibility, meta_data, sort_order';
    const { insertId } = await change(db, `INSERT INTO mw_list_field (list_id, ${columns}, date_added, last_updated) SELECT ?, ${columns}, ?, ? FROM mw_list_field WHERE field_id = ?`, [to, now, now, field_id]);
    await change(db, 'INSERT INTO mw_list_field_option (field_id, name, value, is_default, date_added, last_updated) SELECT ?, name, value, is_default, ?, ? FROM mw_list_field_option WHERE field_id = ?', [insertId, now, now, field_id]);
    ids.set(field_id, insertId);
  }
  return ids;
}

async function copySegments(db: Db, { from, to }: Ways, fieldIds: Map<number, number>, now: string): Promise<void> {
  for (const { segment_id } of await select<{ segment_id: number }>(db, 'SELECT segment_id FROM mw_list_segment WHERE list_id = ? ORDER BY segment_id LIMIT 1000', [from])) {
    const { insertId } = await change(
      db,
      'INSERT INTO mw_list_segment (segment_uid, list_id, name, operator_match, status, date_added, last_updated) SELECT ?, ?, name, operator_match, status, ?, ? FROM mw_list_segment WHERE segment_id = ?',
      [newUid(), to, now, now, segment_id],
    );
    for (const [old, fresh] of fieldIds)
      await change(
        db,
        'INSERT INTO mw_list_segment_condition (segment_id, operator_id, field_id, value, date_added, last_updated) SELECT ?, operator_id, ?, value, ?, ? FROM mw_list_segment_condition WHERE segment_id = ? AND field_id = ?',
        [insertId, fresh, now, now, segment_id, old],
      );
  }
}
