import { and, count, desc, eq, getTableColumns, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { DbHandle, DbReader } from '../client';
import { campaigns, campaignVariants, emailTemplates, emailTemplateVersions } from '../schema';

export type Template = typeof emailTemplates.$inferSelect;
export type TemplateVersion = typeof emailTemplateVersions.$inferSelect;
export type TemplateSummary = Omit<Template, 'htmlContent' | 'plainTextContent'>;
export type TemplateFilter = {
  sourceId?: string | undefined;
  category?: string | undefined;
  language?: string | undefined;
  isActive?: boolean | undefined;
  q?: string | undefined;
};

/** Lists show no content: fifty templates may weigh 50 MB. */
const { htmlContent: _html, plainTextContent: _text, ...summary } = getTableColumns(emailTemplates);

/** Newest first. */
export async function listTemplates(
  db: DbReader,
  filter: TemplateFilter & { page: number; limit: number },
): Promise<{ items: TemplateSummary[]; total: number }> {
  const pattern = filter.q === undefined ? undefined : `%${filter.q.replace(/[\\%_]/g, '\\$&')}%`;
  const where = and(
    filter.sourceId === undefined ? undefined : eq(emailTemplates.sourceId, filter.sourceId),
    filter.category === undefined ? undefined : eq(emailTemplates.category, filter.category),
    filter.language === undefined ? undefined : eq(emailTemplates.language, filter.language),
    filter.isActive === undefined ? undefined : eq(emailTemplates.isActive, filter.isActive),
    pattern === undefined
      ? undefined
      : sql`(${emailTemplates.name} ilike ${pattern} or ${emailTemplates.description} ilike ${pattern} or ${emailTemplates.subjectLine} ilike ${pattern})`,
  );
  const items = await db
    .select(summary)
    .from(emailTemplates)
    .where(where)
    .orderBy(desc(emailTemplates.id))
    .limit(filter.limit)
    .offset((filter.page - 1) * filter.limit);
  const [row] = await db.select({ total: count() }).from(emailTemplates).where(where);
  return { items, total: row?.total ?? 0 };
}

export type TemplateWish = { sourceId?: string | undefined; category?: string | undefined; language?: string | undefined };

/**
 * Active templates that contradict no wish, best first: made for the source, then for the category, then the one used most, then the newest. One that is
 * bound to a source or category nobody asked about comes after those that serve anybody.
 */
export async function proposeTemplates(db: DbReader, wish: TemplateWish, limit: number): Promise<TemplateSummary[]> {
  return db
    .select(summary)
    .from(emailTemplates)
    .where(
      and(
        eq(emailTemplates.isActive, true),
        suits(emailTemplates.sourceId, wish.sourceId),
        suits(emailTemplates.category, wish.category),
        suits(emailTemplates.language, wish.language),
      ),
    )
    .orderBy(
      desc(fit(emailTemplates.sourceId, wish.sourceId)),
      desc(fit(emailTemplates.category, wish.category)),
      desc(emailTemplates.timesUsed),
      desc(emailTemplates.id),
    )
    .limit(limit);
}

const suits = (column: PgColumn, wished: string | undefined): SQL | undefined =>
  wished === undefined ? undefined : sql`(${column} is null or ${column} = ${wished})`;
const fit = (column: PgColumn, wished: string | undefined): SQL =>
  sql`case when ${column} is null then 1 when ${wished === undefined} then 0 else 2 end`;

export async function findTemplate(db: DbReader, id: number): Promise<Template | undefined> {
  const [found] = await db.select().from(emailTemplates).where(eq(emailTemplates.id, id)).limit(1);
  return found;
}

/** Keeps campaigns from taking it, and others from changing it, until the transaction ends. */
export async function lockTemplate(tx: DbHandle, id: number): Promise<Template | undefined> {
  const [found] = await tx.select().from(emailTemplates).where(eq(emailTemplates.id, id)).limit(1).for('update');
  return found;
}

/** The content as it was in that version. */
export async function findTemplateVersion(
  db: DbReader,
  { templateId, version }: { templateId: number; version: number },
): Promise<TemplateVersion | undefined> {
  const [found] = await db
    .select()
    .from(emailTemplateVersions)
    .where(and(eq(emailTemplateVersions.templateId, templateId), eq(emailTemplateVersions.version, version)))
    .limit(1);
  return found;
}

export type VersionSummary = Pick<TemplateVersion, 'version' | 'subjectLine' | 'createdAt' | 'createdBy'>;

/** Newest first, the last 200. */
export async function listTemplateVersions(db: DbReader, templateId: number): Promise<VersionSummary[]> {
  const { version, subjectLine, createdAt, createdBy } = emailTemplateVersions;
  return db
    .select({ version, subjectLine, createdAt, createdBy })
    .from(emailTemplateVersions)
    .where(eq(emailTemplateVersions.templateId, templateId))
    .orderBy(desc(version))
    .limit(200);
}

/** The template with its first version. */
export async function insertTemplate(tx: DbHandle, template: typeof emailTemplates.$inferInsert, actor: string): Promise<Template> {
  const [made] = await tx.insert(emailTemplates).values(template).returning();
  if (!made) throw new Error('an insert without a row');
  await insertVersion(tx, made, actor);
  return made;
}

/** Changed content becomes the next version; `template` is as it was locked, and what it says already makes none. */
export async function updateTemplate(
  tx: DbHandle,
  template: Template,
  changes: Partial<typeof emailTemplates.$inferInsert>,
  actor: string,
): Promise<Template> {
  const next = { ...template, ...changes };
  const isNew = (['subjectLine', 'htmlContent', 'plainTextContent'] as const).some((column) => next[column] !== template[column]);
  const [updated] = await tx
    .update(emailTemplates)
    .set({ ...changes, version: isNew ? template.version + 1 : template.version, updatedAt: new Date() })
    .where(eq(emailTemplates.id, template.id))
    .returning();
  if (!updated) throw new Error('a locked template is gone');
  if (isNew) await insertVersion(tx, updated, actor);
  return updated;
}

async function insertVersion(
  tx: DbHandle,
  { id, version, subjectLine, htmlContent, plainTextContent }: Template,
  actor: string,
): Promise<void> {
  await tx.insert(emailTemplateVersions).values({ templateId: id, version, subjectLine, htmlContent, plainTextContent, createdBy: actor });
}

/** Gone with its versions. False when a campaign refers to it, by itself or by one of its variants. */
export async function removeTemplate(tx: DbHandle, id: number): Promise<boolean> {
  const removed = await tx
    .delete(emailTemplates)
    .where(
      and(
        eq(emailTemplates.id, id),
        sql`not exists (select from ${campaigns} where ${campaigns.emailTemplateId} = ${emailTemplates.id})`,
        sql`not exists (select from ${campaignVariants} where ${campaignVariants.emailTemplateId} = ${emailTemplates.id})`,
      ),
    )
    .returning({ id: emailTemplates.id });
  return removed.length === 1;
}

/** The tags of every field that any list has: what a template that is bound to no list may use. */
export async function findFieldTags(db: DbHandle): Promise<string[]> {
  const found = await db.execute<{ tag: string }>(sql`select distinct unnest(fields) tag from mailwizz_lists order by tag limit 5000`);
  return found.rows.map((row) => row.tag);
}
