import { and, desc, eq, getTableColumns, isNull, lt, sql } from 'drizzle-orm';
import type { ContactStatus } from '../../src/domain/contact';
import type { DbHandle } from '../client';
import { contactEvents, contacts, importBatches, injections, suppressions } from '../schema';

export type Contact = typeof contacts.$inferSelect;
export type ContactFilter = {
  sourceId?: string | undefined;
  status?: ContactStatus | undefined;
  category?: string | undefined;
  instanceId?: string | undefined;
  batchId?: string | undefined;
  q?: string | undefined;
};

/** Counting stops here: the total of a longer list is given as this many. */
export const countedAtMost = 100_000;

const toCondition = (filter: ContactFilter) => {
  const pattern = filter.q === undefined ? undefined : `%${filter.q.replace(/[\\%_]/g, '\\$&')}%`;
  return and(
    isNull(contacts.deletedAt),
    filter.sourceId === undefined ? undefined : eq(contacts.sourceId, filter.sourceId),
    filter.status === undefined ? undefined : eq(contacts.status, filter.status),
    filter.category === undefined ? undefined : eq(contacts.category, filter.category),
    filter.instanceId === undefined ? undefined : eq(contacts.mailwizzInstance, filter.instanceId),
    filter.batchId === undefined ? undefined : eq(contacts.importBatchId, filter.batchId),
    pattern === undefined ? undefined : sql`(${contacts.email} ilike ${pattern} or ${contacts.company} ilike ${pattern} or concat_ws(' ', ${contacts.firstName}, ${contacts.lastName}) ilike ${pattern})`,
  );
};

/** Newest first; `beforeId` reads deep lists without counting past what was read. */
export async function listContacts(db: DbHandle, filter: ContactFilter & { page: number; limit: number; beforeId?: number | undefined }): Promise<{ items: Contact[]; total: number }> {
  const where = toCondition(filter);
  const items = await db
    .select()
    .from(contacts)
    .where(filter.beforeId === undefined ? where : and(where, lt(contacts.id, filter.beforeId)))
    .orderBy(desc(contacts.id))
    .limit(filter.limit)
    .offset(filter.beforeId === undefined ? (filter.page - 1) * filter.limit : 0);
  const counted = await db.execute<{ total: number }>(sql`select count(*) total from (select 1 from ${contacts} where ${where} limit ${countedAtMost}) counted`);
  return { items, total: counted.rows[0]?.total ?? 0 };
}

export async function findContact(db: DbHandle, id: number): Promise<Contact | undefined> {
  const [found] = await db.select().from(contacts).where(eq(contacts.id, id)).limit(1);
  return found;
}

export type Sighting = { batch_id: string; source_id: string; row_number: number; outcome: string; received_at: string; source_config: Record<string, unknown> | null };

/** All that answers "why is this address in that list, and who gave it to us". */
export async function findHistory(db: DbHandle, contact: { id: number; emailHash: string }) {
  const events = await db.select().from(contactEvents).where(eq(contactEvents.contactId, contact.id)).orderBy(desc(contactEvents.timestamp), desc(contactEvents.id)).limit(100);
  const sightings = await db.execute<Sighting>(sql`
    select batches.batch_id, batches.source_id, rows.row_number, rows.outcome, to_char(rows.received_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') received_at, batches.source_config
    from batch_rows rows join import_batches batches on batches.id = rows.batch_id where rows.contact_id = ${contact.id} order by rows.received_at desc limit 100`);
  const placed = await db
    .select({ ...getTableColumns(injections), batchId: importBatches.batchId })
    .from(injections)
    .leftJoin(importBatches, eq(importBatches.id, injections.batchId))
    .where(eq(injections.contactId, contact.id))
    .orderBy(injections.id)
    .limit(100);
  const [suppression] = await db.select().from(suppressions).where(eq(suppressions.emailHash, contact.emailHash)).limit(1);
  return { events, sightings: sightings.rows, injections: placed, suppression };
}

export async function updateContact(db: DbHandle, id: number, changes: Partial<typeof contacts.$inferInsert>): Promise<Contact | undefined> {
  const [updated] = await db
    .update(contacts)
    .set({ ...changes, updatedAt: new Date() })
    .where(and(eq(contacts.id, id), isNull(contacts.deletedAt)))
    .returning();
  return updated;
}
