export type Entity = { type: string; offset: number; length: number; url?: string; language?: string };
export type Parsed = { text: string; entities: Entity[] };

/** What Telegram says after "Bad Request: can't parse entities: ". */
export class MarkupError extends Error {}

export type ParseMode = 'MarkdownV2' | 'Markdown' | 'HTML';
export const toParseMode = (name: string): ParseMode | undefined =>
  (['MarkdownV2', 'Markdown', 'HTML'] as const).find((mode) => mode.toLowerCase() === name.toLowerCase());

export function parseMarkup(source: string, mode: ParseMode | undefined): Parsed {
  if (mode === undefined) return { text: source, entities: [] };
  return { MarkdownV2: parseMarkdownV2, Markdown: parseMarkdown, HTML: parseHtml }[mode](source);
}

const bytesBefore = (source: string, index: number) => Buffer.byteLength(source.slice(0, index));
type Open = { name: string; type: string; mark: string; at: number; offset: number; language?: string };

const reserved = '_*[]()~`>#+-=|{}.!';
/** Longer marks first: `__` is no italic. */
const marks: [string, string, string][] = [
  ['```', 'pre', 'Pre'],
  ['||', 'spoiler', 'Spoiler'],
  ['__', 'underline', 'Underline'],
  ['_', 'italic', 'Italic'],
  ['*', 'bold', 'Bold'],
  ['~', 'strikethrough', 'Strikethrough'],
  ['`', 'code', 'Code'],
  ['[', 'text_link', 'TextUrl'],
];

function parseMarkdownV2(source: string): Parsed {
  const entities: Entity[] = [];
  const open: Open[] = [];
  let text = '';
  let at = 0;
  while (at < source.length) {
    const sign = source[at] ?? '';
    const inner = open.at(-1);
    const verbatim = inner?.type === 'code' || inner?.type === 'pre';
    const next = source.charCodeAt(at + 1);
    if (sign === '\\' && next > 0 && next <= 126) {
      text += source[at + 1] ?? '';
      at += 2;
    } else if (inner && (inner.type === 'text_link' ? sign === ']' : source.startsWith(inner.mark, at) && !isLonger(source, at, inner))) {
      at = close(inner, at);
    } else if (verbatim || !reserved.includes(sign)) {
      if (verbatim && sign === '`' && inner?.type === 'code')
        throw new MarkupError(`Can't find end of Code entity at byte offset ${bytesBefore(source, inner.at)}`);
      text += sign;
      at += 1;
    } else at = begin(sign);
  }
  const left = open.at(-1);
  if (left) throw new MarkupError(`Can't find end of ${left.name} entity at byte offset ${bytesBefore(source, left.at)}`);
  return finish(text, entities);

  function begin(sign: string): number {
    if (sign === '>' && (at === 0 || source[at - 1] === '\n')) return at + 1;
    const start = sign === '!' && source[at + 1] === '[' ? at + 1 : at;
    const found = marks.find(([mark]) => source.startsWith(mark, start));
    if (!found) throw new MarkupError(`Character '${sign}' is reserved and must be escaped with the preceding '\\'`);
    const [mark, type, name] = found;
    const language = type === 'pre' ? /^[a-zA-Z0-9+-]*(?=\n)/.exec(source.slice(start + mark.length))?.[0] : undefined;
    open.push({ name, type, mark, at, offset: text.length, ...(language !== undefined && language !== '' && { language }) });
    return start + mark.length + (language === undefined ? 0 : language.length + 1);
  }

  function close(entity: Open, from: number): number {
    open.pop();
    const end = from + (entity.type === 'text_link' ? 1 : entity.mark.length);
    const link = entity.type === 'text_link' && source[end] === '(' ? readUrl(end + 1) : undefined;
    const length = text.length - entity.offset;
    if (length > 0 && (entity.type !== 'text_link' || link)) {
      entities.push({
        type: entity.type,
        offset: entity.offset,
        length,
        ...(link && { url: link.url }),
        ...(entity.language !== undefined && { language: entity.language }),
      });
    }
    return link?.end ?? end;
  }

  function readUrl(from: number): { url: string; end: number } {
    let url = '';
    for (let index = from; index < source.length; index += 1) {
      if (source[index] === ')') return { url, end: index + 1 };
      if (source[index] === '\\') index += 1;
      url += source[index] ?? '';
    }
    throw new MarkupError(`Can't find end of a URL at byte offset ${bytesBefore(source, from - 1)}`);
  }
}

/** `__` inside an italic opens an underline, it does not end the italic twice. */
const isLonger = (source: string, at: number, { mark }: Open) => mark === '_' && source[at + 1] === '_';

/** The old mode: no nesting, and what is not closed is an error. */
function parseMarkdown(source: string): Parsed {
  const entities: Entity[] = [];
  let text = '';
  let at = 0;
  while (at < source.length) {
    const sign = source[at] ?? '';
    if (sign === '\\' && '_*`['.includes(source[at + 1] ?? ' ')) {
      text += source[at + 1] ?? '';
      at += 2;
      continue;
    }
    if (!'_*`['.includes(sign)) {
      text += sign;
      at += 1;
      continue;
    }
    const mark = source.startsWith('```', at) ? '```' : sign === '[' ? ']' : sign;
    const start = at + (mark === '```' ? 3 : 1);
    const end = source.indexOf(mark, start);
    if (end < 0) throw new MarkupError(`Can't find end of the entity starting at byte offset ${bytesBefore(source, at)}`);
    const inner = source.slice(start, end);
    const link = mark === ']' ? /^\(([^)]*)\)/.exec(source.slice(end + 1)) : null;
    const type = { '```': 'pre', '`': 'code', _: 'italic', '*': 'bold', ']': 'text_link' }[mark] ?? 'bold';
    if (inner !== '' && (mark !== ']' || link))
      entities.push({ type, offset: text.length, length: inner.length, ...(link && { url: link[1] ?? '' }) });
    text += inner;
    at = end + mark.length + (link?.[0].length ?? 0);
  }
  return finish(text, entities);
}

const htmlTags: Record<string, string> = {
  b: 'bold',
  strong: 'bold',
  i: 'italic',
  em: 'italic',
  u: 'underline',
  ins: 'underline',
  s: 'strikethrough',
  strike: 'strikethrough',
  del: 'strikethrough',
  span: 'spoiler',
  'tg-spoiler': 'spoiler',
  a: 'text_link',
  code: 'code',
  pre: 'pre',
  blockquote: 'blockquote',
  'tg-emoji': 'custom_emoji',
};

function parseHtml(source: string): Parsed {
  const entities: Entity[] = [];
  const open: (Open & { url?: string })[] = [];
  let text = '';
  let at = 0;
  while (at < source.length) {
    const sign = source[at] ?? '';
    if (sign === '&') {
      const entity = /^&(#x[0-9a-f]{1,6}|#\d{1,7}|lt|gt|amp|quot);/i.exec(source.slice(at, at + 12));
      text += entity ? decodeEntity(entity[1] ?? '') : '&';
      at += entity?.[0].length ?? 1;
    } else if (sign !== '<') {
      text += sign;
      at += 1;
    } else at = source[at + 1] === '/' ? endTag() : startTag();
  }
  const left = open.at(-1);
  if (left) throw new MarkupError(`Can't find end tag corresponding to start tag "${left.name}"`);
  return finish(text, entities);

  function startTag(): number {
    const offset = bytesBefore(source, at);
    const name = (/^[^\s>]*/.exec(source.slice(at + 1))?.[0] ?? '').toLowerCase();
    const type = htmlTags[name];
    if (type === undefined) throw new MarkupError(`Unsupported start tag "${name}" at byte offset ${offset}`);
    const end = source.indexOf('>', at);
    if (end < 0) throw new MarkupError(`Unclosed start tag at byte offset ${offset}`);
    const attributes = source.slice(at + 1 + name.length, end);
    if (name === 'span' && !/class\s*=\s*["']?tg-spoiler/.test(attributes))
      throw new MarkupError(`Tag "span" must have class "tg-spoiler" at byte offset ${offset}`);
    const url = /href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i.exec(attributes);
    open.push({ name, type, mark: name, at, offset: text.length, ...(name === 'a' && url && { url: url[1] ?? url[2] ?? url[3] ?? '' }) });
    return end + 1;
  }

  function endTag(): number {
    const offset = bytesBefore(source, at);
    const end = source.indexOf('>', at);
    const name = source
      .slice(at + 2, end < 0 ? undefined : end)
      .trim()
      .toLowerCase();
    const entity = open.pop();
    if (!entity) throw new MarkupError(`Unexpected end tag at byte offset ${offset}`);
    if (end < 0) throw new MarkupError(`Unclosed end tag at byte offset ${offset}`);
    if (name !== '' && name !== entity.name)
      throw new MarkupError(`Unmatched end tag at byte offset ${offset}, expected "</${entity.name}>", found "</${name}>"`);
    const length = text.length - entity.offset;
    if (length > 0 && (entity.type !== 'text_link' || entity.url !== undefined))
      entities.push({ type: entity.type, offset: entity.offset, length, ...(entity.url !== undefined && { url: entity.url }) });
    return end + 1;
  }
}

function decodeEntity(name: string): string {
  const named = { lt: '<', gt: '>', amp: '&', quot: '"' }[name.toLowerCase()];
  if (named !== undefined) return named;
  const code = name[1]?.toLowerCase() === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

const finish = (text: string, entities: Entity[]): Parsed => ({
  text,
  entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length),
});
