import { z } from 'zod';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import type { ApiClient } from './api';

const searchAnswer = z.object({ status: z.literal('success'), data: z.object({ subscriber_uid: z.string().min(1), status: z.string() }) });
const lookupsAtOnce = 4;

/** What a subscriber's own status says to us: an unsubscribed or blacklisted one is never revived. */
export function toStanding(contactId: number, found: { uid: string; status: string; method: 'api' | 'mysql'; subscriberId?: number }): InjectionOutcome {
  if (found.status === 'unsubscribed' || found.status === 'blacklisted') return { contactId, outcome: 'suppressed', reason: found.status };
  return { contactId, outcome: 'injected', uid: found.uid, method: found.method, ...(found.subscriberId !== undefined && { subscriberId: found.subscriberId }) };
}

/** One search per address, a few side by side. `nothing` when the API was not there: somebody else may be asked. */
export async function lookUpThroughApi(api: ApiClient, listUid: string, contacts: OutgoingContact[], signal?: AbortSignal): Promise<InjectionOutcome[] | { nothing: string }> {
  const outcomes: InjectionOutcome[] = [];
  for (let from = 0; from < contacts.length; from += lookupsAtOnce) {
    const answers = await Promise.all(contacts.slice(from, from + lookupsAtOnce).map((contact) => lookUp(api, listUid, contact, signal)));
    const away = answers.find((answer) => 'nothing' in answer);
    if (away) return away;
    for (const answer of answers) if (!('nothing' in answer)) outcomes.push(answer);
  }
  return outcomes;
}

async function lookUp(api: ApiClient, listUid: string, { contactId, email }: OutgoingContact, signal?: AbortSignal): Promise<InjectionOutcome | { nothing: string }> {
  const answer = await api.request('GET', `/lists/${listUid}/subscribers/search-by-email?EMAIL=${encodeURIComponent(email)}`, undefined, signal);
  if (answer.kind === 'nothing') return { nothing: answer.reason };
  if (answer.kind !== 'answer') return { contactId, outcome: 'unknown', reason: answer.reason };
  if (answer.status === 404) return { contactId, outcome: 'pending', reason: 'absent' };
  const found = searchAnswer.safeParse(answer.body);
  if (!found.success) return { contactId, outcome: 'unknown', reason: 'foreign_answer' };
  return toStanding(contactId, { uid: found.data.data.subscriber_uid, status: found.data.data.status, method: 'api' });
}
