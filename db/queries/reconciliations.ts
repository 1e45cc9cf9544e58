import { and, desc, eq, sql } from 'drizzle-orm';
import { quietPeriodMs } from '../../src/domain/injection';
import type { Db, DbHandle, DbReader } from '../client';
import { raiseAlert, resolveAlert } from './alerts';
import { reconciliations } from '../schema';

export type Reconciliation = typeof reconciliations.$inferSelect;

/** Opens a comparison for every list of an instance; one that a crash left open is taken up where it was. */
export async function openReconciliations(db: DbHandle, { instanceId, now }: { instanceId: string; now: Date }): Promise<number[]> {
  const opened = await db.execute<{ id: number }>(sql`
    with open as (select id, list_id from reconciliations where instance_id = ${instanceId} and finished_at is null),
    made as (
      insert into reconciliations (instance_id, list_id, started_at)
      select instance_id, list_id, ${now.toISOString()} from mailwizz_lists lists
      where instance_id = ${instanceId} and not exists (select from open where open.list_id = lists.list_id) order by list_id returning id)
    select id from open union all select id from made order by id`);
  return opened.rows.map((row) => row.id);
}

export async function getReconciliation(db: DbReader, id: number): Promise<Reconciliation> {
  const [found] = await db.select().from(reconciliations).where(eq(reconciliations.id, id)).limit(1);
  if (!found) throw new Error(`reconciliation ${id} is gone`);
  return found;
}

/** A subscriber as MailWizz has it, under the hash of its address. `doubled`: the list holds the address more than once, under uids of their own. */
export type SeenSubscriber = { email_hash: string; uid: string; status: string; doubled: boolean };
export type SeenPage = { comparison: Reconciliation; seen: SeenSubscriber[]; unreadable: number; next: string; now: Date };

/**
 * Compares one page of a list with the ledger. What is certain is repaired: an open entry that is there is injected, a changed uid is taken over, a
 * person who left there is suppressed. All or nothing, and once: a page that was recorded before changes nothing.
 */
export async function recordSeenPage(db: Db, { comparison, seen, unreadable, next, now }: SeenPage): Promise<void> {
  const { id, instanceId, listId, startedAt } = comparison;
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.execute(sql`
      update reconciliations set cursor = ${next} where id = ${id} and finished_at is null and cursor is not distinct from ${comparison.cursor}`);
    if (rowCount !== 1) return;
    const quiet = new Date(now.getTime() - quietPeriodMs).toISOString();
    await tx.execute(sql`
      with input as (select * from json_to_recordset(${JSON.stringify(seen)}::json) as x(email_hash text, uid text, status text, doubled boolean)),
      known as (
        select contacts.id contact_id, contacts.email, contacts.email_hash, contacts.status contact_status, input.uid, input.status,
          input.status in ('unsubscribed', 'blacklisted') left_there, placed.id injection_id, placed.state, placed.subscriber_uid, placed.seen_at, placed.claimed_at, input.doubled again,
          coalesce(placed.seen_at = ${startedAt.toISOString()}::timestamptz, false) seen_before
        from input join contacts on contacts.email_hash = input.email_hash
          left join injections placed on placed.contact_id = contacts.id and placed.instance_id = ${instanceId} and placed.list_id = ${listId}
        where contacts.email_hash = any(${sql.param(seen.map((subscriber) => subscriber.email_hash))}::text[])),
      found as (
        select *, state in ('pending', 'unknown') or (state = 'sending' and claimed_at < ${quiet}::timestamptz) was_open from known),
      ledger as (
        update injections set seen_at = ${startedAt.toISOString()}, updated_at = now(), subscriber_uid = case when found.again then injections.subscriber_uid else found.uid end,
          state = case when not found.was_open then injections.state when found.status = 'confirmed' then 'injected' else 'rejected' end,
          reason = case when found.was_open and found.left_there then found.status when found.was_open and found.status <> 'confirmed' then 'subscriber_' || found.status when found.was_open then 'found_there' when injections.subscriber_uid <> found.uid and not found.again then 'uid_changed' else injections.reason end
        from found where injections.id = found.injection_id and injections.state <> 'rejected'),
      placed as (
        update contacts set status = 'injected', status_changed_at = now(), injected_at = coalesce(contacts.injected_at, now()),
          mailwizz_subscriber_uid = found.uid, updated_at = now()
        from found where contacts.id = found.contact_id and found.was_open and found.status = 'confirmed' and contacts.status = 'validated'
          and contacts.mailwizz_instance = ${instanceId} and contacts.mailwizz_list_id = ${listId}),
      stopped as (
        update contacts set status = found.status, status_changed_at = now(), updated_at = now()
        from found where contacts.id = found.contact_id and found.left_there and contacts.status not in ('bounced', 'unsubscribed', 'blacklisted')
        returning contacts.id, contacts.email, contacts.email_hash, contacts.status),
      ordered as (
        insert into suppressions (email_hash, reason, origin) select email_hash, status, ${`mailwizz:${instanceId}`}::text from stopped order by email_hash on conflict do nothing),
      told as (
        insert into contact_events (contact_id, email, event_type, event_data, source)
        select id, email, status, jsonb_build_object('instance_id', ${instanceId}::text, 'list_id', ${listId}::int), 'reconciliation' from stopped
        union all
        select contact_id, email, 'injected', jsonb_build_object('instance_id', ${instanceId}::text, 'list_id', ${listId}::int, 'reason', 'found_there'), 'reconciliation' from found where was_open and status = 'confirmed'),
      figures as (
        -- A row that slid into the next page while the list grew is one row.
        select count(*) filter (where injection_id is not null and (again or not seen_before)) matched, count(*) filter (where seen_before and not again) repeated,
          count(*) filter (where was_open) settled, count(*) filter (where again) doubled, count(*) filter (where state = 'injected' and subscriber_uid <> uid and not again) uids from found)
      update reconciliations set subscribers = subscribers + ${seen.length + unreadable} - figures.repeated, matched = reconciliations.matched + figures.matched,
        foreign_subscribers = foreign_subscribers + ${seen.length + unreadable} - figures.repeated - figures.matched, settled = reconciliations.settled + figures.settled,
        uids_repaired = uids_repaired + figures.uids, suppressed = suppressed + (select count(*) from stopped), doubled = reconciliations.doubled + figures.doubled
      from figures where reconciliations.id = ${id}`);
  });
}

/** Uids under which this comparison has already seen these addresses, on earlier pages. */
export async function findSeenUids(db: DbHandle, { comparison, hashes }: { comparison: Reconciliation; hashes: string[] }): Promise<Map<string, string>> {
  const found = await db.execute<{ email_hash: string; uid: string }>(sql`
    select contacts.email_hash, injections.subscriber_uid uid from contacts join injections on injections.contact_id = contacts.id
    where contacts.email_hash = any(${sql.param(hashes)}::text[]) and injections.instance_id = ${comparison.instanceId} and injections.list_id = ${comparison.listId}
      and injections.seen_at = ${comparison.startedAt.toISOString()}::timestamptz and injections.subscriber_uid is not null`);
  return new Map(found.rows.map((row) => [row.email_hash, row.uid]));
}

/** Injected, surely before the comparison began (no call of ours was still on its way), and not seen by it. */
const isMissing = (comparison: Pick<Reconciliation, 'instanceId' | 'listId' | 'startedAt'>) => sql`
  instance_id = ${comparison.instanceId} and list_id = ${comparison.listId} and state = 'injected'
    and coalesce(claimed_at, injections.created_at) < ${new Date(comparison.startedAt.getTime() - quietPeriodMs).toISOString()}::timestamptz
    and (seen_at is null or seen_at < ${comparison.startedAt.toISOString()}::timestamptz)`;

/** Counts what is missing there, closes the comparison, and raises or resolves the alert of the list. */
export async function finishReconciliation(db: Db, id: number): Promise<Reconciliation> {
  return db.transaction(async (tx) => {
    const open = await getReconciliation(tx, id);
    const missing = await tx.execute<{ n: number }>(sql`select count(*) n from injections where ${isMissing(open)}`);
    await tx.execute(sql`update reconciliations set finished_at = coalesce(finished_at, now()), missing = ${missing.rows[0]?.n ?? 0} where id = ${id} and finished_at is null`);
    const closed = await getReconciliation(tx, id);
    const about = { kind: 'list_differs', subject: `${closed.instanceId}/${closed.listId}` } as const;
    if (closed.missing + closed.doubled === 0) await resolveAlert(tx, about);
    else await raiseAlert(tx, { ...about, message: `List ${closed.listId} of ${closed.instanceId}: ${closed.missing} contacts that we injected are not there, ${closed.doubled} addresses are there more than once.` });
    return closed;
  });
}

/** The newest comparisons of an instance, or of one list. */
export async function listReconciliations(db: DbReader, filter: { instanceId: string; listId?: number | undefined; limit: number }): Promise<Reconciliation[]> {
  return db
    .select()
    .from(reconciliations)
    .where(and(eq(reconciliations.instanceId, filter.instanceId), filter.listId === undefined ? undefined : eq(reconciliations.listId, filter.listId)))
    .orderBy(desc(reconciliations.id))
    .limit(filter.limit);
}

/** Contacts that our ledger has in a list and the last finished comparison did not find there, in order of id. */
export async function listMissing(db: DbHandle, page: { comparison: Reconciliation; afterId: number; limit: number }): Promise<{ contact_id: number; subscriber_uid: string | null }[]> {
  const found = await db.execute<{ contact_id: number; subscriber_uid: string | null }>(sql`
    select contact_id, subscriber_uid from injections where ${isMissing(page.comparison)} and contact_id > ${page.afterId} order by contact_id limit ${page.limit}`);
  return found.rows;
}

/** The same with their addresses, to be looked up before anybody is alerted. */
export async function findMissing(db: DbHandle, page: { comparison: Reconciliation; afterId: number; limit: number }): Promise<{ contact_id: number; email: string; uid: string | null }[]> {
  const found = await db.execute<{ contact_id: number; email: string; uid: string | null }>(sql`
    select contact_id, contacts.email, subscriber_uid uid from injections join contacts on contacts.id = contact_id
    where ${isMissing(page.comparison)} and contact_id > ${page.afterId} order by contact_id limit ${page.limit}`);
  return found.rows;
}

/** Entries that have been `unknown` for longer than this, per instance: a person should look. */
export async function alertLastingUnknowns(db: Db, olderThanMs: number): Promise<void> {
  const found = await db.execute<{ instance_id: string; n: number }>(sql`
    select instances.instance_id, count(injections.id) n
    from mailwizz_instances instances left join injections on injections.instance_id = instances.instance_id and injections.state = 'unknown'
      and injections.claimed_at < now() - make_interval(secs => ${olderThanMs / 1000})
    group by instances.instance_id`);
  for (const { instance_id: subject, n } of found.rows) {
    const about = { kind: 'injection_unknown', subject } as const;
    if (n === 0) await resolveAlert(db, about);
    else await raiseAlert(db, { ...about, message: `${n} contacts of ${subject} were sent and never answered; neither API nor MySQL can tell whether they are there.` });
  }
}
