import type { StoredLeg } from '../../db/queries/campaign-legs';
import type { Campaign, NewCampaign, NewVariant, Variant } from '../../db/queries/campaigns';
import { variantKeys } from '../domain/ab-test';
import { parseInstant, parseLocal, toInstant } from '../domain/schedule';
import type { NewCampaignRequest } from '../schemas/campaigns';
import type { CampaignWait } from './campaign-waits';

type Body = { [Field in keyof NewCampaignRequest]?: NewCampaignRequest[Field] | undefined };
type Time = { atMs: number; local: string | undefined; zone: string | undefined };

/** The instant that was asked for; a time of a zone becomes one here, once. */
export function toTime({ scheduled_at: at, scheduled_local: local, time_zone: zone }: Pick<Body, 'scheduled_at' | 'scheduled_local' | 'time_zone'>): Time | undefined {
  const placed = local === undefined ? undefined : parseLocal(local);
  if (placed && zone !== undefined) return { atMs: toInstant(placed, zone).atMs, local, zone };
  const atMs = at === undefined ? undefined : parseInstant(at);
  return atMs === undefined ? undefined : { atMs, local: undefined, zone: undefined };
}

export const toColumns = (body: Body): Partial<NewCampaign> => ({
  ...(body.name !== undefined && { name: body.name }),
  ...(body.description !== undefined && { description: body.description }),
  ...(body.source_id !== undefined && { sourceId: body.source_id }),
  ...(body.email_template_id !== undefined && { emailTemplateId: body.email_template_id }),
  ...(body.subject_line !== undefined && { subjectLine: body.subject_line }),
  ...(body.from_name !== undefined && { fromName: body.from_name }),
  ...(body.from_email !== undefined && { fromEmail: body.from_email }),
  ...(body.reply_to !== undefined && { replyTo: body.reply_to }),
  ...(body.target_category !== undefined && { targetCategory: body.target_category }),
  ...(body.target_tags !== undefined && { targetTags: body.target_tags }),
  ...(body.target_country_codes !== undefined && { targetCountryCodes: body.target_country_codes }),
  ...(body.target_language !== undefined && { targetLanguage: body.target_language }),
  ...(body.min_score !== undefined && { minScore: body.min_score }),
  ...(body.max_contacts !== undefined && { maxContacts: body.max_contacts }),
  ...(body.grace_minutes !== undefined && { graceMinutes: body.grace_minutes }),
  ...(body.bounce_limit !== undefined && { bounceLimit: body.bounce_limit }),
  ...(body.complaint_limit !== undefined && { complaintLimit: body.complaint_limit }),
  ...(body.send_window !== undefined && { sendWindow: body.send_window }),
  ...(body.hourly_cap !== undefined && { hourlyCap: body.hourly_cap }),
  ...(body.daily_cap !== undefined && { dailyCap: body.daily_cap }),
  ...(body.ab_test !== undefined && { abTest: body.ab_test && toTest(body.ab_test) }),
});

const toTest = (test: NonNullable<Body['ab_test']>) => ({
  metric: test.metric,
  samplePercent: test.sample_percent,
  testMinutes: test.test_minutes,
  confidence: test.confidence,
  minimumSample: test.minimum_sample,
  onTie: test.on_tie,
  onTooLittleData: test.on_too_little_data,
});

/** As it was ordered; the variants stand beside it. */
const fromTest = (test: NonNullable<Campaign['abTest']>) => ({
  metric: test.metric,
  sample_percent: test.samplePercent,
  test_minutes: test.testMinutes,
  confidence: test.confidence,
  minimum_sample: test.minimumSample,
  on_tie: test.onTie,
  on_too_little_data: test.onTooLittleData,
});

/** Variants are a, b, c … in the order they were given. */
export const toVariants = (test: Body['ab_test']): NewVariant[] =>
  (test?.variants ?? []).flatMap((variant, index) => {
    const key = variantKeys[index];
    return key === undefined ? [] : [{ key, subjectLine: variant.subject_line ?? null, fromName: variant.from_name ?? null, emailTemplateId: variant.email_template_id ?? null, share: variant.share }];
  });

/** The content without the life that its model has had. */
export const toCopy = (row: Campaign, name: string): NewCampaign => ({
  name,
  description: row.description,
  sourceId: row.sourceId,
  mailwizzInstance: row.mailwizzInstance,
  mailwizzListId: row.mailwizzListId,
  emailTemplateId: row.emailTemplateId,
  subjectLine: row.subjectLine,
  fromName: row.fromName,
  fromEmail: row.fromEmail,
  replyTo: row.replyTo,
  graceMinutes: row.graceMinutes,
  sendWindow: row.sendWindow,
  hourlyCap: row.hourlyCap,
  dailyCap: row.dailyCap,
  targetCategory: row.targetCategory,
  targetTags: row.targetTags,
  targetCountryCodes: row.targetCountryCodes,
  targetLanguage: row.targetLanguage,
  minScore: row.minScore,
  maxContacts: row.maxContacts,
  abTest: row.abTest,
  bounceLimit: row.bounceLimit,
  complaintLimit: row.complaintLimit,
});

export const toCampaign = (row: Campaign) => ({
  id: row.id,
  name: row.name,
  description: row.description,
  status: row.status,
  held: row.heldReasons,
  paused_from: row.pausedFrom,
  pause_reason: row.pauseReason,
  source_id: row.sourceId,
  mailwizz_instance: row.mailwizzInstance,
  mailwizz_list_id: row.mailwizzListId,
  mailwizz_campaign_id: row.mailwizzCampaignId,
  mailwizz_campaign_uid: row.mailwizzCampaignUid,
  email_template_id: row.emailTemplateId,
  template_version: row.templateVersion,
  subject_line: row.subjectLine,
  from_name: row.fromName,
  from_email: row.fromEmail,
  reply_to: row.replyTo,
  target_category: row.targetCategory,
  target_tags: row.targetTags,
  target_country_codes: row.targetCountryCodes,
  target_language: row.targetLanguage,
  min_score: row.minScore,
  max_contacts: row.maxContacts,
  scheduled_at: row.scheduledAt,
  scheduled_local: row.scheduledLocal,
  time_zone: row.scheduleZone,
  grace_minutes: row.graceMinutes,
  send_window: row.sendWindow,
  hourly_cap: row.hourlyCap,
  daily_cap: row.dailyCap,
  ab_test: row.abTest && fromTest(row.abTest),
  ab_decision: row.abDecision,
  launched_at: row.launchedAt,
  started_at: row.startedAt,
  completed_at: row.completedAt,
  archived_at: row.archivedAt,
  created_at: row.createdAt,
  updated_at: row.updatedAt,
  recipients: { audience: row.audience, sent: row.sent, skipped: row.skipped, failed: row.failed, pending: row.pending, counted_at: row.audienceCountedAt },
  stats: {
    sent: row.totalSent,
    delivered: row.totalDelivered,
    bounced: row.totalBounced,
    opened: row.totalOpened,
    clicked: row.totalClicked,
    unsubscribed: row.totalUnsubscribed,
    spam_reports: row.totalSpamReports,
    rates: { delivery: rate(row.totalDelivered, row.totalSent), bounce: rate(row.totalBounced, row.totalSent), open: rate(row.totalOpened, row.totalSent), click: rate(row.totalClicked, row.totalSent), spam: rate(row.totalSpamReports, row.totalSent) },
  },
});

const rate = (count: number, base: number) => (base === 0 ? 0 : Number((count / base).toFixed(4)));

export const toDetails = (
  row: Campaign,
  { waitsFor, legs, variants, reasons }: { waitsFor: CampaignWait | undefined; legs: StoredLeg[]; variants: Variant[]; reasons: { outcome: string; reason: string; contacts: number }[] },
) => ({
  ...toCampaign(row),
  waits_for: waitsFor ?? null,
  variants: variants.map(({ key, subjectLine, fromName, emailTemplateId, templateVersion, share, isWinner, figures }) => ({ key, subject_line: subjectLine, from_name: fromName, email_template_id: emailTemplateId, template_version: templateVersion, share, is_winner: isWinner, figures })),
  legs: legs.map((leg) => ({
    variant: leg.variant,
    part: leg.part,
    country_code: leg.country,
    buckets: [leg.bucketFrom, leg.bucketTo],
    state: leg.state,
    contacts: leg.contacts,
    segment_contacts: leg.segmentContacts,
    mailwizz_segment_uid: leg.mailwizzSegmentUid,
    mailwizz_campaign_uid: leg.mailwizzCampaignUid,
    sent: leg.sent,
    skipped: leg.skipped,
    failed: leg.failed,
    released_at: leg.releasedAt,
    started_at: leg.startedAt,
    finished_at: leg.finishedAt,
    last_error: leg.lastError,
  })),
  reasons,
});
