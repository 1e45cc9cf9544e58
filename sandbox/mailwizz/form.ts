/** What PHP makes of a form: brackets nest, everything past `max_input_vars` is dropped without a word. */
export type PhpValue = string | PhpMap;
export type PhpMap = Map<string, PhpValue>;

/** PHP's max_input_nesting_level. */
const deepest = 64;

export function parseForm(body: string, maxVars: number): PhpMap {
  const root: PhpMap = new Map();
  let from = 0;
  let taken = 0;
  while (from < body.length && taken < maxVars) {
    const ampersand = body.indexOf('&', from);
    const end = ampersand < 0 ? body.length : ampersand;
    if (end > from) {
      taken += 1;
      const equals = body.indexOf('=', from);
      const split = equals < 0 || equals > end ? end : equals;
      put(root, pathOf(body.slice(from, split)), decode(body.slice(split + 1, end)));
    }
    from = end + 1;
  }
  return root;
}

/** Names repeat from call to call, and reading them is half the work. */
const knownPaths = new Map<string, string[]>();
const pathsKept = 50_000;

function pathOf(name: string): string[] {
  const known = knownPaths.get(name);
  if (known) return known;
  if (knownPaths.size >= pathsKept) knownPaths.clear();
  const path = toPath(decode(name));
  knownPaths.set(name, path);
  return path;
}

/** `subscribers[0][EMAIL]` → subscribers, 0, EMAIL. Dots and spaces of the first name become underscores; text after the last bracket is lost. */
function toPath(name: string): string[] {
  const trimmed = name.replace(/^ +/, '');
  const open = trimmed.indexOf('[');
  if (open < 1) return [mangle(trimmed)];
  const path = [mangle(trimmed.slice(0, open))];
  let at = open;
  while (trimmed[at] === '[') {
    const close = trimmed.indexOf(']', at);
    // An open bracket that never closes is no bracket.
    if (close < 0) return path.length === 1 ? [mangle(trimmed)] : path;
    path.push(trimmed.slice(at + 1, close));
    at = close + 1;
  }
  return path;
}
const mangle = (name: string) => (/[ .[]/.test(name) ? name.replace(/[ .[]/g, '_') : name);

function put(map: PhpMap, path: string[], value: string): void {
  const [first] = path;
  if (first === undefined || first === '' || path.length > deepest) return;
  let here = map;
  const last = path.length - 1;
  for (let depth = 0; depth < last; depth += 1) {
    const key = keyIn(here, path[depth] ?? '');
    const next = here.get(key);
    if (next instanceof Map) here = next;
    else {
      const made: PhpMap = new Map();
      here.set(key, made);
      here = made;
    }
  }
  here.set(keyIn(here, path[last] ?? ''), value);
}

/** `a[]` takes the number after the largest so far. */
function keyIn(map: PhpMap, step: string): string {
  if (step !== '') return step;
  let next = 0;
  for (const key of map.keys()) if (/^(0|[1-9]\d*)$/.test(key)) next = Math.max(next, Number(key) + 1);
  return String(next);
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // PHP keeps bytes that are no UTF-8 and stray percent signs.
    return Buffer.from(spaced.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1').toString('utf8');
  }
}

/** multipart/form-data: the text parts; files are not part of PHP's form. */
export function parseMultipart(body: string, boundary: string, maxVars: number): PhpMap {
  const root: PhpMap = new Map();
  const parts = `\r\n${body}`.split(`\r\n--${boundary}`).slice(1, -1).slice(0, maxVars);
  for (const part of parts) {
    const split = part.indexOf('\r\n\r\n');
    const head = part.slice(0, split);
    const name = /[; ]name="([^"]*)"/i.exec(head)?.[1];
    if (name !== undefined && !/; *filename=/i.test(head)) put(root, toPath(name), part.slice(split + 4));
  }
  return root;
}

/** Empty values count as absent. */
export const textAt = (map: PhpMap | undefined, key: string): string | undefined => {
  const value = map?.get(key);
  return typeof value === 'string' && value !== '' ? value : undefined;
};
export const mapAt = (map: PhpMap | undefined, key: string): PhpMap | undefined => {
  const value = map?.get(key);
  return value instanceof Map ? value : undefined;
};

/** PHP's urlencode: a space is a plus, and of the punctuation only `-`, `.` and `_` stay. */
export const urlencode = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');

/** PHP's http_build_query. */
export function buildQuery(map: PhpMap): string {
  const pairs: string[] = [];
  const walk = (name: string, value: PhpValue): void => {
    if (typeof value === 'string') pairs.push(`${name}=${urlencode(value)}`);
    else for (const [key, inner] of value) walk(`${name}${urlencode('[')}${urlencode(key)}${urlencode(']')}`, inner);
  };
  for (const [key, value] of map) walk(urlencode(key), value);
  return pairs.join('&');
}
