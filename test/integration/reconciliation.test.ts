import { MockActivityEnvironment } from '@temporalio/testing';
import mysql from 'mysql2/promise';
import { createReconciliationActivities } from '../../src/activities/reconciliation';
import { createMailwizzGateway } from '../../src/adapters/mailwizz/gateway';
import type { InstanceSettings, MailwizzGateway, SubscriberPage } from '../../src/adapters/mailwizz/types';
import { type FreshDatabase, freshDatabase } from '../support/database';
import { rowsOf } from '../support/rows';
import { controlOf, sandboxInfo } from '../support/sandbox';

/** Lists of which pages are read while others use them. */
const instance = sandboxInfo().instances[0]!;
const control = controlOf(instance);
const [list] = instance.lists;
const mysqlUrl = new URL(instance.mysql_url);
const throughApi: InstanceSettings = { instanceId: 'client-1', apiUrl: instance.api_url, apiKey: instance.api_key, allowPrivateNetwork: true, lists: instance.lists.map((known) => ({ listId: known.list_id, listUid: known.list_uid, fields: ['EMAIL'] })) };
const throughTables: InstanceSettings = {
  ...throughApi,
  mysql: { host: mysqlUrl.hostname, port: Number(mysqlUrl.port), database: mysqlUrl.pathname.slice(1), user: mysqlUrl.username, password: mysqlUrl.password, tablePrefix: 'mw_' },
};
const ways = [['the API', throughApi], ['the tables', throughTables]] as const;

let database: FreshDatabase;
let rows: ReturnType<typeof rowsOf>;
let tables: mysql.Connection;
let gateway: MailwizzGateway | undefined;
beforeAll(async () => {
  database = await freshDatabase();
  rows = rowsOf(database);
  await rows.base();
  await rows.query(`insert into mailwizz_lists (instance_id, list_id, list_uid, name, fields) values ('client-1', 12, $1, 'L', '{EMAIL}')`, [list!.list_uid]);
  tables = await mysql.createConnection(instance.mysql_url);
});
afterAll(async () => {
  await tables.end();
  await database.drop();
});
beforeEach(async () => {
  await rows.clear();
  await control.empty();
});
afterEach(() => gateway?.close());

const emailOf = (n: number) => `c${n}@x.example`;
const store = (n: number, uid: string, status = 'confirmed') =>
  tables.query("INSERT INTO mw_list_subscriber (subscriber_uid, list_id, email, source, status, date_added, last_updated) VALUES (?, 12, ?, 'api', ?, NOW(), NOW())", [uid, emailOf(n), status]);
const uidOf = (n: number) => `aa${String(n).padStart(3, '0')}aaaaa000`;
const remove = async (n: number) => {
  const answer = await fetch(`${instance.api_url}/lists/${list!.list_uid}/subscribers/${uidOf(n)}`, { method: 'DELETE', headers: { 'x-api-key': instance.api_key } });
  expect(answer.status).toBe(200);
};

/** Contacts that the ledger and the list both have, injected an hour ago. */
async function inject(count: number) {
  await rows.openBatch(count);
  await rows.query(`update contacts set email_hash = encode(sha256(email::bytea), 'hex')`);
  await rows.query(`insert into injections (contact_id, instance_id, list_id, state, method, subscriber_uid, claimed_at) select id, 'client-1', 12, 'injected', 'api', 'aa' || lpad(substring(email from 'c(\\d+)@'), 3, '0') || 'aaaaa000', now() - interval '1 hour' from contacts`);
  for (let n = 1; n <= count; n += 1) await store(n, uidOf(n));
}

/** A comparison in pages of two; `between` is what others do after each page. */
async function compare(settings: InstanceSettings, between: (page: number, read: SubscriberPage) => Promise<unknown> = async () => undefined) {
  gateway = createMailwizzGateway({ loadInstance: async () => settings, now: Date.now });
  const { readSubscribers } = gateway;
  let pages = 0;
  const mailwizz: MailwizzGateway = {
    ...gateway,
    readSubscribers: async (target, cursor) => {
      const page = await readSubscribers(target, cursor, 2);
      await between((pages += 1), page);
      return page;
    },
  };
  const log = { info: () => undefined, warn: () => undefined };
  const activities = createReconciliationActivities({ db: database.db, mailwizz, now: () => new Date(), log } as never);
  const { ids } = await activities.openReconciliations({ instanceId: 'client-1' });
  for (const id of ids) await new MockActivityEnvironment().run(() => activities.reconcileList({ id }));
  const [result] = await rows.query<{ subscribers: number; matched: number; missing: number; doubled: number; foreign_subscribers: number }>('select subscribers, matched, foreign_subscribers, missing, doubled from reconciliations where list_id = 12 order by id desc limit 1');
  return result!;
}
const alerts = () => rows.query(`select message from alerts where resolved_at is null`);

test.each(ways)('through %s: a list that shrinks while it is read hides nobody from us', async (_way, settings) => {
  await store(90, uidOf(90));
  await inject(5);
  await store(91, uidOf(91));
  // A stranger on the first page leaves, whatever the order: everybody behind slides forward, one of them from the second page into the first.
  expect(await compare(settings, async (page, read) => (page === 1 ? remove(read.subscribers.some(({ uid }) => uid === uidOf(90)) ? 90 : 91) : undefined))).toMatchObject({ matched: 5, missing: 0, doubled: 0 });
  expect(await alerts()).toEqual([]);
});

test.each(ways)('through %s: a row that slides into the next page of a growing list is one row', async (_way, settings) => {
  await inject(4);
  // Newest first: everybody slides back by one.
  expect(await compare(settings, async (page) => (page === 1 ? store(90, uidOf(90)) : undefined))).toMatchObject({ matched: 4, missing: 0, doubled: 0 });
  expect(await alerts()).toEqual([]);
});

test.each(ways)('through %s: who is deleted and made anew while the list is read is not there twice', async (_way, settings) => {
  await inject(4);
  const renew = async (page: number) => {
    if (page !== 1) return;
    await remove(1);
    await store(1, 'zz000zzzzz001');
  };
  expect(await compare(settings, renew)).toMatchObject({ missing: 0, doubled: 0 });
  expect(await alerts()).toEqual([]);
  expect(await rows.query(`select subscriber_uid from injections join contacts on contacts.id = contact_id where email = $1`, [emailOf(1)])).toEqual([{ subscriber_uid: 'zz000zzzzz001' }]);
});

test.each(ways)('through %s: who is gone and who is there twice is reported, and the stricter of two rows counts', async (_way, settings) => {
  await inject(5);
  await remove(2);
  await store(3, 'zz000zzzzz003', 'unsubscribed');
  await store(4, 'zz000zzzzz004', 'unconfirmed');
  expect(await compare(settings)).toMatchObject({ missing: 1, doubled: 2 });
  expect(await alerts()).toEqual([{ message: 'List 12 of client-1: 1 contacts that we injected are not there, 2 addresses are there more than once.' }]);
  expect(await rows.query('select email, status from contacts order by id')).toEqual([1, 2, 3, 4, 5].map((n) => ({ email: emailOf(n), status: n === 3 ? 'unsubscribed' : 'validated' })));
});

test('what may still be on its way when the comparison begins is not missing', async () => {
  await inject(2);
  await control.empty();
  await rows.query(`update injections set claimed_at = now() - interval '30 seconds'`);
  expect(await compare(throughApi)).toMatchObject({ missing: 0 });
  await rows.query(`update injections set claimed_at = now() - interval '2 minutes'`);
  expect(await compare(throughApi)).toMatchObject({ missing: 2 });
});
