import { once } from 'node:events';
import type { Response } from 'express';
import { type Batch, type BatchRow, findBatch, listBatches, listRows, type RowFilter } from '../../db/queries/batch-reads';
import type { DbReader } from '../../db/client';
import { waitingOf } from '../domain/batch';
import { EngineError } from '../domain/errors';
import { batchAnswer, listAnswer, rowsAnswer } from '../schemas/answers';
import { batchFilter, rowFilter } from '../schemas/requests';
import type { Principal } from './auth';
import { toCsvLine } from './csv';
import { pageAnswer, serve, textParam } from './operations';

const tag = 'batches';
/** Rows of up to 64 KB each. */
const csvPage = 200;

export function createBatchRoutes({ db, temporalUi }: { db: DbReader; temporalUi: { url: string | undefined; namespace: string } }) {
  return [
    serve({ method: 'get', path: '/batches', tag, who: 'source', summary: 'List batches, newest first', query: batchFilter, answer: { status: 200, text: 'A page of batches; a source sees its own', schema: listAnswer } }, async (req, res, caller) => {
      const filter = batchFilter.parse(req.query);
      const sourceId = caller.kind === 'source' ? caller.sourceId : filter.source_id;
      const { items, total } = await listBatches(db, { sourceId, state: filter.state, page: filter.page, limit: filter.limit });
      res.json(pageAnswer(items.map(toBatch), total, filter));
    }),

    serve({ method: 'get', path: '/batches/{batch_id}', tag, who: 'source', summary: 'One batch: state, counts, times, run', answer: { status: 200, text: 'The batch', schema: batchAnswer }, errors: [404] }, async (req, res, caller) => {
      res.json(toBatch(await get(textParam(req, 'batch_id'), caller)));
    }),

    serve(
      {
        method: 'get', path: '/batches/{batch_id}/rows', tag, who: 'source', summary: 'Every row of a batch with outcome and reason', query: rowFilter,
        description: 'In delivery order; `after` is the last row number read, `next` the one to send. As CSV with Accept: text/csv or format=csv, whole.',
        answer: { status: 200, text: 'Rows', schema: rowsAnswer }, errors: [404],
      },
      async (req, res, caller) => {
        const filter = rowFilter.parse(req.query);
        const batch = await get(textParam(req, 'batch_id'), caller);
        if (filter.format === 'csv' || (filter.format === undefined && req.accepts(['json', 'text/csv']) === 'text/csv')) return sendCsv(res, batch, filter);
        const rows = await listRows(db, { id: batch.id, outcome: filter.outcome, fate: filter.fate, afterRow: filter.after, limit: filter.limit });
        res.json({ items: rows.map(toRow), next: rows.length === filter.limit ? (rows.at(-1)?.rowNumber ?? null) : null });
      },
    ),
  ];

  /** Another source's batch is as absent as one that never was. */
  async function get(batchId: string, caller: Principal): Promise<Batch> {
    const batch = await findBatch(db, batchId);
    if (!batch || (caller.kind === 'source' && batch.sourceId !== caller.sourceId)) throw new EngineError('notFound', 'no batch', { publicMessage: `There is no batch ${batchId}.` });
    return batch;
  }

  async function sendCsv(res: Response, batch: Batch, filter: RowFilter): Promise<void> {
    res.type('text/csv').set('Content-Disposition', `attachment; filename="${batch.batchId}.csv"`).write(toCsvLine(columns));
    for (let afterRow = 0; ; ) {
      const rows = await listRows(db, { ...filter, id: batch.id, afterRow, limit: csvPage });
      const text = rows
        .map((row) => toCsvLine([row.rowNumber, row.outcome, row.reason, row.field, row.contactId, row.fate, row.fateReason, toRetryAt(row)?.toISOString() ?? null, row.payload]))
        .join('');
      if (text !== '' && !res.write(text)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
      const last = rows.at(-1);
      if (!last || rows.length < csvPage || res.destroyed) break;
      afterRow = last.rowNumber;
    }
    res.end();
  }

  function toBatch(batch: Batch) {
    const { received, accepted, duplicates, rejected, injected, invalid, suppressed, unroutable, failed } = batch;
    const run = temporalUi.url === undefined || batch.workflowId === null ? null : `${temporalUi.url}/namespaces/${temporalUi.namespace}/workflows/${encodeURIComponent(batch.workflowId)}`;
    return {
      batch_id: batch.batchId,
      source_id: batch.sourceId,
      state: batch.state,
      error: batch.error,
      received, accepted, duplicates, rejected, injected, invalid, suppressed, unroutable, failed,
      waiting: waitingOf(batch),
      created_at: batch.createdAt,
      ingested_at: batch.ingestedAt,
      completed_at: batch.completedAt,
      run,
      rows: `/api/v1/batches/${batch.batchId}/rows`,
    };
  }
}

const columns = ['row', 'outcome', 'reason', 'field', 'contact_id', 'fate', 'fate_reason', 'retry_at', 'payload'];

/** A wait without end is the hourly sweep's. */
const toRetryAt = ({ retryAt }: BatchRow) => (retryAt !== null && Number.isFinite(retryAt.getTime()) ? retryAt : null);

const toRow = (row: BatchRow) => ({
  row: row.rowNumber,
  outcome: row.outcome,
  reason: row.reason,
  field: row.field,
  contact_id: row.contactId,
  fate: row.fate,
  fate_reason: row.fateReason,
  retry_at: toRetryAt(row),
  payload: parsePayload(row.payload),
});

/** The row as it was delivered; text that is not JSON is shown as text. */
function parsePayload(payload: string): unknown {
  try {
    const value: unknown = JSON.parse(payload);
    return value;
  } catch {
    return payload;
  }
}
