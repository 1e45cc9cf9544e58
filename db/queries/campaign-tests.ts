import { and, eq, sql } from 'drizzle-orm';
import type { AbDecision, VariantKey } from '../../src/domain/ab-test';
import type { BucketCount } from '../../src/domain/audience';
import type { DbHandle, Tx } from '../client';
import { campaigns, campaignVariants } from '../schema';

/** Recipients whose variant is still to be decided. */
export async function findRestBuckets(db: DbHandle, campaignId: number): Promise<BucketCount[]> {
  const found = await db.execute<BucketCount>(sql`
    select members.bucket, contacts.country_code country, count(*)::int contacts from campaign_recipients members join contacts on contacts.id = members.contact_id
    where members.campaign_id = ${campaignId} and members.leg_id is null and members.outcome = 'pending' group by 1, 2`);
  return found.rows;
}

/** What has been decided so far; nobody else decides before this transaction ends. */
export async function lockDecision(tx: Tx, campaignId: number): Promise<AbDecision | null> {
  const [found] = await tx.select({ decision: campaigns.abDecision }).from(campaigns).where(eq(campaigns.id, campaignId)).for('no key update');
  return found?.decision ?? null;
}

/** The decision with its figures, kept beside the variants. */
export async function recordDecision(tx: DbHandle, campaignId: number, decision: AbDecision): Promise<void> {
  await tx.update(campaigns).set({ abDecision: decision }).where(eq(campaigns.id, campaignId));
  for (const figures of decision.figures) await tx.update(campaignVariants).set({ figures }).where(and(eq(campaignVariants.campaignId, campaignId), eq(campaignVariants.key, figures.key)));
}

export async function recordWinner(tx: DbHandle, { campaignId, variant }: { campaignId: number; variant: VariantKey }): Promise<void> {
  await tx.update(campaignVariants).set({ isWinner: sql`${campaignVariants.key} = ${variant}` }).where(eq(campaignVariants.campaignId, campaignId));
}
