import { error, success } from '../answers';
import type { Context } from '../context';
import { storedDate } from '../dates';
import { mapAt, type PhpMap } from '../form';
import type { List } from '../list-store';
import { quotaProblem } from '../quota';
import type { Answer, Call } from '../router';
import { sleep } from '../sleep';
import { createSubscribers } from '../subscriber-create';
import type { Candidate } from '../subscriber-form';

/** The answer is always a success; a record that failed has `errors`. */
export async function bulk(context: Context, call: Call, list: List): Promise<Answer> {
  const { switches } = context;
  const payload = mapAt(call.form, 'subscribers');
  const forms = [...(payload?.values() ?? [])].filter((row) => row instanceof Map);
  if (forms.length === 0) return error(switches.validation_code, 'Please provide the subscribers payload.');
  if (switches.bulk_max_rows > 0 && forms.length > switches.bulk_max_rows) return error(switches.validation_code, `Please provide at most ${switches.bulk_max_rows} subscribers.`);
  const full = await quotaProblem(context, list, forms.length);
  if (full !== undefined) return error(switches.quota_code, full);

  const read = call.fault === 'partial_bulk' ? forms.slice(0, Math.ceil(forms.length / 2)) : forms;
  const { failing, good } = splitFailing(context, call, read);
  const candidates = await createInSteps(context, call, list, good);
  const now = storedDate(context, context.now());
  const byForm = new Map(candidates.map((candidate) => [candidate.form, toRecord(candidate, now)]));
  const records = read.flatMap((form) => byForm.get(form) ?? (failing.has(form) ? [{ data: tagsOf(form), errors: { EMAIL: 'Unable to save the subscriber!' } }] : []));
  return success({ data: { records: inOrder(context, call, records) } }, switches.bulk_code);
}

/** The fault `row_errors`: a share of the rows is refused. */
function splitFailing({ random }: Context, { fault, faultSettings }: Call, forms: PhpMap[]): { failing: Set<PhpMap>; good: PhpMap[] } {
  const failing = new Set(fault === 'row_errors' ? forms.filter(() => random() < (faultSettings.share ?? 0.3)) : []);
  return { failing, good: forms.filter((form) => !failing.has(form)) };
}

/** The fault `stall`: some rows are stored, then nothing moves; the rest follows only when the client is still there. */
async function createInSteps(context: Context, { fault, faultSettings, gone }: Call, list: List, forms: PhpMap[]): Promise<Candidate[]> {
  if (fault !== 'stall') return createSubscribers(context, list, forms, { isBulk: true });
  const first = faultSettings.rows ?? 10;
  const stored = await createSubscribers(context, list, forms.slice(0, first), { isBulk: true });
  await sleep(faultSettings.ms ?? 30_000, gone);
  return gone.aborted ? stored : [...stored, ...(await createSubscribers(context, list, forms.slice(first), { isBulk: true }))];
}

function toRecord({ form, uid, email, details, errors }: Candidate, now: string) {
  if (errors || uid === undefined) return { data: tagsOf(form), errors: errors ?? { EMAIL: 'Unable to save the subscriber!' } };
  return { data: { subscriber_uid: uid, ...tagsOf(form), EMAIL: email, status: details.status, source: details.source, ip_address: details.ip ?? '', date_added: now } };
}
const tagsOf = (form: PhpMap) => Object.fromEntries([...form].filter(([, value]) => typeof value === 'string'));

function inOrder<T>({ switches, random }: Context, { fault }: Call, records: T[]): T[] {
  if (fault === 'shuffled_bulk' || switches.bulk_order === 'shuffled') {
    const ranked = records.map((record) => ({ record, rank: random() })).sort((a, b) => a.rank - b.rank);
    return ranked.map(({ record }) => record);
  }
  return switches.bulk_order === 'reversed' ? records.toReversed() : records;
}
