import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const keyKinds = ['src', 'ops', 'adm', 'whk'] as const;
export type KeyKind = (typeof keyKinds)[number];
export type ParsedKey = { kind: KeyKind; keyId: string; secretHash: string };

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const form = /^(ee_(src|ops|adm|whk)_([0-9A-Za-z]{12})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})$/;
const random = (length: number) => Array.from({ length }, () => alphabet[randomInt(62)] ?? '0').join('');

/** `ee_<kind>_<key id>_<secret><check>`: 256 bits of secret; the check lets a typo or a fake die without a query (reliability.md 3.2). */
export function makeApiKey(kind: KeyKind): { text: string; parsed: ParsedKey } {
  const body = `ee_${kind}_${random(12)}_${random(43)}`;
  const text = `${body}${checkOf(body)}`;
  const parsed = parseApiKey(text);
  if (!parsed) throw new Error('a key of our own making does not parse');
  return { text, parsed };
}

export function parseApiKey(text: string): ParsedKey | undefined {
  const [, body = '', kind, keyId = '', secret = '', check] = form.exec(text) ?? [];
  const known = keyKinds.find((candidate) => candidate === kind);
  if (known === undefined || checkOf(body) !== check) return undefined;
  return { kind: known, keyId, secretHash: createHash('sha256').update(secret).digest('hex') };
}

function checkOf(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (let place = 0; place < 6; place += 1) {
    text = (alphabet[rest % 62] ?? '0') + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}
