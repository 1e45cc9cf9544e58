import { z } from 'zod';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import type { ApiClient, Trouble } from './api';

const searchAnswer = z.object({ status: z.literal('success'), data: z.object({ subscriber_uid: z.string().min(1), status: z.string() }) });
const lookupsAtOnce = 8;
/** An instance that answers nothing usable this often is left alone: at 15 s each, a page of look-ups would take a quarter of an hour. */
const troublesAllowed = 8;

export type LookUps = { outcomes: InjectionOutcome[]; left: OutgoingContact[]; trouble?: Trouble };

/** What a subscriber's own status says to us: an unsubscribed or blacklisted one is never revived. */
export function toStanding(contactId: number, found: { uid: string; status: string; method: 'api' | 'mysql'; subscriberId?: number }): InjectionOutcome {
  if (found.status === 'unsubscribed' || found.status === 'blacklisted') return { contactId, outcome: 'suppressed', reason: found.status };
  return { contactId, outcome: 'injected', uid: found.uid, method: found.method, ...(found.subscriberId !== undefined && { subscriberId: found.subscriberId }) };
}

/** One search per address, a few side by side. What no clear answer was got for is `left`, with the last trouble. */
export async function lookUpThroughApi(api: ApiClient, listUid: string, contacts: OutgoingContact[], signal?: AbortSignal): Promise<LookUps> {
  const outcomes: InjectionOutcome[] = [];
  const left: OutgoingContact[] = [];
  const queue = contacts.values();
  let trouble: Trouble | undefined;
  let troubles = 0;
  // One iterator shared by all lanes: each takes the next contact when it is free.
  const lane = async () => {
    for (const contact of queue) {
      const stop = troubles >= troublesAllowed || (trouble !== undefined && trouble.kind !== 'unknown');
      const found = stop ? undefined : await searchByEmail(api, listUid, contact, signal);
      if (found !== undefined && 'outcome' in found) outcomes.push(found);
      else left.push(contact);
      if (found !== undefined && 'kind' in found) {
        trouble = found;
        troubles += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: lookupsAtOnce }, lane));
  return { outcomes, left, ...(trouble && { trouble }) };
}

/** 404 is a clear answer: absent. */
export async function searchByEmail(api: ApiClient, listUid: string, { contactId, email }: OutgoingContact, signal?: AbortSignal): Promise<InjectionOutcome | Trouble> {
  const answer = await api.request('GET', `/lists/${listUid}/subscribers/search-by-email?EMAIL=${encodeURIComponent(email)}`, undefined, signal);
  if (answer.kind !== 'answer') return answer;
  if (answer.status === 404) return { contactId, outcome: 'pending', reason: 'absent' };
  const found = answer.status < 300 ? searchAnswer.safeParse(answer.body) : undefined;
  if (!found?.success) return { kind: 'unknown', reason: answer.status < 300 ? 'foreign_answer' : `http_${answer.status}` };
  return toStanding(contactId, { uid: found.data.data.subscriber_uid, status: found.data.data.status, method: 'api' });
}
