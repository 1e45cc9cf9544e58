import { randomBytes } from 'node:crypto';
import mysql, { type PoolConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import { toFields, tooLong } from './fields';
import { resolveGuarded } from './guard';
import { toStanding } from './lookup';
import type { FoundList, InstanceSettings } from './types';

type MysqlSettings = NonNullable<InstanceSettings['mysql']>;
/** A page that a transaction holds: few enough for one packet and a short lock. */
const rowsPerTransaction = 200;
const expected: Record<string, string[]> = {
  list: ['list_id', 'list_uid', 'name', 'status'],
  list_field: ['field_id', 'list_id', 'tag', 'default_value'],
  list_subscriber: ['subscriber_id', 'subscriber_uid', 'list_id', 'email', 'ip_address', 'source', 'status', 'date_added', 'last_updated'],
  list_field_value: ['value_id', 'field_id', 'subscriber_id', 'value', 'date_added', 'last_updated'],
  email_blacklist: ['email'],
};
const written = ['list_subscriber', 'list_field_value'];

type Field = { field_id: number; tag: string; default_value: string | null };
type Inserting = { contact: OutgoingContact; fields: Map<string, string>; uid: string };
export type DatabaseClient = ReturnType<typeof createDatabaseClient>;

/**
 * The way in when the API is down (mailwizz.md 5.3). Duties: a schema that we know, one lock per list, the blacklist, one subscriber row and one value
 * per field, nothing cut. Answers `failed` when surely nothing was written.
 */
export function createDatabaseClient(settings: MysqlSettings, allowPrivateNetwork: boolean) {
  if (!/^[a-z][a-z0-9_]{0,30}$/.test(settings.tablePrefix)) throw new Error('the table prefix is not a plain word');
  const table = (name: string) => `\`${settings.tablePrefix}${name}\``;
  let opened: Promise<{ pool: mysql.Pool; problem: string | undefined }> | undefined;

  return { addSubscribers, lookUp, lists, close };

  async function addSubscribers(listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[] | { failed: string }> {
    const ready = await open();
    if ('failed' in ready) return ready;
    const outcomes: InjectionOutcome[] = [];
    for (let from = 0; from < contacts.length; from += rowsPerTransaction) {
      const page = contacts.slice(from, from + rowsPerTransaction);
      const result = await addPage(ready.pool, listId, page);
      // What is behind the failure has not been tried: it waits like the failed page.
      if ('failed' in result) return from === 0 ? result : [...outcomes, ...contacts.slice(from).map((contact) => toPending(contact, result.failed))];
      outcomes.push(...result);
    }
    return outcomes;
  }

  async function addPage(pool: mysql.Pool, listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[] | { failed: string }> {
    let connection: PoolConnection | undefined;
    let committing = false;
    try {
      connection = await pool.getConnection();
      await connection.beginTransaction();
      const outcomes = await write(connection, listId, contacts);
      committing = true;
      await connection.commit();
      return outcomes;
    } catch (error) {
      if (!committing) await connection?.rollback().catch(() => undefined);
      // The word of a lost COMMIT is not known: only a look-up tells.
      return committing ? contacts.map((contact) => ({ contactId: contact.contactId, outcome: 'unknown', reason: 'mysql_commit_cut' })) : { failed: codeOf(error) };
    } finally {
      connection?.release();
    }
  }

  async function write(connection: PoolConnection, listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[]> {
    const [list] = await connection.query<RowDataPacket[]>(`SELECT list_id FROM ${table('list')} WHERE list_id = ? AND status = 'active' FOR UPDATE`, [listId]);
    if (list.length === 0) return contacts.map((contact) => ({ contactId: contact.contactId, outcome: 'rejected', reason: 'list_not_found' }));
    const [fields] = await connection.query<(Field & RowDataPacket)[]>(`SELECT field_id, tag, default_value FROM ${table('list_field')} WHERE list_id = ?`, [listId]);
    const known = new Set(fields.map((field) => field.tag));
    const emails = contacts.map((contact) => contact.email);
    const standing = await findSubscribers(connection, listId, emails);
    const [black] = await connection.query<RowDataPacket[]>(`SELECT email FROM ${table('email_blacklist')} WHERE email IN (?)`, [emails]);
    const blacklisted = new Set(black.map((row) => String(row['email']).toLowerCase()));
    const outcomes: InjectionOutcome[] = [];
    const inserting: Inserting[] = [];
    for (const contact of contacts) {
      const { contactId } = contact;
      const key = contact.email.toLowerCase();
      const there = standing.get(key);
      const pairs = toFields(contact, known);
      const reason = tooLong(pairs);
      if (there) outcomes.push(toStanding(contactId, { ...there, method: 'mysql' }));
      else if (blacklisted.has(key)) outcomes.push({ contactId, outcome: 'suppressed', reason: 'blacklisted' });
      else if (reason !== undefined) outcomes.push({ contactId, outcome: 'rejected', reason });
      else inserting.push({ contact, fields: new Map(pairs), uid: newUid() });
    }
    if (inserting.length > 0) outcomes.push(...(await insert(connection, listId, fields, inserting)));
    return outcomes;
  }

  async function insert(connection: PoolConnection, listId: number, fields: Field[], inserting: Inserting[]): Promise<InjectionOutcome[]> {
    await connection.query<ResultSetHeader>(
      `INSERT INTO ${table('list_subscriber')} (subscriber_uid, list_id, email, ip_address, source, status, date_added, last_updated) VALUES ${inserting.map(() => "(?, ?, ?, NULL, 'api', 'confirmed', NOW(), NOW())").join(', ')}`,
      inserting.flatMap(({ uid, contact }) => [uid, listId, contact.email]),
    );
    const [made] = await connection.query<RowDataPacket[]>(`SELECT subscriber_id, subscriber_uid FROM ${table('list_subscriber')} WHERE subscriber_uid IN (?)`, [inserting.map(({ uid }) => uid)]);
    const ids = new Map(made.map((row) => [String(row['subscriber_uid']), Number(row['subscriber_id'])]));
    const values = inserting.flatMap(({ uid, fields: given }) => fields.flatMap((field) => [field.field_id, ids.get(uid) ?? 0, given.get(field.tag) ?? field.default_value ?? '']));
    await connection.query(
      `INSERT INTO ${table('list_field_value')} (field_id, subscriber_id, value, date_added, last_updated) VALUES ${inserting.flatMap(() => fields.map(() => '(?, ?, ?, NOW(), NOW())')).join(', ')}`,
      values,
    );
    return inserting.map(({ contact, uid }) => ({ contactId: contact.contactId, outcome: 'injected', uid, method: 'mysql', subscriberId: ids.get(uid) ?? 0 }));
  }

  async function findSubscribers(connection: mysql.Pool | PoolConnection, listId: number, emails: string[]) {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT subscriber_id, subscriber_uid, email, status FROM ${table('list_subscriber')} WHERE list_id = ? AND email IN (?)`,
      [listId, emails],
    );
    return new Map(rows.map((row) => [String(row['email']).toLowerCase(), { uid: String(row['subscriber_uid']), status: String(row['status']), subscriberId: Number(row['subscriber_id']) }]));
  }

  /** Settles open contacts by what the tables hold: there, or absent. */
  async function lookUp(listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[] | { failed: string }> {
    const ready = await open();
    if ('failed' in ready) return ready;
    try {
      const found = await findSubscribers(ready.pool, listId, contacts.map((contact) => contact.email));
      return contacts.map((contact) => {
        const there = found.get(contact.email.toLowerCase());
        return there ? toStanding(contact.contactId, { ...there, method: 'mysql' }) : { contactId: contact.contactId, outcome: 'pending', reason: 'absent' };
      });
    } catch (error) {
      return { failed: codeOf(error) };
    }
  }

  async function lists(): Promise<FoundList[]> {
    const ready = await open();
    if ('failed' in ready) return [];
    const [rows] = await ready.pool.query<RowDataPacket[]>(
      `SELECT l.list_id, l.list_uid, l.name, GROUP_CONCAT(f.tag ORDER BY f.sort_order) tags FROM ${table('list')} l LEFT JOIN ${table('list_field')} f ON f.list_id = l.list_id WHERE l.status = 'active' GROUP BY l.list_id, l.list_uid, l.name LIMIT 10000`,
    );
    return rows.map((row) => ({ listId: Number(row['list_id']), listUid: String(row['list_uid']), name: String(row['name']), fields: String(row['tags'] ?? '').split(',').filter(Boolean) }));
  }

  /** Connects once and looks at the schema before anything is written; a failed try is forgotten, so that the next may work. */
  async function open(): Promise<{ pool: mysql.Pool } | { failed: string }> {
    opened ??= connect();
    try {
      const { pool, problem } = await opened;
      return problem === undefined ? { pool } : { failed: problem };
    } catch (error) {
      opened = undefined;
      return { failed: codeOf(error) };
    }
  }

  async function connect() {
    const host = await resolveGuarded(settings.host, allowPrivateNetwork);
    const pool = mysql.createPool({
      host, port: settings.port, database: settings.database, user: settings.user, password: settings.password,
      connectionLimit: 4, connectTimeout: 5_000, charset: 'utf8mb4_general_ci', multipleStatements: false, stringifyObjects: true,
    });
    try {
      return { pool, problem: await findSchemaProblem(pool) };
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  /** A column that we do not find, or one that demands a value we do not know: the fallback is refused with the reason. */
  async function findSchemaProblem(pool: mysql.Pool): Promise<string | undefined> {
    const [rows] = await pool.query<RowDataPacket[]>('SELECT TABLE_NAME t, COLUMN_NAME c, IS_NULLABLE n, COLUMN_DEFAULT d, EXTRA e FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ?', [settings.database]);
    for (const [name, columns] of Object.entries(expected)) {
      const present = rows.filter((row) => row['t'] === `${settings.tablePrefix}${name}`);
      if (present.length === 0) return `schema_no_table_${name}`;
      const missing = columns.find((column) => !present.some((row) => row['c'] === column));
      if (missing !== undefined) return `schema_no_column_${name}_${missing}`;
      const demanding = present.find((row) => written.includes(name) && row['n'] === 'NO' && row['d'] === null && row['e'] !== 'auto_increment' && !columns.includes(String(row['c'])));
      if (demanding) return `schema_new_column_${name}_${String(demanding['c'])}`;
    }
    return undefined;
  }

  async function close(): Promise<void> {
    const ready = await opened?.catch(() => undefined);
    await ready?.pool.end();
  }
}

const toPending = (contact: OutgoingContact, reason: string): InjectionOutcome => ({ contactId: contact.contactId, outcome: 'pending', reason });
const codeOf = (error: unknown) => (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code.toLowerCase() : 'mysql_error');

const letters = 'abcdefghijklmnopqrstuvwxyz';

/** The shape of every public uid (mailwizz.md 2.3): two letters, three digits, five of either, three hex digits. */
function newUid(): string {
  const bytes = randomBytes(10);
  const letter = (at: number) => letters[(bytes[at] ?? 0) % 26] ?? 'a';
  return `${letter(0)}${letter(1)}${String(bytes.readUInt16BE(2) % 1000).padStart(3, '0')}${letter(4)}${letter(5)}${bytes.toString('hex', 6, 9)}`;
}
