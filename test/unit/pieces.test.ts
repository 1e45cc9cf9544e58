import fc from 'fast-check';
import { Readable } from 'node:stream';
import { readPieces } from '../../src/api/pieces';
import { judgeRow } from '../../src/schemas/contact-row';

const maxRowBytes = 64 * 1024;

async function read(...parts: (Buffer | string)[]) {
  const pieces = [];
  for await (const piece of readPieces(Readable.from(parts.map((part) => Buffer.from(part))), () => undefined)) pieces.push(piece);
  return pieces;
}
const rows = async (...parts: (Buffer | string)[]) => (await read(...parts)).flat();

test('the rows are the same wherever the network cuts the body', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => JSON.stringify(text)), { maxLength: 12 }), fc.array(fc.nat(200), { maxLength: 8 }), async (lines, cuts) => {
      const body = Buffer.from(lines.join('\n'));
      const ends = [...cuts.map((cut) => cut % (body.length + 1)), body.length].sort((a, b) => a - b);
      const parts = ends.map((end, index) => body.subarray(ends[index - 1] ?? 0, end));
      expect(await rows(...parts)).toEqual(lines);
    }),
    { numRuns: 500 },
  );
});

test('blank lines, carriage returns and byte order marks are no rows and no part of them', async () => {
  expect(await rows('\ufeff{"a":1}\r\n\n  \r\n{"b":2}\n\ufeff{"c":3}')).toEqual(['{"a":1}', '{"b":2}', '{"c":3}']);
});

test('a row that is no UTF-8 is rejected alone and keeps every byte', async () => {
  const body = Buffer.concat([Buffer.from('{"n":"é"}\n'), Buffer.from('{"n":"Ren\xe9e"}\n', 'latin1'), Buffer.from('{}')]);
  expect(await rows(body)).toEqual(['{"n":"é"}', { payload: '{"n":"Ren\xe9e"}', reason: 'not_utf8' }, '{}']);
});

test.each([
  ['ASCII', 'x'],
  ['characters of two bytes', 'é'],
  ['characters of four bytes', '🙂'],
])('a line of a megabyte in %s is held by its beginning only, and rejected as too large, not as broken', async (_, character) => {
  const line = `{"email":"${character.repeat(1 << 20)}"}`;
  for (const size of [1_000, 65_536, 1 << 22]) {
    const bytes = Buffer.from(line);
    const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_part, index) => bytes.subarray(index * size, (index + 1) * size));
    const [row, next] = await rows(...parts, '\n{}');
    expect(Buffer.byteLength(row as string)).toBeLessThanOrEqual(maxRowBytes + 4);
    expect(judgeRow(row as string)).toEqual({ field: '', reason: 'row_too_large' });
    expect(next).toBe('{}');
  }
});

test('a row of exactly the largest size goes through whole', async () => {
  const row = `"${'x'.repeat(maxRowBytes - 2)}"`;
  expect(await rows(`${row}\r\n`)).toEqual([row]);
});

test('no piece holds more than a few megabytes, however long the lines are', async () => {
  const line = `"${'x'.repeat(200_000)}"\n`;
  const pieces = await read(...Array.from({ length: 300 }, () => line));
  const sizes = pieces.map((piece) => piece.reduce((sum, row) => sum + (row as string).length, 0));
  expect(Math.max(...sizes)).toBeLessThan((4 << 20) + maxRowBytes + 4);
  expect(pieces.flat()).toHaveLength(300);
});
