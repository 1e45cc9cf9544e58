import { sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import {
  bigint,
  boolean,
  char,
  check,
  customType,
  date,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  varchar,
} from 'drizzle-orm/pg-core';
import { alertKinds } from '../src/domain/alert';
import { bounceClasses, carryStates, type MailEvent, pollLogs } from '../src/domain/mail-event';
import { batchStates, rowFates, rowOutcomes } from '../src/domain/batch';
import { type AbDecision, type AbTest, variantKeys } from '../src/domain/ab-test';
import { lastBucket, legParts } from '../src/domain/audience';
import { campaignStatuses, type HoldReason, type LegFigures, legStates, pausedFroms, pauseReasons, recipientOutcomes } from '../src/domain/campaign';
import { contactEventTypes, contactStatuses, sourceTypes, suppressionReasons } from '../src/domain/contact';
import { injectionMethods, injectionStates } from '../src/domain/injection';
import type { SendWindow } from '../src/domain/send-window';

const oneOf = (column: AnyPgColumn, words: readonly string[]) => sql`${column} in (${sql.raw(words.map((word) => `'${word}'`).join(', '))})`;
const id = () => bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity();
const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });
const stamps = {
  createdAt: moment('created_at').notNull().defaultNow(),
  updatedAt: moment('updated_at').notNull().defaultNow(),
};
const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const keyKinds = ['src', 'ops', 'adm', 'whk'] as const;

export const users = pgTable(
  'users',
  {
    id: id(),
    email: varchar('email', { length: 255 }).notNull().unique(),
    passwordHash: varchar('password_hash', { length: 255 }).notNull(),
    role: varchar('role', { length: 20, enum: ['admin', 'operator', 'viewer'] }).notNull(),
    isActive: boolean('is_active').notNull().default(true),
    ...stamps,
  },
  (table) => [check('users_role_known', oneOf(table.role, ['admin', 'operator', 'viewer']))],
);

export const mailwizzInstances = pgTable(
  'mailwizz_instances',
  {
    id: id(),
    instanceId: varchar('instance_id', { length: 50 }).notNull().unique(),
    name: varchar('name', { length: 255 }).notNull(),
    description: text('description'),
    apiUrl: varchar('api_url', { length: 500 }).notNull(),
    // Sealed (design 6): never the plain key. Wider than the contract's 255, because the seal adds key id, nonce and tag.
    apiKey: varchar('api_key', { length: 1000 }).notNull(),
    mysqlEnabled: boolean('mysql_enabled').notNull().default(false),
    mysqlHost: varchar('mysql_host', { length: 255 }),
    mysqlPort: integer('mysql_port').notNull().default(3306),
    mysqlDatabase: varchar('mysql_database', { length: 100 }),
    mysqlUser: varchar('mysql_user', { length: 100 }),
    mysqlPassword: varchar('mysql_password', { length: 1000 }),
    mysqlTablePrefix: varchar('mysql_table_prefix', { length: 30 }).notNull().default('mw_'),
    allowPrivateNetwork: boolean('allow_private_network').notNull().default(false),
    defaultFromName: varchar('default_from_name', { length: 255 }),
    defaultFromEmail: varchar('default_from_email', { length: 255 }),
    listMapping: jsonb('list_mapping').$type<Record<string, number>>().notNull().default({}),
    /** What all campaigns of the instance together may send within any hour and any day. */
    hourlyCap: integer('hourly_cap'),
    dailyCap: integer('daily_cap'),
    isActive: boolean('is_active').notNull().default(true),
    /** Set when the instance denies us (401, 403); its contacts wait until the key is replaced. */
    parkedAt: moment('parked_at'),
    /** The zone of the times that it reports without one. */
    eventZone: varchar('event_zone', { length: 64 }).notNull().default('UTC'),
    /** Its API asked us to rest until then; every worker keeps to it. */
    restUntil: moment('rest_until'),
    lastSyncAt: moment('last_sync_at'),
    lastError: text('last_error'),
    ...stamps,
  },
  (table) => [check('mailwizz_instances_caps_positive', sql`${table.hourlyCap} > 0 and ${table.dailyCap} > 0`)],
);

export const mailwizzLists = pgTable(
  'mailwizz_lists',
  {
    instanceId: varchar('instance_id', { length: 50 })
      .notNull()
      .references(() => mailwizzInstances.instanceId),
    listId: integer('list_id').notNull(),
    listUid: varchar('list_uid', { length: 50 }).notNull(),
    name: varchar('name', { length: 255 }).notNull(),
    fields: text('fields').array().notNull().default([]),
    /** As MailWizz counted them when the list was last read. */
    subscribers: integer('subscribers'),
    ...stamps,
  },
  (table) => [primaryKey({ columns: [table.instanceId, table.listId] }), unique('mailwizz_lists_uid').on(table.instanceId, table.listUid)],
);

export const dataSources = pgTable(
  'data_sources',
  {
    id: id(),
    sourceId: varchar('source_id', { length: 100 }).notNull().unique(),
    sourceType: varchar('source_type', { length: 50, enum: sourceTypes }).notNull(),
    name: varchar('name', { length: 255 }).notNull(),
    description: text('description'),
    config: jsonb('config').$type<Record<string, unknown>>().notNull().default({}),
    isActive: boolean('is_active').notNull().default(true),
    defaultMailwizzInstance: varchar('default_mailwizz_instance', { length: 50 }),
    defaultListMapping: jsonb('default_list_mapping').$type<Record<string, number>>().notNull().default({}),
    ...stamps,
    createdBy: bigint('created_by', { mode: 'number' }).references(() => users.id),
    totalContactsReceived: bigint('total_contacts_received', { mode: 'number' }).notNull().default(0),
    totalContactsValidated: bigint('total_contacts_validated', { mode: 'number' }).notNull().default(0),
    totalContactsInjected: bigint('total_contacts_injected', { mode: 'number' }).notNull().default(0),
    lastSyncAt: moment('last_sync_at'),
  },
  (table) => [
    index('idx_data_sources_type').on(table.sourceType),
    index('idx_data_sources_mailwizz').on(table.defaultMailwizzInstance),
    check('data_sources_type_known', oneOf(table.sourceType, sourceTypes)),
  ],
);

export const apiKeys = pgTable(
  'api_keys',
  {
    id: id(),
    keyId: varchar('key_id', { length: 20 }).notNull().unique(),
    kind: varchar('kind', { length: 10, enum: keyKinds }).notNull(),
    secretHash: char('secret_hash', { length: 64 }).notNull(),
    name: varchar('name', { length: 255 }).notNull(),
    sourceId: varchar('source_id', { length: 100 }).references(() => dataSources.sourceId),
    /** Whose events a webhook key may report; null with such a key: PowerMTA, which sends for all instances. */
    instanceId: varchar('instance_id', { length: 50 }).references(() => mailwizzInstances.instanceId),
    createdAt: moment('created_at').notNull().defaultNow(),
    lastUsedAt: moment('last_used_at'),
    expiresAt: moment('expires_at'),
    revokedAt: moment('revoked_at'),
  },
  (table) => [
    index('idx_api_keys_source').on(table.sourceId),
    check('api_keys_kind_known', oneOf(table.kind, keyKinds)),
    check('api_keys_only_webhook_key_has_instance', sql`${table.instanceId} is null or ${table.kind} = 'whk'`),
    check('api_keys_source_key_has_source', sql`(${table.kind} = 'src') = (${table.sourceId} is not null)`),
  ],
);

export const contacts = pgTable(
  'contacts',
  {
    id: id(),
    email: varchar('email', { length: 255 }).notNull().unique(),
    emailHash: varchar('email_hash', { length: 64 }).notNull().unique(),
    firstName: varchar('first_name', { length: 255 }),
    lastName: varchar('last_name', { length: 255 }),
    company: varchar('company', { length: 255 }),
    phone: varchar('phone', { length: 50 }),
    website: varchar('website', { length: 500 }),
    countryCode: char('country_code', { length: 2 }),
    language: varchar('language', { length: 10 }),
    socialLinks: jsonb('social_links').$type<Record<string, string>>(),
    sourceId: varchar('source_id', { length: 100 }).references(() => dataSources.sourceId, { onDelete: 'set null' }),
    importBatchId: varchar('import_batch_id', { length: 100 }),
    rawData: jsonb('raw_data').$type<Record<string, unknown>>(),
    emailValid: boolean('email_valid'),
    emailValidationResult: jsonb('email_validation_result').$type<Record<string, unknown>>(),
    category: varchar('category', { length: 100 }),
    /** Which category rule decided; null when the source gave the category. */
    categoryRule: varchar('category_rule', { length: 50 }),
    tags: text('tags').array().notNull().default([]),
    score: smallint('score').notNull().default(50),
    mailwizzInstance: varchar('mailwizz_instance', { length: 50 }).references(() => mailwizzInstances.instanceId),
    mailwizzListId: integer('mailwizz_list_id'),
    /** Which routing rule sent it there. */
    routingRule: varchar('routing_rule', { length: 50 }),
    status: varchar('status', { length: 50, enum: contactStatuses }).notNull().default('pending'),
    statusChangedAt: moment('status_changed_at').notNull().defaultNow(),
    mailwizzSubscriberUid: varchar('mailwizz_subscriber_uid', { length: 50 }),
    injectedAt: moment('injected_at'),
    injectionResult: jsonb('injection_result').$type<Record<string, unknown>>(),
    ...stamps,
    deletedAt: moment('deleted_at'),
  },
  (table) => [
    index('idx_contacts_source_id').on(table.sourceId),
    index('idx_contacts_status').on(table.status),
    index('idx_contacts_mailwizz_instance').on(table.mailwizzInstance),
    index('idx_contacts_category').on(table.category),
    index('idx_contacts_created_at').on(table.createdAt.desc()),
    index('idx_contacts_import_batch').on(table.importBatchId),
    index('idx_contacts_subscriber_uid').on(table.mailwizzInstance, table.mailwizzSubscriberUid).where(sql`${table.mailwizzSubscriberUid} is not null`),
    check('contacts_status_known', oneOf(table.status, contactStatuses)),
    check('contacts_score_range', sql`${table.score} between 0 and 100`),
  ],
);

export const emailTemplates = pgTable(
  'email_templates',
  {
    id: id(),
    name: varchar('name', { length: 255 }).notNull(),
    description: text('description'),
    sourceId: varchar('source_id', { length: 100 }).references(() => dataSources.sourceId),
    category: varchar('category', { length: 100 }),
    subjectLine: text('subject_line').notNull(),
    htmlContent: text('html_content').notNull(),
    plainTextContent: text('plain_text_content'),
    isActive: boolean('is_active').notNull().default(true),
    language: varchar('language', { length: 10 }).notNull().default('fr'),
    /** The content above is this version of it. */
    version: integer('version').notNull().default(1),
    ...stamps,
    createdBy: bigint('created_by', { mode: 'number' }).references(() => users.id),
    timesUsed: integer('times_used').notNull().default(0),
    lastUsedAt: moment('last_used_at'),
  },
  (table) => [
    index('idx_email_templates_source_id').on(table.sourceId),
    index('idx_email_templates_category').on(table.category),
    index('idx_email_templates_language').on(table.language),
  ],
);

/** What a template said and when: a campaign sends a version, so that nobody can change afterwards what was sent. Rows never change. */
export const emailTemplateVersions = pgTable(
  'email_template_versions',
  {
    templateId: bigint('template_id', { mode: 'number' })
      .notNull()
      .references(() => emailTemplates.id, { onDelete: 'cascade' }),
    version: integer('version').notNull(),
    subjectLine: text('subject_line').notNull(),
    htmlContent: text('html_content').notNull(),
    plainTextContent: text('plain_text_content'),
    createdAt: moment('created_at').notNull().defaultNow(),
    /** Who, as in the audit log. */
    createdBy: varchar('created_by', { length: 100 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.templateId, table.version] })],
);

export const campaigns = pgTable(
  'campaigns',
  {
    id: id(),
    name: varchar('name', { length: 255 }).notNull(),
    description: text('description'),
    sourceId: varchar('source_id', { length: 100 }).references(() => dataSources.sourceId),
    mailwizzInstance: varchar('mailwizz_instance', { length: 50 })
      .notNull()
      .references(() => mailwizzInstances.instanceId),
    mailwizzCampaignId: integer('mailwizz_campaign_id'),
    mailwizzCampaignUid: varchar('mailwizz_campaign_uid', { length: 50 }),
    mailwizzListId: integer('mailwizz_list_id').notNull(),
    emailTemplateId: bigint('email_template_id', { mode: 'number' }).references(() => emailTemplates.id),
    /** Frozen when the campaign starts. */
    templateVersion: integer('template_version'),
    subjectLine: text('subject_line'),
    fromName: varchar('from_name', { length: 255 }),
    fromEmail: varchar('from_email', { length: 255 }),
    replyTo: varchar('reply_to', { length: 255 }),
    /** Goes up with every change of content, for the order `change`. */
    revision: integer('revision').notNull().default(1),
    scheduledAt: moment('scheduled_at'),
    /** What the operator wrote, when it was a time of a zone: the instant is computed again from it when the rules of the zone change. */
    scheduledLocal: varchar('scheduled_local', { length: 19 }),
    scheduleZone: varchar('schedule_zone', { length: 64 }),
    graceMinutes: integer('grace_minutes').notNull().default(60),
    launchedAt: moment('launched_at'),
    startedAt: moment('started_at'),
    completedAt: moment('completed_at'),
    archivedAt: moment('archived_at'),
    sendWindow: jsonb('send_window').$type<SendWindow>(),
    hourlyCap: integer('hourly_cap'),
    dailyCap: integer('daily_cap'),
    targetCategory: varchar('target_category', { length: 100 }),
    targetTags: text('target_tags').array(),
    targetCountryCodes: text('target_country_codes').array(),
    targetLanguage: varchar('target_language', { length: 10 }),
    minScore: smallint('min_score'),
    maxContacts: integer('max_contacts'),
    abTest: jsonb('ab_test').$type<AbTest>(),
    abDecision: jsonb('ab_decision').$type<AbDecision>(),
    status: varchar('status', { length: 50, enum: campaignStatuses }).notNull().default('draft'),
    heldReasons: jsonb('held_reasons').$type<HoldReason[]>().notNull().default([]),
    pausedFrom: varchar('paused_from', { length: 20, enum: pausedFroms }),
    pauseReason: varchar('pause_reason', { length: 20, enum: pauseReasons }),
    /** Shares of what was delivered; above them the campaign is paused. Mail providers act at about these (5 % bounces, 0.3 % spam reports). */
    bounceLimit: doublePrecision('bounce_limit').notNull().default(0.05),
    complaintLimit: doublePrecision('complaint_limit').notNull().default(0.003),
    audienceCountedAt: moment('audience_counted_at'),
    audience: integer('audience').notNull().default(0),
    sent: integer('sent').notNull().default(0),
    skipped: integer('skipped').notNull().default(0),
    failed: integer('failed').notNull().default(0),
    pending: integer('pending').notNull().default(0),
    workflowId: varchar('workflow_id', { length: 150 }),
    /** How often its run was lost or failed and was started again. */
    restarts: smallint('restarts').notNull().default(0),
    /** Goes up with every state that its run stores: an older one, stored late, changes nothing. */
    stateVersion: integer('state_version').notNull().default(0),
    totalSent: integer('total_sent').notNull().default(0),
    totalDelivered: integer('total_delivered').notNull().default(0),
    totalBounced: integer('total_bounced').notNull().default(0),
    totalOpened: integer('total_opened').notNull().default(0),
    totalClicked: integer('total_clicked').notNull().default(0),
    totalUnsubscribed: integer('total_unsubscribed').notNull().default(0),
    totalSpamReports: integer('total_spam_reports').notNull().default(0),
    ...stamps,
    createdBy: bigint('created_by', { mode: 'number' }).references(() => users.id),
  },
  (table) => [
    index('idx_campaigns_source_id').on(table.sourceId),
    index('idx_campaigns_mailwizz_instance').on(table.mailwizzInstance),
    index('idx_campaigns_status').on(table.status),
    index('idx_campaigns_scheduled_at').on(table.scheduledAt),
    uniqueIndex('campaigns_uid').on(table.mailwizzInstance, table.mailwizzCampaignUid),
    index('idx_campaigns_template').on(table.emailTemplateId),
    index('idx_campaigns_open').on(table.id).where(sql`${table.status} not in ('completed', 'cancelled')`),
    foreignKey({ name: 'campaigns_template_version', columns: [table.emailTemplateId, table.templateVersion], foreignColumns: [emailTemplateVersions.templateId, emailTemplateVersions.version] }),
    check('campaigns_status_known', oneOf(table.status, campaignStatuses)),
    check('campaigns_paused_from_known', sql`${oneOf(table.pausedFrom, pausedFroms)} and (${table.status} = 'paused') = (${table.pausedFrom} is not null)`),
    check('campaigns_pause_reason_known', oneOf(table.pauseReason, pauseReasons)),
    check('campaigns_min_score_range', sql`${table.minScore} between 0 and 100`),
    check('campaigns_limits_positive', sql`${table.maxContacts} > 0 and ${table.hourlyCap} > 0 and ${table.dailyCap} > 0 and ${table.graceMinutes} >= 0`),
    check('campaigns_add_up', sql`${table.audience} = ${table.sent} + ${table.skipped} + ${table.failed} + ${table.pending}`),
  ],
);

/** What differs between the variants of a campaign under test; what is null is as in the campaign. */
export const campaignVariants = pgTable(
  'campaign_variants',
  {
    campaignId: bigint('campaign_id', { mode: 'number' })
      .notNull()
      .references(() => campaigns.id, { onDelete: 'cascade' }),
    key: char('key', { length: 1, enum: variantKeys }).notNull(),
    subjectLine: text('subject_line'),
    fromName: varchar('from_name', { length: 255 }),
    emailTemplateId: bigint('email_template_id', { mode: 'number' }).references(() => emailTemplates.id),
    templateVersion: integer('template_version'),
    /** Weight of its sample against those of the others. */
    share: smallint('share').notNull().default(1),
    isWinner: boolean('is_winner').notNull().default(false),
    figures: jsonb('figures').$type<AbDecision['figures'][number]>(),
    ...stamps,
  },
  (table) => [
    primaryKey({ columns: [table.campaignId, table.key] }),
    uniqueIndex('campaign_variants_one_winner').on(table.campaignId).where(sql`${table.isWinner}`),
    index('idx_campaign_variants_template').on(table.emailTemplateId),
    foreignKey({ name: 'campaign_variants_template_version', columns: [table.emailTemplateId, table.templateVersion], foreignColumns: [emailTemplateVersions.templateId, emailTemplateVersions.version] }),
    check('campaign_variants_key_known', oneOf(table.key, variantKeys)),
    check('campaign_variants_share_positive', sql`${table.share} > 0`),
  ],
);

/** One MailWizz campaign each: a variant, a country (null: all), a range of buckets. A campaign without a test has variant `a` only. */
export const campaignLegs = pgTable(
  'campaign_legs',
  {
    id: id(),
    campaignId: bigint('campaign_id', { mode: 'number' })
      .notNull()
      .references(() => campaigns.id, { onDelete: 'cascade' }),
    variant: char('variant', { length: 1, enum: variantKeys }).notNull().default('a'),
    part: varchar('part', { length: 10, enum: legParts }).notNull().default('whole'),
    country: char('country', { length: 2 }),
    bucketFrom: smallint('bucket_from').notNull(),
    bucketTo: smallint('bucket_to').notNull(),
    /** Of the audience, when the leg was planned. */
    contacts: integer('contacts').notNull().default(0),
    /** In the name of the MailWizz campaign: looked for before one is created. */
    marker: varchar('marker', { length: 60 }).notNull().unique(),
    mailwizzSegmentUid: varchar('mailwizz_segment_uid', { length: 50 }),
    /** Of that segment, as MailWizz counted it. */
    segmentContacts: integer('segment_contacts'),
    /** When its MailWizz campaign was last ordered: while that request may live, an absent one is not ordered again. */
    orderedAt: moment('ordered_at'),
    /** How far its delivery log was read. */
    logPage: integer('log_page').notNull().default(1),
    mailwizzCampaignUid: varchar('mailwizz_campaign_uid', { length: 50 }),
    mailwizzCampaignId: integer('mailwizz_campaign_id'),
    state: varchar('state', { length: 20, enum: legStates }).notNull().default('planned'),
    /** Under caps a leg runs only with this: set when there is room for it, taken back while it is paused. */
    releasedAt: moment('released_at'),
    pausedAt: moment('paused_at'),
    startedAt: moment('started_at'),
    finishedAt: moment('finished_at'),
    sent: integer('sent').notNull().default(0),
    skipped: integer('skipped').notNull().default(0),
    failed: integer('failed').notNull().default(0),
    /** As MailWizz counted them last; a leg that has ended is asked for them now and then. */
    figures: jsonb('figures').$type<LegFigures>(),
    figuresAt: moment('figures_at'),
    lastError: text('last_error'),
    ...stamps,
  },
  (table) => [
    index('idx_campaign_legs_campaign').on(table.campaignId),
    // Caps ask for all legs of an instance that are open or ended within a day.
    index('idx_campaign_legs_finished').on(table.finishedAt),
    index('idx_campaign_legs_uid').on(table.mailwizzCampaignUid).where(sql`${table.mailwizzCampaignUid} is not null`),
    check('campaign_legs_variant_known', oneOf(table.variant, variantKeys)),
    check('campaign_legs_part_known', oneOf(table.part, legParts)),
    check('campaign_legs_state_known', oneOf(table.state, legStates)),
    check('campaign_legs_range', sql`${table.bucketFrom} between 0 and ${table.bucketTo} and ${table.bucketTo} <= ${sql.raw(String(lastBucket))}`),
  ],
);

/**
 * The audience as it was frozen, and what became of each member. Written often and read seldom, so the outcome is in no index: to find one reads the rows
 * of its campaign, 50 ms for 100,000 (to freeze that many takes 3 s).
 */
export const campaignRecipients = pgTable(
  'campaign_recipients',
  {
    campaignId: bigint('campaign_id', { mode: 'number' })
      .notNull()
      .references(() => campaigns.id, { onDelete: 'cascade' }),
    contactId: bigint('contact_id', { mode: 'number' })
      .notNull()
      .references(() => contacts.id),
    bucket: smallint('bucket').notNull(),
    legId: bigint('leg_id', { mode: 'number' }).references(() => campaignLegs.id),
    outcome: varchar('outcome', { length: 10, enum: recipientOutcomes }).notNull().default('pending'),
    reason: varchar('reason', { length: 50 }),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.campaignId, table.contactId] }),
    index('idx_campaign_recipients_contact').on(table.contactId),
    check('campaign_recipients_outcome_known', oneOf(table.outcome, recipientOutcomes)),
  ],
);

/** Partitioned by month of its own time. `dedupe_key` keeps copies of one event out of its partition. */
export const contactEvents = pgTable(
  'contact_events',
  {
    id: bigint('id', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    contactId: bigint('contact_id', { mode: 'number' }).references(() => contacts.id, { onDelete: 'cascade' }),
    email: varchar('email', { length: 255 }).notNull(),
    campaignId: bigint('campaign_id', { mode: 'number' }).references(() => campaigns.id, { onDelete: 'set null' }),
    legId: bigint('leg_id', { mode: 'number' }),
    eventType: varchar('event_type', { length: 50, enum: contactEventTypes }).notNull(),
    eventData: jsonb('event_data').$type<Record<string, unknown>>(),
    source: varchar('source', { length: 100 }),
    timestamp: moment('timestamp').notNull().defaultNow(),
    receivedAt: moment('received_at').notNull().defaultNow(),
    ipAddress: varchar('ip_address', { length: 45 }),
    userAgent: text('user_agent'),
    /** What makes it the same event, whatever way it comes and how often; null for what we did ourselves. */
    dedupeKey: bytes('dedupe_key'),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.timestamp] }),
    uniqueIndex('contact_events_once').on(table.dedupeKey, table.timestamp).where(sql`${table.dedupeKey} is not null`),
    index('idx_contact_events_contact_id').on(table.contactId, table.timestamp),
    index('idx_contact_events_campaign_id').on(table.campaignId).where(sql`${table.campaignId} is not null`),
    index('idx_contact_events_timestamp').using('brin', table.timestamp),
    check('contact_events_type_known', oneOf(table.eventType, contactEventTypes)),
  ],
);

export const importBatches = pgTable(
  'import_batches',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedByDefaultAsIdentity(),
    batchId: varchar('batch_id', { length: 100 }).notNull().unique(),
    sourceId: varchar('source_id', { length: 100 })
      .notNull()
      .references(() => dataSources.sourceId),
    sourceConfig: jsonb('source_config').$type<Record<string, unknown>>(),
    /** Scope of the idempotency key: who called. */
    callerKeyId: varchar('caller_key_id', { length: 20 }),
    idempotencyKey: varchar('idempotency_key', { length: 255 }),
    bodyHash: char('body_hash', { length: 64 }),
    state: varchar('state', { length: 20, enum: batchStates }).notNull().default('received'),
    error: text('error'),
    workflowId: varchar('workflow_id', { length: 150 }),
    /** How often its run was lost or failed and was started again. */
    restarts: smallint('restarts').notNull().default(0),
    received: integer('received').notNull().default(0),
    accepted: integer('accepted').notNull().default(0),
    duplicates: integer('duplicates').notNull().default(0),
    rejected: integer('rejected').notNull().default(0),
    injected: integer('injected').notNull().default(0),
    invalid: integer('invalid').notNull().default(0),
    suppressed: integer('suppressed').notNull().default(0),
    unroutable: integer('unroutable').notNull().default(0),
    failed: integer('failed').notNull().default(0),
    /** What of these figures its source has counted into its own totals. */
    countedReceived: integer('counted_received').notNull().default(0),
    countedValidated: integer('counted_validated').notNull().default(0),
    countedInjected: integer('counted_injected').notNull().default(0),
    ingestedAt: moment('ingested_at'),
    completedAt: moment('completed_at'),
    ...stamps,
  },
  (table) => [
    index('idx_import_batches_source').on(table.sourceId, table.id),
    index('idx_import_batches_open').on(table.id).where(sql`${table.state} in ('received', 'running')`),
    uniqueIndex('import_batches_idempotency').on(table.callerKeyId, table.idempotencyKey).where(sql`${table.idempotencyKey} is not null`),
    check('import_batches_state_known', oneOf(table.state, batchStates)),
  ],
);

/** Partitioned by month of receipt. `payload` is the row as delivered, as JSON text: jsonb would refuse NUL and lone surrogates. */
export const batchRows = pgTable(
  'batch_rows',
  {
    batchId: bigint('batch_id', { mode: 'number' }).notNull(),
    rowNumber: integer('row_number').notNull(),
    receivedAt: moment('received_at').notNull(),
    payload: text('payload').notNull(),
    outcome: varchar('outcome', { length: 20, enum: rowOutcomes }),
    reason: varchar('reason', { length: 100 }),
    field: varchar('field', { length: 100 }),
    contactId: bigint('contact_id', { mode: 'number' }),
    fate: varchar('fate', { length: 20, enum: rowFates }),
    fateReason: varchar('fate_reason', { length: 100 }),
    /** When an accepted row that waits is to be tried again. */
    retryAt: moment('retry_at'),
    /** How often the injection of this row has been put off. */
    deferrals: smallint('deferrals').notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.batchId, table.rowNumber, table.receivedAt] }),
    index('idx_batch_rows_contact').on(table.contactId, table.batchId).where(sql`${table.contactId} is not null`),
    index('idx_batch_rows_open').on(table.batchId, table.contactId).where(sql`${table.outcome} = 'accepted' and ${table.fate} is null`),
    check('batch_rows_outcome_known', oneOf(table.outcome, rowOutcomes)),
    check('batch_rows_fate_known', oneOf(table.fate, rowFates)),
  ],
);

export const injections = pgTable(
  'injections',
  {
    id: id(),
    contactId: bigint('contact_id', { mode: 'number' })
      .notNull()
      .references(() => contacts.id),
    instanceId: varchar('instance_id', { length: 50 }).notNull(),
    listId: integer('list_id').notNull(),
    state: varchar('state', { length: 20, enum: injectionStates }).notNull().default('pending'),
    method: varchar('method', { length: 10, enum: injectionMethods }),
    attempt: integer('attempt').notNull().default(0),
    subscriberUid: varchar('subscriber_uid', { length: 50 }),
    reason: varchar('reason', { length: 200 }),
    rule: varchar('rule', { length: 50 }),
    /** The delivery that asked for it, when it is not the contact's own destination: a second source that sends it to another client. */
    batchId: bigint('batch_id', { mode: 'number' }),
    claimedAt: moment('claimed_at'),
    /** When the reconciler last saw the subscriber in MailWizz. */
    seenAt: moment('seen_at'),
    ...stamps,
  },
  (table) => [
    unique('injections_once').on(table.contactId, table.instanceId, table.listId),
    index('idx_injections_uid').on(table.instanceId, table.subscriberUid).where(sql`${table.subscriberUid} is not null`),
    index('idx_injections_open').on(table.instanceId, table.state).where(sql`${table.state} in ('pending', 'sending', 'unknown')`),
    check('injections_state_known', oneOf(table.state, injectionStates)),
    check('injections_method_known', oneOf(table.method, injectionMethods)),
  ],
);

/** One comparison of our ledger with one list of MailWizz; the newest of a list is what operators read. */
export const reconciliations = pgTable(
  'reconciliations',
  {
    id: id(),
    instanceId: varchar('instance_id', { length: 50 })
      .notNull()
      .references(() => mailwizzInstances.instanceId),
    listId: integer('list_id').notNull(),
    startedAt: moment('started_at').notNull(),
    finishedAt: moment('finished_at'),
    /** Rows read in MailWizz; every one of them is matched or foreign. */
    subscribers: integer('subscribers').notNull().default(0),
    matched: integer('matched').notNull().default(0),
    foreign: integer('foreign_subscribers').notNull().default(0),
    /** Repaired, as certain: open entries found there, uids that had changed, people who left there. */
    settled: integer('settled').notNull().default(0),
    uidsRepaired: integer('uids_repaired').notNull().default(0),
    suppressed: integer('suppressed').notNull().default(0),
    /** Reported only: an address more than once there; injected by us and not there (any more). */
    doubled: integer('doubled').notNull().default(0),
    missing: integer('missing').notNull().default(0),
    /** How far MailWizz has been read: a page that is repeated after a crash counts once. */
    cursor: text('cursor'),
  },
  (table) => [index('idx_reconciliations_list').on(table.instanceId, table.listId, table.id)],
);

/** What an operator should know. One open alert per kind and subject: what happens again is counted, not repeated. */
export const alerts = pgTable(
  'alerts',
  {
    id: id(),
    kind: varchar('kind', { length: 50, enum: alertKinds }).notNull(),
    /** What it is about, by id: an instance, a list, a batch. Never a person. */
    subject: varchar('subject', { length: 200 }).notNull(),
    message: text('message').notNull(),
    count: integer('count').notNull().default(1),
    firstAt: moment('first_at').notNull().defaultNow(),
    lastAt: moment('last_at').notNull().defaultNow(),
    acknowledgedAt: moment('acknowledged_at'),
    acknowledgedBy: varchar('acknowledged_by', { length: 100 }),
    resolvedAt: moment('resolved_at'),
    /** When it was told outside; null while it waits for that. */
    notifiedAt: moment('notified_at'),
  },
  (table) => [
    index('idx_alerts_unnotified').on(table.id).where(sql`${table.notifiedAt} is null`),
    index('idx_alerts_resolved').on(table.resolvedAt).where(sql`${table.resolvedAt} is not null`),
    uniqueIndex('alerts_open_once').on(table.kind, table.subject).where(sql`${table.resolvedAt} is null`),
  ],
);

/** Kinds of alerts that nobody wants to be told outside for a while; they are still raised and listed. */
export const alertMutes = pgTable('alert_mutes', {
  kind: varchar('kind', { length: 50, enum: alertKinds }).primaryKey(),
  until: moment('until').notNull(),
  mutedBy: varchar('muted_by', { length: 100 }).notNull(),
  createdAt: moment('created_at').notNull().defaultNow(),
});

export const suppressions = pgTable(
  'suppressions',
  {
    emailHash: varchar('email_hash', { length: 64 }).primaryKey(),
    reason: varchar('reason', { length: 50, enum: suppressionReasons }).notNull(),
    origin: varchar('origin', { length: 100 }).notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    /** Why, in the words of the operator who ordered it. */
    note: varchar('note', { length: 500 }),
    /** When every other list that has the address had been told; until then it is looked at again. */
    carriedAt: moment('carried_at'),
    /** Not looked at before: a list that cannot be told now is told later. */
    carryAfter: moment('carry_after').notNull().defaultNow(),
  },
  (table) => [
    check('suppressions_reason_known', oneOf(table.reason, suppressionReasons)),
    index('idx_suppressions_uncarried').on(table.carryAfter).where(sql`${table.carriedAt} is null`),
    index('idx_suppressions_created').on(table.createdAt.desc(), table.emailHash),
  ],
);

/** The proof that an order not to mail reached a list: how its subscriber stood there when we had told it. */
export const suppressionCarries = pgTable(
  'suppression_carries',
  {
    emailHash: varchar('email_hash', { length: 64 }).notNull(),
    instanceId: varchar('instance_id', { length: 50 })
      .notNull()
      .references(() => mailwizzInstances.instanceId),
    listId: integer('list_id').notNull(),
    subscriberUid: varchar('subscriber_uid', { length: 50 }).notNull(),
    state: varchar('state', { length: 10, enum: carryStates }).notNull(),
    /** Its status there, read after the order; null when nobody is there. */
    standing: varchar('standing', { length: 20 }),
    attempts: smallint('attempts').notNull().default(1),
    lastError: varchar('last_error', { length: 200 }),
    ...stamps,
  },
  (table) => [primaryKey({ columns: [table.emailHash, table.instanceId, table.listId] }), check('suppression_carries_state_known', oneOf(table.state, carryStates))],
);

/** What a contact did with the mails of a campaign. What happens once has its time here, so a second report of it changes nothing. */
export const campaignActivity = pgTable(
  'campaign_activity',
  {
    campaignId: bigint('campaign_id', { mode: 'number' })
      .notNull()
      .references(() => campaigns.id, { onDelete: 'cascade' }),
    contactId: bigint('contact_id', { mode: 'number' })
      .notNull()
      .references(() => contacts.id, { onDelete: 'cascade' }),
    legId: bigint('leg_id', { mode: 'number' }).notNull().default(0),
    /** Where its events are counted, as it was with the first of them. */
    sourceId: varchar('source_id', { length: 100 }).notNull().default(''),
    pool: varchar('pool', { length: 20 }).notNull().default('other'),
    sentAt: moment('sent_at'),
    deliveredAt: moment('delivered_at'),
    bouncedAt: moment('bounced_at'),
    bounceClass: varchar('bounce_class', { length: 10, enum: bounceClasses }),
    openedAt: moment('opened_at'),
    opens: integer('opens').notNull().default(0),
    clickedAt: moment('clicked_at'),
    clicks: integer('clicks').notNull().default(0),
    unsubscribedAt: moment('unsubscribed_at'),
    spamReportAt: moment('spam_report_at'),
  },
  (table) => [primaryKey({ columns: [table.campaignId, table.contactId] }), index('idx_campaign_activity_contact').on(table.contactId)],
);

/**
 * Figures of events, kept with them in one commit. `total` counts events, `contacts` the contacts of a campaign on the day of their first such event, so
 * that sums over days, sources or variants stay sums. 0 and '' mean: none of ours.
 */
export const eventCounts = pgTable(
  'event_counts',
  {
    campaignId: bigint('campaign_id', { mode: 'number' }).notNull(),
    legId: bigint('leg_id', { mode: 'number' }).notNull(),
    sourceId: varchar('source_id', { length: 100 }).notNull(),
    pool: varchar('pool', { length: 20 }).notNull(),
    day: date('day', { mode: 'string' }).notNull(),
    eventType: varchar('event_type', { length: 50, enum: contactEventTypes }).notNull(),
    total: bigint('total', { mode: 'number' }).notNull().default(0),
    contacts: bigint('contacts', { mode: 'number' }).notNull().default(0),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.campaignId, table.legId, table.sourceId, table.pool, table.day, table.eventType] }),
    index('idx_event_counts_day').on(table.day),
    index('idx_event_counts_source').on(table.sourceId, table.day),
  ],
);

/** Events whose contact or campaign nobody knows yet. They are tried again until they are known or old. */
export const unmatchedEvents = pgTable(
  'unmatched_events',
  {
    dedupeKey: bytes('dedupe_key').primaryKey(),
    event: jsonb('event').$type<MailEvent>().notNull(),
    instanceId: varchar('instance_id', { length: 50 }),
    campaignUid: varchar('campaign_uid', { length: 50 }),
    subscriberUid: varchar('subscriber_uid', { length: 50 }),
    emailHash: varchar('email_hash', { length: 64 }),
    receivedAt: moment('received_at').notNull().defaultNow(),
  },
  (table) => [
    index('idx_unmatched_events_campaign').on(table.campaignUid).where(sql`${table.campaignUid} is not null`),
    index('idx_unmatched_events_subscriber').on(table.instanceId, table.subscriberUid).where(sql`${table.subscriberUid} is not null`),
    index('idx_unmatched_events_email').on(table.emailHash).where(sql`${table.emailHash} is not null`),
    index('idx_unmatched_events_received').on(table.receivedAt),
  ],
);

/** How far a log of a MailWizz campaign has been read. */
export const eventCursors = pgTable(
  'event_cursors',
  {
    instanceId: varchar('instance_id', { length: 50 })
      .notNull()
      .references(() => mailwizzInstances.instanceId),
    campaignUid: varchar('campaign_uid', { length: 50 }).notNull(),
    log: varchar('log', { length: 20, enum: pollLogs }).notNull(),
    /** Records read through the API, or the number of the last row read in MySQL. */
    position: bigint('position', { mode: 'number' }).notNull().default(0),
    readAt: moment('read_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.instanceId, table.campaignUid, table.log] }), check('event_cursors_log_known', oneOf(table.log, pollLogs))],
);

/** How PowerMTA's categories of bounces are read (mailwizz.md 7.2). */
export const bounceCategories = pgTable(
  'bounce_categories',
  {
    category: varchar('category', { length: 50 }).primaryKey(),
    bounceClass: varchar('bounce_class', { length: 10, enum: bounceClasses }).notNull(),
    ...stamps,
  },
  (table) => [check('bounce_categories_class_known', oneOf(table.bounceClass, bounceClasses))],
);

/** One row: so many soft bounces from different campaigns within so many days count as a hard one. */
export const bounceRules = pgTable(
  'bounce_rules',
  {
    id: smallint('id').primaryKey().default(1),
    softLimit: smallint('soft_limit').notNull(),
    softDays: smallint('soft_days').notNull(),
    ...stamps,
  },
  (table) => [check('bounce_rules_one', sql`${table.id} = 1`), check('bounce_rules_positive', sql`${table.softLimit} > 0 and ${table.softDays} > 0`)],
);

/** How far an accounting file of PowerMTA has been read; known by its first line and first record, since files are renamed when they are rotated. */
export const accountingFiles = pgTable('accounting_files', {
  fingerprint: char('fingerprint', { length: 64 }).primaryKey(),
  name: varchar('name', { length: 255 }).notNull(),
  bytesRead: bigint('bytes_read', { mode: 'number' }).notNull().default(0),
  records: bigint('records', { mode: 'number' }).notNull().default(0),
  ...stamps,
});

export const routingRules = pgTable('routing_rules', {
  id: id(),
  position: integer('position').notNull(),
  category: varchar('category', { length: 100 }).notNull(),
  instanceId: varchar('instance_id', { length: 50 }).notNull(),
  listId: integer('list_id'),
  isActive: boolean('is_active').notNull().default(true),
  ...stamps,
});

export const categoryRules = pgTable('category_rules', {
  id: id(),
  position: integer('position').notNull(),
  category: varchar('category', { length: 100 }).notNull(),
  words: text('words').array().notNull(),
  unless: text('unless').array().notNull().default([]),
  isActive: boolean('is_active').notNull().default(true),
  ...stamps,
});

/** Work whose workflow is still to be started; written in the transaction that created the work. */
export const outbox = pgTable(
  'outbox',
  {
    batchId: bigint('batch_id', { mode: 'number' }).primaryKey(),
    availableAt: moment('available_at').notNull().defaultNow(),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (table) => [index('idx_outbox_available').on(table.availableAt)],
);

export const auditLog = pgTable(
  'audit_log',
  {
    id: id(),
    actor: varchar('actor', { length: 100 }).notNull(),
    action: varchar('action', { length: 100 }).notNull(),
    entity: varchar('entity', { length: 200 }).notNull(),
    details: jsonb('details').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (table) => [index('idx_audit_log_entity').on(table.entity, table.id)],
);

/** Authenticated and unreadable, as it came. Partitioned by month of receipt. */
export const webhookQuarantine = pgTable(
  'webhook_quarantine',
  {
    id: bigint('id', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    instanceId: varchar('instance_id', { length: 50 }),
    /** What follows /webhooks/ in the address that it was sent to, without the key. */
    endpoint: varchar('endpoint', { length: 100 }).notNull(),
    contentType: varchar('content_type', { length: 100 }),
    body: bytes('body').notNull(),
    reason: varchar('reason', { length: 200 }).notNull(),
    receivedAt: moment('received_at').notNull().defaultNow(),
    replayedAt: moment('replayed_at'),
  },
  (table) => [primaryKey({ columns: [table.id, table.receivedAt] })],
);
