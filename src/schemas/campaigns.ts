import { z } from 'zod';
import { paging, search, word } from './requests';
import { abFallbacks, abMetrics, variantKeys } from '../domain/ab-test';
import { campaignStatuses, recipientOutcomes } from '../domain/campaign';
import { isZone, parseInstant, parseLocal } from '../domain/schedule';
import { isTargetTag } from '../domain/segment';
import { weekdays } from '../domain/send-window';

const line = (max: number) => word(max).regex(/^[^\u0000-\u001f\u007f\u2028\u2029]*$/, 'is one line without control characters');
const id = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const limit = z.number().int().min(1).max(100_000_000);
const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'is a time such as 09:00');
const zone = z.string().refine(isZone, 'is a zone such as Europe/Paris');
const instant = z.string().refine((text) => parseInstant(text) !== undefined, 'is a time with its offset, such as 2026-02-20T10:00:00Z');
const local = z.string().refine((text) => parseLocal(text) !== undefined, 'is a time without offset, such as 2026-02-20T10:00');

const variant = z.strictObject({ subject_line: line(500).optional(), from_name: line(255).optional(), email_template_id: id.optional(), share: z.number().int().min(1).max(100).default(1) });
const abTest = z.strictObject({
  variants: z.array(variant).min(2).max(variantKeys.length),
  metric: z.enum(abMetrics).default('opens'),
  sample_percent: z.number().min(1).max(100).default(20),
  test_minutes: z.number().min(0).max(43_200).default(240),
  confidence: z.number().min(0.5).max(0.999).default(0.95),
  minimum_sample: z.number().int().min(1).max(1_000_000).default(100),
  on_tie: z.enum(abFallbacks).default('best_rate'),
  on_too_little_data: z.enum(abFallbacks).default('operator'),
});

const content = {
  name: word(255),
  description: z.string().max(5_000).nullish(),
  source_id: word(100).nullish(),
  mailwizz_instance: word(50),
  mailwizz_list_id: z.number().int().min(1).max(2_147_483_647),
  email_template_id: id.nullish(),
  subject_line: line(500).nullish(),
  from_name: line(255).nullish(),
  from_email: z.email().max(255).nullish(),
  reply_to: z.email().max(255).nullish(),
  target_category: word(100).nullish(),
  target_tags: z.array(word(100).refine(isTargetTag, 'has no | in it')).max(20).nullish(),
  target_country_codes: z.array(z.string().trim().toUpperCase().regex(/^[A-Z]{2}$/, 'is two letters')).max(25).nullish(),
  target_language: word(10).nullish(),
  min_score: z.number().int().min(0).max(100).nullish(),
  max_contacts: limit.nullish(),
  grace_minutes: z.number().int().min(0).max(10_080).optional(),
  bounce_limit: z.number().min(0).max(1).optional(),
  complaint_limit: z.number().min(0).max(1).optional(),
  send_window: z
    .strictObject({ days: z.array(z.enum(weekdays)).min(1).max(7), from: clock.refine((text) => text !== '24:00', 'is a time before 24:00'), to: clock, zone })
    .nullish()
    .describe('When it may send. `to` at or before `from` is on the next day. Outside it MailWizz is paused; a campaign that is due waits for the opening, which its grace does not count.'),
  hourly_cap: limit.nullish().describe('How many mails it may send within any hour: its audience is released in parts, each a MailWizz campaign of its own. The caps of its instance hold beside it.'),
  daily_cap: limit.nullish().describe('The same within any 24 hours.'),
  ab_test: abTest.nullish(),
};
const time = { scheduled_at: instant.optional(), scheduled_local: local.optional(), time_zone: zone.optional() };
const oneTime = (body: { scheduled_at?: unknown; scheduled_local?: unknown; time_zone?: unknown }) =>
  body.scheduled_at === undefined ? (body.scheduled_local === undefined) === (body.time_zone === undefined) : body.scheduled_local === undefined && body.time_zone === undefined;
const oneTimeText = 'give scheduled_at, or scheduled_local with time_zone';

export const newCampaign = z.strictObject({ ...content, ...time }).refine(oneTime, oneTimeText);
export type NewCampaignRequest = z.infer<typeof newCampaign>;
/** The destination stays: another list is another campaign. */
export const campaignChanges = z.strictObject({ ...content, ...time }).omit({ mailwizz_instance: true, mailwizz_list_id: true }).partial().refine(oneTime, oneTimeText);
export const newTime = z.strictObject(time).refine((body) => oneTime(body) && (body.scheduled_at !== undefined || body.scheduled_local !== undefined), oneTimeText);
export const choice = z.strictObject({ variant: z.enum(variantKeys) });
export const cloneOrder = z.strictObject({ name: word(255).optional() });
export const archiveOrder = z.strictObject({ archived: z.boolean().default(true) });

export const campaignFilter = paging.extend({
  status: z.enum(campaignStatuses).optional(),
  source_id: word(100).optional(),
  mailwizz_instance: word(50).optional(),
  q: search.optional(),
  archived: z.enum(['true', 'false']).default('false'),
});
export const audienceQuery = z.strictObject({ sample: z.coerce.number().int().min(0).max(100).default(10) });
export const recipientFilter = z.strictObject({
  outcome: z.enum(recipientOutcomes).optional(),
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  format: z.enum(['json', 'csv']).optional(),
});
export const compareQuery = z.strictObject({ ids: z.string().regex(/^\d{1,15}(,\d{1,15}){0,19}$/, 'is up to 20 ids, comma-separated') });
