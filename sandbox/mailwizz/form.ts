/** What PHP makes of a form: brackets nest, everything past `max_input_vars` is dropped without a word. */
export type PhpValue = string | PhpMap;
export type PhpMap = Map<string, PhpValue>;

export function parseForm(body: string, maxVars: number): PhpMap {
  const root: PhpMap = new Map();
  if (body === '') return root;
  const pairs = body.split('&', maxVars);
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    put(root, toPath(name), at < 0 ? '' : decode(pair.slice(at + 1)));
  }
  return root;
}

/** `subscribers[0][EMAIL]` → subscribers, 0, EMAIL. */
function toPath(name: string): string[] {
  const open = name.indexOf('[');
  if (open < 1) return [name];
  return [name.slice(0, open), ...name.slice(open + 1).replace(/\]$/, '').split('][')];
}

function put(map: PhpMap, path: string[], value: string): void {
  let here = map;
  for (const step of path.slice(0, -1)) {
    const next = here.get(step);
    if (next instanceof Map) here = next;
    else {
      const made: PhpMap = new Map();
      here.set(step, made);
      here = made;
    }
  }
  here.set(path.at(-1) ?? '', value);
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** multipart/form-data, text parts only. */
export function parseMultipart(body: string, boundary: string, maxVars: number): PhpMap {
  const root: PhpMap = new Map();
  const parts = body.split(`--${boundary}`).slice(1, -1).slice(0, maxVars);
  for (const part of parts) {
    const split = part.indexOf('\r\n\r\n');
    const name = /name="([^"]*)"/.exec(part.slice(0, split))?.[1];
    if (name !== undefined) put(root, toPath(name), part.slice(split + 4).replace(/\r\n$/, ''));
  }
  return root;
}

export const textAt = (map: PhpMap | undefined, key: string): string | undefined => {
  const value = map?.get(key);
  return typeof value === 'string' && value !== '' ? value : undefined;
};
export const mapAt = (map: PhpMap | undefined, key: string): PhpMap | undefined => {
  const value = map?.get(key);
  return value instanceof Map ? value : undefined;
};
