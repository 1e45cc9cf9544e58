import mysql, { type PoolConnection, type QueryOptions, type RowDataPacket } from 'mysql2/promise';
import { EngineError } from '../../domain/errors';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import { codeOf } from './api';
import { resolveGuarded } from './guard';
import { toStanding } from './lookup';
import { probeSchema, type Schema } from './schema';
import { createTables } from './tables';
import type { FoundList, InstanceSettings } from './types';

type MysqlSettings = NonNullable<InstanceSettings['mysql']>;
type Opened = { pool: mysql.Pool; schema: Schema | { problem: string }; at: number };
/** A page that a transaction holds: few enough for one packet and a short lock. */
const rowsPerTransaction = 200;
const statementMs = 10_000;
/** An operator may have repaired what we refused. */
const problemAgeMs = 60_000;
/** Strict: a value that does not fit is an error, never cut. Set whole, as NO_BACKSLASH_ESCAPES would open our quoting. */
const session = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 8";

export type DatabaseClient = ReturnType<typeof createDatabaseClient>;

/**
 * The way in when the API is down (mailwizz.md 5.3). Duties: a schema that we know, one lock per list, the blacklists, one subscriber row and one value
 * per field, nothing cut. Answers `failed` when surely nothing was written.
 */
export function createDatabaseClient(settings: MysqlSettings, allowPrivateNetwork: boolean) {
  let opened: Promise<Opened> | undefined;

  return { addSubscribers, lookUp, lists, close };

  async function addSubscribers(listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[] | { failed: string }> {
    const ready = await open();
    if ('failed' in ready) return ready;
    const outcomes: InjectionOutcome[] = [];
    for (let from = 0; from < contacts.length; from += rowsPerTransaction) {
      const result = await addPage(ready, listId, contacts.slice(from, from + rowsPerTransaction));
      // What is behind the failure has not been tried: it waits like the failed page.
      if ('failed' in result) return from === 0 ? result : [...outcomes, ...contacts.slice(from).map((contact) => toPending(contact, `mysql ${result.failed}`))];
      outcomes.push(...result);
    }
    return outcomes;
  }

  async function addPage({ pool, schema }: { pool: mysql.Pool; schema: Schema }, listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[] | { failed: string }> {
    let connection: PoolConnection | undefined;
    let committing = false;
    try {
      connection = await pool.getConnection();
      const ask = toAsk(connection);
      await ask(session);
      await ask('START TRANSACTION');
      const outcomes = await createTables(ask, settings.tablePrefix, schema).write(listId, contacts);
      committing = true;
      await ask('COMMIT');
      connection.release();
      return outcomes;
    } catch (error) {
      // Closed, not given back: the server then rolls back whatever the connection still held.
      connection?.destroy();
      // The word of a lost COMMIT is not known: only a look-up tells.
      return committing ? contacts.map((contact) => ({ contactId: contact.contactId, outcome: 'unknown', reason: 'mysql_commit_cut' })) : { failed: toReason(error) };
    }
  }

  /** Settles open contacts by what the tables hold: there, or absent. */
  async function lookUp(listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[] | { failed: string }> {
    const ready = await open();
    if ('failed' in ready) return ready;
    try {
      const outcomes: InjectionOutcome[] = [];
      for (let from = 0; from < contacts.length; from += rowsPerTransaction) {
        const page = contacts.slice(from, from + rowsPerTransaction);
        const found = await tablesOf(ready).findSubscribers(listId, page.map((contact) => contact.email));
        for (const { contactId, email } of page) {
          const there = found.get(email.toLowerCase());
          outcomes.push(there ? toStanding(contactId, { ...there, method: 'mysql' }) : { contactId, outcome: 'pending', reason: 'absent' });
        }
      }
      return outcomes;
    } catch (error) {
      return { failed: toReason(error) };
    }
  }

  /** Throws `unavailable` when the tables cannot be read: no lists and not knowing are two things. */
  async function lists(): Promise<FoundList[]> {
    const ready = await open();
    if ('failed' in ready) throw new EngineError('unavailable', `MySQL of the instance: ${ready.failed}`);
    try {
      return await tablesOf(ready).lists();
    } catch (error) {
      throw new EngineError('unavailable', `MySQL of the instance: ${toReason(error)}`);
    }
  }

  function tablesOf({ pool, schema }: { pool: mysql.Pool; schema: Schema }) {
    return createTables(toAsk(pool), settings.tablePrefix, schema);
  }

  /** Connects once and looks at the schema before anything is written; a failed try is forgotten, so that the next may work. */
  async function open(): Promise<{ pool: mysql.Pool; schema: Schema } | { failed: string }> {
    const trying = (opened ??= connect());
    try {
      const { pool, schema, at } = await trying;
      if (!('problem' in schema)) return { pool, schema };
      if (opened === trying && performance.now() - at > problemAgeMs) {
        opened = undefined;
        await pool.end();
      }
      return { failed: schema.problem };
    } catch (error) {
      if (opened === trying) opened = undefined;
      return { failed: toReason(error) };
    }
  }

  async function connect(): Promise<Opened> {
    const { host, port, database, user, password, tablePrefix } = settings;
    const pool = mysql.createPool({
      ...{ host: await resolveGuarded(host, allowPrivateNetwork), port, database, user, password },
      ...{ connectionLimit: 4, connectTimeout: 5_000, charset: 'utf8mb4_general_ci', multipleStatements: false, stringifyObjects: true },
    });
    try {
      const schema = /^[A-Za-z0-9_]{0,31}$/.test(tablePrefix) ? await probeSchema(toAsk(pool), settings) : { problem: 'schema_prefix_not_a_word' };
      return { pool, schema, at: performance.now() };
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  async function close(): Promise<void> {
    const ready = await opened?.catch(() => undefined);
    await ready?.pool.end();
  }
}

type Asked = { query: (options: QueryOptions) => Promise<[unknown, unknown]> };
const toAsk = (asked: Asked) => async (sql: string, values: unknown[] = []): Promise<RowDataPacket[]> => {
  const [rows] = await asked.query({ sql, values, timeout: statementMs });
  return isRows(rows) ? rows : [];
};
const isRows = (rows: unknown): rows is RowDataPacket[] => Array.isArray(rows);

const toPending = (contact: OutgoingContact, reason: string): InjectionOutcome => ({ contactId: contact.contactId, outcome: 'pending', reason });
const toReason = (error: unknown) => (error instanceof EngineError && error.kind === 'refused' ? 'private_network' : codeOf(error) || 'mysql_error');
