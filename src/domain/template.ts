import { findUnsafeLinks } from './links';

/** What is sent. Without `text` MailWizz makes the plain part out of the HTML by itself (`auto_plain_text`): it knows its own tags. */
export type TemplateContent = { subject: string; html: string; text: string | null };
export const templateParts = ['subject', 'html', 'text'] as const;
export type TemplatePart = (typeof templateParts)[number];

/** Written `{FNAME}`: what every contact of ours has, and the link that every mail must hold. Beside them stand the fields that a list has. */
export const contactVariables = [
  'FNAME',
  'LNAME',
  'EMAIL',
  'COMPANY',
  'PHONE',
  'WEBSITE',
  'CATEGORY',
  'COUNTRY',
  'LANGUAGE',
  'SOURCE',
] as const;
export const unsubscribeVariable = 'UNSUBSCRIBE_URL';

/** The variables of a template that is not bound to a list yet; `listFields` are those of any list it might go to. */
export const templateVariables = (listFields: Iterable<string> = []): ReadonlySet<string> =>
  new Set([...contactVariables, unsubscribeVariable, ...listFields]);
/** The variables that one list can fill. */
export const listVariables = (listFields: Iterable<string>): ReadonlySet<string> => new Set(['EMAIL', unsubscribeVariable, ...listFields]);

export type TemplateProblem = {
  code: 'unknown_variable' | 'double_braces' | 'no_unsubscribe' | 'unsafe_link' | 'control_character';
  part: TemplatePart;
  line: number;
  column: number;
  message: string;
};
/** More would help nobody. */
const problemsAtMost = 50;

/** Only capitals in single braces are a variable: braces of CSS and scripts are not, and a stray one is text. */
const variable = /\{([A-Z][A-Z0-9_]{0,49})\}/g;
const rawElement = /<(style|script)\b[\s\S]*?(?:<\/\1\s*>|$)/gi;
const comment = /<!--[\s\S]*?(?:-->|$)/g;
const unsubscribeTags = [`{${unsubscribeVariable}}`, `[${unsubscribeVariable}]`];

const partsOf = ({ subject, html, text }: TemplateContent): [TemplatePart, string][] => [
  ['subject', subject],
  ['html', html],
  ...(text === null ? [] : [['text', text] satisfies [TemplatePart, string]]),
];

/** All that would go wrong when it is sent, each with its place; nothing is a good sign. */
export function checkTemplate(content: TemplateContent, known: ReadonlySet<string>): TemplateProblem[] {
  const problems = partsOf(content).flatMap(([part, source]) => {
    const found = [
      ...checkVariables(source, part, known),
      ...(part === 'subject' ? checkSubject(source) : checkUnsubscribe(source, part)),
      ...(part === 'html' ? checkLinks(source) : []),
    ];
    return found
      .toSorted((a, b) => a.offset - b.offset)
      .slice(0, problemsAtMost)
      .map(({ offset, code, message }) => ({ code, part, ...placeOf(source, offset), message }));
  });
  return problems.slice(0, problemsAtMost);
}

type Found = Pick<TemplateProblem, 'code' | 'message'> & { offset: number };

function checkVariables(source: string, part: TemplatePart, known: ReadonlySet<string>): Found[] {
  const names = [...known].toSorted().join(', ').slice(0, 1_000);
  return findVariables(source, part).flatMap(({ name, offset, end }): Found[] => {
    if (source[offset - 1] === '{' && source[end] === '}')
      return [{ offset, code: 'double_braces', message: `{{${name}}} has one brace too many on each side` }];
    return known.has(name) ? [] : [{ offset, code: 'unknown_variable', message: `{${name}} is not a variable; known are ${names}` }];
  });
}

/** A line break in a subject begins another header. */
function checkSubject(source: string): Found[] {
  const offset = source.search(/[\u0000-\u001f\u007f\u2028\u2029]/);
  return offset < 0 ? [] : [{ offset, code: 'control_character', message: 'a subject is one line without control characters' }];
}

function checkUnsubscribe(source: string, part: TemplatePart): Found[] {
  const read = part === 'html' ? blank(blank(source, rawElement), comment) : source;
  return unsubscribeTags.some((tag) => read.includes(tag))
    ? []
    : [
        {
          offset: 0,
          code: 'no_unsubscribe',
          message: `the link {${unsubscribeVariable}} is missing: nobody gets a mail that cannot be ended`,
        },
      ];
}

/** With and without its variables: one that stays empty must not uncover a scheme. */
function checkLinks(source: string): Found[] {
  const offsets = new Set(
    [source, source.replace(variable, (name) => ' '.repeat(name.length))].flatMap((text) =>
      findUnsafeLinks(text).map(({ start }) => start),
    ),
  );
  return [...offsets].map((offset) => ({
    offset,
    code: 'unsafe_link',
    message: 'javascript:, vbscript: and data: are no links for a mail',
  }));
}

/** The names of all variables, each once, in order of their first use. */
export const variablesIn = (content: TemplateContent): string[] => [
  ...new Set(partsOf(content).flatMap(([part, source]) => findVariables(source, part).map(({ name }) => name))),
];

/** As MailWizz wants it: `{FNAME}` becomes `[FNAME]`. The content must have passed `checkTemplate`. */
export const toMailwizz = (content: TemplateContent): TemplateContent => fill(content, (name) => `[${name}]`);

type Hit = { name: string; offset: number; end: number };

function findVariables(source: string, part: TemplatePart): Hit[] {
  const read = part === 'html' ? blank(source, rawElement) : source;
  return [...read.matchAll(variable)].map(({ 0: whole, 1: name = '', index }) => ({ name, offset: index, end: index + whole.length }));
}

/** Puts a value in the place of every variable, part by part. */
export const fill = (content: TemplateContent, valueOf: (name: string, part: TemplatePart) => string): TemplateContent => ({
  subject: fillPart(content.subject, 'subject', valueOf),
  html: fillPart(content.html, 'html', valueOf),
  text: content.text === null ? null : fillPart(content.text, 'text', valueOf),
});

/** Every variable once: a value that looks like one stays as it is. */
function fillPart(source: string, part: TemplatePart, valueOf: (name: string, part: TemplatePart) => string): string {
  const pieces: string[] = [];
  let done = 0;
  for (const { name, offset, end } of findVariables(source, part)) {
    pieces.push(source.slice(done, offset), valueOf(name, part));
    done = end;
  }
  return [...pieces, source.slice(done)].join('');
}

/** The same length, so that places stay. */
const blank = (source: string, pattern: RegExp) => source.replace(pattern, (found) => ' '.repeat(found.length));

function placeOf(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset).split(/\r\n|\n|\r/);
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
