import { type Api, type ApiClient, callsAtOnce } from '../api';
import type { ApiAnswer, Trouble } from '../answer';
import { type Calls, createCalls } from '../calls';
import type { Called } from '../calls/called';
import type { ListRow } from '../calls/lists';
import { ourTags } from '../fields';
import { path } from '../form';
import { type Finding, finding, type ReportedList, withinTime } from './types';
import { toWords } from './words';

export type ListsSeen = Omit<ReportedList, 'listId'>[];
/** Beyond this, fields and sizes are not asked: it would take minutes. */
const listsLookedInto = 50;
const clockTroubleMs = 60_000;

/** What the API shows, part by part. Reads only: the one POST carries nothing that could be stored. */
export async function inspectApi(client: ApiClient, now: () => number): Promise<{ findings: Finding[]; lists: ListsSeen }> {
  const calls = createCalls(client);
  const met = { answer: undefined as ApiAnswer | undefined, at: 0, latencyMs: 0 };
  const reach = await withinTime('api', async () => {
    const started = performance.now();
    met.answer = await client.request({ method: 'GET', path: '/lists?page=1&per_page=1' });
    met.latencyMs = Math.round(performance.now() - started);
    met.at = now();
    return judgeReach(met.answer, met.latencyMs);
  });
  const { answer } = met;
  const findings = [reach, judgeKey(answer), judgeStyle(answer), judgeClock(answer, met)];
  if (answer?.kind !== 'answer' || answer.status >= 300) {
    const why = 'Nothing can be asked before the API answers and takes the key.';
    return {
      findings: [
        ...findings,
        finding('lists', 'skipped', 'api_not_usable', why),
        finding('fields', 'skipped', 'api_not_usable', why),
        finding('bulk', 'skipped', 'api_not_usable', why),
      ],
      lists: [],
    };
  }
  const lists: ListsSeen = [];
  let rows: ListRow[] = [];
  const listing = await withinTime('lists', async () => {
    const read = await calls.lists.readAll();
    if (read.kind !== 'done') return bad('lists', read);
    rows = read.value;
    return rows.length > 0
      ? finding('lists', 'good', 'lists_found', `There are ${rows.length} lists.`, { lists: rows.length })
      : finding('lists', 'warn', 'no_lists', 'There is no list yet.');
  });
  const [fields, bulk] = await Promise.all([
    withinTime('fields', () => lookIntoLists(calls, rows, lists)),
    withinTime('bulk', () => tryBulk(client, rows[0])),
  ]);
  return { findings: [...findings, listing, fields, bulk], lists };
}

function judgeReach(answer: ApiAnswer, latencyMs: number): Finding {
  const facts = { latency_ms: latencyMs };
  if (answer.kind === 'answer' || answer.kind === 'refused')
    return finding('api', 'good', 'reachable', `MailWizz answers after ${latencyMs} ms.`, facts);
  return finding('api', answer.kind === 'limited' ? 'warn' : 'bad', answer.reason, toWords(answer.reason), facts);
}

function judgeKey(answer: ApiAnswer | undefined): Finding {
  if (answer?.kind === 'refused') return finding('key', 'bad', answer.reason, toWords(answer.reason));
  if (answer?.kind !== 'answer') return finding('key', 'skipped', 'api_not_usable', 'The key could not be tried.');
  return answer.status < 300
    ? finding('key', 'good', 'accepted', 'The API key is accepted.')
    : finding('key', 'bad', `http_${answer.status}`, `MailWizz refuses to list its lists (${answer.status}).`);
}

function judgeStyle(answer: ApiAnswer | undefined): Finding {
  if (answer?.kind === 'answer' && answer.status < 300)
    return finding('style', 'good', 'single_key', 'It takes a single key, so this is version 2 or later.');
  const old = answer?.kind === 'refused' && ['signature_wanted', 'key_not_read'].includes(answer.reason);
  return old
    ? finding('style', 'bad', answer.reason, toWords(answer.reason))
    : finding('style', 'skipped', 'api_not_usable', 'The version could not be told.');
}

function judgeClock(answer: ApiAnswer | undefined, { at, latencyMs }: { at: number; latencyMs: number }): Finding {
  const theirs = answer?.kind === 'answer' ? answer.theirClockMs : undefined;
  if (theirs === undefined) return finding('api_clock', 'skipped', 'no_date', 'The server did not say what time it has.');
  // Their header knows whole seconds only, cut.
  return judgeDifference('api_clock', theirs + 500 - (at - latencyMs / 2));
}

export function judgeDifference(part: 'api_clock' | 'mysql_clock', differenceMs: number, facts: Finding['facts'] = {}): Finding {
  const seconds = Math.round(differenceMs / 1_000);
  const all = { difference_seconds: seconds, ...facts };
  if (Math.abs(differenceMs) <= clockTroubleMs) return finding(part, 'good', 'clocks_agree', 'Its clock agrees with ours.', all);
  return finding(
    part,
    'warn',
    'clocks_differ',
    `Its clock is ${Math.abs(seconds)} seconds ${seconds > 0 ? 'ahead of' : 'behind'} ours.`,
    all,
  );
}

async function lookIntoLists(calls: Calls, rows: ListRow[], into: ListsSeen): Promise<Finding> {
  const queue = rows.slice(0, listsLookedInto).entries();
  const troubles: Called<unknown>[] = [];
  const lane = async () => {
    for (const [place, { listUid, name }] of queue) {
      const fields = await calls.fields.readAll(listUid);
      const first = await calls.subscribers.readPage(listUid, { perPage: 1 });
      if (fields.kind !== 'done') troubles.push(fields);
      const tags = fields.kind === 'done' ? fields.value.map((field) => field.tag) : [];
      const missing = fields.kind === 'done' ? ourTags.filter((tag) => !tags.includes(tag)) : [];
      into[place] = { listUid, name, fields: tags, missing, subscribers: first.kind === 'done' ? first.value.count : undefined };
    }
  };
  await Promise.all(Array.from({ length: callsAtOnce }, lane));
  const [trouble] = troubles;
  if (trouble) return bad('fields', trouble);
  const lacking = into.filter((list) => list.missing.length > 0);
  if (rows.length === 0) return finding('fields', 'skipped', 'no_lists', 'There is no list whose fields could be looked at.');
  if (lacking.length === 0) return finding('fields', 'good', 'fields_complete', 'Every list has all of our fields.');
  return finding(
    'fields',
    'warn',
    'fields_missing',
    `${lacking.length} of ${rows.length} lists lack some of our fields: what belongs there is not filled.`,
    { lists_lacking: lacking.length },
  );
}

/** A bulk call without rows: an installation that has the call, and a key that may use it, asks for the rows. */
async function tryBulk(api: Api, list: ListRow | undefined): Promise<Finding> {
  if (!list) return finding('bulk', 'skipped', 'no_lists', 'There is no list to try it on.');
  const answer = await api.request({ method: 'POST', path: path`/lists/${list.listUid}/subscribers/bulk`, form: '' });
  if (answer.kind !== 'answer') return bad('bulk', answer);
  if (answer.status === 404 || answer.status === 405)
    return finding('bulk', 'warn', 'bulk_missing', 'This version has no bulk call: contacts are created one by one, which is slow.');
  return finding('bulk', 'good', 'bulk_allowed', 'Bulk calls are allowed.');
}

const bad = (part: Finding['part'], called: Called<unknown> | Trouble): Finding => {
  const code = 'reason' in called ? called.reason : called.kind === 'rejected' ? `http_${called.status}` : called.kind;
  return finding(part, 'bad', code, toWords(code));
};
