/** Where a link stands in HTML: the characters from `start` up to `end`. */
export type Span = { start: number; end: number };

/** Attributes that browsers and mail readers follow or load. They begin where no other name goes on, so a long run of letters is read once. */
const attribute =
  /(?<![\w:-])(?:href|src|srcset|action|formaction|background|poster|cite|data|ping|longdesc|lowsrc|dynsrc|xlink:href|manifest|codebase|classid|profile|usemap|archive)\s*=\s*("[^"]*"|'[^']*'|[^\s"'<>]+)/gi;
const styleUrl = /url\(\s{0,20}["']?\s{0,20}((?:javascript|vbscript|data)\s{0,20}:)/gi;
const refreshUrl = /;\s{0,20}url\s{0,20}=\s{0,20}["']?((?:javascript|vbscript|data)\s{0,20}:)/gi;
const unsafe = /^(?:javascript|vbscript|data):/i;

/** Links that run code or carry a page of their own, in order, none inside another. Entities and blanks that browsers read over hide nothing. */
export function findUnsafeLinks(html: string): Span[] {
  const inAttributes = [...html.matchAll(attribute)].flatMap(({ 0: whole, 1: value = '', index }): Span[] => {
    const quoted = /^["']/.test(value);
    const start = index + whole.length - value.length + (quoted ? 1 : 0);
    const text = quoted ? value.slice(1, -1) : value;
    const candidates = /srcset/i.test(whole.slice(0, 6)) ? text.split(',') : [text];
    return candidates.some((candidate) => unsafe.test(toRead(candidate))) ? [{ start, end: start + text.length }] : [];
  });
  const inStyles = [styleUrl, refreshUrl].flatMap((pattern) =>
    [...html.matchAll(pattern)].map(({ 0: whole, 1: scheme = '', index }) => ({
      start: index + whole.length - scheme.length,
      end: index + whole.length,
    })),
  );
  return withoutNested([...inAttributes, ...inStyles].toSorted((a, b) => a.start - b.start));
}

function withoutNested(spans: Span[]): Span[] {
  let done = 0;
  return spans.filter(({ start, end }) => {
    if (start < done) return false;
    done = end;
    return true;
  });
}

const named: Record<string, string> = { colon: ':', tab: '', newline: '', sol: '/', amp: '&', lpar: '(', period: '.', nbsp: '' };

/** A value as a browser reads it: entities decoded, blanks and controls left out. */
const toRead = (value: string) =>
  value
    .replace(
      /&(?:#x([0-9a-f]+)|#(\d+)|(\w{1,10}));?/gi,
      (whole, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
        if (name !== undefined) return named[name.toLowerCase()] ?? whole;
        const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
        return code <= 0x10_ffff ? String.fromCodePoint(code) : '';
      },
    )
    .replace(/[\u0000-\u0020\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]+/g, '');
