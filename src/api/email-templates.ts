import type { Db, DbHandle } from '../../db/client';
import { recordAudit } from '../../db/queries/audit';
import { findSource } from '../../db/queries/data-sources';
import {
  findFieldTags,
  findTemplate,
  findTemplateVersion,
  insertTemplate,
  listTemplates,
  listTemplateVersions,
  lockTemplate,
  proposeTemplates,
  removeTemplate,
  type Template,
  type TemplateSummary,
  type TemplateWish,
  updateTemplate,
} from '../../db/queries/email-templates';
import { EngineError } from '../domain/errors';
import { checkTemplate, type TemplatePart, templateVariables } from '../domain/template';
import { anyAnswer, listAnswer } from '../schemas/answers';
import { newTemplate, templateChanges, templateFilter, templateVersionQuery, templateWish } from '../schemas/requests';
import { actorOf } from './auth';
import { numberParam, pageAnswer, serve } from './operations';

const tag = 'e-mail templates';
/** 1 MB of HTML and 256 KB of text, with room for what JSON escapes. */
const bodyLimit = '4mb';
const proposalsAtMost = 10;

export const noTemplate = (id: number) => new EngineError('notFound', 'no template', { publicMessage: `There is no e-mail template ${id}.` });
export const noVersion = (id: number, version: number) => new EngineError('notFound', 'no version', { publicMessage: `E-mail template ${id} has no version ${version}.` });

const variables = 'Variables are written {FNAME}: FNAME, LNAME, EMAIL, COMPANY, PHONE, WEBSITE, CATEGORY, COUNTRY, LANGUAGE, SOURCE, and every field of a list by its tag. {UNSUBSCRIBE_URL} must be there.';

export const createTemplateRoutes = ({ db }: { db: Db }) => [
  serve(
    { method: 'get', path: '/email-templates', tag, who: 'operator', summary: 'List e-mail templates, newest first, without their content', query: templateFilter, answer: { status: 200, text: 'A page of templates', schema: listAnswer } },
    async (req, res) => {
      const filter = templateFilter.parse(req.query);
      const isActive = filter.is_active === undefined ? undefined : filter.is_active === 'true';
      const { items, total } = await listTemplates(db, { ...toWish(filter), isActive, q: filter.q, page: filter.page, limit: filter.limit });
      res.json(pageAnswer(items.map(toSummary), total, filter));
    },
  ),

  serve(
    { method: 'post', path: '/email-templates', tag, who: 'operator', summary: 'Create an e-mail template', description: variables, body: newTemplate, bodyLimit, answer: { status: 201, text: 'Created, as version 1', schema: anyAnswer }, errors: [413, 422] },
    async (req, res, caller) => {
      const { subject_line: subjectLine, html_content: htmlContent, name, ...rest } = newTemplate.parse(req.body);
      const made = await db.transaction(async (tx) => {
        const template = { name, subjectLine, htmlContent, ...toColumns(rest) };
        await requireSource(tx, template.sourceId);
        await requireContent(tx, template);
        const inserted = await insertTemplate(tx, template, actorOf(caller));
        await recordAudit(tx, { actor: actorOf(caller), action: 'template.created', entity: entityOf(inserted.id), details: { version: inserted.version } });
        return inserted;
      });
      res.status(201).location(`/api/v1/email-templates/${made.id}`).json(toTemplate(made));
    },
  ),

  serve(
    {
      method: 'get', path: '/email-templates/propose', tag, who: 'operator', summary: 'Propose a template, best match first', query: templateWish,
      description: 'Active templates that contradict no wish: bound to the source and category asked for, or to none, in the language asked for. Made for the source comes first, then made for the category, then the one used most, then the newest.',
      answer: { status: 200, text: `At most ${proposalsAtMost}, each with its reason`, schema: anyAnswer },
    },
    async (req, res) => {
      const wish = toWish(templateWish.parse(req.query));
      const proposed = await proposeTemplates(db, wish, proposalsAtMost);
      res.json({ items: proposed.map((template) => ({ ...toSummary(template), reason: tellReason(template, wish) })) });
    },
  ),

  serve(
    { method: 'get', path: '/email-templates/{template_id}', tag, who: 'operator', summary: 'One e-mail template', description: 'With `version`, its content as it was then.', query: templateVersionQuery, answer: { status: 200, text: 'The template', schema: anyAnswer }, errors: [404] },
    async (req, res) => {
      const id = numberParam(req, 'template_id');
      const { version } = templateVersionQuery.parse(req.query);
      const template = await findTemplate(db, id);
      if (!template) throw noTemplate(id);
      if (version === undefined) return void res.json(toTemplate(template));
      const then = await findTemplateVersion(db, { templateId: id, version });
      if (!then) throw noVersion(id, version);
      res.json(toTemplate({ ...template, version, subjectLine: then.subjectLine, htmlContent: then.htmlContent, plainTextContent: then.plainTextContent }));
    },
  ),

  serve({ method: 'get', path: '/email-templates/{template_id}/versions', tag, who: 'operator', summary: 'Its versions, newest first: who changed the content, and when', answer: { status: 200, text: 'The versions, without their content', schema: anyAnswer }, errors: [404] }, async (req, res) => {
    const id = numberParam(req, 'template_id');
    const versions = await listTemplateVersions(db, id);
    if (versions.length === 0) throw noTemplate(id);
    res.json({ items: versions.map(({ version, subjectLine, createdAt, createdBy }) => ({ version, subject_line: subjectLine, created_at: createdAt, created_by: createdBy })) });
  }),

  serve(
    { method: 'patch', path: '/email-templates/{template_id}', tag, who: 'operator', summary: 'Change an e-mail template', description: 'Changed content becomes a new version; what was sent keeps the version it was sent with.', body: templateChanges, bodyLimit, answer: { status: 200, text: 'The template as it is now', schema: anyAnswer }, errors: [404, 413, 422] },
    async (req, res, caller) => {
      const id = numberParam(req, 'template_id');
      const changes = toColumns(templateChanges.parse(req.body));
      const changed = await db.transaction(async (tx) => {
        const template = await lockTemplate(tx, id);
        if (!template) throw noTemplate(id);
        await requireSource(tx, changes.sourceId);
        // Only what is new is judged: the fields of lists come and go, and a template must not be stuck for it.
        if (contentColumns.some((column) => changes[column] !== undefined)) await requireContent(tx, { ...template, ...changes });
        const updated = await updateTemplate(tx, template, changes, actorOf(caller));
        await recordAudit(tx, { actor: actorOf(caller), action: 'template.changed', entity: entityOf(id), details: { fields: Object.keys(changes), version: updated.version } });
        return updated;
      });
      res.json(toTemplate(changed));
    },
  ),

  serve(
    { method: 'delete', path: '/email-templates/{template_id}', tag, who: 'operator', summary: 'Delete an e-mail template', description: 'One that a campaign refers to becomes inactive instead.', answer: { status: 200, text: 'Whether it is deleted or inactive', schema: anyAnswer }, errors: [404] },
    async (req, res, caller) => {
      const id = numberParam(req, 'template_id');
      const outcome = await db.transaction(async (tx) => {
        const template = await lockTemplate(tx, id);
        if (!template) throw noTemplate(id);
        const done = (await removeTemplate(tx, id)) ? 'deleted' : 'deactivated';
        if (done === 'deactivated') await updateTemplate(tx, template, { isActive: false }, actorOf(caller));
        await recordAudit(tx, { actor: actorOf(caller), action: `template.${done}`, entity: entityOf(id) });
        return done;
      });
      res.json({ id, outcome });
    },
  ),
];

const entityOf = (id: number) => `template:${id}`;
const fieldOf: Record<TemplatePart, string> = { subject: 'subject_line', html: 'html_content', text: 'plain_text_content' };

const contentColumns = ['subjectLine', 'htmlContent', 'plainTextContent'] as const;

async function requireSource(tx: DbHandle, sourceId: string | null | undefined): Promise<void> {
  if (sourceId === null || sourceId === undefined || (await findSource(tx, sourceId))) return;
  const message = `There is no data source ${sourceId}.`;
  throw new EngineError('invalid', 'unknown source', { publicMessage: message, fields: [{ field: 'source_id', reason: 'unknown_source', message }] });
}

/** A template that would fail when it is sent is refused here, every fault with its place. */
async function requireContent(tx: DbHandle, template: { subjectLine: string; htmlContent: string; plainTextContent?: string | null }): Promise<void> {
  const { subjectLine: subject, htmlContent: html, plainTextContent: text = null } = template;
  const problems = checkTemplate({ subject, html, text }, templateVariables(await findFieldTags(tx)));
  if (problems.length === 0) return;
  const fields = problems.map(({ part, code, line, column, message }) => ({ field: fieldOf[part], reason: code, message: `line ${line}, column ${column}: ${message}` }));
  throw new EngineError('invalid', 'bad template', { publicMessage: fields.map(({ field, message }) => `${field}, ${message}`).join('; ').slice(0, 1_000), fields });
}

const toWish = (filter: { source_id?: string | undefined; category?: string | undefined; language?: string | undefined }): TemplateWish => ({ sourceId: filter.source_id, category: filter.category, language: filter.language });

/** The rank of a proposal in words. */
function tellReason({ sourceId, category, language, timesUsed }: TemplateSummary, wish: TemplateWish): string {
  const bound = (noun: string, value: string | null, wished: string | undefined) =>
    value === null ? `for any ${noun}` : wished === undefined ? `for ${noun} ${value}, which was not asked for` : `made for ${noun} ${value}`;
  return `${bound('source', sourceId, wish.sourceId)}; ${bound('category', category, wish.category)}; in ${language}; used ${timesUsed} times`;
}

function toColumns(body: ReturnType<typeof templateChanges.parse>) {
  return {
    ...(body.name !== undefined && { name: body.name }),
    ...(body.description !== undefined && { description: body.description }),
    ...(body.source_id !== undefined && { sourceId: body.source_id }),
    ...(body.category !== undefined && { category: body.category }),
    ...(body.language !== undefined && { language: body.language }),
    ...(body.subject_line !== undefined && { subjectLine: body.subject_line }),
    ...(body.html_content !== undefined && { htmlContent: body.html_content }),
    ...(body.plain_text_content !== undefined && { plainTextContent: body.plain_text_content }),
    ...(body.is_active !== undefined && { isActive: body.is_active }),
  };
}

const toSummary = (template: TemplateSummary) => ({
  id: template.id,
  name: template.name,
  description: template.description,
  source_id: template.sourceId,
  category: template.category,
  subject_line: template.subjectLine,
  language: template.language,
  is_active: template.isActive,
  version: template.version,
  times_used: template.timesUsed,
  last_used_at: template.lastUsedAt,
  created_at: template.createdAt,
  updated_at: template.updatedAt,
});

const toTemplate = (template: Template) => ({ ...toSummary(template), html_content: template.htmlContent, plain_text_content: template.plainTextContent });
