import { createHash, randomBytes } from 'node:crypto';

const letters = 'abcdefghijklmnopqrstuvwxyz';

/** A fresh uid in the shape of all public samples: two letters, three digits, five letters or digits, three hex digits. */
export function newUid(): string {
  const bytes = randomBytes(10);
  const letter = (at: number) => letters[(bytes[at] ?? 0) % 26] ?? 'a';
  return `${letter(0)}${letter(1)}${String(bytes.readUInt16BE(2) % 1000).padStart(3, '0')}${letter(4)}${letter(5)}${bytes.toString('hex', 6, 9)}`;
}

/** The same shape, and the same for the same seed, so that addresses survive a restart. */
export function stableUid(seed: string): string {
  const hash = createHash('sha256').update(seed).digest('hex');
  const letter = (at: number) => letters[Number.parseInt(hash.slice(at, at + 2), 16) % 26] ?? 'a';
  const digits = String(Number.parseInt(hash.slice(8, 14), 16) % 1000).padStart(3, '0');
  return `${letter(0)}${letter(2)}${digits}${hash.slice(20, 28)}`;
}
