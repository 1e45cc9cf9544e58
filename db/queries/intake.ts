import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Pool, PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

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
  /** The upload that had this key was given up in the moment we looked: the key may be used again. */
  | { state: 'key_freed' };

/** The relay looks after a batch that its caller was to start only after this time. */
const inlineGraceSeconds = 10;

/** Batches, rows and outbox of many callers in one transaction: when it returns, they are on disk. Refused ones leave no trace. */
export async function storeBatches(pool: Pool, batches: NewBatch[]): Promise<StoredBatch[]> {
  return inTransaction(pool, async (client) => {
    const sources = await client.query<{ source_id: string; is_active: boolean }>(
      'select source_id, is_active from data_sources where source_id = any($1)',
      [[...new Set(batches.map((batch) => batch.sourceId))]],
    );
    const active = new Map(sources.rows.map((row) => [row.source_id, row.is_active]));
    const allowed = batches.filter((batch) => active.get(batch.sourceId) === true);
    const ids = allowed.length === 0 ? new Map<string, number>() : await insertBatches(client, allowed, 'received');
    const stored = allowed.flatMap((batch) => ({ id: ids.get(batch.batchId), rows: batch.rows })).filter(hasId);
    if (stored.length > 0) await copyRows(client, stored.map(({ id, rows }) => ({ id, firstRow: 1, rows })));
    const replays = await findReplays(client, allowed.filter((batch) => !ids.has(batch.batchId)));
    return batches.map((batch): StoredBatch => {
      const isActive = active.get(batch.sourceId);
      if (isActive === undefined) return { state: 'no_source' };
      if (!isActive) return { state: 'inactive' };
      const id = ids.get(batch.batchId);
      return id === undefined ? toReplayed(replays.get(replayKey(batch.callerKeyId, batch.idempotencyKey ?? ''))) : { state: 'stored', id };
    });
  });
}

const hasId = (batch: { id: number | undefined; rows: NewRow[] }): batch is { id: number; rows: NewRow[] } => batch.id !== undefined;
const replayKey = (keyId: string, key: string) => `${keyId} ${key}`;

/** Opens a batch whose rows follow in pieces; without outbox until it is finished. */
export async function openUpload(pool: Pool, batch: NewBatch): Promise<StoredBatch> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ is_active: boolean }>('select is_active from data_sources where source_id = $1', [batch.sourceId]);
    if (rows[0] === undefined) return { state: 'no_source' };
    if (!rows[0].is_active) return { state: 'inactive' };
    const id = (await insertBatches(client, [batch], 'uploading')).get(batch.batchId);
    if (id !== undefined) return { state: 'stored', id };
    return toReplayed([...(await findReplays(client, [batch])).values()][0]);
  });
}

/** False when the upload was given up meanwhile; nothing is stored then. An upload that moves is never stale: each piece says so. */
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

async function insertBatches(client: PoolClient, batches: NewBatch[], state: 'received' | 'uploading'): Promise<Map<string, number>> {
  const input = batches.map((batch) => ({
    batch_id: batch.batchId,
    source_id: batch.sourceId,
    source_config: batch.sourceConfig ?? null,
    caller_key_id: batch.callerKeyId,
    idempotency_key: batch.idempotencyKey ?? null,
    body_hash: batch.bodyHash ?? null,
    received: batch.rows.length,
    wait: batch.inline ? inlineGraceSeconds : 0,
  }));
  const { rows } = await client.query<{ id: number; batch_id: string }>(
    `with input as (select * from json_to_recordset($1) as x(batch_id text, source_id text, source_config jsonb, caller_key_id text, idempotency_key text, body_hash text, received int, wait int)),
     stored as (
       insert into import_batches (batch_id, source_id, source_config, caller_key_id, idempotency_key, body_hash, received, state)
       select batch_id, source_id, source_config, caller_key_id, idempotency_key, body_hash, received, $2 from input order by caller_key_id, idempotency_key, batch_id
       on conflict do nothing returning id, batch_id),
     queued as (
       insert into outbox (batch_id, available_at)
       select stored.id, now() + make_interval(secs => input.wait) from stored join input using (batch_id) where $2 = 'received')
     select id, batch_id from stored`,
    [JSON.stringify(input), state],
  );
  return new Map(rows.map((row) => [row.batch_id, row.id]));
}

type Replay = { caller_key_id: string; idempotency_key: string; batch_id: string; body_hash: string | null; received: number; uploading: boolean };

const toReplayed = (earlier: Replay | undefined): StoredBatch =>
  earlier ? { state: 'replayed', batchId: earlier.batch_id, received: earlier.received, bodyHash: earlier.body_hash, uploading: earlier.uploading } : { state: 'key_freed' };

async function findReplays(client: PoolClient, batches: NewBatch[]): Promise<Map<string, Replay>> {
  if (batches.length === 0) return new Map();
  const { rows } = await client.query<Replay>(
    `select caller_key_id, idempotency_key, batch_id, body_hash, received, state = 'uploading' uploading from import_batches
     where (caller_key_id, idempotency_key) in (select * from unnest($1::text[], $2::text[]))`,
    [batches.map((batch) => batch.callerKeyId), batches.map((batch) => batch.idempotencyKey ?? '')],
  );
  return new Map(rows.map((row) => [replayKey(row.caller_key_id, row.idempotency_key), row]));
}

const needsEscape = /[\\\t\r\n\u0000]/;
const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\r': '\\r', '\n': '\\n', '\u0000': '\\\\u0000' };
const escapeRow = (row: string) => (needsEscape.test(row) ? row.replace(/[\\\t\r\n\u0000]/g, (character) => escapes[character] ?? '') : row);

/** COPY, because it is the fastest way in. */
async function copyRows(client: PoolClient, pieces: { id: number; firstRow: number; rows: NewRow[] }[]): Promise<void> {
  const receivedAt = new Date().toISOString();
  const lines = pieces.map(({ id, firstRow, rows }) => rows.map((row, index) => `${id}\t${firstRow + index}\t${receivedAt}\t${toCells(row)}\n`).join(''));
  await pipeline(Readable.from(lines), client.query(copyFrom('copy batch_rows (batch_id, row_number, received_at, payload, outcome, field, reason) from stdin')));
}

const toCells = (row: NewRow) => (typeof row === 'string' ? `${escapeRow(row)}\t\\N\t\\N\t\\N` : `${escapeRow(row.payload)}\trejected\t\t${row.reason}`);

async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
