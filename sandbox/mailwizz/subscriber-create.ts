import { Readable } from 'node:stream';
import { escape } from 'mysql2';
import type { PoolConnection } from 'mysql2/promise';
import type { Context } from './context';
import { storedDate } from './dates';
import type { Field } from './field-cache';
import type { PhpMap } from './form';
import type { List } from './list-store';
import { change, inTransaction, select } from './sql';
import { type Candidate, foldEmail, storedValues, textsOf, toCandidate } from './subscriber-form';
import { sleep } from './sleep';
import { newUid } from './uid';

type Known = { subscriber_id: number; subscriber_uid: string; email: string; status: string };
/** About as long as PHP takes between looking and writing. */
const unlockedGapMs = 15;
const mailsKept = 100_000;

/** Stores many in few statements; each gets its own verdict, in order. It looks before it writes, and the table would let a double in. */
export async function createSubscribers(context: Context, list: List, forms: PhpMap[], { isBulk = false } = {}): Promise<Candidate[]> {
  const fields = await context.fields.of(list.list_id);
  const candidates = forms.map((form) => toCandidate(form, fields, list, context));
  const store = () => inTransaction(context.pool, (connection) => storeIn(connection, { context, list, fields, candidates, isBulk }));
  const keys = candidates.map(({ email }) => `${list.list_id} ${foldEmail(email)}`);
  await (context.switches.mutex ? context.withAddresses(keys, store) : store());
  const stored = candidates.filter(({ errors }) => !errors);
  for (const candidate of stored) noteMail(context, list, candidate);
  context.faults.noteStored(stored.length);
  return candidates;
}

type Work = { context: Context; list: List; fields: Field[]; candidates: Candidate[]; isBulk: boolean };

async function storeIn(connection: PoolConnection, { context, list, fields, candidates, isBulk }: Work): Promise<void> {
  // As the foreign key would: whoever locks the list's row keeps us out, and the list cannot go meanwhile.
  await connection.query('SELECT list_id FROM mw_list WHERE list_id = ? LOCK IN SHARE MODE', [list.list_id]);
  const reused = await judgeKnown(context, connection, list, candidates, isBulk);
  if (!context.switches.mutex) await sleep(unlockedGapMs);
  for (const [candidate, known] of reused) await renew(context, connection, fields, candidate, known);
  const fresh = candidates.filter((candidate) => !candidate.errors && !reused.has(candidate));
  if (fresh.length > 0) await insert(context, connection, list, fields, fresh);
}

/** Marks the blacklisted and those already there; answers the ones whose old row is taken again. */
async function judgeKnown(context: Context, connection: PoolConnection, list: List, candidates: Candidate[], isBulk: boolean): Promise<Map<Candidate, Known>> {
  const { switches, customer } = context;
  const reused = new Map<Candidate, Known>();
  const emails = candidates.flatMap(({ email, errors }) => (errors ? [] : [email]));
  if (emails.length === 0) return reused;
  const blacklisted = await select<{ email: string }>(
    connection,
    'SELECT email FROM mw_email_blacklist WHERE email IN (?) UNION SELECT email FROM mw_customer_email_blacklist WHERE customer_id = ? AND email IN (?)',
    [emails, customer.customer_id, emails],
  );
  const there = await select<Known>(connection, 'SELECT subscriber_id, subscriber_uid, email, status FROM mw_list_subscriber WHERE list_id = ? AND email IN (?)', [list.list_id, emails]);
  const black = new Set(blacklisted.map(({ email }) => foldEmail(email)));
  const known = new Map(there.map((row) => [foldEmail(row.email), row]));
  const seen = new Set<string>();
  const texts = textsOf(switches);
  for (const candidate of candidates) {
    if (candidate.errors) continue;
    const key = foldEmail(candidate.email);
    const old = known.get(key);
    if (black.has(key)) candidate.errors = { EMAIL: texts.blacklisted };
    else if (seen.has(key)) candidate.errors = { EMAIL: texts.exists };
    else if (old && ((switches.silent_reuse && ['unsubscribed', 'moved'].includes(old.status)) || (isBulk && switches.bulk_existing === 'update'))) reused.set(candidate, old);
    else if (old) candidate.errors = { EMAIL: texts.exists };
    seen.add(key);
  }
  return reused;
}

async function renew(context: Context, connection: PoolConnection, fields: Field[], candidate: Candidate, known: Known): Promise<void> {
  const now = storedDate(context, context.now());
  const { details } = candidate;
  candidate.uid = known.subscriber_uid;
  const isBack = context.switches.silent_reuse && ['unsubscribed', 'moved'].includes(known.status);
  const status = details.given || isBack ? details.status : known.status;
  details.status = status;
  await change(connection, 'UPDATE mw_list_subscriber SET status = ?, last_updated = ? WHERE subscriber_id = ?', [status, now, known.subscriber_id]);
  await writeValues(context, connection, known.subscriber_id, fields.filter(({ tag }) => candidate.form.has(tag)), candidate);
}

/** Replaces the values of these fields. */
export async function writeValues(context: Context, connection: PoolConnection, subscriberId: number, fields: Field[], candidate: Candidate): Promise<void> {
  const now = storedDate(context, context.now());
  if (fields.length === 0) return;
  await change(connection, 'DELETE FROM mw_list_field_value WHERE subscriber_id = ? AND field_id IN (?)', [subscriberId, fields.map(({ field_id }) => field_id)]);
  const rows = fields.flatMap((field) => storedValues(candidate, field).map((value) => [field.field_id, subscriberId, value, now, now]));
  await connection.query('INSERT INTO mw_list_field_value (field_id, subscriber_id, value, date_added, last_updated) VALUES ?', [rows]);
}

/** The statements are written by hand and the parents, just read or written, are not looked up again: a bulk call is as fast as the tables allow. */
const unchecked = 'SET STATEMENT foreign_key_checks = 0 FOR';

async function insert(context: Context, connection: PoolConnection, list: List, fields: Field[], fresh: Candidate[]): Promise<void> {
  const now = storedDate(context, context.now());
  const rows = fresh.map((candidate) => {
    candidate.uid = newUid();
    const { ip, source, status } = candidate.details;
    return [candidate.uid, list.list_id, candidate.email, ip, source, status, now, now];
  });
  const { insertId } = await change(connection, `${unchecked} INSERT INTO mw_list_subscriber (subscriber_uid, list_id, email, ip_address, source, status, date_added, last_updated) VALUES ?`, [rows]);
  // One statement's ids are consecutive (innodb_autoinc_lock_mode 1).
  const values = fresh.flatMap((candidate, index) => fields.flatMap((field) => storedValues(candidate, field).map((value): Value => [field.field_id, insertId + index, value])));
  await (values.length < loadFrom ? insertValues : loadValues)(connection, values, now);
}

type Value = [fieldId: number, subscriberId: number, value: string];
/** From so many rows on LOAD DATA pays: a quarter less work for the database than INSERT (measured). */
const loadFrom = 100;

async function insertValues(connection: PoolConnection, values: Value[], now: string): Promise<void> {
  const rows = values.map(([fieldId, subscriberId, value]) => `(${fieldId},${subscriberId},${escape(value)},'${now}','${now}')`);
  await connection.query(`${unchecked} INSERT INTO mw_list_field_value (field_id, subscriber_id, value, date_added, last_updated) VALUES ${rows.join(',')}`);
}

async function loadValues(connection: PoolConnection, values: Value[], now: string): Promise<void> {
  const lines = values.map(([fieldId, subscriberId, value]) => `${fieldId}\t${subscriberId}\t${value.replace(/[\\\t\n]/g, '\\$&')}\n`);
  await connection.query({
    sql: `${unchecked} LOAD DATA LOCAL INFILE 'values' INTO TABLE mw_list_field_value CHARACTER SET utf8mb4 (field_id, subscriber_id, value) SET date_added = '${now}', last_updated = '${now}'`,
    infileStreamFactory: () => Readable.from([Buffer.from(lines.join(''))]),
  });
}

/** Double opt-in sends a confirmation mail; a forced status suppresses it, as far as is known. */
function noteMail(context: Context, list: List, { uid, email, details }: Candidate): void {
  const asks = list.opt_in === 'double' && (details.status === 'unconfirmed' || (details.given && details.status === 'confirmed' && context.switches.confirmed_sends_mail));
  if (!asks || uid === undefined) return;
  context.mails.push({ kind: 'confirm', list_id: list.list_id, subscriber_uid: uid, email, at: context.now().toISOString() });
  if (context.mails.length > mailsKept) context.mails.shift();
}
