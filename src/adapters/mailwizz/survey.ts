import { EngineError } from '../../domain/errors';
import { callsAtOnce } from './api';
import { toValue } from './calls/called';
import type { ListRow } from './calls/lists';
import type { Instance } from './instances';
import type { SubscriberPage, SurveyedList } from './types';

/** MailWizz with more lists than this is read as far as this. */
const listsAtMost = 1_000;

/** From the tables, where we have them: one statement each for lists, fields and sizes. Else three calls a list, a few side by side. */
export async function surveyLists(instance: Instance): Promise<SurveyedList[]> {
  if (instance.database) {
    const fromTables = await surveyTables(instance.database).catch(() => undefined);
    if (fromTables) return fromTables;
  }
  return surveyThroughApi(instance);
}

async function surveyTables(database: NonNullable<Instance['database']>): Promise<SurveyedList[]> {
  const [lists, sizes] = [await database.lists(), await database.countSubscribers()];
  return lists.map((list) => ({ ...list, subscribers: sizes && (sizes.get(list.listId) ?? 0) }));
}

async function surveyThroughApi(instance: Instance): Promise<SurveyedList[]> {
  const found = toValue(await instance.calls.lists.readAll(), 'the listing of its lists').slice(0, listsAtMost);
  const surveyed: SurveyedList[] = [];
  const queue = found.entries();
  const lane = async () => {
    for (const [place, list] of queue) surveyed[place] = await surveyList(instance, list);
  };
  await Promise.all(Array.from({ length: callsAtOnce }, lane));
  return surveyed;
}

async function surveyList({ calls, settings }: Pick<Instance, 'calls' | 'settings'>, { listUid, name }: ListRow): Promise<SurveyedList> {
  const fields = toValue(await calls.fields.readAll(listUid), 'the fields of a list');
  const first = toValue(await calls.subscribers.readPage(listUid, { perPage: 1 }), 'the subscribers of a list');
  const listId = settings.lists.find((known) => known.listUid === listUid)?.listId;
  return { listUid, listId, name, fields: fields.map((field) => field.tag), subscribers: first.count };
}

/** The cursor keeps the way it began: places in the tables and pages of the API are not the same thing. */
export async function readSubscriberPage(
  { calls, database, settings }: Instance,
  listId: number,
  { cursor, limit }: { cursor: string | undefined; limit: number },
): Promise<SubscriberPage> {
  const [way, place = '0'] = cursor?.split(':') ?? [];
  if (database && way !== 'api') {
    const page = await database.readSubscribers(listId, { afterId: Number(place), limit });
    if (!('failed' in page))
      return { ...page, unreadable: 0, cursor: page.throughId === undefined ? undefined : `mysql:${page.throughId}` };
    if (way === 'mysql' || !settings.lists.some((known) => known.listId === listId))
      throw new EngineError('unavailable', `MySQL of the instance: ${page.failed}`);
  }
  const list = settings.lists.find((known) => known.listId === listId);
  if (!list) throw new EngineError('notFound', `the uid of list ${listId} is not known`);
  const page = toValue(
    await calls.subscribers.readPage(list.listUid, { page: Math.max(1, Number(place)), perPage: limit }),
    'the subscribers of a list',
  );
  const subscribers = page.records.flatMap(({ email, subscriberUid: uid, status }) =>
    email === undefined || status === undefined ? [] : [{ email, uid, status }],
  );
  return {
    subscribers,
    unreadable: page.unreadable + page.records.length - subscribers.length,
    cursor: page.nextPage === undefined ? undefined : `api:${page.nextPage}`,
  };
}
