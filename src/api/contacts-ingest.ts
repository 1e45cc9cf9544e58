import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import express, { type Request, type Response, Router } from 'express';
import { maxRowBytes } from '../domain/batch';
import { EngineError } from '../domain/errors';
import { ingestAnswer } from '../schemas/answers';
import { findPoison } from '../schemas/poison';
import { deliveryHeaders, ingestRequest, streamQuery } from '../schemas/requests';
import { sliceContacts } from '../schemas/row-texts';
import { callerOf, type Principal } from './auth';
import { largestBody } from './body-room';
import { httpError } from './errors';
import type { Accepted, Intake } from './intake-types';
import { readPieces } from './pieces';
import { type Operation, refuse, requireType } from './operations';

const configLimit = 16_384;
const rowLimit = 1_000_000;
const streamLimit = 4 * 1024 ** 3;
const streamsAtOnce = 32;
const lingerMs = 10_000;

export const ingestOperation: Operation = {
  method: 'post',
  path: '/contacts/ingest',
  tag: 'contacts',
  summary: 'Deliver contacts',
  description:
    'JSON with up to 10,000 contacts and 16 MB, or application/x-ndjson with one contact a line and ?source_id= for up to 1,000,000 and 4 GB, in UTF-8 and without Content-Encoding. A wrong envelope refuses the request; ' +
    'a wrong row is rejected alone and kept with its reason. 202 means committed. The counts are there when the ingest step ends within a short wait.',
  who: 'source',
  query: streamQuery.partial(),
  headers: deliveryHeaders,
  body: ingestRequest,
  answer: { status: 202, text: 'Committed; Location names the batch.', schema: ingestAnswer },
  errors: [401, 403, 409, 413, 415, 422, 503],
};

/** The busiest route: a JSON body is hashed, read once and handed on row by row as text; NDJSON is never whole in memory. */
export function createIngestRoute(intake: Intake): Router {
  const routes = Router();
  let streams = 0;
  routes.post('/contacts/ingest', (req, res, next) => (req.is('application/x-ndjson') ? ingestStream(req, res).catch(next) : next()));
  routes.post('/contacts/ingest', requireType('application/json', 'application/x-ndjson'), express.raw({ type: 'application/json', limit: largestBody }), async (req, res) => {
    const body: unknown = req.body;
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    const text = toText(bytes);
    const parsed = parseJson(text);
    const request = ingestRequest.parse(parsed);
    refuseConfig(parsed, request.source_config);
    const caller = callerOf(res);
    allowSource(caller, request.source_id);
    const { key: idempotencyKey, wait } = readHeaders(req);
    const accepted = await intake.accept({
      caller,
      sourceId: request.source_id,
      sourceConfig: request.source_config,
      idempotencyKey,
      bodyHash: idempotencyKey === undefined ? undefined : createHash('sha256').update(bytes).digest('hex'),
      rows: sliceContacts(text).map(cutRow),
      wait,
    });
    answer(res, accepted);
  });
  return routes;

  async function ingestStream(req: Request, res: Response): Promise<void> {
    if (!/^(identity)?$/i.test(req.get('content-encoding') ?? '')) throw httpError(415, 'Send application/x-ndjson as it is, without Content-Encoding.');
    if (streams >= streamsAtOnce) throw new EngineError('rateLimited', 'too many uploads', { retryAfterMs: 5_000, publicMessage: `${streamsAtOnce} uploads are under way.` });
    streams += 1;
    try {
      answer(res, await storeStream(req, callerOf(res)));
    } finally {
      streams -= 1;
    }
  }

  async function storeStream(req: Request, caller: Principal): Promise<Accepted> {
    const { source_id: sourceId } = streamQuery.parse(req.query);
    allowSource(caller, sourceId);
    const { key: idempotencyKey, wait } = readHeaders(req);
    // For another source the same lines are another delivery.
    const hash = createHash('sha256').update(`${sourceId}\n`);
    let bytes = 0;
    const stream = await intake.openStream({ caller, sourceId, idempotencyKey });
    try {
      let received = 0;
      for await (const rows of readPieces(req.iterator({ destroyOnReturn: false }), count)) {
        received += rows.length;
        if (received > rowLimit) throw httpError(413, `One upload holds at most ${rowLimit} rows.`);
        await stream.append(rows);
      }
      if (received === 0) throw new EngineError('invalid', 'no rows', { publicMessage: 'The upload holds no contact.' });
      return await stream.finish({ bodyHash: idempotencyKey === undefined ? undefined : hash.digest('hex'), wait });
    } catch (error) {
      await stream.abort().catch(() => undefined); // the hourly sweep ends what we cannot
      letFinish(req);
      throw error;
    }

    function count(part: Buffer): void {
      bytes += part.length;
      if (bytes > streamLimit) throw httpError(413, 'One upload holds at most 4 GB.');
      if (idempotencyKey !== undefined) hash.update(part);
    }
  }
}

/** A sender that still sends would not read our refusal, and would see its connection break instead. */
function letFinish(req: Request): void {
  const limit = setTimeout(() => req.destroy(), lingerMs).unref();
  req.once('close', () => clearTimeout(limit)).resume();
}

/** What is cut here is more than a row may hold: it is kept by its beginning and rejected as too large. */
const cutRow = (row: string) => (row.length > maxRowBytes ? row.slice(0, maxRowBytes + 1).toWellFormed() : row);

function answer(res: Response, { batchId, received, counts, replayed }: Accepted): void {
  if (replayed) res.set('Idempotency-Replayed', 'true');
  res
    .status(202)
    .location(`/api/v1/batches/${batchId}`)
    .json({ batch_id: batchId, received, ...(counts && { accepted: counts.accepted, duplicates: counts.duplicates, rejected: counts.rejected }) });
}

/** Bytes that are no UTF-8 would be stored as something else without a word. */
function toText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new EngineError('invalid', 'not utf-8', { publicMessage: 'The body is not valid UTF-8.', fields: [{ field: '', reason: 'not_utf8', message: 'is not valid UTF-8' }] });
  return bytes.toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    throw httpError(400, 'The body is not valid JSON.');
  }
}

/** All of the envelope is judged, also keys that the schema leaves out; the rows are judged one by one, later. */
function refuseConfig(parsed: unknown, config: Record<string, unknown> | undefined): void {
  const envelope = Object.entries(parsed ?? {}).filter(([key]) => key !== 'contacts');
  refuse(findPoison(Object.fromEntries(envelope)));
  if (JSON.stringify(config ?? {}).length <= configLimit) return;
  throw new EngineError('invalid', 'source_config', { publicMessage: 'source_config is too large.', fields: [{ field: 'source_config', reason: 'too_large', message: 'holds at most 16 KB' }] });
}

function allowSource(caller: Principal, sourceId: string): void {
  if (caller.kind === 'source' && caller.sourceId !== sourceId) throw new EngineError('forbidden', 'other source', { publicMessage: `This key is for source ${caller.sourceId}.` });
}

function readHeaders(req: Request): { key: string | undefined; wait: boolean } {
  const { 'Idempotency-Key': key, Prefer: prefer } = deliveryHeaders.parse({ 'Idempotency-Key': req.get('idempotency-key'), Prefer: req.get('prefer') });
  return { key, wait: !/respond-async/.test(prefer ?? '') };
}
