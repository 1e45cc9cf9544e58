import { asc, count, eq, sql } from 'drizzle-orm';
import type { DbHandle, Tx } from '../client';
import { categoryRules, mailwizzInstances, routingRules } from '../schema';

export type Instance = typeof mailwizzInstances.$inferSelect;

export async function listInstances(db: DbHandle, { page, limit }: { page: number; limit: number }): Promise<{ items: Instance[]; total: number }> {
  const items = await db.select().from(mailwizzInstances).orderBy(mailwizzInstances.id).limit(limit).offset((page - 1) * limit);
  const [row] = await db.select({ total: count() }).from(mailwizzInstances);
  return { items, total: row?.total ?? 0 };
}

export async function findInstance(db: DbHandle, instanceId: string): Promise<Instance | undefined> {
  const [found] = await db.select().from(mailwizzInstances).where(eq(mailwizzInstances.instanceId, instanceId)).limit(1);
  return found;
}

/** False when the id is taken. */
export async function insertInstance(db: DbHandle, instance: typeof mailwizzInstances.$inferInsert): Promise<boolean> {
  const made = await db.insert(mailwizzInstances).values(instance).onConflictDoNothing().returning({ id: mailwizzInstances.id });
  return made.length === 1;
}

export async function updateInstance(db: DbHandle, instanceId: string, changes: Partial<typeof mailwizzInstances.$inferInsert>): Promise<Instance | undefined> {
  const [updated] = await db
    .update(mailwizzInstances)
    .set({ ...changes, updatedAt: new Date() })
    .where(eq(mailwizzInstances.instanceId, instanceId))
    .returning();
  return updated;
}

export type ListRow = { list_id: number; list_uid: string; name: string; fields: string[]; subscribers: number | null; read_at: string; injected_api: number; injected_mysql: number; pending: number; unknown: number };

/** The lists of an instance with what our ledger says about each. */
export async function listLists(db: DbHandle, instanceId: string): Promise<ListRow[]> {
  const found = await db.execute<ListRow>(sql`
    select lists.list_id, lists.list_uid, lists.name, lists.fields, lists.subscribers, to_char(lists.updated_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') read_at, count(*) filter (where state = 'injected' and method = 'api') injected_api,
      count(*) filter (where state = 'injected' and method = 'mysql') injected_mysql, count(*) filter (where state in ('pending', 'sending')) pending,
      count(*) filter (where state = 'unknown') unknown
    from mailwizz_lists lists left join injections on injections.instance_id = lists.instance_id and injections.list_id = lists.list_id
    where lists.instance_id = ${instanceId} group by lists.list_id, lists.list_uid, lists.name, lists.fields, lists.subscribers, lists.updated_at order by lists.list_id limit 10000`);
  return found.rows;
}

export type NamedList = { list_id: number; list_uid: string; name: string; fields: string[] };

/** Lists as an operator names them; those that are not named stay. A uid is one list's: its row under another number goes. */
export async function replaceLists(tx: Tx, instanceId: string, lists: NamedList[]): Promise<void> {
  await tx.execute(sql`select from mailwizz_instances where instance_id = ${instanceId} for no key update`); // two at once would meet in the uids
  const named = sql`select * from json_to_recordset(${JSON.stringify(lists)}::json) as x(list_id int, list_uid text, name text, fields jsonb)`;
  await tx.execute(sql`
    with named as (${named})
    delete from mailwizz_lists using named where instance_id = ${instanceId} and mailwizz_lists.list_uid = named.list_uid and mailwizz_lists.list_id <> named.list_id`);
  await tx.execute(sql`
    with named as (${named})
    insert into mailwizz_lists (instance_id, list_id, list_uid, name, fields)
    select ${instanceId}, list_id, list_uid, name, array(select jsonb_array_elements_text(fields)) from named order by list_id
    on conflict (instance_id, list_id) do update set list_uid = excluded.list_uid, name = excluded.name, fields = excluded.fields, updated_at = now()`);
}

export const listRoutingRules = (db: DbHandle) => db.select().from(routingRules).orderBy(asc(routingRules.position), asc(routingRules.id)).limit(10_000);
export const listAllCategoryRules = (db: DbHandle) => db.select().from(categoryRules).orderBy(asc(categoryRules.position), asc(categoryRules.id)).limit(10_000);
