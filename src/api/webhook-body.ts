import { isUtf8 } from 'node:buffer';
import qs from 'qs';
import { findPoison } from '../schemas/poison';
import type { Unreadable } from '../schemas/mail-report';

/** A body as a value, whatever it says of its type: senders are not asked to know better. */
export function readBody(bytes: Buffer, contentType: string): { value: unknown } | Unreadable {
  if (!isUtf8(bytes)) return { unreadable: 'not_text' };
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  const isForm = /urlencoded/i.test(contentType) || !/^\s*[[{"]/.test(text);
  const value = isForm ? readForm(text) : readJson(text);
  if (value === undefined) return { unreadable: 'not_json' };
  // Deep or huge structures are nobody's events; NUL and half pairs in single texts are cleaned later.
  const poison = findPoison(value, { maxKeys: 50_000 });
  return poison?.reason === 'too_deep' || poison?.reason === 'too_many_keys' || poison?.reason === 'forbidden_key' ? { unreadable: 'not_an_event' } : { value };
}

function readJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** With brackets, as PHP writes maps: event[type]=open. */
const readForm = (text: string): unknown => qs.parse(text, { depth: 5, parameterLimit: 2_000, allowPrototypes: false });
