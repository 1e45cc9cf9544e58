import { inflateRawSync } from 'node:zlib';

const maxEntries = 1000;
const maxUnpacked = 10 << 20;
const endMark = 0x06054b50;
const entryMark = 0x02014b50;

/** The HTML page of a template archive: `index.html` before any other; undefined when it is no zip or holds none. */
export function readHtmlOfZip(zip: Buffer): string | undefined {
  try {
    const pages = entriesOf(zip).filter(({ name }) => /\.html?$/i.test(name));
    const page = pages.find(({ name }) => /(^|\/)index\.html?$/i.test(name)) ?? pages[0];
    return page && unpack(zip, page);
  } catch {
    return undefined;
  }
}

type Entry = { name: string; method: number; size: number; at: number };

function entriesOf(zip: Buffer): Entry[] {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== endMark) end -= 1;
  if (end < 0) return [];
  const entries: Entry[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = Math.min(zip.readUInt16LE(end + 10), maxEntries); left > 0 && zip.readUInt32LE(at) === entryMark; left -= 1) {
    const nameEnd = at + 46 + zip.readUInt16LE(at + 28);
    entries.push({
      name: zip.toString('utf8', at + 46, nameEnd),
      method: zip.readUInt16LE(at + 10),
      size: zip.readUInt32LE(at + 20),
      at: zip.readUInt32LE(at + 42),
    });
    at = nameEnd + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}

function unpack(zip: Buffer, { method, size, at }: Entry): string | undefined {
  const start = at + 30 + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28);
  const packed = zip.subarray(start, start + size);
  if (method === 0) return packed.toString('utf8');
  return method === 8 ? inflateRawSync(packed, { maxOutputLength: maxUnpacked }).toString('utf8') : undefined;
}
