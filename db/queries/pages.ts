import { sql } from 'drizzle-orm';
import type { PageRange } from '../../src/domain/batch';
import { leftToSweep } from '../../src/domain/batch';
import type { DbHandle } from '../client';
import { bytesAtOnce } from './ingest';

export type Handled = PageRange & { now: Date };

/** A row of these contacts that is still open: what every recording closes, puts off or leaves. */
export const isOpen = (page: Handled, contactIds: number[]) => sql`
  batch_rows.batch_id = any(${sql.param(page.batchIds)}) and batch_rows.contact_id = any(${sql.param(contactIds)}::bigint[])
    and batch_rows.outcome = 'accepted' and batch_rows.fate is null`;

/**
 * Contacts of the page whose row is open and due. The steps ask for contacts by these ids: a list of keys is read through the index whatever the
 * planner knows about a table that has just been filled, where a join by range was seen to compare every pair.
 */
export async function findOpenContacts(db: DbHandle, page: Handled): Promise<number[]> {
  const found = await db.execute<{ contact_id: number }>(sql`
    select contact_id from batch_rows
    where batch_id = any(${sql.param(page.batchIds)}) and outcome = 'accepted' and fate is null
      and contact_id > ${page.afterContactId} and contact_id <= ${page.throughContactId} and (retry_at is null or retry_at <= ${page.now.toISOString()})
    order by contact_id`);
  return found.rows.map((row) => row.contact_id);
}

/** Contacts read by their ids and by no other index: of a table that has just been filled the planner believes that hardly any contact has a given status. */
export const contactsOf = (ids: number[]) => sql`(select * from contacts where id = any(${sql.param(ids)}::bigint[]) offset 0)`;

export type ToVerify = { id: number; email: string; attempts: Record<string, number> | null };

/** Contacts of the page whose address is still to be judged; with `force`, all of them. Where a dialogue takes its time, they are shown as `validating`. */
export async function claimContactsToVerify(db: DbHandle, page: Handled & { force: boolean; slow: boolean; limit: number; afterId: number }): Promise<ToVerify[]> {
  // Only an order for a single contact forces: its page holds that contact alone.
  const ids = page.force ? [page.throughContactId] : await findOpenContacts(db, page);
  const found = await db.execute<ToVerify>(sql`
    with due as (
      select contacts.id, contacts.email, contacts.email_validation_result -> 'attempts' attempts, contacts.status
      from ${contactsOf(ids)} contacts
      where contacts.id > ${page.afterId} and contacts.deleted_at is null
        and (${page.force} or contacts.status in ('pending', 'validating'))
      order by contacts.id limit ${page.limit}),
    shown as (
      update contacts set status = 'validating', status_changed_at = now(), updated_at = now() from due
      where ${page.slow} and contacts.id = due.id and contacts.id = any(${sql.param(ids)}::bigint[]) and contacts.status = 'pending')
    select id, email, attempts from due order by id`);
  return found.rows;
}

export type VerifiedContact = {
  contact_id: number;
  /** `validating` when another try is due at `retry_at`. */
  status: 'validated' | 'invalid' | 'validating';
  email_valid: boolean | null;
  result: Record<string, unknown>;
  reason: string;
  retry_at: string | null;
};

/**
 * Keeps the verdicts with their evidence; an invalid address closes its row, and a change of status is told once. Safe to repeat: only an undecided
 * contact moves, and with `force` (an operator's order) also one that was found good before.
 */
export async function recordVerdicts(db: DbHandle, page: Handled & { force: boolean }, verified: VerifiedContact[]): Promise<void> {
  const ids = verified.map((contact) => contact.contact_id);
  const movable = page.force ? ['pending', 'validating', 'validated'] : ['pending', 'validating'];
  await db.execute(sql`
    with input as (
      select * from json_to_recordset(${JSON.stringify(verified)}::json)
        as x(contact_id bigint, status text, email_valid boolean, result jsonb, reason text, retry_at timestamptz)),
    judged as (
      select input.*, contacts.status before, case when contacts.status = any(${sql.param(movable)}) then input.status else contacts.status end becomes
      from input join contacts on contacts.id = input.contact_id where contacts.id = any(${sql.param(ids)}::bigint[]) order by contacts.id for no key update of contacts),
    moved as (
      update contacts set status = judged.becomes, status_changed_at = case when judged.becomes <> judged.before then now() else contacts.status_changed_at end,
        email_valid = judged.email_valid, email_validation_result = judged.result, updated_at = now()
      from judged where contacts.id = judged.contact_id and contacts.id = any(${sql.param(ids)}::bigint[])
      returning contacts.id, contacts.email, contacts.status, judged.before, judged.reason, judged.retry_at),
    told as (
      insert into contact_events (contact_id, email, event_type, event_data, source)
      select id, email, status, jsonb_build_object('reason', reason), 'verification' from moved where status <> before and status in ('validated', 'invalid')),
    rows as (
      update batch_rows set fate = case when moved.status = 'invalid' then 'invalid' end, fate_reason = case when moved.status <> 'validated' then moved.reason end,
        retry_at = case when moved.status = 'validating' then moved.retry_at end
      from moved where moved.status <> 'validated' and batch_rows.contact_id = moved.id and ${isOpen(page, ids)}
      returning batch_rows.batch_id, batch_rows.fate),
    counted as (select batch_id, count(*) n from rows where fate = 'invalid' group by batch_id)
    update import_batches set invalid = invalid + counted.n, updated_at = now()
    from counted where import_batches.id = counted.batch_id and import_batches.id = any(${sql.param(page.batchIds)}::bigint[])`);
}

export type ToEnrich = {
  id: number;
  category: string | null;
  tags: string[];
  company: string | null;
  website: string | null;
  first_name: string | null;
  last_name: string | null;
  phone: string | null;
  country_code: string | null;
  language: string | null;
  raw_data: Record<string, unknown> | null;
  verdict: string | null;
};

/** What the raw data of a contact weighs when it is read: only one without category needs it. */
export const rawBytes = sql`case when category is null and raw_data is not null then octet_length(raw_data::text) else 0 end`;

/**
 * Validated contacts among these: at least one when there is one, then as many as fit in memory, in order of id.
 */
export async function findContactsToEnrich(db: DbHandle, contactIds: number[]): Promise<ToEnrich[]> {
  const found = await db.execute<ToEnrich>(sql`
    select id, category, tags, company, website, first_name, last_name, phone, country_code, language, raw_data, verdict from (
      select *, sum(bytes) over (order by id) - bytes before from (
        select id, category, tags, company, website, first_name, last_name, phone, country_code, language, email_validation_result ->> 'state' verdict,
          case when category is null then raw_data end raw_data, ${rawBytes} bytes
        from ${contactsOf(contactIds)} contacts where status = 'validated' and deleted_at is null) page) measured
    where before < ${bytesAtOnce} order by id`);
  return found.rows;
}

export type EnrichedContact = { contact_id: number; category: string | null; category_rule: string | null; score: number };

/** Safe to repeat: writes only what changes, and never over a category that is there. */
export async function recordEnrichment(db: DbHandle, enriched: EnrichedContact[]): Promise<void> {
  await db.execute(sql`
    with input as (
      select * from json_to_recordset(${JSON.stringify(enriched)}::json) as x(contact_id bigint, category text, category_rule text, score smallint))
    update contacts set category = coalesce(contacts.category, input.category), category_rule = coalesce(contacts.category_rule, input.category_rule),
      score = input.score, updated_at = now()
    from input where contacts.id = input.contact_id and contacts.id = any(${sql.param(enriched.map((contact) => contact.contact_id))}::bigint[]) and (contacts.score <> input.score or (contacts.category is null and input.category is not null))`);
}

export type ToRoute = { id: number; category: string | null; source_id: string | null };

/** Validated contacts of the page that have no destination yet. */
export async function findContactsToRoute(db: DbHandle, page: Handled): Promise<ToRoute[]> {
  const ids = await findOpenContacts(db, page);
  const found = await db.execute<ToRoute>(sql`
    select contacts.id, contacts.category, contacts.source_id
    from ${contactsOf(ids)} contacts where contacts.status = 'validated' and contacts.mailwizz_list_id is null and contacts.deleted_at is null order by contacts.id`);
  return found.rows;
}

export type RoutedContact = { contact_id: number; instance_id: string | null; list_id: number | null; rule: string | null; reason: string | null };

/** Sets the destination; a contact that no rule can route stays validated and closes its row as unroutable. Safe to repeat. */
export async function recordRoutes(db: DbHandle, page: Handled, routed: RoutedContact[]): Promise<void> {
  const ids = routed.map((contact) => contact.contact_id);
  await db.execute(sql`
    with input as (
      select * from json_to_recordset(${JSON.stringify(routed)}::json) as x(contact_id bigint, instance_id text, list_id int, rule text, reason text)),
    moved as (
      update contacts set mailwizz_instance = input.instance_id, mailwizz_list_id = input.list_id, routing_rule = input.rule, updated_at = now()
      from input where contacts.id = input.contact_id and contacts.id = any(${sql.param(ids)}::bigint[]) and input.list_id is not null and contacts.mailwizz_list_id is null),
    ${closeRows(page, ids, sql`select contact_id, 'unroutable' fate, reason from input where list_id is null`)}`);
}

/** Closes the open rows of contacts with a fate and counts them in the same statement: the tail of a `with`. */
export const closeRows = (page: Handled, contactIds: number[], closing: ReturnType<typeof sql>) => sql`
    closing as (${closing}),
    closed as (
      update batch_rows set fate = closing.fate, fate_reason = closing.reason, retry_at = null
      from closing where batch_rows.contact_id = closing.contact_id and ${isOpen(page, contactIds)}
      returning batch_rows.batch_id, batch_rows.fate),
    ${countClosed(page.batchIds)}`;

/** By the ids of the batches: without them the planner reads every batch there ever was. */
const countClosed = (batchIds: number[]) => sql`
    counted as (
      select batch_id, count(*) filter (where fate = 'injected') injected, count(*) filter (where fate = 'invalid') invalid,
        count(*) filter (where fate = 'suppressed') suppressed, count(*) filter (where fate = 'unroutable') unroutable,
        count(*) filter (where fate = 'failed') failed
      from closed group by batch_id)
    update import_batches set injected = import_batches.injected + counted.injected, invalid = import_batches.invalid + counted.invalid,
      suppressed = import_batches.suppressed + counted.suppressed, unroutable = import_batches.unroutable + counted.unroutable,
      failed = import_batches.failed + counted.failed, updated_at = now()
    from counted where import_batches.id = counted.batch_id and import_batches.id = any(${sql.param(batchIds)}::bigint[])`;

/** The open rows of deleted contacts, and of contacts that an order not to mail has reached meanwhile, are closed before anything is sent. */
export async function closeSuppressed(db: DbHandle, page: Handled, contactIds: number[]): Promise<void> {
  await db.execute(sql`
    with standing as (
      select id, status, deleted_at, (select reason from suppressions where suppressions.email_hash = contacts.email_hash) ordered
      from contacts where id = any(${sql.param(contactIds)}::bigint[])),
    ${closeRows(
      page,
      contactIds,
      sql`select id contact_id, 'suppressed' fate, case when deleted_at is not null then 'deleted' else coalesce(ordered, status) end reason
          from standing where deleted_at is not null or ordered is not null or status in ('bounced', 'unsubscribed', 'blacklisted')`,
    )}`);
}

/** Puts rows off: until `retry_at`, or to the hourly sweep when their waits are used up. */
export async function deferContacts(
  db: DbHandle,
  page: Handled,
  deferral: { contactIds: number[]; waitsMs: number[]; reason: string; notBefore?: Date },
): Promise<void> {
  if (deferral.contactIds.length === 0) return;
  await db.execute(sql`
    update batch_rows set fate_reason = ${deferral.reason}, deferrals = batch_rows.deferrals + 1,
      retry_at = coalesce(greatest(${page.now.toISOString()}::timestamptz + make_interval(secs => (${sql.param(deferral.waitsMs)}::float8[])[batch_rows.deferrals + 1] / 1000),
        ${deferral.notBefore?.toISOString() ?? null}::timestamptz), ${leftToSweep}::timestamptz)
    where ${isOpen(page, deferral.contactIds)}`);
}

/** Instances that routed, due contacts of the page are waiting for. */
export async function findTargets(db: DbHandle, page: Handled): Promise<{ instance_id: string; contact_ids: number[] }[]> {
  const ids = await findOpenContacts(db, page);
  const found = await db.execute<{ instance_id: string; contact_ids: number[] }>(sql`
    select contacts.mailwizz_instance instance_id, array_agg(contacts.id order by contacts.id) contact_ids
    from ${contactsOf(ids)} contacts where contacts.status in ('validated', 'injected') and contacts.mailwizz_list_id is not null group by contacts.mailwizz_instance order by 1`);
  return found.rows;
}
