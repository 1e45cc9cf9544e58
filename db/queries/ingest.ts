import { sql } from 'drizzle-orm';
import type { BatchCounts } from '../../src/domain/batch';
import { maxRowBytes, waitingOf } from '../../src/domain/batch';
import type { JudgedContact } from '../../src/schemas/contact-row';
import type { Db, DbHandle } from '../client';

export type RawRow = { batch_id: number; row_number: number; received_at: string; payload: string };

/** A row after judgement, ready to be stored; the shape the database reads from JSON. */
export type AcceptableRow = Omit<JudgedContact, 'address'> & Omit<RawRow, 'payload'> & { email: string; email_hash: string };
export type RejectedRow = { batch_id: number; row_number: number; received_at: string; field: string; reason: string };

export type RowKey = { batchId: number; row: number };
export type RowPage = { batchIds: number[]; after: RowKey; limit: number };

/** A page of payloads is in memory several times over. */
export const bytesAtOnce = 4 << 20;

/** Rows in delivery order behind `after`: at least one, then up to `limit` rows and a few megabytes. A payload that does not fit is measured and not read. */
export const fittingRows = ({ batchIds, after, limit }: RowPage, outcome: ReturnType<typeof sql>) => sql`(
    select * from (
      select *, sum(octet_length(payload)) over (order by batch_id, row_number) - octet_length(payload) before from (
        select batch_id, row_number, received_at, payload, contact_id from batch_rows
        where batch_id = any(${sql.param(batchIds)}) and (batch_id, row_number) > (${after.batchId}, ${after.row}) and outcome ${outcome}
        order by batch_id, row_number limit ${limit}) page) measured
    where before < ${bytesAtOnce})`;

/** Rows that nobody has judged yet. */
export async function findRawRows(db: DbHandle, page: RowPage): Promise<RawRow[]> {
  const found = await db.execute<RawRow>(sql`
    select batch_id, row_number, received_at, left(payload, ${maxRowBytes + 1}) payload from ${fittingRows(page, sql`is null`)} fitting order by batch_id, row_number`);
  return found.rows;
}

/**
 * Stores judged rows in one transaction: a new address becomes a contact and its row is accepted; a known one makes its row a duplicate; both keep
 * the contact's id. Safe to repeat: a row that has an outcome already is left alone and counted once.
 */
export async function recordJudgedRows(db: Db, rows: { good: AcceptableRow[]; bad: RejectedRow[] }): Promise<void> {
  await db.transaction(async (tx) => {
    // Two workers on one batch would both count: the batches' own rows are the lock.
    const batchIds = [...new Set([...rows.good, ...rows.bad].map((row) => row.batch_id))].sort((a, b) => a - b);
    await tx.execute(sql`select id from import_batches where id = any(${sql.param(batchIds)}) order by id for update`);
    const numbers = [...rows.good, ...rows.bad].map((row) => row.row_number);
    const inserted = await insertNewContacts(tx, rows.good);
    const outcomes = [...rows.good.map((row) => ({ ...keyOf(row), email_hash: row.email_hash, outcome: takeOnce(inserted, row.email_hash) ? 'accepted' : 'duplicate', field: null, reason: null }))];
    const rejections = rows.bad.map((row) => ({ ...keyOf(row), email_hash: null, outcome: 'rejected', field: row.field, reason: row.reason }));
    await tx.execute(sql`
      with input as (
        select * from json_to_recordset(${JSON.stringify([...outcomes, ...rejections])}::json)
          as x(batch_id bigint, row_number int, received_at timestamptz, email_hash text, outcome text, field text, reason text)),
      moved as (
        update batch_rows set outcome = input.outcome, field = input.field, reason = input.reason,
          contact_id = (select contacts.id from contacts where contacts.email_hash = input.email_hash)
        from input
        where batch_rows.batch_id = any(${sql.param(batchIds)}::bigint[]) and batch_rows.row_number between ${Math.min(...numbers)} and ${Math.max(...numbers)}
          and batch_rows.batch_id = input.batch_id and batch_rows.row_number = input.row_number and batch_rows.received_at = input.received_at
          and batch_rows.outcome is null
        returning batch_rows.batch_id, batch_rows.outcome),
      counted as (
        select batch_id, count(*) filter (where outcome = 'accepted') accepted, count(*) filter (where outcome = 'duplicate') duplicates,
          count(*) filter (where outcome = 'rejected') rejected
        from moved group by batch_id)
      update import_batches set accepted = import_batches.accepted + counted.accepted, duplicates = import_batches.duplicates + counted.duplicates,
        rejected = import_batches.rejected + counted.rejected, updated_at = now()
      from counted where import_batches.id = counted.batch_id and import_batches.id = any(${sql.param(batchIds)}::bigint[])`);
  });
}

const keyOf = (row: { batch_id: number; row_number: number; received_at: string }) => ({
  batch_id: row.batch_id,
  row_number: row.row_number,
  received_at: row.received_at,
});

/** The first row of a new address takes it; later rows of the same address find it gone. */
const takeOnce = (inserted: Set<string>, hash: string) => inserted.delete(hash);

async function insertNewContacts(tx: DbHandle, rows: AcceptableRow[]): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const first = new Map<string, AcceptableRow>();
  for (const row of rows) if (!first.has(row.email_hash)) first.set(row.email_hash, row);
  const inserted = await tx.execute<{ email_hash: string }>(sql`
    with input as (
      select * from json_to_recordset(${JSON.stringify([...first.values()])}::json)
        as x(batch_id bigint, email text, email_hash text, first_name text, last_name text, company text, phone text, website text, country_code text,
             language text, category text, tags jsonb, raw_data jsonb, social_links jsonb)),
    created as (
      insert into contacts (email, email_hash, first_name, last_name, company, phone, website, country_code, language, category, tags, raw_data, social_links, source_id, import_batch_id)
      select email, email_hash, first_name, last_name, company, phone, website, country_code, language, category,
        array(select jsonb_array_elements_text(tags)), raw_data, social_links, batches.source_id, batches.batch_id
      from input join import_batches batches on batches.id = input.batch_id and batches.id = any(${sql.param([...new Set(rows.map((row) => row.batch_id))])}::bigint[])
      order by email_hash
      on conflict do nothing
      returning id, email, email_hash, source_id),
    told as (
      insert into contact_events (contact_id, email, event_type, source) select id, email, 'ingested', source_id from created)
    select email_hash from created`);
  return new Set(inserted.rows.map((row) => row.email_hash));
}

/** Rows that repeated a known contact, to be merged into it. */
export async function findDuplicateRows(db: DbHandle, page: RowPage) {
  const found = await db.execute<RawRow & { contact_id: number }>(sql`
    select batch_id, row_number, received_at, payload, contact_id from ${fittingRows(page, sql`= 'duplicate'`)} fitting order by batch_id, row_number`);
  return found.rows;
}

export type Blanks = Omit<AcceptableRow, 'batch_id' | 'row_number' | 'received_at' | 'email' | 'email_hash'> & { contact_id: number };

/** Fills what a contact lacks, never overwrites, and unites the tags (design 4). One entry per contact. Safe to repeat. */
export async function fillBlanks(db: DbHandle, blanks: Blanks[]): Promise<void> {
  const sorted = blanks.toSorted((a, b) => a.contact_id - b.contact_id);
  await db.execute(sql`
    with input as (
      select * from json_to_recordset(${JSON.stringify(sorted)}::json)
        as x(contact_id bigint, first_name text, last_name text, company text, phone text, website text, country_code text, language text, category text,
             tags jsonb, raw_data jsonb, social_links jsonb)),
    known as (
      select contacts.id, input.*, array(select jsonb_array_elements_text(input.tags)) new_tags from contacts join input on contacts.id = input.contact_id
      where contacts.id = any(${sql.param(sorted.map((contact) => contact.contact_id))}::bigint[]) and contacts.deleted_at is null order by contacts.id for update of contacts)
    update contacts set
      first_name = coalesce(contacts.first_name, known.first_name), last_name = coalesce(contacts.last_name, known.last_name),
      company = coalesce(contacts.company, known.company), phone = coalesce(contacts.phone, known.phone),
      website = coalesce(contacts.website, known.website), country_code = coalesce(contacts.country_code, known.country_code),
      language = coalesce(contacts.language, known.language), category = coalesce(contacts.category, known.category),
      raw_data = coalesce(contacts.raw_data, known.raw_data), social_links = coalesce(contacts.social_links, known.social_links),
      tags = contacts.tags || array(select tag from unnest(known.new_tags) with ordinality as t(tag, place) where tag <> all(contacts.tags) order by place),
      updated_at = now()
    from known
    where contacts.id = known.id and (
      (contacts.first_name is null and known.first_name is not null) or (contacts.last_name is null and known.last_name is not null)
      or (contacts.company is null and known.company is not null) or (contacts.phone is null and known.phone is not null)
      or (contacts.website is null and known.website is not null) or (contacts.country_code is null and known.country_code is not null)
      or (contacts.language is null and known.language is not null) or (contacts.category is null and known.category is not null)
      or (contacts.raw_data is null and known.raw_data is not null) or (contacts.social_links is null and known.social_links is not null)
      or not known.new_tags <@ contacts.tags)`);
}

/** The figures of the batches of one run, added up. */
export async function countBatches(db: DbHandle, batchIds: number[]): Promise<BatchCounts> {
  const found = await db.execute<Omit<BatchCounts, 'waiting'>>(sql`
    select coalesce(sum(received), 0) received, coalesce(sum(accepted), 0) accepted, coalesce(sum(duplicates), 0) duplicates,
      coalesce(sum(rejected), 0) rejected, coalesce(sum(injected), 0) injected, coalesce(sum(invalid), 0) invalid,
      coalesce(sum(suppressed), 0) suppressed, coalesce(sum(unroutable), 0) unroutable, coalesce(sum(failed), 0) failed
    from import_batches where id = any(${sql.param(batchIds)})`);
  const row = found.rows[0];
  if (!row) throw new Error('an aggregate without a row');
  return { ...row, waiting: waitingOf(row) };
}
