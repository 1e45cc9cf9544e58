import { count, eq, sql } from 'drizzle-orm';
import type { Db, DbHandle, Tx } from '../client';
import { mailwizzInstances } from '../schema';
import { raiseAlert } from './alerts';

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
/** The zone of the times that it reports without one; UTC where nobody knows the instance. */
export async function findEventZone(db: DbHandle, instanceId: string): Promise<string> {
  const [found] = await db.select({ zone: mailwizzInstances.eventZone }).from(mailwizzInstances).where(eq(mailwizzInstances.instanceId, instanceId)).limit(1);
  return found?.zone ?? 'UTC';
}

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

export type InstanceState = { instance_id: string; list_mapping: Record<string, number>; ready: boolean };

/** `ready`: active and not parked. */
export async function listInstanceStates(db: DbHandle): Promise<InstanceState[]> {
  const found = await db.execute<InstanceState>(
    sql`select instance_id, list_mapping, is_active and parked_at is null ready from mailwizz_instances order by instance_id limit 1000`,
  );
  return found.rows;
}

export type InstanceRecord = {
  instance_id: string;
  api_url: string;
  api_key: string;
  mysql_enabled: boolean;
  mysql_host: string | null;
  mysql_port: number;
  mysql_database: string | null;
  mysql_user: string | null;
  mysql_password: string | null;
  mysql_table_prefix: string;
  allow_private_network: boolean;
  rest_until_ms: number | null;
  parked: boolean;
};

/** The instance as stored: its secrets are sealed. */
export async function findInstanceRecord(db: DbHandle, instanceId: string): Promise<InstanceRecord | undefined> {
  const found = await db.execute<InstanceRecord>(sql`
    select instance_id, api_url, api_key, mysql_enabled, mysql_host, mysql_port, mysql_database, mysql_user, mysql_password, mysql_table_prefix, allow_private_network,
      (extract(epoch from rest_until) * 1000)::bigint rest_until_ms, parked_at is not null parked
    from mailwizz_instances where instance_id = ${instanceId}`);
  return found.rows[0];
}

export async function listInstanceLists(db: DbHandle, instanceId: string): Promise<{ listId: number; listUid: string; fields: string[] }[]> {
  const found = await db.execute<{ listId: number; listUid: string; fields: string[] }>(sql`
    select list_id "listId", list_uid "listUid", fields from mailwizz_lists where instance_id = ${instanceId} order by list_id limit 10000`);
  return found.rows;
}

export async function recordLists(
  db: DbHandle,
  instanceId: string,
  lists: { listId: number; listUid: string; name: string; fields: string[]; subscribers?: number | undefined }[],
): Promise<void> {
  const input = lists.map((list) => ({ list_id: list.listId, list_uid: list.listUid, name: list.name, fields: list.fields, subscribers: list.subscribers ?? null }));
  await db.execute(sql`
    with input as (select * from json_to_recordset(${JSON.stringify(input)}::json) as x(list_id int, list_uid text, name text, fields jsonb, subscribers int)),
    stored as (
      insert into mailwizz_lists (instance_id, list_id, list_uid, name, fields, subscribers)
      select ${instanceId}, list_id, list_uid, name, array(select jsonb_array_elements_text(fields)), subscribers from input order by list_id
      on conflict (instance_id, list_id) do update set list_uid = excluded.list_uid, name = excluded.name, fields = excluded.fields,
        subscribers = coalesce(excluded.subscribers, mailwizz_lists.subscribers), updated_at = now())
    update mailwizz_instances set last_sync_at = now() where instance_id = ${instanceId}`);
}

/** The instance asked to be left alone until then; every worker reads it. An earlier end does not shorten a later one. */
export async function recordRest(db: DbHandle, { instanceId, untilMs }: { instanceId: string; untilMs: number }): Promise<void> {
  await db.execute(sql`update mailwizz_instances set rest_until = greatest(rest_until, to_timestamp(${untilMs / 1000})) where instance_id = ${instanceId}`);
}

/** The instance denies us: nobody asks it again until its key is replaced. One alert, however many calls were denied; true when this call parked it. */
export async function parkInstance(db: Db, { instanceId, reason }: { instanceId: string; reason: string }): Promise<boolean> {
  return db.transaction(async (tx) => {
    const parked = await tx.execute(sql`
      update mailwizz_instances set parked_at = now(), last_error = ${reason}, updated_at = now()
      where instance_id = ${instanceId} and parked_at is null`);
    if (parked.rowCount !== 1) return false;
    await raiseAlert(tx, { kind: 'instance_parked', subject: instanceId, message: `MailWizz instance ${instanceId} refuses our key (401 or 403). Its contacts wait; PATCH its api_key to go on.` });
    return true;
  });
}
