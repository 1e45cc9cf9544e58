import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';

export type Address = { email: string; normalised: string; domain: string; emailHash: string };
export type AddressProblem =
  | 'email_missing'
  | 'email_not_text'
  | 'email_too_long'
  | 'email_not_well_formed'
  | 'email_control_character'
  | 'email_no_at'
  | 'email_local_part'
  | 'email_domain';

/** RFC 5321 4.5.3.1: 254 octets for a path without its brackets, 64 for the local part. */
const maxAddress = 254;
const maxLocal = 64;

// RFC 5321 dot-string, widened to letters of every script (RFC 6531), or a quoted string.
const dotString = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const quotedString = /^"([\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"$/;
const domainLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const addressLiteral = /^\[(?:(\d{1,3}(?:\.\d{1,3}){3})|ipv6:([0-9a-f:.]+))\]$/i;
const controls = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060\ufeff]/;
// TAB, line ends and spaces around an address are delivery noise; inside they are a fault.
const wrapping = /^[\s\ufeff\u200b]+|[\s\ufeff\u200b]+$/g;

/**
 * The one normal form of an address, and its key (design 4): trimmed, NFC, domain lower-cased and IDNA, local part lower-cased;
 * SHA-256 of it in hex. `email` keeps the local part as delivered, with the domain as servers see it.
 */
export function parseAddress(raw: unknown): Address | { problem: AddressProblem } {
  if (raw === undefined || raw === null || raw === '') return { problem: 'email_missing' };
  if (typeof raw !== 'string') return { problem: 'email_not_text' };
  // 4 bytes a character and some noise around it: anything longer is refused before a regex sees it.
  if (raw.length > maxAddress * 4) return { problem: 'email_too_long' };
  if (!raw.isWellFormed()) return { problem: 'email_not_well_formed' };
  const text = raw.replace(wrapping, '').normalize('NFC');
  if (text === '') return { problem: 'email_missing' };
  if (controls.test(text)) return { problem: 'email_control_character' };
  const at = text.lastIndexOf('@');
  if (at < 1) return { problem: 'email_no_at' };
  const local = text.slice(0, at);
  const domain = toAsciiDomain(text.slice(at + 1));
  if (domain === undefined) return { problem: 'email_domain' };
  if (Buffer.byteLength(local) > maxLocal) return { problem: 'email_too_long' };
  if (!dotString.test(local) && !quotedString.test(local)) return { problem: 'email_local_part' };
  const email = `${local}@${domain}`;
  if (Buffer.byteLength(email) > maxAddress) return { problem: 'email_too_long' };
  // Lower-casing may leave NFC (U+0130 becomes two code points), so it comes before the last NFC: the form is stable under itself.
  const normalised = `${local.toLowerCase().normalize('NFC')}@${domain}`;
  return { email, normalised, domain, emailHash: hashAddress(normalised) };
}

/** SHA-256 in hex; here, because no other file of the domain may reach node. */
export const hashText = (text: string) => createHash('sha256').update(text).digest('hex');
export const hashAddress = hashText;

function toAsciiDomain(text: string): string | undefined {
  const [, v4, v6] = addressLiteral.exec(text) ?? [];
  if (v4 !== undefined || v6 !== undefined) return URL.canParse(`http://${v4 ?? `[${v6}]`}`) ? text.toLowerCase() : undefined;
  const ascii = /^[a-z0-9.-]+$/.test(text) ? text : domainToASCII(text);
  const labels = ascii.split('.');
  const good = ascii.length <= 253 && labels.length >= 2 && labels.every((label) => domainLabel.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '');
  return good ? ascii : undefined;
}
