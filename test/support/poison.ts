/** What breaks parsers, databases, spreadsheets, mail and logs, as JSON text: some of it no JavaScript value can hold. */
const strings = [
  '', ' ', '\t', '\r\n', '\n\n\n', '\u0000', 'a\u0000b', '\u0001\u0002\u001f', '\u007f', '\u0085', '\u00a0', '\u00ad', '\u200b', '\u200e\u202e\u2066', '\ufeff', '\ufffd', '\uffff', '\u2028\u2029',
  'é', 'e\u0301', 'İ', 'İ'.repeat(60), 'ß', 'ﬁ', '\u212a', '\u2126', '𝒳', '🙂', '👩‍👩‍👧‍👦', '田中さん', 'مرحبا', 'Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮', '\u{10ffff}',
  "O'Neill", '"quoted"', '\\', '\\N', '\\.', '\\u0000', "'; drop table contacts; --", '$1', '${1+1}', '{{7*7}}', '%s%n%x', '%00', '%', '_', '*', '../../etc/passwd', '<script>alert(1)</script>', '<!--', ']]>',
  '=cmd|calc', '+1', '-1', '@SUM(A1)', '\tx', 'null', 'undefined', 'NaN', 'true', '0', '[]', '{}', '__proto__', 'constructor', 'prototype', 'toString',
  'x\r\nBcc: a@b.example', 'x\r\nRCPT TO:<a@b.example>', 'x'.repeat(256), 'x'.repeat(9_000), '🙂'.repeat(300), 'https://a.example/?q=1#x', 'javascript:alert(1)', '2026-13-45T99:99:99Z', '0000-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '9999-12-31T23:59:59-23:59',
].map((text) => JSON.stringify(text));
const halves = ['"\\ud800"', '"\\udc00x"', '"a\\udbff"', '"\\ud83d\\u0000"'];
const numbers = ['0', '-0', '-1', '1.5', '1e400', '-1e400', '9007199254740993', '2147483648', '3000000000', '1e-400', '12345678901234567890'];
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const structures = [
  'null', 'true', 'false', '[]', '{}', '[null]', '[[]]', '["a",1,null,{}]', nested(19), nested(25), nested(3_000), `${'['.repeat(3_000)}${']'.repeat(3_000)}`,
  '{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', '{"":1}', '{"\\u0000":1}', '{"\\ud800":1}', `{${Array.from({ length: 300 }, (_, n) => `"k${n}":${n}`).join(',')}}`,
  `[${Array.from({ length: 300 }, (_, n) => `"t${n}"`).join(',')}]`, `{"${'k'.repeat(9_000)}":1}`, `{"${'x'.repeat(98)}🙂":"\\u0000"}`,
];

export const fragments = [...new Set([...strings, ...halves, ...numbers, ...structures])];
/** Those that are text, for places that hold nothing else. */
export const texts = [...strings, ...halves].map((fragment) => JSON.parse(fragment) as string);
