import { and, asc, count, desc, eq, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm';
import type { CampaignState, CampaignStatus } from '../../src/domain/campaign';
import type { CampaignFigures } from '../../src/domain/campaign-run';
import { EngineError } from '../../src/domain/errors';
import type { Db, DbHandle, DbReader } from '../client';
import { campaigns, campaignVariants, emailTemplates } from '../schema';
import { raiseAlert, resolveAlert } from './alerts';
import { recordAudit } from './audit';

export type Campaign = typeof campaigns.$inferSelect;
export type NewCampaign = typeof campaigns.$inferInsert;
export type Variant = typeof campaignVariants.$inferSelect;
export type NewVariant = Omit<typeof campaignVariants.$inferInsert, 'campaignId'>;

/** The campaign as a draft, with its variants; its template counts one use more. */
export async function insertCampaign(tx: DbHandle, values: NewCampaign, variants: NewVariant[]): Promise<Campaign> {
  const [made] = await tx.insert(campaigns).values(values).returning();
  if (!made) throw new Error('an insert that answered nothing');
  await replaceVariants(tx, made.id, variants);
  if (made.emailTemplateId !== null)
    await tx.update(emailTemplates).set({ timesUsed: sql`${emailTemplates.timesUsed} + 1`, lastUsedAt: sql`now()` }).where(eq(emailTemplates.id, made.emailTemplateId));
  return made;
}

export async function replaceVariants(tx: DbHandle, campaignId: number, variants: NewVariant[]): Promise<void> {
  await tx.delete(campaignVariants).where(eq(campaignVariants.campaignId, campaignId));
  if (variants.length > 0) await tx.insert(campaignVariants).values(variants.map((variant) => ({ ...variant, campaignId })));
}

export async function findCampaign(db: DbReader, id: number): Promise<Campaign | undefined> {
  const [found] = await db.select().from(campaigns).where(eq(campaigns.id, id)).limit(1);
  return found;
}

export async function getCampaign(db: DbReader, id: number): Promise<Campaign> {
  const found = await findCampaign(db, id);
  if (!found) throw new EngineError('notFound', `campaign ${id} not found`, { publicMessage: `There is no campaign ${id}.` });
  return found;
}

export const listVariants = (db: DbReader, campaignId: number): Promise<Variant[]> =>
  db.select().from(campaignVariants).where(eq(campaignVariants.campaignId, campaignId)).orderBy(asc(campaignVariants.key)).limit(5);

export type CampaignFilter = {
  status?: CampaignStatus | undefined;
  sourceId?: string | undefined;
  instanceId?: string | undefined;
  q?: string | undefined;
  archived: boolean;
};

/** Newest first. */
export async function listCampaigns(db: DbReader, filter: CampaignFilter & { page: number; limit: number }): Promise<{ items: Campaign[]; total: number }> {
  const pattern = filter.q === undefined ? undefined : `%${filter.q.replace(/[\\%_]/g, '\\$&')}%`;
  const where = and(
    filter.status === undefined ? undefined : eq(campaigns.status, filter.status),
    filter.sourceId === undefined ? undefined : eq(campaigns.sourceId, filter.sourceId),
    filter.instanceId === undefined ? undefined : eq(campaigns.mailwizzInstance, filter.instanceId),
    pattern === undefined ? undefined : sql`(${campaigns.name} ilike ${pattern} or ${campaigns.description} ilike ${pattern})`,
    filter.archived ? isNotNull(campaigns.archivedAt) : isNull(campaigns.archivedAt),
  );
  const items = await db.select().from(campaigns).where(where).orderBy(desc(campaigns.id)).limit(filter.limit).offset((filter.page - 1) * filter.limit);
  const [row] = await db.select({ total: count() }).from(campaigns).where(where);
  return { items, total: row?.total ?? 0 };
}

/** The state of its row, as a run begins with it. */
export const stateOf = (campaign: Campaign): CampaignState => ({
  status: campaign.status,
  pausedFrom: campaign.pausedFrom,
  pauseReason: campaign.pauseReason,
  scheduledAtMs: campaign.scheduledAt?.getTime() ?? null,
  launchedAtMs: campaign.launchedAt?.getTime() ?? null,
  held: campaign.heldReasons,
  revision: campaign.revision,
});

const toDate = (ms: number | null) => (ms === null ? null : new Date(ms));
const beforeStart = or(inArray(campaigns.status, ['draft', 'scheduled']), and(eq(campaigns.status, 'paused'), eq(campaigns.pausedFrom, 'scheduled')));

/** Stores what the run has decided, and the alerts that follow from it. False when a newer state is stored already. */
export async function saveCampaignState(db: Db, { id, version, state }: { id: number; version: number; state: CampaignState }): Promise<boolean> {
  return db.transaction(async (tx) => {
    const [before] = await tx.select().from(campaigns).where(eq(campaigns.id, id)).limit(1).for('update');
    if (!before || before.stateVersion >= version) return false;
    const notBegun = state.status === 'draft' || state.status === 'scheduled' || state.pausedFrom === 'scheduled';
    const scheduledAt = toDate(state.scheduledAtMs);
    await tx
      .update(campaigns)
      .set({
        stateVersion: version,
        status: state.status,
        pausedFrom: state.pausedFrom,
        pauseReason: state.pauseReason,
        scheduledAt,
        // A time of a zone belongs to the instant it was turned into; a new instant leaves it behind.
        ...(scheduledAt?.getTime() !== before.scheduledAt?.getTime() && { scheduledLocal: null, scheduleZone: null }),
        launchedAt: toDate(state.launchedAtMs),
        heldReasons: state.held,
        ...(notBegun && { startedAt: null, templateVersion: null }),
        updatedAt: new Date(),
      })
      .where(eq(campaigns.id, id));
    if (before.status !== state.status) await recordAudit(tx, { actor: 'campaign run', action: `campaign.${state.status}`, entity: `campaign:${id}`, details: { from: before.status } });
    await tellHold(tx, id, state);
    await tellPause(tx, id, state);
    return true;
  });
}

async function tellHold(tx: DbHandle, id: number, state: CampaignState): Promise<void> {
  const about = { kind: 'campaign_held', subject: `campaign:${id}` } as const;
  if (state.held.length === 0) return resolveAlert(tx, about);
  await raiseAlert(tx, { ...about, message: state.held.map(({ message }) => message).join(' ').slice(0, 2_000) });
}

const pauseTexts = {
  bounce_rate: 'Its bounce rate is above the limit.',
  complaint_rate: 'Its rate of spam reports is above the limit.',
  instance: 'Its MailWizz campaign was stopped there.',
} as const;

async function tellPause(tx: DbHandle, id: number, { status, pauseReason }: CampaignState): Promise<void> {
  const about = { kind: 'campaign_rate', subject: `campaign:${id}` } as const;
  if (status !== 'paused' || pauseReason === null || pauseReason === 'operator') return resolveAlert(tx, about);
  await raiseAlert(tx, { ...about, message: `Campaign ${id} is paused. ${pauseTexts[pauseReason]}` });
}

/** New content, only before the start and never behind the back of a campaign that begins. Undefined when it is too late. */
export async function updateCampaign(tx: DbHandle, id: number, changes: Partial<NewCampaign>): Promise<Campaign | undefined> {
  const [changed] = await tx
    .update(campaigns)
    .set({ ...changes, revision: sql`${campaigns.revision} + 1`, updatedAt: new Date() })
    .where(and(eq(campaigns.id, id), beforeStart))
    .returning();
  return changed;
}

/** From here on time and content are fixed, versions of templates too. False when the content is not the one that was checked. */
export async function beginCampaign(db: Db, { id, revision, now }: { id: number; revision: number; now: Date }): Promise<boolean> {
  return db.transaction(async (tx) => {
    const begun = await tx.execute<{ audience: number }>(sql`
      update campaigns set status = 'running', started_at = coalesce(campaigns.started_at, ${now.toISOString()}), updated_at = now(),
        template_version = coalesce(campaigns.template_version, (select version from email_templates where email_templates.id = campaigns.email_template_id))
      where id = ${id} and revision = ${revision} and status in ('scheduled', 'running') returning audience`);
    const [campaign] = begun.rows;
    if (!campaign) return false;
    await tx.execute(sql`
      update campaign_variants set template_version = coalesce(campaign_variants.template_version, email_templates.version)
      from email_templates where campaign_variants.campaign_id = ${id} and email_templates.id = campaign_variants.email_template_id`);
    await raiseAlert(tx, { kind: 'campaign_launched', subject: `campaign:${id}`, message: `Campaign ${id} was launched for ${campaign.audience} recipients.` });
    return true;
  });
}

/** The word that it is over: news, not trouble, so it stays open no longer than it is told. */
export async function recordFinish(tx: DbHandle, { id, figures, now }: { id: number; figures: CampaignFigures; now: Date }): Promise<void> {
  await tx.update(campaigns).set({ completedAt: sql`coalesce(${campaigns.completedAt}, ${now.toISOString()}::timestamptz)` }).where(eq(campaigns.id, id));
  const about = { subject: `campaign:${id}` };
  await resolveAlert(tx, { kind: 'campaign_launched', ...about });
  const { audience, sent, skipped, failed } = figures;
  await raiseAlert(tx, { kind: 'campaign_finished', ...about, message: `Campaign ${id} is over: ${audience} recipients, ${sent} sent, ${skipped} skipped, ${failed} failed.` });
  await resolveAlert(tx, { kind: 'campaign_finished', ...about });
}

/** Campaigns that should have a run: those that are not over, there too. */
export const findOpenCampaigns = (db: DbReader, { afterId, limit, olderThanMs }: { afterId: number; limit: number; olderThanMs: number }): Promise<Campaign[]> =>
  db
    .select()
    .from(campaigns)
    .where(and(sql`(${campaigns.status} not in ('completed', 'cancelled') or exists (select from campaign_legs where campaign_id = ${campaigns.id} and state in ('created', 'started', 'paused')))`, sql`${campaigns.id} > ${afterId}`, sql`${campaigns.createdAt} < now() - make_interval(secs => ${olderThanMs} / 1000.0)`))
    .orderBy(asc(campaigns.id))
    .limit(limit);

export async function recordCampaignRun(db: DbHandle, { id, workflowId, restarted }: { id: number; workflowId: string; restarted: boolean }): Promise<void> {
  await db.update(campaigns).set({ workflowId, ...(restarted && { restarts: sql`${campaigns.restarts} + 1` }) }).where(eq(campaigns.id, id));
}

/** Out of the usual lists, or back into them. */
export async function archiveCampaign(db: DbHandle, id: number, archived: boolean): Promise<void> {
  await db.update(campaigns).set({ archivedAt: archived ? sql`coalesce(${campaigns.archivedAt}, now())` : null }).where(eq(campaigns.id, id));
}
