const quote = 34;
const backslash = 92;

/**
 * The rows of an ingest body as the text they were delivered in: nothing is lost by reading and writing them again (2^53+1, 1e400, -0, an escape), and
 * nothing is spent on it. `text` is a JSON object that JSON.parse has taken; of several `contacts` the last one counts, as it does for JSON.parse.
 */
export function sliceContacts(text: string): string[] {
  let rows: string[] = [];
  let at = skipSpace(text, text.indexOf('{') + 1);
  while (text.charCodeAt(at) === quote) {
    const keyEnd = skipString(text, at);
    const key: unknown = JSON.parse(text.slice(at, keyEnd));
    const value = skipSpace(text, text.indexOf(':', keyEnd) + 1);
    const end = key === 'contacts' && text[value] === '[' ? sliceElements(text, value, (rows = [])) : skipValue(text, value);
    const next = skipSpace(text, end);
    if (text[next] !== ',') break;
    at = skipSpace(text, next + 1);
  }
  return rows;
}

/** Puts the elements of the array at `open` into `rows`; answers where the array ends. */
function sliceElements(text: string, open: number, rows: string[]): number {
  let at = skipSpace(text, open + 1);
  if (text[at] === ']') return at + 1;
  for (;;) {
    const end = skipValue(text, at);
    rows.push(text.slice(at, end));
    const next = skipSpace(text, end);
    if (text[next] !== ',') return next + 1;
    at = skipSpace(text, next + 1);
  }
}

/** Behind the value that begins at `at`. */
function skipValue(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return skipString(text, at);
  if (first !== '{' && first !== '[') return skipPlain(text, at);
  for (let depth = 0, here = at; ; here += 1) {
    const code = text.charCodeAt(here);
    if (code === quote) here = skipString(text, here) - 1;
    else if (code === 123 || code === 91) depth += 1;
    else if (code === 125 || code === 93) {
      depth -= 1;
      if (depth === 0) return here + 1;
    } else if (Number.isNaN(code)) return text.length;
  }
}

function skipString(text: string, open: number): number {
  for (let close = text.indexOf('"', open + 1); close >= 0; close = text.indexOf('"', close + 1)) {
    let slashes = 0;
    while (text.charCodeAt(close - 1 - slashes) === backslash) slashes += 1;
    if (slashes % 2 === 0) return close + 1;
  }
  return text.length;
}

/** A number, true, false or null: up to what cannot belong to it. */
function skipPlain(text: string, at: number): number {
  let end = at;
  while (end < text.length && !/[\s,\]}]/.test(text[end] ?? '')) end += 1;
  return end;
}

function skipSpace(text: string, at: number): number {
  let here = at;
  for (let code = text.charCodeAt(here); code === 32 || code === 10 || code === 13 || code === 9; code = text.charCodeAt(here)) here += 1;
  return here;
}
