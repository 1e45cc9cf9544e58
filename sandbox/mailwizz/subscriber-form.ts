import type { Context } from './context';
import type { Field } from './field-cache';
import { mapAt, type PhpMap, textAt } from './form';
import type { List } from './list-store';
import type { Switches } from './switches';

export const statuses = ['unconfirmed', 'confirmed', 'blacklisted', 'unsubscribed', 'unapproved', 'disabled', 'moved'] as const;
export const sources = ['web', 'api', 'import'] as const;
const maxEmail = 100;
const maxValue = 255;
const emailShape = /^[^\s@<>()[\]",;:]+@[^\s@.,;:<>()]+(\.[^\s@.,;:<>()]+)+$/u;

/** Texts in the languages of the server; decide on the code first, they say. */
const translated = {
  en: { exists: 'The subscriber already exists in this list.', blacklisted: 'This email address is blacklisted.' },
  tr: { exists: 'Abone zaten bu listede mevcut.', blacklisted: 'Bu e-posta adresi kara listede.' },
  de: { exists: 'Der Abonnent existiert bereits in dieser Liste.', blacklisted: 'Diese E-Mail-Adresse ist gesperrt.' },
} as const;
export const textsOf = ({ texts }: Switches) => translated[texts];

export type Details = { status: string; source: string; ip: string | null; given: boolean };
/** One subscriber as a form asks for it; `errors` by tag when it may not be stored. */
export type Candidate = { form: PhpMap; email: string; details: Details; errors?: Record<string, string>; uid?: string };

export const emailOf = (form: PhpMap, { lower_case_email }: Switches): string => {
  const email = (textAt(form, 'EMAIL') ?? '').trim();
  return lower_case_email ? email.toLowerCase() : email;
};

export function toCandidate(form: PhpMap, fields: Field[], list: List, { switches }: Context): Candidate {
  const email = emailOf(form, switches);
  const errors = { ...checkEmail(email), ...checkRequired(form, fields), ...checkLengths(form, fields, switches) };
  return { form, email, details: detailsOf(form, list), ...(Object.keys(errors).length > 0 && { errors }) };
}

export function checkEmail(email: string): Record<string, string> {
  if (email === '') return { EMAIL: 'Please provide the subscriber email address.' };
  return emailShape.test(email) && email.length <= maxEmail ? {} : { EMAIL: 'Please provide a valid email address.' };
}

function checkRequired(form: PhpMap, fields: Field[]): Record<string, string> {
  const missing = fields.filter(({ tag, required }) => tag !== 'EMAIL' && required === 'yes' && valuesOf(form, tag).length === 0);
  return Object.fromEntries(missing.map(({ tag, label }) => [tag, `The field ${label} is required by the list but it has not been provided!`]));
}

export function checkLengths(form: PhpMap, fields: Field[], { long_value }: Switches): Record<string, string> {
  if (long_value === 'cut') return {};
  const long = fields.filter(({ tag }) => tag !== 'EMAIL' && valuesOf(form, tag).some((value) => value.length > maxValue && [...value].length > maxValue));
  return Object.fromEntries(long.map(({ tag }) => [tag, `Value is too long (maximum is ${maxValue} characters).`]));
}

function detailsOf(form: PhpMap, list: List): Details {
  const details = mapAt(form, 'details');
  const given = statuses.find((status) => status === textAt(details, 'status'));
  const byList = list.opt_in === 'double' ? 'unconfirmed' : list.subscriber_require_approval === 'yes' ? 'unapproved' : 'confirmed';
  const ip = textAt(details, 'ip_address');
  return {
    status: given ?? byList,
    given: given !== undefined,
    source: sources.find((source) => source === textAt(details, 'source')) ?? 'api',
    ip: ip === undefined || ip.length > 15 ? null : ip,
  };
}

/** A choice field sends several values, `TAG[]=a&TAG[]=b`. */
export function valuesOf(form: PhpMap, tag: string): string[] {
  const value = form.get(tag);
  if (value === undefined || value === '') return [];
  return typeof value === 'string' ? [value] : [...value.values()].filter((inner) => typeof inner === 'string').filter((inner) => inner !== '');
}

/** What a list stores for one field: the values given, or its default; cut as non-strict MySQL does. */
export const storedValues = ({ form, email }: Candidate, { tag, default_value }: Field): string[] => {
  if (tag === 'EMAIL') return [email];
  const values = valuesOf(form, tag);
  return values.length === 0 ? [default_value ?? ''] : values.map(cutValue);
};
export const cutValue = (value: string) => (value.length <= maxValue ? value : [...value].slice(0, maxValue).join(''));

/** As the tables compare addresses: without case and accents. */
export const foldEmail = (email: string) => (/^[\x21-\x7e]*$/.test(email) ? email.toLowerCase() : email.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase());
