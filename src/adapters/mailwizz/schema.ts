import type { RowDataPacket } from 'mysql2/promise';
import { usualWidths, type Widths } from './fields';

/** Runs one statement with a time limit; values go in as parameters. */
export type Ask = (sql: string, values?: unknown[]) => Promise<RowDataPacket[]>;
/** What the tables of an instance can do for us, or why we leave them alone. */
export type Schema = { widths: Widths; customerBlacklist: boolean };

const expected: Record<string, string[]> = {
  list: ['list_id', 'list_uid', 'customer_id', 'name', 'status'],
  list_field: ['field_id', 'list_id', 'tag', 'default_value', 'sort_order'],
  list_subscriber: ['subscriber_id', 'subscriber_uid', 'list_id', 'email', 'ip_address', 'source', 'status', 'date_added', 'last_updated'],
  list_field_value: ['value_id', 'field_id', 'subscriber_id', 'value', 'date_added', 'last_updated'],
  email_blacklist: ['email'],
};
const written = ['list_subscriber', 'list_field_value'];

/** Refuses, with the reason, a table or column that we do not find, one that demands a value we do not know, and tables without transactions. */
export async function probeSchema(ask: Ask, { database, tablePrefix }: { database: string; tablePrefix: string }): Promise<Schema | { problem: string }> {
  const columns = await ask(
    'SELECT TABLE_NAME t, COLUMN_NAME c, IS_NULLABLE n, COLUMN_DEFAULT d, EXTRA e, CHARACTER_MAXIMUM_LENGTH len, CHARACTER_SET_NAME cs FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ?',
    [database],
  );
  const of = (name: string) => columns.filter((row) => row['t'] === `${tablePrefix}${name}`);
  for (const [name, wanted] of Object.entries(expected)) {
    const present = of(name);
    if (present.length === 0) return { problem: `schema_no_table_${name}` };
    const missing = wanted.find((column) => !present.some((row) => row['c'] === column));
    if (missing !== undefined) return { problem: `schema_no_column_${name}_${missing}` };
    const demands = (row: RowDataPacket) => row['n'] === 'NO' && row['d'] === null && row['e'] === '' && !wanted.includes(String(row['c']));
    const demanding = written.includes(name) ? present.find(demands) : undefined;
    if (demanding) return { problem: `schema_new_column_${name}_${String(demanding['c'])}` };
  }
  const engines = await ask('SELECT TABLE_NAME t, ENGINE g FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)', [
    database,
    written.map((name) => `${tablePrefix}${name}`),
  ]);
  // Without transactions a failure halfway would leave rows behind, and "nothing happened" would be a lie.
  if (engines.some((row) => String(row['g']).toLowerCase() !== 'innodb')) return { problem: 'schema_engine_not_innodb' };

  const email = of('list_subscriber').find((row) => row['c'] === 'email');
  const value = of('list_field_value').find((row) => row['c'] === 'value');
  const blacklist = of('customer_email_blacklist').map((row) => String(row['c']));
  return {
    customerBlacklist: blacklist.includes('customer_id') && blacklist.includes('email'),
    widths: {
      email: Number(email?.['len'] ?? usualWidths.email),
      value: Math.min(usualWidths.value, Number(value?.['len'] ?? usualWidths.value)),
      fourByte: [email, value].every((column) => column?.['cs'] === 'utf8mb4'),
    },
  };
}
