import { z } from 'zod';
import type { Api } from '../api';
import { path, toForm } from '../form';
import { ask, askPage, type Called, nothingElse, type Page, type PageAsked } from './called';
import { maybeText, recordIn, uid } from './shapes';

export type NewTemplate = { name: string; html: string; inlineCss: boolean };
export type TemplateRow = { templateUid: string; name: string };

const row = z
  .looseObject({ template_uid: uid, name: z.string() })
  .transform((found): TemplateRow => ({ templateUid: found.template_uid, name: found.name }));
/** Reads return the content decoded, and no uid. */
const template = z.looseObject({ name: z.string(), content: maybeText }).transform(({ name, content }) => ({ name, html: content ?? '' }));
const created = z.looseObject({ template_uid: uid }).transform((found) => ({ templateUid: found.template_uid }));

export const createTemplateCalls = (api: Api) => ({
  /** The name is looked for as a part of names; who needs the exact one compares. */
  readPage: (asked: PageAsked & { name?: string }): Promise<Called<Page<TemplateRow>>> =>
    askPage(api, { ...asked, path: '/templates', query: { filter: { name: asked.name } } }, row),
  read: (templateUid: string, signal?: AbortSignal): Promise<Called<{ name: string; html: string }>> =>
    ask(api, { method: 'GET', path: path`/templates/${templateUid}`, signal }, recordIn(template)),
  create: (made: NewTemplate): Promise<Called<{ templateUid: string }>> =>
    ask(api, { method: 'POST', path: '/templates', form: toTemplateForm(made) }, created),
  update: (templateUid: string, made: NewTemplate): Promise<Called<undefined>> =>
    ask(api, { method: 'PUT', path: path`/templates/${templateUid}`, form: toTemplateForm(made) }, nothingElse),
  remove: (templateUid: string): Promise<Called<undefined>> =>
    ask(api, { method: 'DELETE', path: path`/templates/${templateUid}` }, nothingElse),
});

const toTemplateForm = ({ name, html, inlineCss }: NewTemplate) =>
  toForm({ template: { name, content: toBase64(html), inline_css: inlineCss ? 'yes' : 'no' } });

/** Contents travel as base64 in every call that writes one. */
export const toBase64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');
