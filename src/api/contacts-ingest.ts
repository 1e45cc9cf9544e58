import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import express, { type Request, type Response, Router } from 'express';
import { EngineError } from '../domain/errors';
import { ingestAnswer } from '../schemas/answers';
import { ingestRequest } from '../schemas/requests';
import { sliceContacts } from '../schemas/row-texts';
import { callerOf, type Principal } from './auth';
import type { Accepted, Intake } from './intake-types';
import { type Operation, requireJson } from './operations';

const bodyLimit = 16 << 20;
const streamedRows = 2_000;
/** A line longer than a row may be is cut here; its row is then rejected as too large. */
const lineLimit = 256 << 10;
const rowLimit = 1_000_000;

export const ingestOperation: Operation = {
  method: 'post',
  path: '/contacts/ingest',
  tag: 'contacts',
  summary: 'Deliver contacts',
  description:
    'JSON with up to 10,000 contacts and 16 MB, or application/x-ndjson with one contact a line and ?source_id= for up to 1,000,000. A wrong envelope refuses the request; a wrong row is rejected alone and kept with its reason. ' +
    '202 means committed. The counts are there when the ingest step ends within a short wait; send "Prefer: respond-async" not to wait. Idempotency-Key: the same body gets the same answer.',
  who: 'source',
  body: ingestRequest,
  answer: { status: 202, text: 'Committed; Location names the batch.', schema: ingestAnswer },
  errors: [401, 403, 409, 413, 415, 422, 503],
};

/** The busiest route: a JSON body is hashed, read once and handed on row by row as text; NDJSON is never whole in memory. */
export function createIngestRoute(intake: Intake): Router {
  const routes = Router();
  routes.post('/contacts/ingest', (req, res, next) => (req.is('application/x-ndjson') ? ingestStream(req, res).catch(next) : next()));
  routes.post('/contacts/ingest', requireJson, express.raw({ type: 'application/json', limit: bodyLimit }), async (req, res) => {
    const body: unknown = req.body;
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    const text = toText(bytes);
    const request = ingestRequest.parse(parseJson(text));
    const caller = callerOf(res);
    allowSource(caller, request.source_id);
    const idempotencyKey = keyOf(req);
    const accepted = await intake.accept({
      caller,
      sourceId: request.source_id,
      sourceConfig: cleanConfig(request.source_config),
      idempotencyKey,
      bodyHash: idempotencyKey === undefined ? undefined : createHash('sha256').update(bytes).digest('hex'),
      rows: sliceContacts(text),
      wait: !/respond-async/.test(req.get('prefer') ?? ''),
    });
    answer(res, accepted);
  });
  return routes;

  async function ingestStream(req: Request, res: Response): Promise<void> {
    const caller = callerOf(res);
    const sourceId = typeof req.query['source_id'] === 'string' ? req.query['source_id'] : '';
    if (sourceId === '') throw new EngineError('invalid', 'source', { publicMessage: 'Name the source: ?source_id=…', fields: [{ field: 'source_id', reason: 'missing', message: 'is missing' }] });
    allowSource(caller, sourceId);
    const upload = await intake.openStream({ caller, sourceId, idempotencyKey: keyOf(req) });
    try {
      let lines: string[] = [];
      let received = 0;
      for await (const line of readLines(req)) {
        received += 1;
        if (received > rowLimit) throw new EngineError('invalid', 'too many rows', { publicMessage: `One upload holds at most ${rowLimit} rows.` });
        lines.push(line);
        if (lines.length < streamedRows) continue;
        await upload.append(lines);
        lines = [];
      }
      if (received === 0) throw new EngineError('invalid', 'no rows', { publicMessage: 'The upload holds no contact.' });
      if (lines.length > 0) await upload.append(lines);
      const { counts } = await upload.finish();
      answer(res, { batchId: upload.batchId, received, replayed: false, ...(counts && { counts }) });
    } catch (error) {
      await upload.abort().catch(() => undefined); // the hourly sweep ends what we cannot
      throw error;
    }
  }
}

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
    throw Object.assign(new Error('json'), { status: 400, type: 'entity.parse.failed' });
  }
}

/** jsonb takes no NUL and no half surrogates; the settings of a scraper need neither. */
function cleanConfig(config: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  const text = JSON.stringify(config ?? {});
  if (text.length > 16_384 || /\\u0000|\\ud[89a-f]/i.test(text)) {
    throw new EngineError('invalid', 'source_config', { publicMessage: 'source_config is too large or holds characters that cannot be stored.', fields: [{ field: 'source_config', reason: 'not_storable', message: 'is at most 16 KB of well-formed text' }] });
  }
  return config;
}

function allowSource(caller: Principal, sourceId: string): void {
  if (caller.kind === 'source' && caller.sourceId !== sourceId) throw new EngineError('forbidden', 'other source', { publicMessage: `This key is for source ${caller.sourceId}.` });
}

function keyOf(req: Request): string | undefined {
  const key = req.get('idempotency-key');
  if (key === undefined) return undefined;
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new EngineError('invalid', 'key', { publicMessage: 'Idempotency-Key is 1 to 255 printable characters.', fields: [{ field: 'Idempotency-Key', reason: 'form', message: 'is 1 to 255 printable characters' }] });
}

/** Lines of a body as they come; the request is read no faster than they are taken. */
async function* readLines(req: Request): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of req) {
    if (!Buffer.isBuffer(part)) continue;
    rest += decoder.decode(part, { stream: true });
    const lines = rest.split('\n');
    rest = (lines.pop() ?? '').slice(0, lineLimit);
    for (const line of lines) if (line.trim() !== '') yield line.replace(/\r$/, '').slice(0, lineLimit);
  }
  if (rest.trim() !== '') yield rest;
}
