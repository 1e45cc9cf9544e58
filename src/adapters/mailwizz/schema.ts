import type { RowDataPacket } from 'mysql2/promise';
import type { Ask } from './connection';
import { usualWidths, type Widths } from './fields';
import { codeOf } from './reasons';

/** What the tables of an instance can do for us. `clock`: the SQL of "now" as MailWizz itself writes it into these tables. */
export type Schema = {
  prefix: string;
  widths: Widths;
  customerBlacklist: boolean;
  clock: 'UTC_TIMESTAMP()' | 'NOW()';
  /** Why nothing may be written, though the layout is known: a missing right, a server that is read-only. */
  cannotWrite: string | undefined;
};

const expected: Record<string, string[]> = {
  list: ['list_id', 'list_uid', 'customer_id', 'name', 'status'],
  list_field: ['field_id', 'list_id', 'tag', 'default_value', 'required', 'sort_order'],
  list_subscriber: ['subscriber_id', 'subscriber_uid', 'list_id', 'email', 'ip_address', 'source', 'status', 'date_added', 'last_updated'],
  list_field_value: ['value_id', 'field_id', 'subscriber_id', 'value', 'date_added', 'last_updated'],
  email_blacklist: ['email'],
};
const written = ['list_subscriber', 'list_field_value'];
const uidLength = 13;

/** Refuses, with the reason, whatever we do not know for sure: nothing is written into tables that may work otherwise than we think. */
export async function probeSchema(
  ask: Ask,
  { database, tablePrefix: prefix }: { database: string; tablePrefix: string },
): Promise<Schema | { problem: string }> {
  if (!/^[A-Za-z0-9_]{0,31}$/.test(prefix)) return { problem: 'schema_prefix_not_a_word' };
  const columns = await ask(
    'SELECT TABLE_NAME t, COLUMN_NAME c, COLUMN_TYPE ct, IS_NULLABLE n, COLUMN_DEFAULT d, EXTRA e, CHARACTER_MAXIMUM_LENGTH len, CHARACTER_SET_NAME cs FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ?',
    [database],
  );
  const of = (name: string) => columns.filter((row) => row['t'] === `${prefix}${name}`);
  const column = (name: string, wanted: string) => of(name).find((row) => row['c'] === wanted);
  const lengthOf = (row: RowDataPacket | undefined, usual: number) => Number(row?.['len'] ?? usual);

  const unlike = findUnlike(of) ?? findForeignLayout(columns, prefix);
  if (unlike !== undefined) return { problem: unlike };
  if (lengthOf(column('list_subscriber', 'subscriber_uid'), uidLength) < uidLength)
    return { problem: 'schema_length_list_subscriber_subscriber_uid' };
  const source = String(column('list_subscriber', 'source')?.['ct']);
  if (source.startsWith('enum') && !source.includes("'api'")) return { problem: 'schema_values_list_subscriber_source' };
  const problem = await findEngineProblem(ask, database, prefix);
  if (problem !== undefined) return { problem };

  const email = column('list_subscriber', 'email');
  const value = column('list_field_value', 'value');
  return {
    prefix,
    customerBlacklist: ['customer_id', 'email'].every((wanted) => column('customer_email_blacklist', wanted)),
    clock: await findClock(ask, prefix),
    cannotWrite: await findMissingRight(ask, prefix),
    widths: {
      email: lengthOf(email, usualWidths.email),
      value: Math.min(usualWidths.value, lengthOf(value, usualWidths.value)),
      fourByte: [email, value].every((row) => row?.['cs'] === 'utf8mb4'),
    },
  };
}

/** A table or column that is missing, or one of theirs that demands a value we do not know. */
function findUnlike(of: (name: string) => RowDataPacket[]): string | undefined {
  for (const [name, wanted] of Object.entries(expected)) {
    const present = of(name);
    if (present.length === 0) return `schema_no_table_${name}`;
    const missing = wanted.find((column) => !present.some((row) => row['c'] === column));
    if (missing !== undefined) return `schema_no_column_${name}_${missing}`;
    const demands = (row: RowDataPacket) => row['n'] === 'NO' && row['d'] === null && row['e'] === '' && !wanted.includes(String(row['c']));
    const demanding = written.includes(name) ? present.find(demands) : undefined;
    if (demanding) return `schema_new_column_${name}_${String(demanding['c'])}`;
  }
  return undefined;
}

/** Values kept in further tables (one per list or per kind) would not be found where we write them. */
function findForeignLayout(columns: RowDataPacket[], prefix: string): string | undefined {
  const twin = columns.find((row) => String(row['t']).startsWith(`${prefix}list_field_value_`) && row['c'] === 'subscriber_id');
  return twin && `schema_values_split_${String(twin['t']).slice(prefix.length)}`;
}

/** Without transactions a failure halfway would leave rows behind, and "nothing happened" would be a lie. */
async function findEngineProblem(ask: Ask, database: string, prefix: string): Promise<string | undefined> {
  const tables = ['list', ...written].map((name) => `${prefix}${name}`);
  const engines = await ask('SELECT TABLE_NAME t, ENGINE g FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)', [
    database,
    tables,
  ]);
  return engines.some((row) => String(row['g']).toLowerCase() !== 'innodb') ? 'schema_engine_not_innodb' : undefined;
}

/** Rights come by user, role, table or column: trying what we will do, on no row at all, asks the server itself. A read-only server shows here, too. */
async function findMissingRight(ask: Ask, prefix: string): Promise<string | undefined> {
  const tries: [string, string][] = [
    ['lock_list', `SELECT list_id FROM \`${prefix}list\` WHERE 1 = 0 FOR UPDATE`],
    [
      'insert_list_subscriber',
      `INSERT INTO \`${prefix}list_subscriber\` (subscriber_uid, list_id, email, ip_address, source, status, date_added, last_updated) SELECT '', 0, '', NULL, 'api', '', NOW(), NOW() FROM \`${prefix}list\` WHERE 1 = 0`,
    ],
    [
      'insert_list_field_value',
      `INSERT INTO \`${prefix}list_field_value\` (field_id, subscriber_id, value, date_added, last_updated) SELECT 0, 0, '', NOW(), NOW() FROM \`${prefix}list\` WHERE 1 = 0`,
    ],
    ['update_list_field_value', `UPDATE \`${prefix}list_field_value\` SET value = value, last_updated = NOW() WHERE 1 = 0`],
  ];
  for (const [right, sql] of tries) {
    try {
      await ask(sql);
    } catch (error) {
      const code = codeOf(error);
      if (!code.startsWith('er_')) throw error;
      return /access_denied/.test(code) ? `right_missing_${right}` : code;
    }
  }
  return undefined;
}

/**
 * MailWizz writes NOW() in the time zone of its own connection, most likely UTC (mailwizz.md 5.3). Where the server's zone is ahead of UTC and the newest
 * rows lie in what UTC calls the future, MailWizz follows the server, and so do we.
 */
async function findClock(ask: Ask, prefix: string): Promise<Schema['clock']> {
  const [row] = await ask(
    `SELECT MAX(date_added) > UTC_TIMESTAMP() + INTERVAL 10 MINUTE ahead FROM (SELECT date_added FROM \`${prefix}list_subscriber\` ORDER BY subscriber_id DESC LIMIT 20) newest`,
  );
  return Number(row?.['ahead'] ?? 0) === 1 ? 'NOW()' : 'UTC_TIMESTAMP()';
}
