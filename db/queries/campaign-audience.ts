import { sql, type SQL } from 'drizzle-orm';
import { type BucketCount, everyBucket, type Leg, limitRange, tallyBuckets } from '../../src/domain/audience';
import { type AudienceFilter, findAlike } from '../../src/domain/segment';
import type { Db, DbHandle } from '../client';
import type { Campaign } from './campaigns';
import { insertLegs, mayBeMailed } from './campaign-legs';

/** Values of one list that occur: more would not be a category. */
const valuesAtMost = 10_000;

/** The filter as MailWizz takes it: it compares without case and marks, so every value that occurs and counts as the same there is named. */
export type Audience = { instanceId: string; listId: number; sourceNumber: number | null; categories: string[] | null; tags: string[][]; countries: string[]; languages: string[] | null; minScore: number | null };

/** The four digits of `toBucket`, computed where the rows are. */
export const bucketOf = sql`(('x' || lpad(substr(contacts.email_hash, 1, 8), 16, '0'))::bit(64)::bigint % 10000)::int`;

export async function findSourceNumber(db: DbHandle, sourceId: string | null): Promise<number | null> {
  if (sourceId === null) return null;
  const found = await db.execute<{ id: number }>(sql`select id from data_sources where source_id = ${sourceId}`);
  return found.rows[0]?.id ?? 0;
}

export const toFilter = (campaign: Campaign, sourceNumber: number | null): AudienceFilter => ({
  sourceNumber,
  category: campaign.targetCategory,
  tags: campaign.targetTags ?? [],
  countries: campaign.targetCountryCodes ?? [],
  language: campaign.targetLanguage,
  minScore: campaign.minScore,
});

export async function resolveAudience(db: DbHandle, campaign: Campaign): Promise<Audience> {
  const { mailwizzInstance: instanceId, mailwizzListId: listId } = campaign;
  const known = async (expression: SQL) => {
    const found = await db.execute<{ value: string }>(sql`
      select distinct ${expression} value from injections join contacts on contacts.id = injections.contact_id
      where injections.instance_id = ${instanceId} and injections.list_id = ${listId} limit ${valuesAtMost}`);
    return found.rows.map(({ value }) => value).filter((value) => value !== null);
  };
  const tags = campaign.targetTags ?? [];
  const knownTags = tags.length === 0 ? [] : await known(sql`unnest(contacts.tags)`);
  return {
    instanceId,
    listId,
    sourceNumber: await findSourceNumber(db, campaign.sourceId),
    categories: campaign.targetCategory === null ? null : findAlike(campaign.targetCategory, await known(sql`contacts.category`)),
    tags: tags.map((tag) => findAlike(tag, knownTags)),
    countries: campaign.targetCountryCodes ?? [],
    languages: campaign.targetLanguage === null ? null : findAlike(campaign.targetLanguage, await known(sql`contacts.language`)),
    minScore: campaign.minScore,
  };
}

/** Whom the campaign means, whether they may be mailed or not. */
const isMeant = (audience: Audience) => sql`
  injections.instance_id = ${audience.instanceId} and injections.list_id = ${audience.listId}
  ${audience.sourceNumber === null ? sql`` : sql`and contacts.id in (
    select seen.contact_id from batch_rows seen join import_batches batches on batches.id = seen.batch_id join data_sources given on given.source_id = batches.source_id
    where given.id = ${audience.sourceNumber} and seen.contact_id is not null)`}
  ${audience.categories === null ? sql`` : sql`and contacts.category = any(${sql.param(audience.categories)}::text[])`}
  ${sql.join(audience.tags.map((alike) => sql` and contacts.tags && ${sql.param(alike)}::text[]`))}
  ${audience.countries.length === 0 ? sql`` : sql`and contacts.country_code = any(${sql.param(audience.countries)}::text[])`}
  ${audience.languages === null ? sql`` : sql`and contacts.language = any(${sql.param(audience.languages)}::text[])`}
  ${audience.minScore === null ? sql`` : sql`and contacts.score >= ${audience.minScore}`}`;

export const isMember = (audience: Audience) => sql`injections.state = 'injected' and ${mayBeMailed} and ${isMeant(audience)}`;

/** Members per bucket and country. */
export async function countBuckets(db: DbHandle, audience: Audience): Promise<BucketCount[]> {
  const found = await db.execute<BucketCount>(sql`
    select ${bucketOf} bucket, contacts.country_code country, count(*) contacts from injections join contacts on contacts.id = injections.contact_id
    where ${isMember(audience)} group by 1, 2`);
  return found.rows;
}

export type LeftOut = { reason: string; contacts: number; sample: number[] };
export type AudiencePreview = { audience: number; sample: { id: number; email: string; country_code: string | null; bucket: number }[]; leftOut: LeftOut[] };

/** How many, some of them, and why others that are meant are not among them. */
export async function previewAudience(db: DbHandle, campaign: Campaign, sampleSize: number): Promise<AudiencePreview> {
  const audience = await resolveAudience(db, campaign);
  const counts = await countBuckets(db, audience);
  const total = counts.reduce((sum, { contacts }) => sum + contacts, 0);
  const slice = limitRange(tallyBuckets(counts), campaign.maxContacts);
  const { from, to } = slice?.range ?? everyBucket;
  const sample = await db.execute<AudiencePreview['sample'][number]>(sql`
    select contacts.id, contacts.email, contacts.country_code, ${bucketOf} bucket from injections join contacts on contacts.id = injections.contact_id
    where ${isMember(audience)} and ${bucketOf} between ${from} and ${to} order by 4, 1 limit ${sampleSize}`);
  const leftOut = await db.execute<LeftOut>(sql`
    with meant as (
      select contacts.id, case when contacts.deleted_at is not null then 'deleted' when orders.reason is not null then 'suppressed_' || orders.reason
        when contacts.status not in ('validated', 'injected') then contacts.status else 'not_in_mailwizz_' || injections.state end reason
      from injections join contacts on contacts.id = injections.contact_id left join suppressions orders on orders.email_hash = contacts.email_hash
      where ${isMeant(audience)} and not (injections.state = 'injected' and ${mayBeMailed}))
    select reason, count(*)::int contacts, (array_agg(id order by id))[1:5] sample from meant group by reason order by 2 desc, 1`);
  const members = slice?.contacts ?? 0;
  const over: LeftOut[] = total > members ? [{ reason: 'over_max_contacts', contacts: total - members, sample: [] }] : [];
  return { audience: members, sample: sample.rows, leftOut: [...leftOut.rows, ...over] };
}

/** Contacts of the audience on their way into MailWizz: taken up already, or still to be. */
export async function countMissing(db: DbHandle, audience: Audience): Promise<number> {
  const found = await db.execute<{ count: number }>(sql`
    select count(*)::int count from injections join contacts on contacts.id = injections.contact_id
    where injections.state in ('pending', 'sending', 'unknown') and ${mayBeMailed} and ${isMeant(audience)}`);
  return found.rows[0]?.count ?? 0;
}

/**
 * Counts the audience, cuts it into legs and freezes both, all as of one instant; answers how many it holds. An earlier plan is replaced, unless MailWizz
 * has heard of it: from then on it is what it is.
 */
export async function freezeAudience(
  db: Db,
  { campaign, cut, toMarker, now }: { campaign: Campaign; cut: (counts: BucketCount[]) => Leg[]; toMarker: (leg: Leg) => string; now: Date },
): Promise<number> {
  return db.transaction(
    async (tx) => {
      const id = campaign.id;
      const ordered = await tx.execute(sql`select 1 from campaign_legs where campaign_id = ${id} and ordered_at is not null limit 1`);
      if (ordered.rows.length > 0) return campaign.audience;
      // The bucket sums below are of this transaction's snapshot, as are the rows that are frozen.
      const audience = await resolveAudience(tx, campaign);
      const counts = await countBuckets(tx, audience);
      const slice = limitRange(tallyBuckets(counts), campaign.maxContacts);
      await tx.execute(sql`delete from campaign_recipients where campaign_id = ${id}`);
      await tx.execute(sql`delete from campaign_legs where campaign_id = ${id}`);
      if (slice) {
        await insertLegs(tx, id, cut(counts), toMarker);
        await tx.execute(sql`
          insert into campaign_recipients (campaign_id, contact_id, bucket, leg_id)
          select ${id}, members.id, members.bucket, legs.id
          from (select contacts.id, ${bucketOf} bucket, contacts.country_code from injections join contacts on contacts.id = injections.contact_id where ${isMember(audience)}) members
            left join campaign_legs legs on legs.campaign_id = ${id} and members.bucket between legs.bucket_from and legs.bucket_to and (legs.country is null or legs.country = members.country_code)
          where members.bucket between ${slice.range.from} and ${slice.range.to} order by members.id`);
      }
      const counted = await tx.execute<{ audience: number }>(sql`
        update campaigns set audience = counted.members, pending = counted.members, sent = 0, skipped = 0, failed = 0, audience_counted_at = ${now.toISOString()}
        from (select count(*)::int members from campaign_recipients where campaign_id = ${id}) counted where campaigns.id = ${id} returning audience`);
      return counted.rows[0]?.audience ?? 0;
    },
    { isolationLevel: 'repeatable read' },
  );
}

export type Leaver = { contact_id: number; uid: string };

/** Meant by the campaign and in its list, but not to be mailed: MailWizz has to know before it sends. `reason` marks those it was told of. */
export async function findLeavers(db: DbHandle, campaign: Campaign, limit: number): Promise<Leaver[]> {
  const audience = await resolveAudience(db, campaign);
  const found = await db.execute<Leaver>(sql`
    select contacts.id contact_id, injections.subscriber_uid uid from injections join contacts on contacts.id = injections.contact_id
    where injections.state = 'injected' and injections.subscriber_uid is not null and injections.reason is distinct from ${toldThere} and ${isMeant(audience)} and not (${mayBeMailed})
    order by contacts.id limit ${limit}`);
  return found.rows;
}

export const toldThere = 'unsubscribed_there';

export async function recordLeaver(db: DbHandle, { instanceId, listId, contactId }: { instanceId: string; listId: number; contactId: number }): Promise<void> {
  await db.execute(sql`update injections set reason = ${toldThere}, updated_at = now() where contact_id = ${contactId} and instance_id = ${instanceId} and list_id = ${listId}`);
}
