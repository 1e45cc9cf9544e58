import { MockActivityEnvironment } from '@temporalio/testing';
import { createServer } from 'node:http';
import { createInjectionActivities } from '../../src/activities/injection';
import { createMailwizzGateway } from '../../src/adapters/mailwizz/gateway';
import type { InstanceSettings } from '../../src/adapters/mailwizz/types';
import { alertLastingUnknowns } from '../../db/queries/reconciliations';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { rowsOf } from '../support/rows';
import { controlOf, sandboxInfo } from '../support/sandbox';

/** Every row B1–B13 of the failure matrix: the fault is on, the page is injected again and again on a clock of its own, and the truth is counted. */
const instance = sandboxInfo().instances[0]!;
const control = controlOf(instance);
const mysql = new URL(instance.mysql_url);
const settings = (change: Partial<InstanceSettings> = {}): InstanceSettings => ({
  instanceId: 'client-1', apiUrl: instance.api_url, apiKey: instance.api_key, allowPrivateNetwork: true,
  lists: instance.lists.map((list) => ({ listId: list.list_id, listUid: list.list_uid, fields: ['EMAIL', 'FNAME', 'CATEGORY', 'BUCKET'] })),
  mysql: { host: mysql.hostname, port: Number(mysql.port), database: mysql.pathname.slice(1), user: mysql.username, password: mysql.password, tablePrefix: 'mw_' },
  ...change,
});
const withoutMysql = () => {
  const { mysql: _, ...rest } = settings();
  return rest;
};

let database: FreshDatabase;
let rows: ReturnType<typeof rowsOf>;
beforeAll(async () => {
  database = await freshDatabase();
  rows = rowsOf(database);
  await rows.base();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await rows.clear();
  await rows.query('update mailwizz_instances set parked_at = null');
  await control.heal();
  await control.empty();
});
afterEach(() => control.heal());

/** A worker of one instance whose hours pass by order; seconds pass by themselves. */
function workerOf(load: () => InstanceSettings) {
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const log = { info: () => undefined, warn: () => undefined };
  const mailwizz = createMailwizzGateway({ loadInstance: async () => load(), now, log, timeouts: { connectMs: 500, firstByteMs: 800, totalMs: 1_500 }, door: { refusedRestMs: 0 } });
  const activities = createInjectionActivities({ db: database.db, mailwizz, now: () => new Date(now()), log, settings: { injectionWaitsMs: Array.from({ length: 60 }, () => 1_000) } } as never);
  return {
    inject: (page: { batchIds: number[]; afterContactId: number; throughContactId: number }) => new MockActivityEnvironment().run(() => activities.injectPage({ ...page, instanceId: 'client-1' })),
    pass: (seconds: number) => void (ahead += seconds * 1_000),
    close: () => mailwizz.close(),
  };
}

const openRows = async () => (await rows.query<{ n: number }>('select count(*)::int n from batch_rows where fate is null'))[0]!.n;

/** Injects until nothing is open, a minute passing between the tries; the fault is healed after `healAfter` tries. */
async function carry(count: number, { load = settings, healAfter = 2, tries = 12 }: { load?: () => InstanceSettings; healAfter?: number; tries?: number } = {}) {
  const batch = await rows.openBatch(count);
  const worker = workerOf(load);
  for (let tried = 1; tried <= tries && (await openRows()) > 0; tried += 1) {
    await worker.inject(batch.page);
    worker.pass(65);
    if (tried === healAfter) await control.heal();
  }
  await worker.close();
  return batch;
}

/** Nothing lost, nothing twice, and our books say so. */
async function expectEachOnce(count: number) {
  const stored = (await control.subscribers(12)).map((subscriber) => subscriber.email).toSorted();
  expect(stored).toEqual(Array.from({ length: count }, (_, n) => `c${n + 1}@x.example`).toSorted());
  expect(await rows.query('select state, count(*)::int n from injections group by state')).toEqual([{ state: 'injected', n: count }]);
  expect(await rows.query('select accepted, injected, failed, suppressed from import_batches')).toEqual([{ accepted: count, injected: count, failed: 0, suppressed: 0 }]);
  const uids = new Set((await control.subscribers(12)).map((subscriber) => subscriber.subscriber_uid));
  for (const { subscriber_uid: uid } of await rows.query<{ subscriber_uid: string }>('select subscriber_uid from injections')) expect(uids).toContain(uid);
}

test.each([
  ['B1', { route: 'bulk', fault: 'http_500', probability: 0.5 }],
  ['B1', { fault: 'http_502', probability: 0.5 }],
  ['B1', { fault: 'http_503', count: 25 }],
  ['B1', { fault: 'http_504', count: 3, after_commit: true }],
  ['B2', { route: 'bulk', fault: 'hang', count: 2 }],
  ['B2', { route: 'bulk', fault: 'slow_body', count: 1 }],
  ['B2', { route: 'bulk', fault: 'stall', count: 1, rows: 10, ms: 5_000 }],
  ['B3', { route: 'bulk', fault: 'cut_after_commit', count: 3 }],
  ['B3', { route: 'bulk', fault: 'cut_body', count: 3 }],
  ['B3', { route: 'bulk', fault: 'cut_before', count: 3 }],
  ['B4', { route: 'bulk', fault: 'html_200', count: 3 }],
  ['B4', { route: 'bulk', fault: 'html_200', count: 3, after_commit: true }],
  ['B4', { route: 'bulk', fault: 'empty_200', count: 2 }],
  ['B4', { route: 'bulk', fault: 'empty_500', count: 2 }],
  ['B4', { route: 'bulk', fault: 'empty_list', count: 2 }],
  ['B4', { route: 'bulk', fault: 'foreign_json', count: 2 }],
  ['B4', { route: 'bulk', fault: 'truncated_json', count: 2 }],
  ['B4', { route: 'bulk', fault: 'php_warning', count: 2 }],
  ['B5', { fault: 'http_429', count: 4, retry_after: 2 }],
  ['B5', { fault: 'json_429', count: 2, retry_after: 'date+30' }],
  ['B5', { fault: 'http_429', count: 2, retry_after: null }],
  ['B5', { fault: 'http_403', count: 2 }],
  ['B6', { route: 'bulk', fault: 'partial_bulk' }],
  ['B6', { route: 'bulk', fault: 'max_input_vars', vars: 100 }],
  ['B6', { route: 'bulk', fault: 'shuffled_bulk' }],
  ['B9', { route: 'bulk', fault: 'mutex', count: 3 }],
] as const)('%s: %p loses no contact and doubles none', async (_, fault) => {
  await control.fault(fault);
  await carry(300, { load: withoutMysql });
  await expectEachOnce(300);
}, 120_000);

test('B3: replies cut after the commit for 1,000 creates, and the commit of 500 rows in MySQL whose word is lost: each address once', async () => {
  await control.fault({ route: 'bulk', fault: 'cut_after_commit' });
  await carry(1_000, { load: withoutMysql, healAfter: 1 });
  await expectEachOnce(1_000);
  await rows.clear();
  await control.empty();
  await control.fault({ fault: 'down' });
  await rows.openBatch(500);
  const worker = workerOf(settings);
  const page = { batchIds: [1], afterContactId: 0, throughContactId: 1_000_000 };
  await worker.inject(page);
  // The word of it is lost: our books say "sending", as after a kill in the middle of the activity.
  await rows.query(`update injections set state = 'sending', subscriber_uid = null`);
  await rows.query('update batch_rows set fate = null');
  await rows.query('update import_batches set injected = 0');
  await control.heal();
  worker.pass(65);
  await worker.inject(page);
  await worker.close();
  await expectEachOnce(500);
}, 120_000);

test.each([
  ['exists', undefined, 'injected'],
  ['exists', 'Der Abonnent existiert bereits in dieser Liste.', 'injected'],
  ['blacklisted', undefined, 'rejected'],
] as const)('B7: a refusal %s (%s) of a contact that is there, or is not wanted, is read right', async (fault, text, state) => {
  const batch = await rows.openBatch(1);
  const worker = workerOf(withoutMysql);
  if (fault === 'exists') {
    await worker.inject(batch.page);
    await rows.query(`update injections set state = 'pending'`);
    await rows.query('update batch_rows set fate = null');
    await rows.query(`update import_batches set injected = 0`);
    await rows.query(`update contacts set status = 'validated'`);
  }
  await control.fault({ route: 'create', fault, ...(text !== undefined && { text }) });
  await worker.inject(batch.page);
  await worker.close();
  expect(await rows.query('select state from injections')).toEqual([{ state }]);
  expect(await rows.query('select reason from suppressions')).toEqual(fault === 'blacklisted' ? [{ reason: 'blacklisted' }] : []);
});

test.each(['unauthorized', 'forbidden'])('B8: a key that is refused (%s) parks the instance with one alert, after few calls, and fails no contact', async (fault) => {
  await control.fault({ fault });
  const batch = await rows.openBatch(500);
  const worker = workerOf(() => settings({ parked: false }));
  const calls = async () => Object.values(await control.calls()).reduce((sum, n) => sum + n, 0);
  const before = await calls();
  await worker.inject(batch.page);
  expect((await calls()) - before).toBeLessThanOrEqual(5);
  expect(await rows.query('select kind, subject, count from alerts')).toEqual([{ kind: 'instance_parked', subject: 'client-1', count: 1 }]);
  expect(await rows.query('select failed, injected from import_batches')).toEqual([{ failed: 0, injected: 0 }]);
  await control.heal();
  await rows.query('update mailwizz_instances set parked_at = null');
  for (let tries = 0; tries < 5; tries += 1) {
    worker.pass(65);
    await worker.inject(batch.page);
  }
  await worker.close();
  await expectEachOnce(500);
}, 60_000);

test('B9: a redirect is not followed: the key goes to nobody else', async () => {
  let visits = 0;
  const canary = createServer((_req, res) => void ((visits += 1), res.end('{"status":"success"}'))).listen(0, '127.0.0.1');
  await new Promise((resolve) => canary.once('listening', resolve));
  const { port } = canary.address() as { port: number };
  for (const status of [301, 302, 307, 308]) await control.fault({ fault: 'redirect', status, location: `http://127.0.0.1:${port}/`, count: 4 });
  await carry(40, { load: withoutMysql });
  canary.close();
  expect(visits).toBe(0);
  await expectEachOnce(40);
}, 60_000);

test('B10: the API down, MySQL used, the API back, thirty times over: one row per address, both ways seen', async () => {
  const batch = await rows.openBatch(900);
  const worker = workerOf(settings);
  const cut = batch.ids.filter((_, index) => index % 30 === 29);
  for (const [flap, throughContactId] of cut.entries()) {
    if (flap % 2 === 0) await control.fault({ fault: 'down' });
    else await control.heal();
    worker.pass(31);
    await worker.inject({ ...batch.page, throughContactId });
  }
  await control.heal();
  for (let tries = 0; tries < 5; tries += 1) {
    worker.pass(65);
    await worker.inject(batch.page);
  }
  await worker.close();
  await expectEachOnce(900);
  expect((await rows.query<{ method: string }>('select distinct method from injections order by method')).map(({ method }) => method)).toEqual(['api', 'mysql']);
}, 120_000);

test('B11: the API and MySQL both down: the contacts wait, and arrive when one of them is back', async () => {
  await control.fault({ fault: 'down' });
  await control.fault({ fault: 'mysql_down' });
  await carry(200, { healAfter: 3 });
  await expectEachOnce(200);
}, 60_000);

test('B12: tables that are not as we know them are not written: the contacts wait, one alert says why, and it ends when MySQL is used again', async () => {
  await control.fault({ fault: 'down' });
  const batch = await rows.openBatch(20);
  let tablePrefix = 'no_such_';
  const worker = workerOf(() => settings({ mysql: { ...settings().mysql!, tablePrefix } }));
  for (let tries = 0; tries < 2; tries += 1) {
    await worker.inject(batch.page);
    worker.pass(65);
  }
  expect(await rows.query('select kind, subject, resolved_at, message from alerts')).toEqual([{ kind: 'mysql_refused', subject: 'client-1', resolved_at: null, message: expect.stringContaining('schema_no_table_list') }]);
  expect(await rows.query('select distinct state from injections')).toEqual([{ state: 'pending' }]);
  tablePrefix = 'mw_';
  await worker.inject(batch.page);
  await worker.close();
  expect(await rows.query('select count(*)::int n from alerts where resolved_at is null')).toEqual([{ n: 0 }]);
  await expectEachOnce(20);
}, 60_000);

test('B13: a list that is gone fails its own contacts with the reason, and no others', async () => {
  await rows.openBatch(4);
  await rows.query('update contacts set mailwizz_list_id = 13 where id % 2 = 0');
  const worker = workerOf(() => ({ ...withoutMysql(), lists: [...withoutMysql().lists.filter((list) => list.listId !== 13), { listId: 13, listUid: 'aa000aaaaa000', fields: ['EMAIL'] }] }));
  await worker.inject({ batchIds: [1], afterContactId: 0, throughContactId: 1_000 });
  await worker.close();
  expect(await rows.query('select injected, failed from import_batches')).toEqual([{ injected: 2, failed: 2 }]);
  expect(await rows.query(`select distinct fate_reason from batch_rows where fate = 'failed'`)).toEqual([{ fate_reason: 'list_not_found' }]);
});

test('an unknown that lasts opens one alert, and its end resolves it', async () => {
  await rows.openBatch(1);
  await rows.query(`insert into injections (contact_id, instance_id, list_id, state, claimed_at) select id, 'client-1', 12, 'unknown', now() - interval '1 hour' from contacts`);
  await alertLastingUnknowns(database.db, 900_000);
  await alertLastingUnknowns(database.db, 900_000);
  expect(await rows.query('select kind, subject, count, resolved_at from alerts')).toEqual([{ kind: 'injection_unknown', subject: 'client-1', count: 2, resolved_at: null }]);
  await rows.query(`update injections set state = 'injected'`);
  await alertLastingUnknowns(database.db, 900_000);
  expect(await rows.query('select count(*)::int n from alerts where resolved_at is null')).toEqual([{ n: 0 }]);
});
