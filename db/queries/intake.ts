import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Pool, PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { uploadLostMs } from '../../src/domain/batch';

/** A row as JSON text, as it was delivered; with a reason when the door itself rejects it. */
export type NewRow = string | { payload: string; reason: string };

export type NewBatch = {
  batchId: string;
  sourceId: string;
  sourceConfig: Record<string, unknown> | undefined;
  callerKeyId: string;
  idempotencyKey: string | undefined;
  bodyHash: string | undefined;
  /** In delivery order. */
  rows: NewRow[];
  /** True when somebody starts the workflow at once: the relay then leaves it alone for a while. */
  inline: boolean;
};

export type StoredBatch =
  | { state: 'stored'; id: number }
  | { state: 'no_source' }
  | { state: 'inactive' }
  | { state: 'replayed'; batchId: string; received: number; bodyHash: string | null; uploading: boolean }
  /** The upload that had this key was given up in the moment we looked, or had been lost and is given up now: the key may be used again. */
  | { state: 'key_freed' };

/** The relay looks after a batch that its caller was to start only after this time. */
const inlineGraceSeconds = 10;

/** So few rows travel in the statement itself: one way there and back instead of four. */
const rowsInStatement = 200;

/** Batches, rows and outbox of many callers in one transaction: when it returns, they are on disk. Refused ones leave no trace. */
export async function storeBatches(pool: Pool, batches: NewBatch[]): Promise<StoredBatch[]> {
  const rows = batches.reduce((sum, batch) => sum + batch.rows.length, 0);
  const outcomes = await (rows <= rowsInStatement ? insertBatches(pool, batches, 'received') : inTransaction(pool, (client) => insertAndCopy(client, batches)));
  const known = batches.filter((batch) => outcomes.get(batch.batchId) === 'known');
  const replays = await findReplays(pool, known);
  return batches.map((batch): StoredBatch => {
    const outcome = outcomes.get(batch.batchId) ?? 'no_source';
    if (outcome === 'known') return toReplayed(replays.get(replayKey(batch.callerKeyId, batch.idempotencyKey ?? '')));
    return typeof outcome === 'string' ? { state: outcome } : { state: 'stored', ...outcome };
  });
}

async function insertAndCopy(client: PoolClient, batches: NewBatch[]): Promise<Map<string, Inserted>> {
  const outcomes = await insertBatches(client, batches.map((batch) => ({ ...batch, rows: [], received: batch.rows.length })), 'received');
  const pieces = batches.flatMap(({ batchId, rows }) => {
    const outcome = outcomes.get(batchId);
    return typeof outcome === 'object' ? [{ id: outcome.id, firstRow: 1, rows }] : [];
  });
  if (pieces.length > 0) await copyRows(client, pieces);
  return outcomes;
}

const replayKey = (keyId: string, key: string) => `${keyId} ${key}`;

/** Opens a batch whose rows follow in pieces; without outbox until it is finished. */
export async function openUpload(pool: Pool, batch: NewBatch): Promise<StoredBatch> {
  const outcome = (await insertBatches(pool, [batch], 'uploading')).get(batch.batchId) ?? 'no_source';
  if (outcome === 'known') return toReplayed([...(await findReplays(pool, [batch])).values()][0]);
  return typeof outcome === 'string' ? { state: outcome } : { state: 'stored', ...outcome };
}

/** Says that an upload lives, however slowly its pieces fill. */
export async function touchUpload(pool: Pool, id: number): Promise<void> {
  await pool.query(`update import_batches set updated_at = now() where id = $1 and state = 'uploading'`, [id]);
}

/** False when the upload was given up meanwhile; nothing is stored then. */
export async function appendRows(pool: Pool, piece: { id: number; firstRow: number; rows: NewRow[] }): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    const open = await client.query(`update import_batches set updated_at = now() where id = $1 and state = 'uploading'`, [piece.id]);
    if (open.rowCount !== 1) return false;
    await copyRows(client, [piece]);
    return true;
  });
}

/** From here on the upload is accepted: its rows are counted and its workflow is in the outbox. False when it was given up before. */
export async function finishUpload(pool: Pool, upload: { id: number; received: number; rejected: number; bodyHash: string | undefined; inline: boolean }): Promise<boolean> {
  const queued = await pool.query(
    `with done as (
       update import_batches set state = 'received', received = $2, rejected = $3, body_hash = $4, updated_at = now() where id = $1 and state = 'uploading' returning id)
     insert into outbox (batch_id, available_at) select id, now() + make_interval(secs => $5) from done`,
    [upload.id, upload.received, upload.rejected, upload.bodyHash ?? null, upload.inline ? inlineGraceSeconds : 0],
  );
  return queued.rowCount === 1;
}

/** An upload that broke off was never accepted; its idempotency key is free again. */
export async function failUpload(pool: Pool, id: number): Promise<void> {
  await pool.query(
    `update import_batches set state = 'failed', error = 'upload_ended_early', idempotency_key = null, completed_at = now(), updated_at = now() where id = $1 and state = 'uploading'`,
    [id],
  );
}

/** `known`: its idempotency key is taken. */
type Inserted = { id: number } | 'no_source' | 'inactive' | 'known';

/** One statement: batches whose source may deliver, with the rows they carry and their place in the outbox. */
async function insertBatches(client: Pool | PoolClient, batches: (NewBatch & { received?: number })[], state: 'received' | 'uploading'): Promise<Map<string, Inserted>> {
  const input = batches.map((batch) => ({
    batch_id: batch.batchId,
    source_id: batch.sourceId,
    source_config: batch.sourceConfig ?? null,
    caller_key_id: batch.callerKeyId,
    idempotency_key: batch.idempotencyKey ?? null,
    body_hash: batch.bodyHash ?? null,
    received: batch.received ?? batch.rows.length,
    wait: batch.inline ? inlineGraceSeconds : 0,
    rows: batch.rows,
  }));
  const { rows } = await client.query<{ batch_id: string; is_active: boolean | null; id: number | null }>(
    `with input as (
       select x.*, sources.is_active from json_to_recordset($1) as x(batch_id text, source_id text, source_config jsonb, caller_key_id text, idempotency_key text, body_hash text, received int, wait int, rows json)
         left join data_sources sources on sources.source_id = x.source_id),
     stored as (
       insert into import_batches (batch_id, source_id, source_config, caller_key_id, idempotency_key, body_hash, received, state)
       select batch_id, source_id, source_config, caller_key_id, idempotency_key, body_hash, received, $2 from input where is_active order by caller_key_id, idempotency_key, batch_id
       on conflict do nothing returning id, batch_id),
     queued as (
       insert into outbox (batch_id, available_at)
       select stored.id, now() + make_interval(secs => input.wait) from stored join input using (batch_id) where $2 = 'received'),
     carried as (
       insert into batch_rows (batch_id, row_number, received_at, payload)
       select stored.id, place, $3::timestamptz, payload from stored join input using (batch_id), json_array_elements_text(input.rows) with ordinality as carried(payload, place))
     select input.batch_id, is_active, stored.id from input left join stored using (batch_id)`,
    [JSON.stringify(input), state, new Date().toISOString()],
  );
  return new Map(rows.map((row) => [row.batch_id, row.is_active === null ? 'no_source' : !row.is_active ? 'inactive' : row.id === null ? 'known' : { id: row.id }]));
}

type Replay = { caller_key_id: string; idempotency_key: string; batch_id: string; body_hash: string | null; received: number; uploading: boolean };

const toReplayed = (earlier: Replay | undefined): StoredBatch =>
  earlier ? { state: 'replayed', batchId: earlier.batch_id, received: earlier.received, bodyHash: earlier.body_hash, uploading: earlier.uploading } : { state: 'key_freed' };

/** Who holds the keys of these batches. An upload whose process was lost holds none: it is failed on the way, for otherwise nobody could repeat it before the next sweep. */
async function findReplays(client: Pool | PoolClient, batches: NewBatch[]): Promise<Map<string, Replay>> {
  if (batches.length === 0) return new Map();
  const { rows } = await client.query<Replay>(
    `with holders as (
       select id, caller_key_id, idempotency_key, batch_id, body_hash, received, state = 'uploading' uploading, state = 'uploading' and updated_at < now() - make_interval(secs => $3) lost
       from import_batches where (caller_key_id, idempotency_key) in (select * from unnest($1::text[], $2::text[]))),
     given_up as (
       select id from import_batches where id in (select id from holders where lost) and state = 'uploading' and updated_at < now() - make_interval(secs => $3) order by id for update),
     failed as (
       update import_batches set state = 'failed', error = 'upload_ended_early', idempotency_key = null, completed_at = now(), updated_at = now()
       from given_up where import_batches.id = given_up.id)
     select caller_key_id, idempotency_key, batch_id, body_hash, received, uploading from holders where not lost`,
    [batches.map((batch) => batch.callerKeyId), batches.map((batch) => batch.idempotencyKey ?? ''), uploadLostMs / 1_000],
  );
  return new Map(rows.map((row) => [replayKey(row.caller_key_id, row.idempotency_key), row]));
}

const needsEscape = /[\\\t\r\n\u0000]/;
const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\r': '\\r', '\n': '\\n', '\u0000': '\\\\u0000' };
const escapeRow = (row: string) => (needsEscape.test(row) ? row.replace(/[\\\t\r\n\u0000]/g, (character) => escapes[character] ?? '') : row);

/** COPY, because it is the fastest way in. The pool's `query_timeout` holds for it too. */
async function copyRows(client: PoolClient, pieces: { id: number; firstRow: number; rows: NewRow[] }[]): Promise<void> {
  const receivedAt = new Date().toISOString();
  const lines = pieces.map(({ id, firstRow, rows }) => rows.map((row, index) => `${id}\t${firstRow + index}\t${receivedAt}\t${toCells(row)}\n`).join(''));
  await pipeline(Readable.from(lines), client.query(copyFrom('copy batch_rows (batch_id, row_number, received_at, payload, outcome, field, reason) from stdin')));
}

const toCells = (row: NewRow) => (typeof row === 'string' ? `${escapeRow(row)}\t\\N\t\\N\t\\N` : `${escapeRow(row.payload)}\trejected\t\t${row.reason}`);

/** What fails gives its connection up, and Postgres rolls back by itself: to ask a silent one for it would be one more wait to its limit. */
async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let committed = false;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    committed = true;
    return result;
  } finally {
    client.release(!committed);
  }
}
