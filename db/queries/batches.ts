import { sql } from 'drizzle-orm';
import { batchesPerRun, leftToSweep, rowsPerSharedRun } from '../../src/domain/batch';
import type { Db, DbHandle } from '../client';
import { bytesAtOnce, type RowKey } from './ingest';
import { rawBytes, type ToEnrich } from './pages';

/** The first run that opens a batch owns it until the run is over or lost; answers the batches that this one owns. */
export async function recordRunStart(db: DbHandle, run: { batchIds: number[]; workflowId: string }): Promise<number[]> {
  const owned = await db.execute<{ id: number }>(sql`
    with gone as (delete from outbox where batch_id = any(${sql.param(run.batchIds)}))
    update import_batches set workflow_id = ${run.workflowId}, state = 'running', completed_at = null, error = null, updated_at = now()
    where id = any(${sql.param(run.batchIds)}) and state in ('received', 'running', 'completed') and (workflow_id is null or workflow_id = ${run.workflowId} or state = 'completed')
    returning id`);
  return owned.rows.map((row) => row.id).sort((a, b) => a - b);
}

export async function recordIngested(db: DbHandle, batchIds: number[]): Promise<void> {
  await db.execute(sql`update import_batches set ingested_at = coalesce(ingested_at, now()), updated_at = now() where id = any(${sql.param(batchIds)})`);
}

/** Ends of the next pages of open rows, in order of contact id. `dueOnly` passes over rows that wait. */
export async function findPageEnds(
  db: DbHandle,
  range: { batchIds: number[]; afterContactId: number; pageSize: number; pages: number; now: Date },
): Promise<number[]> {
  const found = await db.execute<{ contact_id: number }>(sql`
    with open as (
      select contact_id, row_number() over (order by contact_id) place from batch_rows
      where batch_id = any(${sql.param(range.batchIds)}) and outcome = 'accepted' and fate is null and contact_id > ${range.afterContactId}
        and (retry_at is null or retry_at <= ${range.now.toISOString()})
      order by contact_id limit ${range.pageSize * range.pages})
    select contact_id from open where place % ${range.pageSize} = 0 or place = (select max(place) from open) order by contact_id`);
  return found.rows.map((row) => row.contact_id);
}

/** When the next waiting row of the run is due; undefined when nothing waits for this run any more. */
export async function findNextDue(db: DbHandle, batchIds: number[]): Promise<{ dueAtMs: number; waiting: number } | undefined> {
  const found = await db.execute<{ due_at_ms: number | null; waiting: number }>(sql`
    select (extract(epoch from coalesce(min(coalesce(retry_at, now())), now())) * 1000)::bigint due_at_ms, count(*) waiting from batch_rows
    where batch_id = any(${sql.param(batchIds)}) and outcome = 'accepted' and fate is null and coalesce(retry_at, now()) < ${leftToSweep}::timestamptz`);
  const row = found.rows[0];
  return row === undefined || row.waiting === 0 || row.due_at_ms === null ? undefined : { dueAtMs: row.due_at_ms, waiting: row.waiting };
}

/** Closes the batches of a run and brings the sources' own figures up to date. Safe to repeat. */
export async function closeBatches(db: Db, batchIds: number[]): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.execute(sql`
      update import_batches set state = 'completed', completed_at = coalesce(completed_at, now()), restarts = 0, updated_at = now()
      where id = any(${sql.param(batchIds)}) and state in ('received', 'running')`);
    await addToSourceTotals(tx, batchIds);
  });
}

/** What these batches have that their sources have not counted yet, added (specification 3.1, denormalised). Safe to repeat: what is counted is noted. */
async function addToSourceTotals(tx: DbHandle, batchIds: number[]): Promise<void> {
  await tx.execute(sql`
    select from data_sources where source_id in (select source_id from import_batches where id = any(${sql.param(batchIds)})) order by source_id for no key update`);
  await tx.execute(sql`
    with open as (
      select id, source_id, created_at, received - counted_received received, accepted - invalid - counted_validated validated, injected - counted_injected injected
      from import_batches where id = any(${sql.param(batchIds)})),
    noted as (
      update import_batches set counted_received = import_batches.received, counted_validated = import_batches.accepted - import_batches.invalid, counted_injected = import_batches.injected
      from open where import_batches.id = open.id and import_batches.id = any(${sql.param(batchIds)})),
    sums as (select source_id, sum(received) received, sum(validated) validated, sum(injected) injected, max(created_at) last_at from open group by source_id)
    update data_sources set total_contacts_received = total_contacts_received + sums.received, total_contacts_validated = total_contacts_validated + sums.validated,
      total_contacts_injected = total_contacts_injected + sums.injected, last_sync_at = greatest(last_sync_at, sums.last_at), updated_at = now()
    from sums where data_sources.source_id = sums.source_id`);
}

/** The hourly repair: every source's totals anew from its batches. The door stays open meanwhile: only writers of totals wait. */
export async function refreshSourceTotals(db: Db): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.execute(sql`select from data_sources order by source_id for no key update`);
    await tx.execute(sql`
      update import_batches set counted_received = received, counted_validated = accepted - invalid, counted_injected = injected
      where state <> 'uploading' and (counted_received, counted_validated, counted_injected) is distinct from (received, accepted - invalid, injected)`);
    await tx.execute(sql`
      with sums as (
        select source_id, sum(counted_received) received, sum(counted_validated) validated, sum(counted_injected) injected, max(created_at) last_at
        from import_batches where state <> 'uploading' group by source_id)
      update data_sources set total_contacts_received = sums.received, total_contacts_validated = sums.validated, total_contacts_injected = sums.injected,
        last_sync_at = sums.last_at, updated_at = now()
      from sums where data_sources.source_id = sums.source_id
        and (total_contacts_received, total_contacts_validated, total_contacts_injected, last_sync_at) is distinct from (sums.received, sums.validated, sums.injected, sums.last_at)`);
  });
}

export type WaitingRun = { batchIds: number[]; firstBatchId: string; sourceId: string; received: number };

/**
 * Takes batches out of the queue for `holdMs`: a starter that dies gives them back by itself. Small batches of one source share a run.
 */
export async function claimWaitingRuns(db: Db, claim: { limit: number; holdMs: number }): Promise<WaitingRun[]> {
  const found = await db.execute<{ id: number; batch_id: string; source_id: string; received: number }>(sql`
    with taken as (
      select batch_id from outbox where available_at <= now() order by available_at, batch_id limit ${claim.limit} for update skip locked),
    held as (
      update outbox set available_at = now() + make_interval(secs => ${claim.holdMs / 1000}) from taken where outbox.batch_id = taken.batch_id returning outbox.batch_id)
    select batches.id, batches.batch_id, batches.source_id, batches.received from held join import_batches batches on batches.id = held.batch_id order by batches.id`);
  const runs: WaitingRun[] = [];
  const openBySource = new Map<string, WaitingRun>();
  for (const batch of found.rows) {
    const open = openBySource.get(batch.source_id);
    if (open && open.batchIds.length < batchesPerRun && open.received + batch.received <= rowsPerSharedRun) {
      open.batchIds.push(batch.id);
      open.received += batch.received;
      continue;
    }
    const run = { batchIds: [batch.id], firstBatchId: batch.batch_id, sourceId: batch.source_id, received: batch.received };
    openBySource.set(batch.source_id, run);
    runs.push(run);
  }
  return runs;
}

export type OpenRun = { workflow_id: string | null; batch_ids: number[] };

/** Runs of batches that are not closed and not in the queue, oldest first: their workflows should be alive. */
export async function findOpenRuns(db: DbHandle, range: { olderThanMs: number; limit: number; afterBatchId: number }): Promise<OpenRun[]> {
  const found = await db.execute<OpenRun>(sql`
    with open as (
      select id, workflow_id from import_batches
      where state in ('received', 'running') and id > ${range.afterBatchId} and updated_at < now() - make_interval(secs => ${range.olderThanMs / 1000})
        and not exists (select from outbox where outbox.batch_id = import_batches.id)
      order by id limit ${range.limit})
    select workflow_id, array_agg(id order by id) batch_ids from open group by workflow_id, case when workflow_id is null then id end`);
  return found.rows;
}

/** Puts batches back into the queue; the relay starts them like new ones. */
export async function requeueBatches(db: DbHandle, batchIds: number[]): Promise<number> {
  const queued = await db.execute(sql`
    insert into outbox (batch_id) select unnest(${sql.param(batchIds)}::bigint[]) on conflict do nothing`);
  return queued.rowCount ?? 0;
}

/** As `requeueBatches`, for batches whose run is gone: at once the first time, then later and later, so that a run that cannot succeed does not spin. */
export async function requeueLostBatches(db: DbHandle, lost: { batchIds: number[]; error: string }): Promise<number> {
  const queued = await db.execute(sql`
    with again as (
      update import_batches set restarts = restarts + 1, error = ${lost.error}, workflow_id = null, updated_at = now()
      where id = any(${sql.param(lost.batchIds)}) and state in ('received', 'running') and not exists (select from outbox where outbox.batch_id = import_batches.id) returning id, restarts)
    insert into outbox (batch_id, available_at)
    select id, now() + case when restarts = 1 then interval '0' else least(interval '20 seconds' * power(2, least(restarts, 10) - 2), interval '10 minutes') end from again
    on conflict do nothing`);
  return queued.rowCount ?? 0;
}

export type LeftRows = { batchIds: number[]; last: RowKey | undefined };

/**
 * Rows that a finished run left behind (their waits were used up) become due again, a page in order of delivery; answers the batches they belong to.
 * Those of an instance that is not in service stay: nobody could take them.
 */
export async function reopenLeftRows(db: Db, sweep: { stage: 'validation' | 'injection'; after: RowKey; limit: number }): Promise<LeftRows> {
  const statuses = sweep.stage === 'validation' ? ['pending', 'validating'] : ['validated', 'injected'];
  const found = await db.execute<{ batch_id: number; row_number: number }>(sql`
    with left_rows as (
      select rows.batch_id, rows.row_number, rows.received_at from batch_rows rows
        join import_batches batches on batches.id = rows.batch_id join contacts on contacts.id = rows.contact_id
        left join mailwizz_instances instances on instances.instance_id = contacts.mailwizz_instance
      where rows.outcome = 'accepted' and rows.fate is null and (rows.batch_id, rows.row_number) > (${sweep.after.batchId}, ${sweep.after.row})
        and batches.state = 'completed' and contacts.status = any(${sql.param(statuses)}) and (instances.id is null or (instances.is_active and instances.parked_at is null))
      order by rows.batch_id, rows.row_number limit ${sweep.limit}),
    reopened as (
      update batch_rows set retry_at = null, deferrals = 0 from left_rows
      where batch_rows.batch_id = left_rows.batch_id and batch_rows.row_number = left_rows.row_number and batch_rows.received_at = left_rows.received_at)
    select batch_id, row_number from left_rows order by batch_id, row_number`);
  const last = found.rows.at(-1);
  return { batchIds: [...new Set(found.rows.map((row) => row.batch_id))], last: last && { batchId: last.batch_id, row: last.row_number } };
}

export type UnroutableContact = ToEnrich & { source_id: string | null };

/** Contacts whose row was closed because no rule could route them, in order of id, with what the rules look at; `throughId` ends when all were seen. */
export async function findUnroutableContacts(db: DbHandle, page: { afterId: number; limit: number }): Promise<{ contacts: UnroutableContact[]; throughId: number | undefined }> {
  const candidates = await db.execute<{ id: number }>(sql`
    select id from (
      select id, sum(bytes) over (order by id) - bytes before from (
        select id, ${rawBytes} bytes from contacts where id > ${page.afterId} and status = 'validated' and mailwizz_list_id is null and deleted_at is null order by id limit ${page.limit}) page) measured
    where before < ${bytesAtOnce} order by id`);
  const ids = candidates.rows.map((row) => row.id);
  const found = await db.execute<UnroutableContact>(sql`
    select id, source_id, category, tags, company, website, first_name, last_name, phone, country_code, language, case when category is null then raw_data end raw_data, email_validation_result ->> 'state' verdict
    from contacts where id = any(${sql.param(ids)}::bigint[])
      and exists (select from batch_rows where batch_rows.contact_id = contacts.id and batch_rows.contact_id = any(${sql.param(ids)}::bigint[]) and batch_rows.fate = 'unroutable')
    order by id`);
  return { contacts: found.rows, throughId: ids.at(-1) };
}

/** Uploads whose process went away without an end: never accepted, so nothing is lost. */
export async function failLostUploads(db: DbHandle, olderThanMs: number): Promise<number> {
  const failed = await db.execute(sql`
    update import_batches set state = 'failed', error = 'upload_ended_early', idempotency_key = null, completed_at = now(), updated_at = now()
    where state = 'uploading' and updated_at < now() - make_interval(secs => ${olderThanMs / 1000})`);
  return failed.rowCount ?? 0;
}

/** A key of a delivery may be used again after that: the next one with it is another delivery. */
export async function forgetKeys(db: DbHandle, olderThanMs: number): Promise<void> {
  await db.execute(sql`
    update import_batches set idempotency_key = null
    where idempotency_key is not null and state <> 'uploading' and created_at < now() - make_interval(secs => ${olderThanMs / 1000})`);
}

export async function makePartitions(db: DbHandle): Promise<void> {
  await db.execute(sql`select ensure_month_partitions(parent, now()::date, 3) from unnest(array['batch_rows', 'contact_events', 'webhook_quarantine']) parent`);
}

export async function findBatchForReplay(db: DbHandle, batchId: string): Promise<{ id: number; ingested: boolean } | undefined> {
  const found = await db.execute<{ id: number; ingested: boolean }>(
    sql`select id, ingested_at is not null ingested from import_batches where batch_id = ${batchId}`,
  );
  return found.rows[0];
}
