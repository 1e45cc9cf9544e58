import { randomBytes } from 'node:crypto';

const letters = 'abcdefghijklmnopqrstuvwxyz';

/** The shape of every public uid (mailwizz.md 2.3): two letters, three digits, five of either, three hex digits. */
export function newUid(): string {
  const bytes = randomBytes(10);
  const letter = (at: number) => letters[(bytes[at] ?? 0) % 26] ?? 'a';
  return `${letter(0)}${letter(1)}${String(bytes.readUInt16BE(2) % 1000).padStart(3, '0')}${letter(4)}${letter(5)}${bytes.toString('hex', 6, 9)}`;
}
