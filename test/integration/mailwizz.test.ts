import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { type RunningInstance, startInstance } from '../../sandbox/mailwizz/instance';
import { type Mariadb, startMariadb } from '../../sandbox/mariadb';
import { createMailwizzGateway } from '../../src/adapters/mailwizz/gateway';
import type { InstanceSettings, MailwizzGateway } from '../../src/adapters/mailwizz/types';
import type { InjectionOutcome } from '../../src/domain/injection';
import { target, toContact } from '../unit/mailwizz/support';

const port = 19_600;
let dataDir: string;
let mariadb: Mariadb;
let instance: RunningInstance;
let root: Pool;
let gateway: MailwizzGateway;
let settings: InstanceSettings;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'mailwizz-test-'));
  mariadb = await startMariadb({ dataDir, port });
  instance = await startInstance({ mariadb: mariadb.url, number: 1, port: port + 2 });
  root = mysql.createPool({ uri: `${mariadb.url}/mw_client_1` });
  const url = new URL(instance.mysql_url);
  settings = {
    instanceId: 'client-1', apiUrl: instance.api_url, apiKey: instance.api_key, allowPrivateNetwork: true,
    lists: instance.lists.map((list) => ({ listId: list.list_id, listUid: list.list_uid, fields: [] })),
    mysql: { host: url.hostname, port: Number(url.port), user: url.username, password: url.password, database: url.pathname.slice(1), tablePrefix: 'mw_' },
  };
});
afterAll(async () => {
  await root?.end();
  await instance?.stop();
  await mariadb?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});
beforeEach(async () => {
  await control('DELETE', '/faults');
  await control('DELETE', '/subscribers');
  await root.query('DELETE FROM mw_customer_email_blacklist');
  gateway = createMailwizzGateway({ loadInstance: async () => settings, now: Date.now });
});
afterEach(() => gateway.close());

const control = async (method: string, path: string, body?: unknown) =>
  (await fetch(`${instance.control_url}${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })).json();
const contactsOf = (count: number) => Array.from({ length: count }, (_, index) => toContact(index + 1, { sourceId: 'demo' }));
const truth = async (): Promise<{ email: string; subscriber_uid: string }[]> => (await control('GET', '/truth/subscribers?list_id=12')) as never;
const tally = (outcomes: InjectionOutcome[]) => {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const key = outcome.outcome === 'injected' ? `injected ${outcome.method}` : `${outcome.outcome} ${outcome.reason}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
};
async function expectOneEach(count: number) {
  const emails = (await truth()).map(({ email }) => email);
  expect([emails.length, new Set(emails).size]).toEqual([count, count]);
}

test('a cut reply is looked up, never sent again', async () => {
  const contacts = contactsOf(300);
  await control('POST', '/faults', { route: 'bulk', fault: 'cut_after_commit' });
  expect(tally(await gateway.addSubscribers(target, contacts))).toEqual({ 'unknown cut': 300 });
  await control('DELETE', '/faults');
  expect(tally(await gateway.lookUpSubscribers(target, contacts))).toEqual({ 'injected api': 300 });
  await expectOneEach(300);
});

test('a call cut before the work is looked up as absent', async () => {
  await control('POST', '/faults', { route: 'bulk', fault: 'cut_before' });
  expect(tally(await gateway.addSubscribers(target, contactsOf(20)))).toEqual({ 'unknown cut': 20 });
  expect(tally(await gateway.lookUpSubscribers(target, contactsOf(20)))).toEqual({ 'pending absent': 20 });
});

test('API down: MySQL takes over, one row per address and one value per field', async () => {
  const contacts = contactsOf(450);
  expect(tally(await gateway.addSubscribers(target, contacts.slice(0, 100)))).toEqual({ 'injected api': 100 });
  await control('POST', '/faults', { route: '*', fault: 'down' });
  expect(tally(await gateway.addSubscribers(target, contacts))).toEqual({ 'injected mysql': 450 });
  expect(tally(await gateway.lookUpSubscribers(target, contacts))).toEqual({ 'injected mysql': 450 });
  await expectOneEach(450);
  const [values] = await root.query<RowDataPacket[]>(
    "SELECT v.value, f.tag FROM mw_list_field_value v JOIN mw_list_field f USING (field_id) JOIN mw_list_subscriber s USING (subscriber_id) WHERE s.email = 'a450@example.test' ORDER BY f.sort_order",
  );
  expect(values.map(({ tag, value }) => `${tag}=${value}`)).toEqual([
    'EMAIL=a450@example.test', 'FNAME=Ana', 'LNAME=', 'COMPANY=', 'PHONE=', 'WEBSITE=', 'SOURCE=demo', 'CATEGORY=', 'TAGS=a,b', 'TAGSET=|a|b|', 'COUNTRY=FR', 'LANGUAGE=fr', 'BUCKET=0042',
  ]);
});

test('both ways through 10 flaps: nothing twice, nothing lost', async () => {
  let at = Date.now();
  const flapping = createMailwizzGateway({ loadInstance: async () => settings, now: () => at });
  const methods = new Set<string>();
  for (let flap = 0; flap < 10; flap += 1) {
    const contacts = contactsOf(40 * flap + 40);
    await control('POST', '/faults', { route: '*', fault: 'down' });
    // Two writers with the same contacts: the lock on the list keeps them apart.
    const down = await Promise.all([flapping.addSubscribers(target, contacts.slice(0, -20)), flapping.addSubscribers(target, contacts.slice(0, -20))]);
    await control('DELETE', '/faults');
    at += 2_001;
    const up = await flapping.addSubscribers(target, contacts);
    // A call that met the closing door may be cut: such a contact is looked up, and sent again only when absent.
    const cut = contacts.filter(({ contactId }) => up.some((outcome) => outcome.contactId === contactId && outcome.outcome === 'unknown'));
    const absent = new Set((await flapping.lookUpSubscribers(target, cut)).flatMap((outcome) => (outcome.outcome === 'pending' ? [outcome.contactId] : [])));
    await flapping.addSubscribers(target, contacts.filter(({ contactId }) => absent.has(contactId)));
    for (const key of Object.keys(tally([...down.flat(), ...up]))) methods.add(key);
  }
  await flapping.close();
  expect([...methods]).toEqual(expect.arrayContaining(['injected mysql', 'injected api']));
  await expectOneEach(400);
});

test('through MySQL the blacklists and the word of a subscriber hold', async () => {
  await gateway.addSubscribers(target, contactsOf(1));
  await root.query("UPDATE mw_list_subscriber SET status = 'unsubscribed'");
  await root.query("INSERT INTO mw_email_blacklist (email, date_added, last_updated) VALUES ('A2@example.test', NOW(), NOW())");
  await root.query("INSERT INTO mw_customer_email_blacklist (customer_id, email, date_added, last_updated) VALUES (1, 'a3@example.test', NOW(), NOW()), (99, 'a4@example.test', NOW(), NOW())");
  await control('POST', '/faults', { route: '*', fault: 'down' });
  expect(tally(await gateway.addSubscribers(target, contactsOf(5)))).toEqual({ 'suppressed unsubscribed': 1, 'suppressed blacklisted': 2, 'injected mysql': 2 });
});

test.each<[string, string[], string[]]>([
  ['schema_no_column_list_subscriber_source', ['ALTER TABLE mw_list_subscriber DROP COLUMN source'], ["ALTER TABLE mw_list_subscriber ADD source enum('web','api','import') NOT NULL DEFAULT 'web' AFTER ip_address"]],
  ['schema_new_column_list_subscriber_shard', ['ALTER TABLE mw_list_subscriber ADD shard int NOT NULL'], ['ALTER TABLE mw_list_subscriber DROP COLUMN shard']],
  ['schema_no_table_email_blacklist', ['RENAME TABLE mw_email_blacklist TO mw_gone'], ['RENAME TABLE mw_gone TO mw_email_blacklist']],
])('a schema we do not know is refused with its reason: %s', async (reason, change, undo) => {
  for (const statement of change) await root.query(statement);
  await control('POST', '/faults', { route: '*', fault: 'down' });
  const outcomes = await gateway.addSubscribers(target, contactsOf(1)).finally(async () => {
    for (const statement of undo) await root.query(statement);
  });
  expect(outcomes).toEqual([{ contactId: 1, outcome: 'pending', reason: `API + MySQL failed: econnrefused, ${reason}` }]);
});

test('where the tables hold three bytes a character, an emoji is rejected and not cut', async () => {
  await root.query('ALTER TABLE mw_list_field_value MODIFY value varchar(255) CHARACTER SET utf8mb3 NOT NULL');
  await control('POST', '/faults', { route: '*', fault: 'down' });
  const outcomes = await gateway.addSubscribers(target, [toContact(1, { firstName: 'Ana 😀' }), toContact(2)]);
  await root.query('ALTER TABLE mw_list_field_value MODIFY value varchar(255) CHARACTER SET utf8mb4 NOT NULL');
  expect(tally(outcomes)).toEqual({ 'rejected value_not_storable': 1, 'injected mysql': 1 });
});

test('lists come with number, uid and fields', async () => {
  expect((await gateway.readLists('client-1')).map(({ listId, fields }) => [listId, fields.length])).toEqual([[12, 13], [13, 13], [14, 13]]);
});
