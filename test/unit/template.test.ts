import fc from 'fast-check';
import { findUnsafeLinks } from '../../src/domain/links';
import {
  checkTemplate,
  contactVariables,
  listVariables,
  type TemplateContent,
  templateVariables,
  toMailwizz,
  variablesIn,
} from '../../src/domain/template';
import { renderTemplate, sampleReader, toValues } from '../../src/domain/template-preview';

const known = templateVariables();
const end = '<a href="{UNSUBSCRIBE_URL}">stop</a>';
const mail = (changes: Partial<TemplateContent>): TemplateContent => ({
  subject: 'Bonjour {FNAME}',
  html: `<p>{COMPANY}</p>${end}`,
  text: null,
  ...changes,
});
const problems = (changes: Partial<TemplateContent>, names = known) =>
  checkTemplate(mail(changes), names).map(({ code, part, line, column }) => [code, part, line, column]);

test('a variable becomes the tag of MailWizz in every part, custom fields too', () => {
  expect(toMailwizz({ subject: '{FNAME}', html: `{SEAT_NO} ${end}`, text: '{LNAME}: {UNSUBSCRIBE_URL}' })).toEqual({
    subject: '[FNAME]',
    html: '[SEAT_NO] <a href="[UNSUBSCRIBE_URL]">stop</a>',
    text: '[LNAME]: [UNSUBSCRIBE_URL]',
  });
});

test('an unknown variable is refused with its place, and known once a list has the field', () => {
  const html = `<p>\n  {FNAME} {FOO}</p>\r\n<b title="{BAR}">${end}`;
  expect(problems({ subject: 'a {BAZ}', html, text: `{UNSUBSCRIBE_URL}\n\n{QUX}` })).toEqual([
    ['unknown_variable', 'subject', 1, 3],
    ['unknown_variable', 'html', 2, 11],
    ['unknown_variable', 'html', 3, 11],
    ['unknown_variable', 'text', 3, 1],
  ]);
  expect(problems({ html: `{FOO}${end}` }, templateVariables(['FOO']))).toEqual([]);
  expect(problems({ subject: '{FNAME}', html: `{EMAIL}${end}` }, listVariables(['FNAME']))).toEqual([]);
  expect(problems({ subject: '{FNAME} {COUNTRY}', html: end }, listVariables(['FNAME']))).toEqual([['unknown_variable', 'subject', 1, 9]]);
  expect(checkTemplate(mail({ html: `{FOO}${end}` }), known)[0]!.message).toMatch(
    /^\{FOO\} is not a variable; known are CATEGORY, COMPANY, /,
  );
});

test.each([
  '<style>a{COLOR}b{color:red}</style>',
  '<SCRIPT type="x">if(a){RETURN}</SCRIPT>',
  '<p style="color:red">{ FNAME } {fname} {Fname} {} {1A}</p>',
  '<style>p{COLOR}',
])('%s holds no variable', (html) => {
  expect(variablesIn(mail({ subject: '', html }))).toEqual([]);
  expect(toMailwizz(mail({ html })).html).toBe(html);
});

test('braces twice are refused: the mail would show one pair', () => {
  expect(problems({ html: `{{FNAME}}${end}` })).toEqual([['double_braces', 'html', 1, 2]]);
  expect(problems({ html: `<style>a{b:c}</style>{FNAME}}${end}` })).toEqual([]);
});

test('the link to unsubscribe is demanded, where a reader can see it', () => {
  for (const html of ['<p></p>', '<!-- {UNSUBSCRIBE_URL} --><p></p>', '<style>{UNSUBSCRIBE_URL}</style>'])
    expect(problems({ html })).toEqual([['no_unsubscribe', 'html', 1, 1]]);
  expect(problems({ html: '<a href="[UNSUBSCRIBE_URL]">stop</a>' })).toEqual([]);
  expect(problems({ text: 'Bonjour' })).toEqual([['no_unsubscribe', 'text', 1, 1]]);
});

test('a subject is one line', () =>
  expect(problems({ subject: 'a\r\nBcc: x@y.example' })).toEqual([['control_character', 'subject', 1, 2]]));

const unsafe = [
  '<a href="javascript:alert(1)">',
  "<a href=' JaVaScRiPt:alert(1)'>",
  '<a href=javascript:alert(1)>',
  '<a href="java\tscript:alert(1)">',
  '<a href="&#106;avascript:alert(1)">',
  '<a href="&#x6A;avascript&colon;alert(1)">',
  '<a href="&#0000000000106avascript:alert(1)">',
  '<a\nhref\n=\n"java&NewLine;script:alert(1)">',
  '<a href="{FNAME}javascript:alert(1)">',
  '<a href="vbscript:x">',
  '<a href="data:text/html,<script>alert(1)</script>">',
  '<img src="data:image/svg+xml;base64,AAAA">',
  '<img srcset="a.png 1x, data:image/png;base64,AAAA 2x">',
  '<form action="javascript:x"><button formaction="javascript:x">',
  '<svg><a xlink:href="javascript:x">',
  '<p style="background:url(javascript:x)">',
  '<style>a{background:url( "data:text/html,x")}</style>',
  '<meta http-equiv="refresh" content="0;url=javascript:x">',
];
test.each(unsafe)('%s is an unsafe link', (html) =>
  expect(checkTemplate(mail({ html: html + end }), known).map(({ code }) => code)).toContain('unsafe_link'),
);
test.each([
  '<a href="https://x.example/?q=data:1">',
  '<a href="mailto:a@b.example">',
  '<p data-x="javascript:1">',
  '<p>javascript: a language; data: facts</p>',
  '<a href="/javascript:x">',
  '<a href="{WEBSITE}">',
])('%s is a good link', (html) => expect(problems({ html: html + end })).toEqual([]));

test('a preview fills every variable once, escapes in HTML only, and names what is missing', () => {
  const values = new Map([
    ['FNAME', '<b>{LNAME}</b> & "Co"'],
    ['LNAME', 'Dupont'],
    ['UNSUBSCRIBE_URL', 'https://x.example/u'],
  ]);
  expect(
    renderTemplate(
      { subject: '{FNAME}', html: `<p title="{FNAME}">{LNAME} {COMPANY} {PHONE} {COMPANY}</p>${end}`, text: '{FNAME}' },
      values,
    ),
  ).toEqual({
    subject: '<b>{LNAME}</b> & "Co"',
    html: '<p title="&lt;b&gt;{LNAME}&lt;/b&gt; &amp; &quot;Co&quot;">Dupont   </p><a href="https://x.example/u">stop</a>',
    text: '<b>{LNAME}</b> & "Co"',
    missing: ['COMPANY', 'PHONE'],
  });
  expect(renderTemplate(mail({}), toValues({ ...sampleReader, company: null })).missing).toEqual(['COMPANY']);
  expect(renderTemplate(mail({ subject: '{FNAME}' }), new Map([['FNAME', 'a\r\nBcc: b']])).subject).toBe('a Bcc: b');
});

test('an unsafe link goes as a whole, with others that it holds', () => {
  const html = '<a href="javascript:url(javascript:x)url(javascript:y)">{FNAME}</a><p style="background:url(data:x)">';
  expect(renderTemplate(mail({ html }), new Map([['FNAME', 'Jean']])).html).toBe('<a href="#">Jean</a><p style="background:url(#x)">');
});

const text = fc.oneof(
  fc.string(),
  fc.constantFrom(
    ...unsafe,
    'javascript:alert(1)',
    ' \tjavascript:alert(1)',
    'data:text/html,x',
    '"><script>alert(1)</script>',
    '{FNAME}',
    '[FNAME]',
    '$&',
    '$1',
  ),
);
const piece = fc.oneof(
  fc.string(),
  fc.constantFrom(...contactVariables).map((name) => `{${name}}`),
  fc.constantFrom(
    '<p>',
    '<a href="{WEBSITE}">x</a>',
    '<a href={WEBSITE}>',
    '<a href="{FNAME}{LNAME}">',
    '<p style="background:url({WEBSITE})">',
    '<style>a{B}</style>',
    '{UNKNOWN}',
  ),
);
const content = fc.record({
  subject: fc.string(),
  html: fc.array(piece).map((pieces) => pieces.join('')),
  text: fc.option(fc.array(piece).map((pieces) => pieces.join(''))),
});
const values = fc
  .record({ FNAME: text, LNAME: text, EMAIL: text, COMPANY: text, PHONE: text, WEBSITE: text })
  .map((record) => new Map(Object.entries(record)));

test('nothing that a contact holds adds an element, a quote or an unsafe link to a preview', () => {
  fc.assert(
    fc.property(content, values, (template, filled) => {
      const blankHtml = renderTemplate(template, new Map()).html;
      const { html } = renderTemplate(template, filled);
      expect(findUnsafeLinks(html)).toEqual([]);
      if (findUnsafeLinks(template.html).length > 0) return;
      for (const mark of ['<', '>', '"', '`']) expect(html.split(mark).length).toBeLessThanOrEqual(template.html.split(mark).length);
      expect(findUnsafeLinks(blankHtml)).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});

test('no variable is left after translation, and the rest is unchanged', () => {
  const back = (source: string) => source.replace(/\[([A-Z][A-Z0-9_]*)\]/g, '{$1}');
  fc.assert(
    fc.property(content, (template) => {
      fc.pre(!/\[[A-Z]/.test(JSON.stringify(template)));
      const sent = toMailwizz(template);
      expect(variablesIn(sent)).toEqual([]);
      expect({ subject: back(sent.subject), html: back(sent.html), text: sent.text === null ? null : back(sent.text) }).toEqual(template);
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  ['open braces', '{'.repeat(1_000_000)],
  ['letters', 'A'.repeat(1_000_000)],
  ['opened elements', '<style'.repeat(150_000)],
  ['opened attributes', '<a href="'.repeat(100_000)],
  ['blanks after a name', `<a href${' '.repeat(1_000_000)}`],
  ['opened comments', '<!--'.repeat(200_000)],
  ['variables', '{FNAME}'.repeat(140_000)],
  ['unknown variables', '{FOO}\n'.repeat(150_000)],
])('a megabyte of %s is judged in time that grows with its size only', (_, html) => {
  const before = performance.now();
  checkTemplate(mail({ html }), known);
  renderTemplate(mail({ html }), toValues(sampleReader));
  expect(performance.now() - before).toBeLessThan(15_000);
});
