import { sql } from 'drizzle-orm';
import type { InjectionOutcome } from '../../src/domain/injection';
import { quietPeriodMs } from '../../src/domain/injection';
import type { Db, DbHandle } from '../client';
import { fittingRows, type RowPage } from './ingest';
import { type ClaimedContact, type ClaimRow, recordInjections, sourcesOf, toOutgoing } from './injections';

export type SightingRow = {
  batch_id: number;
  row_number: number;
  payload: string;
  contact_id: number;
  source_id: string;
  /** What the contact itself is, for a row that says nothing. */
  category: string | null;
  /** Where the contact goes already. */
  instance_id: string | null;
  is_deleted: boolean;
};

/** Rows that repeated a known contact: their source may send the contact to another client. */
export async function findSightings(db: DbHandle, page: RowPage): Promise<SightingRow[]> {
  const found = await db.execute<SightingRow>(sql`
    with rows as materialized (select * from ${fittingRows(page, sql`= 'duplicate'`)} fitting)
    select rows.batch_id, rows.row_number, rows.payload, rows.contact_id, batches.source_id, contacts.category, contacts.mailwizz_instance instance_id, contacts.deleted_at is not null is_deleted
    from rows join import_batches batches on batches.id = rows.batch_id and batches.id = any(${sql.param(page.batchIds)})
      join contacts on contacts.id = rows.contact_id and contacts.id = any(array(select contact_id from rows))
    order by rows.batch_id, rows.row_number`);
  return found.rows;
}

export type Placement = { contact_id: number; instance_id: string; list_id: number; rule: string; batch_id: number };

/** Asks for a contact at one more client; one that has its place there keeps it. Safe to repeat. */
export async function insertPlacements(db: DbHandle, placements: Placement[]): Promise<void> {
  if (placements.length === 0) return;
  const first = new Map(placements.toReversed().map((placement) => [`${placement.contact_id}/${placement.instance_id}`, placement]));
  await db.execute(sql`
    with input as (select * from json_to_recordset(${JSON.stringify([...first.values()])}::json) as x(contact_id bigint, instance_id text, list_id int, rule text, batch_id bigint))
    insert into injections (contact_id, instance_id, list_id, rule, batch_id)
    select contact_id, instance_id, list_id, rule, batch_id from input
    where not exists (select from injections placed where placed.contact_id = input.contact_id and placed.instance_id = input.instance_id)
      and not exists (select from contacts where contacts.id = input.contact_id and contacts.mailwizz_instance = input.instance_id)
    order by contact_id, instance_id on conflict do nothing`);
}

/** Instances in service with placements that are not settled: those that these batches asked for, or, without batches, all that no run carries. */
export async function findPlacementInstances(db: DbHandle, batchIds: number[] | undefined): Promise<string[]> {
  const found = await db.execute<{ instance_id: string }>(sql`
    select instance_id from mailwizz_instances where is_active and parked_at is null
      and exists (select from injections where injections.instance_id = mailwizz_instances.instance_id and ${isLeft(batchIds)})
    order by instance_id`);
  return found.rows.map((row) => row.instance_id);
}

/** An accepted row that is still open carries its own placement; what is left here nobody carries. */
const isLeft = (batchIds: number[] | undefined) => sql`
  injections.state in ('pending', 'sending', 'unknown') and ${
    batchIds !== undefined
      ? sql`injections.batch_id = any(${sql.param(batchIds)})`
      : sql`not exists (select from batch_rows where batch_rows.contact_id = injections.contact_id and batch_rows.outcome = 'accepted' and batch_rows.fate is null)`
  }`;

export type PlacementClaim = { instanceId: string; batchIds: number[] | undefined; afterId: number; limit: number; now: Date };

/**
 * Takes unsettled placements of one instance. As for a page: the look for orders not to mail and the claim are one transaction, and at most one
 * caller gets a placement as `fresh`. What may not be mailed (any more) is closed; a contact that is not verified yet stays for a later call.
 */
export async function claimPlacements(db: Db, claim: PlacementClaim): Promise<{ fresh: ClaimedContact[]; unsettled: ClaimedContact[]; throughId: number | undefined }> {
  return db.transaction(async (tx) => {
    const locked = await tx.execute<{ id: number }>(sql`
      select id from injections where instance_id = ${claim.instanceId} and id > ${claim.afterId} and ${isLeft(claim.batchIds)} order by id limit ${claim.limit} for update skip locked`);
    const ids = locked.rows.map((row) => row.id);
    await tx.execute(sql`
      update injections set state = 'rejected', reason = case when contacts.deleted_at is not null then 'deleted' else coalesce(orders.reason, contacts.status) end, updated_at = now()
      from contacts left join suppressions orders on orders.email_hash = contacts.email_hash
      where injections.id = any(${sql.param(ids)}::bigint[]) and injections.state = 'pending' and contacts.id = injections.contact_id
        and (contacts.deleted_at is not null or orders.reason is not null or contacts.status in ('invalid', 'bounced', 'unsubscribed', 'blacklisted'))`);
    const members = await tx.execute<{ contact_id: number }>(sql`select contact_id from injections where id = any(${sql.param(ids)}::bigint[])`);
    const found = await tx.execute<ClaimRow>(sql`
      with taken as (
        update injections set state = 'sending', attempt = attempt + 1, claimed_at = ${claim.now.toISOString()}, updated_at = now()
        where id = any(${sql.param(ids)}::bigint[]) and state = 'pending'
          -- The look for orders once more: one may have come since the statement before.
          and exists (select from contacts where contacts.id = injections.contact_id and contacts.status in ('validated', 'injected') and contacts.deleted_at is null
            and not exists (select from suppressions where suppressions.email_hash = contacts.email_hash))
        returning id, attempt, claimed_at)
      select injections.contact_id, injections.list_id, case when taken.id is null then injections.state else 'sending' end state, coalesce(taken.attempt, injections.attempt) attempt, taken.id is not null mine,
        (extract(epoch from coalesce(taken.claimed_at, injections.claimed_at, now())) * 1000)::bigint claimed_at_ms,
        email, email_hash, first_name, last_name, company, phone, website, coalesce(batches.source_id, contacts.source_id) source_id, category, tags, country_code, language, score, sighted.sources
      from injections join contacts on contacts.id = injections.contact_id left join (${sourcesOf(sql`${sql.param(members.rows.map((row) => row.contact_id))}::bigint[]`)}) sighted on sighted.contact_id = contacts.id
        left join import_batches batches on batches.id = injections.batch_id and batches.id in (select batch_id from injections asked where asked.id = any(${sql.param(ids)}::bigint[])) left join taken on taken.id = injections.id
      where injections.id = any(${sql.param(ids)}::bigint[]) order by injections.id`);
    const quiet = claim.now.getTime() - quietPeriodMs;
    return {
      fresh: found.rows.filter((row) => row.mine).map(toOutgoing),
      unsettled: found.rows.filter((row) => !row.mine && (row.state === 'unknown' || (row.state === 'sending' && row.claimed_at_ms < quiet))).map(toOutgoing),
      throughId: ids.at(-1),
    };
  });
}

/** Writes what became of claimed placements. No row waits for them: what stays open is taken up by the hourly sweep. */
export function recordPlacements(db: DbHandle, claim: PlacementClaim, claimed: ClaimedContact[], outcomes: InjectionOutcome[], lookedUp: boolean): Promise<void> {
  const noRows = { batchIds: [], afterContactId: 0, throughContactId: 0, waitsMs: [] };
  return recordInjections(db, { ...noRows, now: claim.now, instanceId: claim.instanceId }, claimed, outcomes, lookedUp);
}
