import type { Db } from '../../db/client';
import { findContact } from '../../db/queries/contact-reads';
import { findTemplate, findTemplateVersion } from '../../db/queries/email-templates';
import { EngineError } from '../domain/errors';
import { type Preview, renderTemplate, sampleReader, toValues } from '../domain/template-preview';
import { previewAnswer } from '../schemas/answers';
import { previewQuery, previewRequest } from '../schemas/requests';
import { noTemplate, noVersion } from './email-templates';
import { numberParam, serve } from './operations';

const tag = 'e-mail templates';

/** No scripts, no forms, no origin of its own, nothing loaded but pictures and fonts: a template is foreign text (`sandbox` alone forbids most of it). */
const pagePolicy = "sandbox; default-src 'none'; img-src https:; font-src https:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

export const createPreviewRoutes = ({ db }: { db: Db }) => [
  serve(
    {
      method: 'post', path: '/email-templates/{template_id}/preview', tag, who: 'operator', summary: 'The mail as one reader would get it', body: previewRequest,
      description: 'With `contact_id` for that contact, else for a made-up one; `sample` gives or replaces values by the names of variables. `text` is null where MailWizz makes the plain part out of the HTML. `missing` names the variables without a value.',
      answer: { status: 200, text: 'Subject, HTML and text, filled', schema: previewAnswer }, errors: [404],
    },
    async (req, res) => {
      const { contact_id, version, sample } = previewRequest.parse(req.body);
      const { templateId, preview, shown } = await renderFor(db, numberParam(req, 'template_id'), { contactId: contact_id, version, sample });
      res.json({ template_id: templateId, version: shown, subject: preview.subject, html: preview.html, text: preview.text, missing: preview.missing });
    },
  ),

  serve(
    {
      method: 'get', path: '/email-templates/{template_id}/preview.html', tag, who: 'operator', summary: 'The preview as a page for a sandboxed frame', query: previewQuery,
      description: 'Its policy forbids scripts, forms and everything else but pictures; show it in an `<iframe sandbox>` all the same.', answer: { status: 200, text: 'The HTML of the mail' }, errors: [404],
    },
    async (req, res) => {
      const { contact_id, version } = previewQuery.parse(req.query);
      const { preview } = await renderFor(db, numberParam(req, 'template_id'), { contactId: contact_id, version, sample: undefined });
      res.set({ 'Content-Security-Policy': pagePolicy, 'Referrer-Policy': 'no-referrer', 'Cross-Origin-Resource-Policy': 'same-origin' }).type('html').send(preview.html);
    },
  ),
];

type Asked = { contactId: number | undefined; version: number | undefined; sample: Record<string, string> | undefined };

async function renderFor(db: Db, templateId: number, { contactId, version, sample }: Asked): Promise<{ templateId: number; shown: number; preview: Preview }> {
  const template = await findTemplate(db, templateId);
  if (!template) throw noTemplate(templateId);
  const shown = version ?? template.version;
  const content = await findTemplateVersion(db, { templateId, version: shown });
  if (!content) throw noVersion(templateId, shown);
  const values = new Map([...toValues(contactId === undefined ? sampleReader : await getReader(db, contactId)), ...Object.entries(sample ?? {})]);
  return { templateId, shown, preview: renderTemplate({ subject: content.subjectLine, html: content.htmlContent, text: content.plainTextContent }, values) };
}

async function getReader(db: Db, contactId: number) {
  const contact = await findContact(db, contactId);
  if (!contact || contact.deletedAt !== null) throw new EngineError('notFound', 'no contact', { publicMessage: `There is no contact ${contactId}.` });
  return contact;
}
