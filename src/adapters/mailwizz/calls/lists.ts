import { z } from 'zod';
import type { Api } from '../api';
import { path } from '../form';
import { ask, askPage, type Called, collect, type Page, type PageAsked } from './called';
import { maybeText, recordIn, uid } from './shapes';

export type ListRow = { listUid: string; name: string };
export type List = ListRow & {
  displayName: string | undefined;
  description: string | undefined;
  fromName: string | undefined;
  fromEmail: string | undefined;
  replyTo: string | undefined;
  subject: string | undefined;
};

const general = z.looseObject({ list_uid: uid, name: z.string(), display_name: maybeText, description: maybeText });
/** `defaults` is `[]` when nothing is set, and rows of the listing leave from_email out. */
const defaults = z.looseObject({ from_name: maybeText, from_email: maybeText, reply_to: maybeText, subject: maybeText }).catch({
  from_name: undefined,
  from_email: undefined,
  reply_to: undefined,
  subject: undefined,
});
const row = z.looseObject({ general }).transform(({ general: { list_uid: listUid, name } }): ListRow => ({ listUid, name }));
const list = z.looseObject({ general, defaults: defaults.optional() }).transform(({ general: about, defaults: from }): List => ({
  listUid: about.list_uid,
  name: about.name,
  displayName: about.display_name,
  description: about.description,
  fromName: from?.from_name,
  fromEmail: from?.from_email,
  replyTo: from?.reply_to,
  subject: from?.subject,
}));

export const listPagesAtMost = 100;

export const createListCalls = (api: Api) => ({
  readPage: (asked: PageAsked): Promise<Called<Page<ListRow>>> => askPage(api, { ...asked, path: '/lists' }, row),
  readAll: (signal?: AbortSignal): Promise<Called<ListRow[]>> =>
    collect((page) => askPage(api, { path: '/lists', page, signal }, row), listPagesAtMost),
  read: (listUid: string, signal?: AbortSignal): Promise<Called<List>> =>
    ask(api, { method: 'GET', path: path`/lists/${listUid}`, signal }, recordIn(list)),
});
