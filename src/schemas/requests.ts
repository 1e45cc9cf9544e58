import { z } from 'zod';
import { alertKinds } from '../domain/alert';
import { isZone } from '../domain/schedule';
import { batchStates, rowFates, rowOutcomes } from '../domain/batch';
import { contactStatuses, sourceTypes } from '../domain/contact';
import { poisonOfText } from './poison';

const largestInt = 2_147_483_647;
export const text = () => z.string().refine((value) => poisonOfText(value) === undefined, 'holds a NUL character or half of a surrogate pair');
export const word = (max: number) => text().trim().min(1).max(max);
export const search = text().trim().min(2).max(100);
/** Categories are compared in small letters, as ingest stores them. Small letters first: some characters grow. */
const category = () => text().trim().toLowerCase().min(1).max(100);
const instanceId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,49}$/, 'is up to 50 small letters, digits and dashes');
const listId = z.number().int().min(1).max(largestInt);
const mapping = z
  .record(word(100), listId)
  .refine((lists) => new Set(Object.keys(lists).map((key) => key.toLowerCase())).size === Object.keys(lists).length, 'names a category twice')
  .pipe(z.record(category(), listId));

/** page and limit of every list (specification 12.5, 72). Strict: a filter that is spelt wrong would show everything. */
export const paging = z.strictObject({ page: z.coerce.number().int().min(1).max(100_000).default(1), limit: z.coerce.number().int().min(1).max(200).default(50) });

/** Judged by the worker, each alone: the request is never refused for one of them. */
export const deliveredRow = z.unknown();
export const ingestRequest = z.strictObject({
  source_id: word(100),
  source_config: z.record(z.string(), z.unknown()).optional().describe('What the source was asked for: spider, query, country. Kept with the batch; at most 16 KB.'),
  contacts: z.array(deliveredRow).min(1, 'holds no contact').max(10_000, 'holds more than 10,000 contacts; send application/x-ndjson for more'),
});
export const streamQuery = z.strictObject({ source_id: word(100).describe('With application/x-ndjson: the source that delivers.') });
export const deliveryHeaders = z.object({
  'Idempotency-Key': z.string().regex(/^[\x20-\x7e]{1,255}$/, 'is 1 to 255 printable characters').optional().describe('The same key with the same body is answered as before and stored once; with another body 422, while an upload with it has not ended 409.'),
  Prefer: z.string().optional().describe('respond-async: do not wait for the counts.'),
});

export const newSource = z.strictObject({
  source_id: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$/, 'is up to 100 letters, digits, dashes, dots and underscores'),
  source_type: z.enum(sourceTypes),
  name: word(255),
  description: text().max(5_000).nullish(),
  config: z.record(z.string(), z.unknown()).optional(),
  default_mailwizz_instance: instanceId.nullish(),
  default_list_mapping: mapping.nullish(),
});
export const sourceChanges = newSource.omit({ source_id: true, source_type: true }).extend({ is_active: z.boolean() }).partial();
/** Beyond these years a time is written in ways that Postgres does not read. */
const isOfOurTime = (time: string) => new Date(time) >= new Date('2000-01-01T00:00:00Z') && new Date(time) < new Date('3000-01-01T00:00:00Z');
export const newKey = z.strictObject({ name: word(255).default('key'), expires_at: z.iso.datetime({ offset: true }).refine(isOfOurTime, 'is a time between 2000 and 2999').optional() });

export const newWebhookKey = newKey.extend({ instance_id: instanceId.optional() });
export const quarantineFilter = paging.extend({ state: z.enum(['waiting', 'all']).default('waiting') });

export const contactFilter = paging.extend({
  source_id: word(100).optional(),
  status: z.enum(contactStatuses).optional(),
  category: category().optional(),
  mailwizz_instance: word(50).optional(),
  batch_id: word(100).optional(),
  q: search.optional(),
  cursor: z.coerce.number().int().min(1).optional(),
});
/** Nothing but blanks takes the value away, as it does when a row is delivered. */
const orNull = (value: string) => (value === '' ? null : value);
const field = (max: number) => text().trim().max(max).transform(orNull).nullable();
export const contactChanges = z
  .strictObject({
    first_name: field(255),
    last_name: field(255),
    company: field(255),
    phone: field(50),
    website: field(500),
    country_code: z.string().trim().regex(/^([A-Za-z]{2})?$/, 'is two letters').toUpperCase().transform(orNull).nullable(),
    language: field(10),
    category: text().trim().toLowerCase().max(100).transform(orNull).nullable(),
    tags: z.array(word(100)).max(50),
    social_links: z.record(z.string(), z.string().max(500)).nullable(),
    score: z.number().int().min(0).max(100),
  })
  .partial();

export const alertFilter = paging.extend({ state: z.enum(['open', 'all']).default('open'), kind: z.enum(alertKinds).optional() });
export const batchFilter = paging.extend({ source_id: word(100).optional(), state: z.enum(batchStates).optional() });
export const rowFilter = z.strictObject({
  outcome: z.enum(rowOutcomes).optional(),
  fate: z.enum([...rowFates, 'waiting']).optional(),
  after: z.coerce.number().int().min(0).max(largestInt).default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  format: z.enum(['json', 'csv']).optional(),
});

const httpUrl = z.url('is a URL').max(500).regex(/^https?:\/\//, 'begins with http:// or https://');
const port = z.number().int().min(1).max(65_535);
const tablePrefix = z.string().regex(/^[a-z][a-z0-9_]{0,29}$/, 'is small letters, digits and underscores');
const cap = z.number().int().min(1).max(100_000_000);
const instanceSettings = z.strictObject({
  name: word(255),
  description: text().max(5_000).nullish(),
  api_url: httpUrl,
  api_key: word(255),
  mysql_enabled: z.boolean().default(false),
  mysql_host: word(255).nullish(),
  mysql_port: port.default(3306),
  mysql_database: word(100).nullish(),
  mysql_user: word(100).nullish(),
  mysql_password: text().max(255).nullish(),
  mysql_table_prefix: tablePrefix.default('mw_'),
  allow_private_network: z.boolean().default(false),
  default_from_name: word(255).nullish(),
  default_from_email: z.email().max(255).nullish(),
  event_zone: z.string().refine(isZone, 'is an IANA zone such as Europe/Paris, or UTC').optional().describe('The zone of the times that this MailWizz reports without one; UTC unless told'),
  list_mapping: mapping.default({}),
  hourly_cap: cap.nullish().describe('How many mails all campaigns of the instance together may send within any hour; null: no cap.'),
  daily_cap: cap.nullish().describe('The same within any 24 hours.'),
});
export const newInstance = instanceSettings.extend({ instance_id: instanceId });
/** Without defaults: what a change does not name stays. */
export const instanceChanges = instanceSettings
  .extend({ mysql_enabled: z.boolean(), mysql_port: port, mysql_table_prefix: tablePrefix, allow_private_network: z.boolean(), list_mapping: mapping, is_active: z.boolean() })
  .partial();
export const fieldsOrder = z.strictObject({ list_uids: z.array(z.string().regex(/^[a-z0-9]{1,50}$/)).min(1).max(1_000).optional() });
const listNumber = z.coerce.number().int().min(1).max(largestInt);
export const reconciliationsQuery = z.strictObject({ list_id: listNumber.optional(), limit: z.coerce.number().int().min(1).max(200).default(50) });
export const missingQuery = z.strictObject({ list_id: listNumber, after: z.coerce.number().int().min(0).default(0), limit: z.coerce.number().int().min(1).max(1_000).default(200) });

const namedList = z.strictObject({ list_id: listId, list_uid: z.string().regex(/^[a-z0-9]{1,50}$/, 'is up to 50 small letters and digits'), name: word(255), fields: z.array(word(50)).max(200).default([]) });
export const listMap = z.strictObject({
  lists: z.array(namedList).max(1_000).superRefine((lists, context) => {
    for (const name of ['list_id', 'list_uid'] as const) {
      const seen = new Set<number | string>();
      lists.forEach((list, index) => {
        if (seen.has(list[name])) context.addIssue({ code: 'custom', path: [index, name], message: 'is named twice', input: list[name] });
        seen.add(list[name]);
      });
    }
  }),
});

const bytes = (max: number, words: string) => text().refine((text) => Buffer.byteLength(text) <= max, `is larger than ${words}`);
const templateContent = z.strictObject({
  // The narrowest column that a subject has to fit in over there.
  subject_line: word(255),
  html_content: bytes(1_048_576, '1 MB').min(1),
  plain_text_content: bytes(262_144, '256 KB').nullish(),
});
export const newTemplate = templateContent.extend({
  name: word(255),
  description: z.string().max(5_000).nullish(),
  source_id: word(100).nullish(),
  category: category().nullish(),
  language: word(10).default('fr'),
});
export const templateChanges = newTemplate.extend({ language: word(10), is_active: z.boolean() }).partial();
export const templateFilter = paging.extend({
  source_id: word(100).optional(),
  category: category().optional(),
  language: word(10).optional(),
  is_active: z.enum(['true', 'false']).optional(),
  q: search.optional(),
});
export const templateWish = templateFilter.pick({ source_id: true, category: true, language: true });
const version = z.coerce.number().int().min(1).max(2_147_483_647);
const contactId = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const templateVersionQuery = z.strictObject({ version: version.optional() });
export const previewQuery = z.strictObject({ contact_id: contactId.optional(), version: version.optional() });
export const previewRequest = z.strictObject({
  contact_id: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
  version: z.number().int().min(1).max(2_147_483_647).optional(),
  sample: z
    .record(z.string().regex(/^[A-Z][A-Z0-9_]{0,49}$/, 'is the name of a variable'), z.string().max(1_000))
    .refine((values) => Object.keys(values).length <= 100, 'has more than 100 values')
    .optional(),
});
