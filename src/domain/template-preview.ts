import { findUnsafeLinks } from './links';
import { contactVariables, fill, type TemplateContent, unsubscribeVariable, variablesIn } from './template';

export type Preview = TemplateContent & { missing: string[] };

/** The mail as one reader would get it. Values are escaped in HTML and plain elsewhere; what has no value is left blank and named. */
export function renderTemplate(content: TemplateContent, values: ReadonlyMap<string, string>): Preview {
  const valueOf = (name: string) => values.get(name) ?? '';
  const filled = fill(content, (name, part) =>
    part === 'html' ? escapeHtml(valueOf(name)) : part === 'subject' ? toOneLine(valueOf(name)) : valueOf(name),
  );
  return { ...filled, html: defuse(filled.html), missing: variablesIn(content).filter((name) => valueOf(name) === '') };
}

export type TemplateReader = {
  firstName: string | null;
  lastName: string | null;
  email: string;
  company: string | null;
  phone: string | null;
  website: string | null;
  category: string | null;
  countryCode: string | null;
  language: string | null;
  sourceId: string | null;
};

/** The values of a contact; a preview cannot unsubscribe anybody. */
export function toValues(reader: TemplateReader): ReadonlyMap<string, string> {
  const values: Record<(typeof contactVariables)[number], string | null> = {
    FNAME: reader.firstName,
    LNAME: reader.lastName,
    EMAIL: reader.email,
    COMPANY: reader.company,
    PHONE: reader.phone,
    WEBSITE: reader.website,
    CATEGORY: reader.category,
    COUNTRY: reader.countryCode,
    LANGUAGE: reader.language,
    SOURCE: reader.sourceId,
  };
  return new Map([
    ...Object.entries(values).map(([name, value]): [string, string] => [name, value ?? '']),
    [unsubscribeVariable, 'https://example.com/unsubscribe'],
  ]);
}

export const sampleReader: TemplateReader = {
  firstName: 'Jean',
  lastName: 'Dupont',
  email: 'contact@example.com',
  company: 'Cabinet Dupont',
  phone: '+66 2 123 4567',
  website: 'https://example.com',
  category: 'avocat',
  countryCode: 'TH',
  language: 'fr',
  sourceId: 'scraper-google-001',
};

/** The values of a contact may make a link unsafe that is none in the template. */
function defuse(html: string): string {
  const pieces: string[] = [];
  let done = 0;
  for (const { start, end } of findUnsafeLinks(html)) {
    pieces.push(html.slice(done, start), '#');
    done = end;
  }
  return [...pieces, html.slice(done)].join('');
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
  '=': '&#61;',
};
const escapeHtml = (text: string) => text.replace(/[&<>"'`=]/g, (character) => entities[character] ?? '');
const toOneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ');
