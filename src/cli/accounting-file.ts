import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Info, type Parser, parse } from 'csv-parse';
import { parse as parseNow } from 'csv-parse/sync';
import type { Db } from '../../db/client';
import { findBytesRead, recordBytesRead } from '../../db/queries/accounting-files';
import { recordMailEvents } from '../../db/queries/mail-events';
import { insertQuarantined } from '../../db/queries/webhook-quarantine';
import type { BounceClass, MailEvent } from '../domain/mail-event';
import { readAccounting } from '../schemas/accounting';

/** One commit each; a crash repeats at most so many, which count once. */
const recordsPerCommit = 5_000;
const chunkBytes = 1 << 20;
const headerBytes = 64 << 10;
const recordBytes = 256 << 10;
const newline = 0x0a;

export type ImportSums = { records: number; stored: number; copies: number; unmatched: number; passed: number; unreadable: number };
export type Import = { db: Db; categories: ReadonlyMap<string, BounceClass>; again: boolean; signal: AbortSignal; onProgress: (sums: ImportSums, share: number) => void };

/** A file that is none of PowerMTA's, in words. */
export class NoAccounting extends Error {}

type Row = { record: Record<string, string>; info: Info };

/**
 * Takes over an accounting file from where it was left, whatever it is called by now: it is known by its first lines. A last line without its end is
 * still being written, and left for the next time.
 */
export async function importAccounting(path: string, { db, categories, again, signal, onProgress }: Import): Promise<ImportSums> {
  const sums: ImportSums = { records: 0, stored: 0, copies: 0, unmatched: 0, passed: 0, unreadable: 0 };
  const file = await open(path, 'r');
  try {
    const { columns, from, fingerprint } = await readHead();
    let position = Math.max(from, again ? 0 : await findBytesRead(db, fingerprint));
    const start = position;
    let waiting: Row[] = [];
    let isWhole = true;
    const parser = createParser(columns, { onRow: (row) => waiting.push(row), onSkip: () => (sums.unreadable += 1) });
    const buffer = Buffer.alloc(chunkBytes);
    while (!signal.aborted) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
      position += bytesRead;
      if (bytesRead > 0) {
        await write(parser, Buffer.from(buffer.subarray(0, bytesRead)));
        isWhole = buffer[bytesRead - 1] === newline;
      } else {
        await end(parser);
        if (!isWhole) waiting.pop();
      }
      while (waiting.length >= recordsPerCommit || (bytesRead === 0 && waiting.length > 0)) {
        await commit(waiting.slice(0, recordsPerCommit), start, fingerprint);
        waiting = waiting.slice(recordsPerCommit);
        onProgress(sums, position / Math.max(1, (await file.stat()).size));
      }
      if (bytesRead === 0) break;
    }
    return sums;
  } finally {
    await file.close();
  }

  async function readHead(): Promise<{ columns: string[]; from: number; fingerprint: string }> {
    const head = Buffer.alloc(headerBytes);
    const { bytesRead } = await file.read(head, 0, headerBytes, 0);
    const from = head.subarray(0, bytesRead).indexOf('\n') + 1;
    const [columns] = from === 0 ? [] : parseNow(head.subarray(0, from), { bom: true, relax_column_count: true, to: 1 });
    if (columns?.[0]?.toLowerCase() !== 'type') throw new NoAccounting(`${path} is no accounting file: its first line does not begin with "type".`);
    const second = head.subarray(0, bytesRead).indexOf('\n', from) + 1;
    return { columns, from, fingerprint: createHash('sha256').update(head.subarray(0, second === 0 ? from : second)).digest('hex') };
  }

  async function commit(rows: Row[], start: number, fingerprint: string): Promise<void> {
    const receivedMs = Date.now();
    const events: MailEvent[] = [];
    const bad: { reason: string; body: Buffer }[] = [];
    for (const { record } of rows) {
      const read = readAccounting(record, categories, { receivedMs, zone: 'UTC' });
      if (read === 'passed') sums.passed += 1;
      else if ('unreadable' in read) bad.push({ reason: read.unreadable, body: Buffer.from(JSON.stringify(record)) });
      else events.push(read);
    }
    const recorded = await recordMailEvents(db, events);
    await insertQuarantined(db, bad.map((row) => ({ ...row, endpoint: 'pmta', instanceId: null, contentType: 'application/json' })));
    const bytes = rows.at(-1)?.info.bytes ?? 0;
    await recordBytesRead(db, { fingerprint, name: basename(path).slice(0, 255), bytesRead: start + bytes, records: rows.length });
    sums.records += rows.length;
    sums.stored += recorded.stored;
    sums.copies += recorded.copies;
    sums.unmatched += recorded.unmatched;
    sums.unreadable += bad.length;
  }
}

/** Broken quotes and missing cells spoil one record, not the file. A quote that is open at the end is one that is still being written. */
function createParser(columns: string[], { onRow, onSkip }: { onRow: (row: Row) => void; onSkip: () => void }): Parser {
  const parser = parse({
    columns, info: true, relax_column_count: true, relax_quotes: true, skip_empty_lines: true, skip_records_with_error: true, max_record_size: recordBytes,
    on_skip: (error) => {
      if (error?.code !== 'CSV_QUOTE_NOT_CLOSED') onSkip();
      return undefined;
    },
  });
  parser.on('data', (row: Row) => onRow(row));
  return parser;
}

const write = (parser: Parser, chunk: Buffer) => new Promise<void>((resolve, reject) => parser.write(chunk, (error) => (error ? reject(error) : resolve())));
const end = (parser: Parser) => new Promise<void>((resolve, reject) => parser.once('end', resolve).once('error', reject).end());
