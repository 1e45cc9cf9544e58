import { sql } from 'drizzle-orm';
import type { RowFate } from '../../src/domain/batch';
import type { Db, DbHandle } from '../client';

export type ContactStanding = { status: string; deleted: boolean; suppressed: boolean; batchId: number | null };

/** Where a contact stands, and the batch that its accepted row belongs to. Undefined when there is no such contact. */
export async function findStanding(db: DbHandle, contactId: number): Promise<ContactStanding | undefined> {
  const found = await db.execute<ContactStanding>(sql`
    select status, deleted_at is not null deleted,
      status in ('bounced', 'unsubscribed', 'blacklisted') or exists (select from suppressions where suppressions.email_hash = contacts.email_hash) suppressed,
      (select batch_id from batch_rows where contact_id = contacts.id and outcome = 'accepted' limit 1) "batchId"
    from contacts where id = ${contactId}`);
  return found.rows[0];
}

/** An address that was judged invalid may be judged again: its row is open once more. Rows that wait become due. */
export async function reopenForVerification(db: Db, contactId: number): Promise<void> {
  await db.transaction(async (tx) => {
    await reopenRows(tx, [contactId], ['invalid']);
    await tx.execute(sql`update contacts set status = 'validating', status_changed_at = now(), updated_at = now() where id = ${contactId} and status = 'invalid'`);
  });
}

/** What could not be routed or was refused may be tried again: an operator has mended the cause. Rows that wait become due. */
export async function reopenForInjection(db: Db, contactId: number): Promise<void> {
  await db.transaction(async (tx) => {
    await reopenRows(tx, [contactId], ['unroutable', 'failed']);
    await tx.execute(sql`update injections set state = 'pending', reason = null, updated_at = now() where contact_id = ${contactId} and state = 'rejected'`);
  });
}

/** Opens rows that had one of these fates again and takes them out of their batches' figures, so that the sums go on adding up. */
export async function reopenRows(db: DbHandle, contactIds: number[], fates: RowFate[]): Promise<void> {
  await db.execute(sql`
    with found as (
      select batch_id, row_number, received_at, fate from batch_rows
      where contact_id = any(${sql.param(contactIds)}::bigint[]) and outcome = 'accepted' and (fate is null or fate = any(${sql.param(fates)})) order by batch_id, row_number for update),
    reopened as (
      update batch_rows set fate = null, fate_reason = null, retry_at = null, deferrals = 0 from found
      where batch_rows.batch_id = found.batch_id and batch_rows.row_number = found.row_number and batch_rows.received_at = found.received_at),
    counted as (
      select batch_id, count(*) filter (where fate = 'invalid') invalid, count(*) filter (where fate = 'unroutable') unroutable, count(*) filter (where fate = 'failed') failed
      from found group by batch_id)
    update import_batches set invalid = import_batches.invalid - counted.invalid, unroutable = import_batches.unroutable - counted.unroutable,
      failed = import_batches.failed - counted.failed, updated_at = now()
    from counted where import_batches.id = counted.batch_id and import_batches.id in (select batch_id from found)`);
}
