import type { Page } from './answers';
import type { Context } from './context';
import { dateText } from './dates';
import { select } from './sql';

export type Row = { subscriber_id: number; subscriber_uid: string; email: string; status: string; source: string; ip_address: string | null; date_added: string };
export type Condition = { where: string; values: unknown[] };

const columns = `s.subscriber_id, s.subscriber_uid, s.email, s.status, s.source, s.ip_address, ${dateText('s.date_added')} date_added`;

export async function findSubscriber({ pool }: Context, listId: number, { where, values }: Condition): Promise<Row | undefined> {
  const [row] = await select<Row>(pool, `SELECT ${columns} FROM mw_list_subscriber s WHERE s.list_id = ? AND ${where} ORDER BY s.subscriber_id LIMIT 1`, [listId, ...values]);
  return row;
}

export async function countSubscribers({ pool }: Context, listId: number, { where, values }: Condition): Promise<number> {
  const [row] = await select<{ count: number }>(pool, `SELECT COUNT(*) count FROM mw_list_subscriber s WHERE s.list_id = ? AND ${where}`, [listId, ...values]);
  return row?.count ?? 0;
}

/** A page of subscribers as records: every tag of the list is a key. */
export async function readRecords(context: Context, listId: number, { where, values }: Condition, { perPage, offset }: Page): Promise<Record<string, unknown>[]> {
  const order = context.switches.subscriber_order === 'newest' ? 'DESC' : 'ASC';
  const rows = await select<Row>(
    context.pool,
    `SELECT ${columns} FROM mw_list_subscriber s WHERE s.list_id = ? AND ${where} ORDER BY s.subscriber_id ${order} LIMIT ? OFFSET ?`,
    [listId, ...values, perPage, offset],
  );
  return withValues(context, listId, rows);
}

export async function withValues(context: Context, listId: number, rows: Row[]): Promise<Record<string, unknown>[]> {
  if (rows.length === 0) return [];
  const fields = await context.fields.of(listId);
  const stored = await select<{ subscriber_id: number; field_id: number; value: string }>(
    context.pool,
    'SELECT subscriber_id, field_id, value FROM mw_list_field_value WHERE subscriber_id IN (?) ORDER BY value_id',
    [rows.map(({ subscriber_id }) => subscriber_id)],
  );
  const values = new Map<string, string>();
  for (const { subscriber_id, field_id, value } of stored) {
    const key = `${subscriber_id}/${field_id}`;
    const before = values.get(key);
    values.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return rows.map(({ subscriber_id, subscriber_uid, email, status, source, ip_address, date_added }) => ({
    subscriber_uid,
    ...Object.fromEntries(fields.map(({ tag, field_id }) => [tag, values.get(`${subscriber_id}/${field_id}`) ?? (tag === 'EMAIL' ? email : '')])),
    status,
    source,
    ip_address: ip_address ?? '',
    date_added,
  }));
}
