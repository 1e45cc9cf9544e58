import { z } from 'zod';
import type { Context } from './context';
import type { ControlRoute } from './control';
import { storedDate } from './dates';
import { faultMeanings, parseFault } from './faults';
import type { Answer } from './router';
import { change, select } from './sql';
import { describeSwitches, resetSwitches, setSwitches } from './switches';
import { readFields } from './truth';

type Parts = { calls: Map<string, number>; routeNames: string[]; applyStates: () => Promise<void>; reseed: (seed: number) => void };
const ok = (body: unknown, code = 200): Answer => ({ code, body });
const mostRows = 200_000;
const seedBody = z.object({ seed: z.int().min(0).max(0xffffffff) });

/** Faults, switches and the ledger of what is really stored. */
export function createControlRoutes({ calls, routeNames, applyStates, reseed }: Parts): ControlRoute[] {
  return [
    { method: 'GET', path: '/faults', handle: async ({ faults }) => ok({ faults: faults.list() }) },
    { method: 'POST', path: '/faults', handle: addFault },
    { method: 'DELETE', path: '/faults', handle: heal },
    { method: 'GET', path: '/switches', handle: async ({ switches }) => ok(switches) },
    { method: 'PUT', path: '/switches', handle: putSwitches },
    { method: 'DELETE', path: '/switches', handle: async ({ switches }) => ok(resetSwitches(switches)) },
    { method: 'PUT', path: '/seed', handle: setSeed },
    { method: 'GET', path: '/routes', handle: async () => ok({ routes: routeNames }) },
    { method: 'GET', path: '/calls', handle: async () => ok(Object.fromEntries(calls)) },
    { method: 'DELETE', path: '/calls', handle: forgetCalls },
    { method: 'GET', path: '/truth', handle: truth },
    { method: 'GET', path: '/truth/subscribers', handle: truthOfSubscribers },
    { method: 'GET', path: '/truth/mails', handle: async ({ mails }) => ok(mails) },
    { method: 'DELETE', path: '/subscribers', handle: emptyLists },
    { method: 'POST', path: '/blacklist', handle: blacklist },
    { method: 'DELETE', path: '/blacklist', handle: forgive },
  ];

  async function addFault({ faults }: Context, body: unknown): Promise<Answer> {
    const parsed = parseFault(body);
    const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim());
    if (parsed.success && parsed.data.route !== '*' && !routeNames.includes(parsed.data.route)) problems.push(`route is * or one of ${routeNames.join(', ')}`);
    if (!parsed.success || problems.length > 0) return ok({ error: problems.join('; '), faults: faultMeanings }, 422);
    faults.add(parsed.data);
    await applyStates();
    return ok({ faults: faults.list() }, 201);
  }

  async function heal({ faults }: Context): Promise<Answer> {
    faults.clear();
    await applyStates();
    return ok({ faults: [] });
  }

  async function setSeed(_: Context, body: unknown): Promise<Answer> {
    const parsed = seedBody.safeParse(body);
    if (!parsed.success) return ok({ error: 'seed is a whole number' }, 422);
    reseed(parsed.data.seed);
    return ok(parsed.data);
  }

  async function forgetCalls(): Promise<Answer> {
    calls.clear();
    return ok({});
  }
}

async function putSwitches({ switches }: Context, body: unknown): Promise<Answer> {
  const { problems } = setSwitches(switches, body);
  return problems.length === 0 ? ok(switches) : ok({ error: problems.join('; '), switches: describeSwitches() }, 422);
}

type Counts = { list_id: number; list_uid: string; name: string; subscribers: number; distinct_emails: number; api: number; web: number; import: number };

async function truth({ pool }: Context): Promise<Answer> {
  const rows = await select<Counts>(
    pool,
    `SELECT l.list_id, l.list_uid, l.name, COUNT(s.subscriber_id) subscribers, COUNT(DISTINCT LOWER(s.email)) distinct_emails,
       COUNT(IF(s.source = 'api', 1, NULL)) api, COUNT(IF(s.source = 'web', 1, NULL)) web, COUNT(IF(s.source = 'import', 1, NULL)) import
     FROM mw_list l LEFT JOIN mw_list_subscriber s USING (list_id) GROUP BY l.list_id ORDER BY l.list_id LIMIT 1000`,
  );
  const lists = rows.map(({ api, web, import: imported, ...row }) => ({ ...row, duplicates: row.subscribers - row.distinct_emails, by_source: { api, web, import: imported } }));
  return ok({ lists });
}

const subscribersQuery = z.object({ list_id: z.coerce.number().int(), limit: z.coerce.number().int().min(1).max(mostRows).default(mostRows), after: z.coerce.number().int().min(0).default(0), fields: z.enum(['0', '1']).default('0') });
type Stored = { subscriber_id: number; email: string; subscriber_uid: string; status: string; source: string };

/** In the order they were stored; `after` is the subscriber_id to go on from. */
async function truthOfSubscribers(context: Context, _: unknown, query: URLSearchParams): Promise<Answer> {
  const parsed = subscribersQuery.safeParse(Object.fromEntries(query));
  if (!parsed.success) return ok({ error: 'list_id, and if wanted limit (200000), after (subscriber_id), fields (0 or 1)' }, 422);
  const { list_id, limit, after, fields } = parsed.data;
  const rows = await select<Stored>(
    context.pool,
    'SELECT subscriber_id, email, subscriber_uid, status, source FROM mw_list_subscriber WHERE list_id = ? AND subscriber_id > ? ORDER BY subscriber_id LIMIT ?',
    [list_id, after, limit],
  );
  if (fields === '0') return ok(rows);
  const values = await readFields(context, list_id, rows);
  return ok(rows.map((row) => ({ ...row, fields: values.get(row.subscriber_id) ?? {} })));
}

/** Truncated first: deleting a million values one by one takes longer than a test. */
async function emptyLists({ pool }: Context): Promise<Answer> {
  const [any] = await select(pool, 'SELECT 1 FROM mw_list_field_value LIMIT 1');
  if (any) await pool.query('TRUNCATE TABLE mw_list_field_value');
  for (const table of ['mw_list_subscriber', 'mw_email_blacklist']) await change(pool, `DELETE FROM ${table}`);
  return ok({});
}

const blacklistBody = z.object({ email: z.string().min(1).max(150), scope: z.enum(['global', 'customer']).default('global') });

async function blacklist(context: Context, body: unknown): Promise<Answer> {
  const parsed = blacklistBody.safeParse(body);
  if (!parsed.success) return ok({ error: 'email, and if wanted scope: global or customer' }, 422);
  const { pool, customer } = context;
  const now = storedDate(context, context.now());
  const { email, scope } = parsed.data;
  if (scope === 'global') await change(pool, "INSERT IGNORE INTO mw_email_blacklist (email, reason, date_added, last_updated) VALUES (?, 'sandbox', ?, ?)", [email, now, now]);
  else await change(pool, "INSERT INTO mw_customer_email_blacklist (customer_id, email, reason, date_added, last_updated) VALUES (?, ?, 'sandbox', ?, ?)", [customer.customer_id, email, now, now]);
  return ok({}, 201);
}

async function forgive({ pool, customer }: Context): Promise<Answer> {
  await change(pool, 'DELETE FROM mw_email_blacklist');
  await change(pool, 'DELETE FROM mw_customer_email_blacklist WHERE customer_id = ?', [customer.customer_id]);
  return ok({});
}
