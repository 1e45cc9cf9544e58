import { sql } from 'drizzle-orm';
import type { InjectionOutcome, OutgoingContact } from '../../src/domain/injection';
import { quietPeriodMs, toBucket } from '../../src/domain/injection';
import type { Db, DbHandle } from '../client';
import { closeRows, closeSuppressed, contactsOf, findOpenContacts, type Handled, isOpen } from './pages';

/** `attempt` is the fencing token: what a slower, earlier attempt has to say about a contact counts for nothing. */
export type ClaimedContact = OutgoingContact & { listId: number; claimedAtMs: number; attempt: number };
export type Claim = {
  /** Ours to send: nobody has tried, or nothing can have happened. */
  fresh: ClaimedContact[];
  /** An earlier attempt was left open: to be looked up, never to be sent again blindly. */
  unsettled: ClaimedContact[];
  /** The last contact looked at; undefined when none was due. */
  throughContactId: number | undefined;
};

export type ClaimRow = {
  contact_id: number;
  list_id: number;
  state: string;
  attempt: number;
  claimed_at_ms: number;
  mine: boolean;
  email: string;
  email_hash: string;
  first_name: string | null;
  last_name: string | null;
  company: string | null;
  phone: string | null;
  website: string | null;
  source_id: string | null;
  category: string | null;
  tags: string[];
  country_code: string | null;
  language: string | null;
  score: number;
  sources: number[] | null;
};

/** Numbers of the sources that gave these contacts, in any sighting. By the ids of their batches: a join alone would read every batch there ever was. */
export const sourcesOf = (contactIds: ReturnType<typeof sql>) => sql`
  select seen.contact_id, array_agg(distinct given.id) sources from batch_rows seen
    join import_batches batches on batches.id = seen.batch_id
      and batches.id = any(array(select distinct batch_id from batch_rows where contact_id = any(${contactIds})))
    join data_sources given on given.source_id = batches.source_id
  where seen.contact_id = any(${contactIds}) group by seen.contact_id`;

/**
 * Takes the due contacts of a page for one instance. One transaction: an order not to mail is looked for and the ledger entry is taken, so nothing
 * slips in between. At most one caller gets a contact as `fresh`.
 */
export async function claimInjections(db: Db, claim: Handled & { instanceId: string; limit: number; afterId: number }): Promise<Claim> {
  return db.transaction(async (tx) => {
    // What a lot did not reach is looked for again by the next: at most a page of ids.
    const ids = (await findOpenContacts(tx, claim)).filter((id) => id > claim.afterId);
    await closeSuppressed(tx, claim, ids);
    const found = await tx.execute<ClaimRow>(sql`
      with due as (
        select contacts.*, contacts.mailwizz_list_id list_id
        from ${contactsOf(ids)} contacts where contacts.mailwizz_instance = ${claim.instanceId} and contacts.mailwizz_list_id is not null
          and contacts.status in ('validated', 'injected') and contacts.deleted_at is null
          -- What the look for orders has just closed, seen by this statement of the same transaction.
          and not exists (select from suppressions where suppressions.email_hash = contacts.email_hash)
        order by contacts.id limit ${claim.limit}),
      taken as (
        insert into injections (contact_id, instance_id, list_id, state, attempt, rule, claimed_at)
        select id, ${claim.instanceId}, list_id, 'sending', 1, routing_rule, ${claim.now.toISOString()} from due order by id
        on conflict (contact_id, instance_id, list_id) do update
          set state = 'sending', attempt = injections.attempt + 1, claimed_at = excluded.claimed_at, updated_at = now()
          where injections.state = 'pending'
        returning contact_id, list_id, state, attempt, claimed_at)
      select due.id contact_id, due.list_id, coalesce(taken.state, injections.state) state, coalesce(taken.attempt, injections.attempt) attempt, taken.contact_id is not null mine,
        (extract(epoch from coalesce(taken.claimed_at, injections.claimed_at, now())) * 1000)::bigint claimed_at_ms,
        email, email_hash, first_name, last_name, company, phone, website, source_id, category, tags, country_code, language, score, sighted.sources
      from due left join (${sourcesOf(sql`array(select id from due)`)}) sighted on sighted.contact_id = due.id
        left join taken on taken.contact_id = due.id
        left join injections on injections.contact_id = due.id and injections.contact_id = any(${sql.param(ids)}::bigint[]) and injections.instance_id = ${claim.instanceId} and injections.list_id = due.list_id
      order by due.id`);
    const rows = found.rows.map((row) => ({ ...toOutgoing(row), state: row.state, mine: row.mine }));
    await settleDone(tx, claim, rows.filter((row) => !row.mine && (row.state === 'injected' || row.state === 'rejected')));
    return {
      fresh: rows.filter((row) => row.mine),
      unsettled: rows.filter((row) => !row.mine && (row.state === 'sending' || row.state === 'unknown')),
      throughContactId: rows.at(-1)?.contactId,
    };
  });
}

export const toOutgoing = (row: ClaimRow): ClaimedContact => ({
  contactId: row.contact_id,
  listId: row.list_id,
  claimedAtMs: row.claimed_at_ms,
  attempt: row.attempt,
  email: row.email,
  firstName: row.first_name,
  lastName: row.last_name,
  company: row.company,
  phone: row.phone,
  website: row.website,
  sourceId: row.source_id,
  category: row.category,
  tags: row.tags,
  countryCode: row.country_code,
  language: row.language,
  bucket: toBucket(row.email_hash),
  sources: row.sources ?? [],
  score: row.score,
});

/**
 * Of contacts claimed a while ago, those that are still ours and may still be mailed; their claim counts from now on. So the time between a claim and
 * its call stays short, and an absent address surely was not sent once the quiet period is over.
 */
export async function renewClaims(db: Db, { instanceId, contacts, now }: { instanceId: string; contacts: ClaimedContact[]; now: Date }): Promise<ClaimedContact[]> {
  const ids = contacts.map((contact) => contact.contactId);
  const renewed = await db.execute<{ contact_id: number; list_id: number }>(sql`
    update injections set claimed_at = ${now.toISOString()} from json_to_recordset(${JSON.stringify(contacts.map(({ contactId, listId, attempt }) => ({ contact_id: contactId, list_id: listId, attempt })))}::json)
      as ours(contact_id bigint, list_id int, attempt int)
    where injections.contact_id = any(${sql.param(ids)}::bigint[]) and injections.contact_id = ours.contact_id
      and injections.instance_id = ${instanceId} and injections.list_id = ours.list_id and injections.state = 'sending' and injections.attempt = ours.attempt
      and not exists (select from contacts left join suppressions orders on orders.email_hash = contacts.email_hash
        where contacts.id = injections.contact_id and contacts.id = any(${sql.param(ids)}::bigint[]) and (contacts.deleted_at is not null or orders.email_hash is not null))
    returning injections.contact_id, injections.list_id`);
  const ours = new Set(renewed.rows.map((row) => `${row.contact_id}/${row.list_id}`));
  return contacts.filter((contact) => ours.has(`${contact.contactId}/${contact.listId}`)).map((contact) => ({ ...contact, claimedAtMs: now.getTime() }));
}

/** The ledger knows the end already (another batch, an operator): the row takes it over. */
async function settleDone(tx: DbHandle, page: Handled, rows: { contactId: number; state: string }[]): Promise<void> {
  if (rows.length === 0) return;
  const closing = rows.map((row) => ({ contact_id: row.contactId, fate: row.state === 'injected' ? 'injected' : 'failed', reason: 'settled_before' }));
  const ids = rows.map((row) => row.contactId);
  await tx.execute(sql`with ${closeRows(page, ids, sql`select * from json_to_recordset(${JSON.stringify(closing)}::json) as x(contact_id bigint, fate text, reason text)`)}`);
}

/**
 * Writes what became of claimed contacts into the ledger, the contact, its events and its row, all or nothing. Safe to repeat: an entry that has its
 * end already, or was claimed by a later attempt, is left alone. An address that a look-up did not find stays unknown while a request of ours may still be alive.
 */
export async function recordInjections(
  db: DbHandle,
  page: Handled & { instanceId: string; waitsMs: number[] },
  claimed: ClaimedContact[],
  outcomes: InjectionOutcome[],
  lookedUp: boolean,
): Promise<void> {
  if (claimed.length === 0) return;
  const byId = new Map(outcomes.map((outcome) => [outcome.contactId, outcome]));
  const input = claimed.map((contact) => {
    const outcome = byId.get(contact.contactId) ?? { contactId: contact.contactId, outcome: 'unknown' as const, reason: 'no_answer' };
    const tooEarly = lookedUp && outcome.outcome === 'pending' && contact.claimedAtMs + quietPeriodMs > page.now.getTime();
    const settled = tooEarly ? { ...outcome, outcome: 'unknown' as const } : outcome;
    return {
      contact_id: contact.contactId,
      list_id: contact.listId,
      attempt: contact.attempt,
      outcome: settled.outcome,
      reason: 'reason' in settled ? (settled.reason?.slice(0, 100) ?? null) : null,
      uid: settled.outcome === 'injected' ? settled.uid : null,
      method: settled.outcome === 'injected' ? settled.method : null,
      subscriber_id: settled.outcome === 'injected' ? (settled.subscriberId ?? null) : null,
      not_before: tooEarly ? new Date(contact.claimedAtMs + quietPeriodMs).toISOString() : null,
    };
  });
  const ids = claimed.map((contact) => contact.contactId);
  await db.execute(sql`
    with input as (
      select * from json_to_recordset(${JSON.stringify(input)}::json)
        as x(contact_id bigint, list_id int, attempt int, outcome text, reason text, uid text, method text, subscriber_id bigint, not_before timestamptz)),
    ledger as (
      update injections set
        state = case input.outcome when 'injected' then 'injected' when 'pending' then 'pending' when 'unknown' then 'unknown' else 'rejected' end,
        method = input.method, subscriber_uid = input.uid, reason = input.reason, updated_at = now()
      from input
      where injections.contact_id = any(${sql.param(ids)}::bigint[]) and injections.contact_id = input.contact_id and injections.instance_id = ${page.instanceId} and injections.list_id = input.list_id
        and injections.state in ('pending', 'sending', 'unknown') and injections.attempt = input.attempt
      returning input.*),
    moved as (
      update contacts set
        -- An order not to mail that came while the call was under way stays.
        status = case when ledger.reason in ('unsubscribed', 'blacklisted') and ledger.outcome = 'suppressed' then ledger.reason
          when ledger.outcome = 'injected' and ledger.is_primary and contacts.status = 'validated' then 'injected' else contacts.status end,
        status_changed_at = case when ledger.outcome = 'suppressed' or (ledger.outcome = 'injected' and ledger.is_primary) then now() else contacts.status_changed_at end,
        mailwizz_subscriber_uid = case when ledger.is_primary then coalesce(ledger.uid, contacts.mailwizz_subscriber_uid) else contacts.mailwizz_subscriber_uid end,
        injected_at = case when ledger.outcome = 'injected' and ledger.is_primary then coalesce(contacts.injected_at, now()) else contacts.injected_at end,
        injection_result = case when not ledger.is_primary then contacts.injection_result when ledger.outcome = 'injected'
          then jsonb_strip_nulls(jsonb_build_object('method', ledger.method, 'subscriber_uid', ledger.uid, 'subscriber_id', ledger.subscriber_id, 'status', 'success', 'reason', ledger.reason))
          else jsonb_build_object('status', ledger.outcome, 'reason', ledger.reason) end,
        updated_at = now()
      from (select ledger.*, coalesce(homes.mailwizz_instance = ${page.instanceId} and homes.mailwizz_list_id = ledger.list_id, false) is_primary from ledger join contacts homes on homes.id = ledger.contact_id and homes.id = any(${sql.param(ids)}::bigint[])) ledger
      where contacts.id = any(${sql.param(ids)}::bigint[]) and contacts.id = ledger.contact_id and ledger.outcome in ('injected', 'suppressed', 'rejected')
      returning contacts.id, contacts.email, contacts.email_hash, ledger.outcome, ledger.method, ledger.reason, ledger.list_id),
    told as (
      insert into contact_events (contact_id, email, event_type, event_data, source)
      select id, email, case outcome when 'injected' then outcome else reason end,
        jsonb_strip_nulls(jsonb_build_object('instance_id', ${page.instanceId}::text, 'list_id', list_id, 'method', method, 'reason', reason)), 'injection'
      from moved where outcome = 'injected' or (outcome = 'suppressed' and reason in ('unsubscribed', 'blacklisted'))),
    ordered as (
      insert into suppressions (email_hash, reason, origin)
      select email_hash, reason, ${`mailwizz:${page.instanceId}`}::text from moved where outcome = 'suppressed' and reason in ('unsubscribed', 'blacklisted')
      order by email_hash on conflict do nothing),
    deferred as (
      update batch_rows set fate_reason = ledger.reason, deferrals = batch_rows.deferrals + 1,
        retry_at = coalesce(greatest(${page.now.toISOString()}::timestamptz + make_interval(secs => (${sql.param(page.waitsMs)}::float8[])[batch_rows.deferrals + 1] / 1000),
          ledger.not_before), 'infinity'::timestamptz)
      from ledger where ledger.outcome in ('pending', 'unknown') and batch_rows.contact_id = ledger.contact_id and ${isOpen(page, ids)}),
    ${closeRows(
      page,
      ids,
      sql`select contact_id, case outcome when 'injected' then 'injected' when 'suppressed' then 'suppressed' else 'failed' end fate,
            case when outcome = 'injected' then method else reason end reason
          from ledger where outcome in ('injected', 'suppressed', 'rejected')`,
    )}`);
}
