import { z } from 'zod';
import type { Api } from '../api';
import { path, toForm, toQuery } from '../form';
import { ask, askPage, type Called, nothingElse, type Page, type PageAsked } from './called';
import { maybeText, recordIn, uid } from './shapes';

/** A row of a list; `fields` holds every tag with its value, blanks left out. */
export type Subscriber = { subscriberUid: string; email: string | undefined; status: string | undefined; fields: Map<string, string> };
export type Found = { subscriberUid: string; status: string };
export type FoundEverywhere = { subscriberUid: string; email: string | undefined; status: string | undefined; listUid: string };
/** Tags and their values; blanks are not sent, as MailWizz takes them for absent. */
export type Values = ReadonlyMap<string, string>;

/** Tags are upper case; what describes the row itself is not. */
const tag = /^[A-Z][A-Z0-9_]*$/;
export const subscriberRow = z
  .looseObject({ subscriber_uid: uid, EMAIL: maybeText, email: maybeText, status: maybeText })
  .transform((found): Subscriber => {
    const fields = Object.entries(found).flatMap(([key, value]): [string, string][] =>
      tag.test(key) && typeof value === 'string' && value !== '' ? [[key, value]] : [],
    );
    return { subscriberUid: found.subscriber_uid, email: found.EMAIL ?? found.email, status: found.status, fields: new Map(fields) };
  });
const found = recordIn(z.looseObject({ subscriber_uid: uid, status: z.string() })).transform((data): Found => ({
  subscriberUid: data.subscriber_uid,
  status: data.status,
}));
const foundEverywhere = z
  .looseObject({ subscriber_uid: uid, email: maybeText, EMAIL: maybeText, status: maybeText, list: z.looseObject({ list_uid: uid }) })
  .transform((data): FoundEverywhere => ({
    subscriberUid: data.subscriber_uid,
    email: data.email ?? data.EMAIL,
    status: data.status,
    listUid: data.list.list_uid,
  }));
/** `date_added` may be an object here, and `status` is not told. */
const created = recordIn(z.looseObject({ subscriber_uid: uid })).transform((data) => ({ subscriberUid: data.subscriber_uid }));

export const createSubscriberCalls = (api: Api) => ({
  create: (
    listUid: string,
    values: Values,
    status: 'confirmed' | 'unconfirmed' = 'confirmed',
    signal?: AbortSignal,
  ): Promise<Called<{ subscriberUid: string }>> =>
    ask(
      api,
      {
        method: 'POST',
        path: path`/lists/${listUid}/subscribers`,
        form: toForm({ ...Object.fromEntries(values), details: { status } }),
        signal,
      },
      created,
    ),
  /** `EMAIL` must be among the values: the vendor's own client refuses without it. The status stays what it is. */
  update: (listUid: string, subscriberUid: string, values: Values, signal?: AbortSignal): Promise<Called<undefined>> =>
    ask(
      api,
      { method: 'PUT', path: path`/lists/${listUid}/subscribers/${subscriberUid}`, form: toForm(Object.fromEntries(values)), signal },
      nothingElse,
    ),
  read: (listUid: string, subscriberUid: string, signal?: AbortSignal): Promise<Called<Subscriber>> =>
    ask(api, { method: 'GET', path: path`/lists/${listUid}/subscribers/${subscriberUid}`, signal }, recordIn(subscriberRow)),
  search: (listUid: string, email: string, signal?: AbortSignal): Promise<Called<Found>> =>
    ask(api, { method: 'GET', path: `${path`/lists/${listUid}/subscribers/search-by-email`}${toQuery({ EMAIL: email })}`, signal }, found),
  searchEverywhere: (email: string, asked: PageAsked = {}): Promise<Called<Page<FoundEverywhere>>> =>
    askPage(api, { ...asked, path: '/lists/subscribers/search-by-email-in-all-lists', query: { EMAIL: email } }, foundEverywhere),
  readPage: (listUid: string, { status, ...asked }: PageAsked & { status?: string }): Promise<Called<Page<Subscriber>>> =>
    askPage(api, { ...asked, path: path`/lists/${listUid}/subscribers`, query: { status } }, subscriberRow),
  /** Silent: no mail goes out, here and in the two below. */
  unsubscribe: (listUid: string, subscriberUid: string): Promise<Called<undefined>> =>
    ask(api, { method: 'PUT', path: path`/lists/${listUid}/subscribers/${subscriberUid}/unsubscribe` }, nothingElse),
  unsubscribeEverywhere: (email: string): Promise<Called<undefined>> =>
    ask(
      api,
      { method: 'PUT', path: '/lists/subscribers/unsubscribe-by-email-from-all-lists', form: toForm({ EMAIL: email }) },
      nothingElse,
    ),
  remove: (listUid: string, subscriberUid: string): Promise<Called<undefined>> =>
    ask(api, { method: 'DELETE', path: path`/lists/${listUid}/subscribers/${subscriberUid}` }, nothingElse),
});
