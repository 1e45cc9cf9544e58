import { sql } from 'drizzle-orm';
import type { DbHandle } from '../client';

export type ContactStanding = { status: string; deleted: boolean; suppressed: boolean; batchId: number | null };

/** Where a contact stands; an open row that waits becomes due at once. Undefined when there is no such contact. */
export async function reopenContactRow(db: DbHandle, contactId: number): Promise<ContactStanding | undefined> {
  const found = await db.execute<ContactStanding>(sql`
    with due as (
      update batch_rows set retry_at = null, deferrals = 0 where contact_id = ${contactId} and outcome = 'accepted' and fate is null)
    select status, deleted_at is not null deleted,
      status in ('bounced', 'unsubscribed', 'blacklisted') or exists (select from suppressions where suppressions.email_hash = contacts.email_hash) suppressed,
      (select batch_id from batch_rows where contact_id = contacts.id and outcome = 'accepted' limit 1) "batchId"
    from contacts where id = ${contactId}`);
  return found.rows[0];
}
