import { EngineError } from '../../domain/errors';
import { callsAtOnce } from './api';
import { toValue } from './calls/called';
import type { Subscriber } from './calls/subscribers';
import { toEmailKey } from './fields';
import type { Instance } from './instances';
import type { Sought, StandingSubscriber } from './types';

/** From the tables, where they can be read; else uid by uid, and by address where no uid leads there any more. Look-alikes are left out. */
export async function findSubscribers(instance: Instance, listId: number, sought: Sought[]): Promise<StandingSubscriber[]> {
  if (sought.length === 0) return [];
  const keys = new Set(sought.map(({ email }) => toEmailKey(email)));
  const found = await readTables(instance, listId, sought);
  return (found ?? (await askApi(instance, listId, sought))).filter(({ email }) => keys.has(toEmailKey(email)));
}

async function readTables({ database }: Instance, listId: number, sought: Sought[]): Promise<StandingSubscriber[] | undefined> {
  const emails = sought.map(({ email }) => email);
  const found = await database?.findSubscribers(listId, emails);
  return found && 'failed' in found ? undefined : found;
}

async function askApi({ calls, settings }: Instance, listId: number, sought: Sought[]): Promise<StandingSubscriber[]> {
  const list = settings.lists.find((known) => known.listId === listId);
  if (!list) throw new EngineError('notFound', `the uid of list ${listId} is not known`);
  const found: StandingSubscriber[] = [];
  const queue = sought.values();
  const lane = async () => {
    for (const one of queue) found.push(...(await findOne(list.listUid, one)));
  };
  await Promise.all(Array.from({ length: callsAtOnce }, lane));
  return found;

  async function findOne(listUid: string, { email, uids }: Sought): Promise<StandingSubscriber[]> {
    const known: StandingSubscriber[] = [];
    for (const uid of uids) known.push(...(await readRow(listUid, uid, email)));
    if (known.length > 0) return known;
    const searched = await calls.subscribers.search(listUid, email);
    if (searched.kind === 'absent') return [];
    // The search does not say whom it found: only the row itself does.
    return readRow(listUid, toValue(searched, 'a subscriber').subscriberUid, email);
  }

  async function readRow(listUid: string, uid: string, sought: string): Promise<StandingSubscriber[]> {
    const read = await calls.subscribers.read(listUid, uid);
    if (read.kind === 'absent') return [];
    const { email = sought, status }: Subscriber = toValue(read, 'a subscriber');
    return status === undefined || toEmailKey(email) !== toEmailKey(sought) ? [] : [{ email, uid, status }];
  }
}
