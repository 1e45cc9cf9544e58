import { z } from 'zod';
import { parseAddress, type Address } from '../domain/address';
import { maxRowBytes } from '../domain/batch';
import { findPoison } from './poison';

const maxKeys = 200;

const text = (max: number) => z.string().trim().max(max, 'too_long').nullish();

/** Unknown keys of a row are kept in its payload and ignored: a scraper that sends one field more loses nothing. */
export const contactRow = z.object({
  email: z.unknown().optional(), // judged by parseAddress, missing or not
  first_name: text(255),
  last_name: text(255),
  company: text(255),
  phone: text(50),
  website: text(500),
  country_code: z.string().trim().regex(/^([A-Za-z]{2})?$/, 'not_two_letters').toUpperCase().nullish(),
  language: text(10),
  // Lower case before it is measured: it can be longer than what was delivered.
  category: z.string().trim().toLowerCase().max(100, 'too_long').nullish(),
  tags: z.array(z.string().trim().max(100, 'too_long')).max(50, 'too_many').nullish(),
  raw_data: z.record(z.string(), z.unknown()).nullish(),
  social_links: z.record(z.string(), z.string().max(500, 'too_long')).nullish(),
});

export type JudgedContact = {
  address: Address;
  first_name: string | null;
  last_name: string | null;
  company: string | null;
  phone: string | null;
  website: string | null;
  country_code: string | null;
  language: string | null;
  category: string | null;
  tags: string[];
  raw_data: Record<string, unknown> | null;
  social_links: Record<string, string> | null;
};
export type JudgedRow = { contact: JudgedContact } | { field: string; reason: string };

/** Judges one row alone, so that a bad one never harms its neighbours. Reasons are codes; the field is a path. */
export function judgeRow(payload: string): JudgedRow {
  if (Buffer.byteLength(payload) > maxRowBytes) return { field: '', reason: 'row_too_large' };
  const parsed = parseJson(payload);
  if (parsed === undefined) return { field: '', reason: 'not_json' };
  const poison = findPoison(parsed.value, { maxKeys });
  if (poison) return poison;
  const row = contactRow.safeParse(parsed.value);
  if (!row.success) {
    const issue = row.error.issues[0];
    return { field: issue?.path.join('.') ?? '', reason: reasonOf(issue) };
  }
  const address = parseAddress(row.data.email);
  if ('problem' in address) return { field: 'email', reason: address.problem };
  const { data } = row;
  return {
    contact: {
      address,
      first_name: data.first_name || null,
      last_name: data.last_name || null,
      company: data.company || null,
      phone: data.phone || null,
      website: data.website || null,
      country_code: data.country_code || null,
      language: data.language || null,
      category: data.category || null,
      tags: [...new Set(data.tags ?? [])].filter((tag) => tag !== ''),
      raw_data: data.raw_data ?? null,
      social_links: data.social_links ?? socialOf(data.raw_data),
    },
  };
}

function parseJson(payload: string): { value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(payload);
    return { value };
  } catch {
    return undefined;
  }
}

const known = new Set(['too_long', 'too_many', 'not_two_letters']);

function reasonOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'invalid';
  return known.has(issue.message) ? issue.message : issue.code === 'invalid_type' ? `not_${issue.expected}` : issue.code;
}

const socialLinks = z.record(z.string(), z.string().max(500));

/** Specification 12.1, 16: without `social_links`, `raw_data.social` serves. */
function socialOf(raw: Record<string, unknown> | null | undefined): Record<string, string> | null {
  const social = socialLinks.safeParse(raw?.['social']);
  return social.success ? social.data : null;
}
