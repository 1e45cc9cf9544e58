import { isUtf8 } from 'node:buffer';
import type { NewRow } from '../../db/queries/intake';
import { maxRowBytes } from '../domain/batch';

/** An upload is stored in pieces of about this much, so that no more of it is ever held. */
const rowsPerPiece = 2_000;
const charactersPerPiece = 4 << 20;
/** Just enough of a line to be rejected as too large; the rest of it is never held. A character takes up to four bytes. */
const keptBytes = maxRowBytes + 4;
const newline = 0x0a;
const carriageReturn = 0x0d;

/** The rows of an NDJSON body as they come, without blank lines, in pieces; it is read no faster than they are taken. */
export async function* readPieces(body: AsyncIterable<unknown>, onPart: (part: Buffer) => void): AsyncGenerator<NewRow[]> {
  let piece: NewRow[] = [];
  let characters = 0;
  for await (const row of readRows(body, onPart)) {
    piece.push(row);
    characters += (typeof row === 'string' ? row : row.payload).length;
    if (piece.length < rowsPerPiece && characters < charactersPerPiece) continue;
    yield piece;
    piece = [];
    characters = 0;
  }
  if (piece.length > 0) yield piece;
}

async function* readRows(body: AsyncIterable<unknown>, onPart: (part: Buffer) => void): AsyncGenerator<NewRow> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of body) {
    if (!Buffer.isBuffer(part)) continue;
    onPart(part);
    const bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
    let from = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
      const row = toRow(bytes.subarray(from, end));
      if (row !== undefined) yield row;
      from = end + 1;
    }
    rest = bytes.subarray(from, from + keptBytes);
  }
  const last = toRow(rest);
  if (last !== undefined) yield last;
}

/** Bytes that are no UTF-8 are kept one by one, as the Latin-1 characters they most often are: nothing is lost, and nobody takes the row for a good one. */
function toRow(line: Buffer): NewRow | undefined {
  const whole = line.at(-1) === carriageReturn ? line.subarray(0, -1) : line;
  const bytes = whole.length > maxRowBytes ? whole.subarray(0, characterEnd(whole)) : whole;
  if (!isUtf8(bytes)) return { payload: bytes.toString('latin1'), reason: 'not_utf8' };
  const text = bytes.toString('utf8').replace(/^\ufeff/, ''); // files from Windows begin with it, and so do those they are joined into
  return text.trim() === '' ? undefined : text;
}

/** Where the character ends that reaches beyond the largest row. */
function characterEnd(line: Buffer): number {
  let end = maxRowBytes + 1;
  while (end < keptBytes && ((line[end] ?? 0) & 0xc0) === 0x80) end += 1;
  return end;
}
