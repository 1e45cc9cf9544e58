import { randomBytes } from 'node:crypto';
import type { Pool, PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import type { PhpMap } from './form';
import { mapAt, textAt } from './form';

export type Field = { field_id: number; tag: string; default_value: string | null; required: string; label: string; sort_order: number };
export type Stored = { subscriber_uid: string; email: string; status: string };
export type Result = { form: PhpMap; email: string; uid?: string; error?: string };

const letters = 'abcdefghijklmnopqrstuvwxyz';
const newUid = () => {
  const bytes = randomBytes(10);
  const letter = (at: number) => letters[(bytes[at] ?? 0) % 26] ?? 'a';
  return `${letter(0)}${letter(1)}${String(bytes.readUInt16BE(2) % 1000).padStart(3, '0')}${letter(4)}${letter(5)}${bytes.toString('hex', 6, 9)}`;
};
const emailShape = /^[^\s@<>()]+@[^\s@.]+(\.[^\s@.]+)+$/u;

export async function fieldsOf(pool: Pool, listId: number): Promise<Field[]> {
  const [rows] = await pool.query<(Field & RowDataPacket)[]>('SELECT field_id, tag, default_value, required, label, sort_order FROM mw_list_field WHERE list_id = ? ORDER BY sort_order', [listId]);
  return rows;
}

/** Creates many in few statements; each gets its own result, in order. Like MailWizz it looks before it writes, and the table would let a double in. */
export async function createSubscribers(pool: Pool, listId: number, forms: PhpMap[]): Promise<Result[]> {
  const fields = await fieldsOf(pool, listId);
  const results = forms.map((form): Result => {
    const email = (textAt(form, 'EMAIL') ?? '').trim();
    if (email === '') return { form, email, error: 'Please provide the subscriber email address.' };
    if (!emailShape.test(email) || email.length > 100) return { form, email, error: 'Please provide a valid email address.' };
    const missing = fields.find((field) => field.required === 'yes' && textAt(form, field.tag) === undefined);
    return missing ? { form, email, error: `The field ${missing.label} is required by the list but it has not been provided!` } : { form, email };
  });
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    // MailWizz takes a mutex per list and address; the list row serves for it here.
    await connection.query('SELECT list_id FROM mw_list WHERE list_id = ? FOR UPDATE', [listId]);
    await refuseKnown(connection, listId, results);
    const good = results.filter((result) => result.error === undefined);
    if (good.length > 0) await insert(connection, listId, fields, good);
    await connection.commit();
    return results;
  } catch (error) {
    await connection.rollback();
    throw error;
  } finally {
    connection.release();
  }
}

async function refuseKnown(connection: PoolConnection, listId: number, results: Result[]): Promise<void> {
  const emails = results.filter((result) => result.error === undefined).map((result) => result.email);
  if (emails.length === 0) return;
  const [blacklisted] = await connection.query<RowDataPacket[]>(
    'SELECT email FROM mw_email_blacklist WHERE email IN (?) UNION SELECT email FROM mw_customer_email_blacklist WHERE email IN (?)',
    [emails, emails],
  );
  const [existing] = await connection.query<RowDataPacket[]>('SELECT email FROM mw_list_subscriber WHERE list_id = ? AND email IN (?)', [listId, emails]);
  const lower = (rows: RowDataPacket[]) => new Set(rows.map((row) => String(row['email']).toLowerCase()));
  const black = lower(blacklisted);
  const there = lower(existing);
  for (const result of results) {
    if (result.error !== undefined) continue;
    const key = result.email.toLowerCase();
    if (black.has(key)) result.error = 'This email address is blacklisted.';
    else if (there.has(key)) result.error = 'The subscriber already exists in this list.';
    else there.add(key);
  }
}

async function insert(connection: PoolConnection, listId: number, fields: Field[], good: Result[]): Promise<void> {
  const rows = good.map((result) => {
    result.uid = newUid();
    const details = mapAt(result.form, 'details');
    return [result.uid, listId, result.email, textAt(details, 'ip_address') ?? null, textAt(details, 'source') ?? 'api', textAt(details, 'status') ?? 'confirmed'];
  });
  const [made] = await connection.query<ResultSetHeader>(
    `INSERT INTO mw_list_subscriber (subscriber_uid, list_id, email, ip_address, source, status, date_added, last_updated) VALUES ${rows.map(() => '(?,?,?,?,?,?,NOW(),NOW())').join(',')}`,
    rows.flat(),
  );
  // One statement's ids are consecutive (innodb_autoinc_lock_mode 1).
  const values = good.flatMap((result, index) => fields.map((field) => [field.field_id, made.insertId + index, (textAt(result.form, field.tag) ?? field.default_value ?? '').slice(0, 255)]));
  await connection.query(
    `INSERT INTO mw_list_field_value (field_id, subscriber_id, value, date_added, last_updated) VALUES ${values.map(() => '(?,?,?,NOW(),NOW())').join(',')}`,
    values.flat(),
  );
}

export async function findByEmail(pool: Pool, listId: number, email: string): Promise<(Stored & { date_added: string }) | undefined> {
  const [rows] = await pool.query<(Stored & { date_added: string } & RowDataPacket)[]>(
    "SELECT subscriber_uid, email, status, DATE_FORMAT(date_added, '%Y-%m-%d %H:%i:%s') date_added FROM mw_list_subscriber WHERE list_id = ? AND email = ? LIMIT 1",
    [listId, email],
  );
  return rows[0];
}

export async function updateSubscriber(pool: Pool, listId: number, uid: string, form: PhpMap): Promise<boolean> {
  const [rows] = await pool.query<RowDataPacket[]>('SELECT subscriber_id FROM mw_list_subscriber WHERE list_id = ? AND subscriber_uid = ?', [listId, uid]);
  const id: unknown = rows[0]?.['subscriber_id'];
  if (id === undefined) return false;
  const status = textAt(mapAt(form, 'details'), 'status');
  await pool.query('UPDATE mw_list_subscriber SET status = COALESCE(?, status), last_updated = NOW() WHERE subscriber_id = ?', [status ?? null, id]);
  for (const field of await fieldsOf(pool, listId)) {
    const value = textAt(form, field.tag);
    if (value !== undefined) await pool.query('UPDATE mw_list_field_value SET value = ?, last_updated = NOW() WHERE field_id = ? AND subscriber_id = ?', [value.slice(0, 255), field.field_id, id]);
  }
  return true;
}
