import mysql, { type RowDataPacket } from 'mysql2/promise';
import { createDatabaseClient } from '../../src/adapters/mailwizz/database';
import { inspectInstance } from '../../src/adapters/mailwizz/report';
import type { MysqlSettings } from '../../src/adapters/mailwizz/types';
import { type Cut, startMysqlProxy } from '../unit/mailwizz/mysql-proxy';
import { startStandIn, type StandIn } from '../unit/mailwizz/stand-in';
import { contactsOf, tally, toContact } from '../unit/mailwizz/support';

let standIn: StandIn;
const closing: (() => Promise<unknown>)[] = [];
const list = 12;

beforeAll(async () => {
  standIn = await startStandIn();
});
afterAll(() => standIn?.stop());
beforeEach(() => standIn.reset());
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

function openTables(over: Partial<MysqlSettings> = {}, now: () => number = Date.now) {
  const client = createDatabaseClient({ ...standIn.settings.mysql, ...over }, { allowPrivateNetwork: true, now });
  closing.push(client.close);
  const until = Number.POSITIVE_INFINITY;
  return { ...client, add: (contacts = contactsOf(2), untilMs = until) => client.addSubscribers(list, contacts, untilMs), settle: (contacts = contactsOf(2)) => client.settle(list, contacts, until) };
}
const query = async (sql: string, values: unknown[] = []): Promise<any[]> => (await standIn.root.query<RowDataPacket[]>(sql, values))[0];
const change = async (statement: string, undo: string) => {
  await standIn.root.query(statement);
  closing.push(() => standIn.root.query(undo));
};
/** A user with the given rights only. */
async function userWith(grants: string[]): Promise<Partial<MysqlSettings>> {
  const user = `narrow${Math.floor(Math.random() * 1e9)}`;
  const root = await mysql.createConnection(standIn.mariadbUrl);
  await root.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'pw'`);
  for (const grant of grants) await root.query(`GRANT ${grant.replace(/ ON /, ' ON mw_client_1.')} TO '${user}'@'%'`);
  closing.push(async () => {
    await root.query(`DROP USER '${user}'@'%'`);
    await root.end();
  });
  return { user, password: 'pw' };
}

test('one subscriber row and one value per field, as MailWizz writes them', async () => {
  await change("UPDATE mw_list_field SET default_value = 'none' WHERE list_id = 12 AND tag = 'PHONE'", "UPDATE mw_list_field SET default_value = NULL WHERE tag = 'PHONE'");
  const [contact] = [toContact(1, { firstName: "É'\\ 😀", sourceId: 'demo' })];
  expect(await openTables().add([contact])).toEqual([{ contactId: 1, outcome: 'injected', method: 'mysql', uid: expect.stringMatching(/^[a-z]{2}[0-9]{3}[a-z0-9]{5}[0-9a-f]{3}$/), subscriberId: expect.any(Number) }]);
  expect(await query("SELECT list_id, email, ip_address, source, status, ABS(TIMESTAMPDIFF(SECOND, date_added, UTC_TIMESTAMP())) < 5 fresh FROM mw_list_subscriber")).toEqual([
    { list_id: 12, email: 'a1@example.test', ip_address: null, source: 'api', status: 'confirmed', fresh: 1 },
  ]);
  const values = await query('SELECT tag, value FROM mw_list_field_value JOIN mw_list_field USING (field_id) ORDER BY sort_order');
  expect(values.map(({ tag, value }) => `${tag}=${value}`)).toEqual([
    'EMAIL=a1@example.test', "FNAME=É'\\ 😀", 'LNAME=', 'COMPANY=', 'PHONE=none', 'WEBSITE=', 'SOURCE=demo', 'CATEGORY=', 'TAGS=a,b', 'TAGSET=|a|b|', 'COUNTRY=FR', 'LANGUAGE=fr', 'BUCKET=0042', 'SOURCES=', 'SCORE=',
  ]);
});

test('quotes are quoted whatever the server believes about backslashes', async () => {
  await change("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET GLOBAL sql_mode = ''");
  const contacts = [toContact(1, { email: "o'x@example.test", firstName: "\\'; DROP TABLE mw_list; -- " })];
  const tables = openTables();
  expect(tally(await tables.add(contacts))).toEqual({ 'injected mysql': 1 });
  expect(tally(await tables.settle(contacts))).toEqual({ 'injected mysql': 1 });
  expect(await query("SELECT value FROM mw_list_field_value JOIN mw_list_field USING (field_id) WHERE tag = 'FNAME'")).toEqual([{ value: "\\'; DROP TABLE mw_list; -- " }]);
});

test('writing twice changes nothing, an address in two spellings is one, and one in two rows follows the stricter', async () => {
  const tables = openTables();
  await tables.add([toContact(1, { email: 'Jo@example.test' })]);
  expect(tally(await tables.add([toContact(1, { email: 'jO@example.test' })]))).toEqual({ 'injected mysql': 1 });
  expect(await query('SELECT email FROM mw_list_subscriber')).toEqual([{ email: 'Jo@example.test' }]);
  await query("INSERT INTO mw_list_subscriber (subscriber_uid, list_id, email, source, status, date_added, last_updated) VALUES ('zz000zzzzz000', 12, 'jo@example.test', 'web', 'unsubscribed', NOW(), NOW())");
  expect(await tables.add([toContact(1, { email: 'jo@example.test' })])).toEqual([{ contactId: 1, outcome: 'suppressed', reason: 'unsubscribed' }]);
});

test('the blacklists of everybody and of this customer hold, another customer\'s does not, and look-alikes do not count', async () => {
  await query("INSERT INTO mw_email_blacklist (email, date_added, last_updated) VALUES ('A1@example.test', NOW(), NOW()), ('á4@example.test', NOW(), NOW())");
  await query("INSERT INTO mw_customer_email_blacklist (customer_id, email, date_added, last_updated) VALUES (1, 'a2@example.test', NOW(), NOW()), (99, 'a3@example.test', NOW(), NOW())");
  expect(tally(await openTables().add(contactsOf(4)))).toEqual({ 'suppressed blacklisted': 2, 'injected mysql': 2 });
});

test('only what differs is updated, blanks overwrite nothing, and a value row that is missing is made', async () => {
  const tables = openTables();
  await tables.add([toContact(1, { lastName: 'Kept' })]);
  await query("DELETE v FROM mw_list_field_value v JOIN mw_list_field USING (field_id) WHERE tag = 'COUNTRY'");
  await query("UPDATE mw_list_field_value SET last_updated = '2020-01-01 00:00:00'");
  expect(tally(await tables.settle([toContact(1, { lastName: null, firstName: 'New' })]))).toEqual({ 'injected mysql': 1 });
  const touched = await query("SELECT tag, value FROM mw_list_field_value JOIN mw_list_field USING (field_id) WHERE mw_list_field_value.last_updated > '2021-01-01' ORDER BY tag");
  expect(touched).toEqual([{ tag: 'COUNTRY', value: 'FR' }, { tag: 'FNAME', value: 'New' }]);
  expect(await query("SELECT value FROM mw_list_field_value JOIN mw_list_field USING (field_id) WHERE tag = 'LNAME'")).toEqual([{ value: 'Kept' }]);
});

test('a field that the list requires is not left out behind its back', async () => {
  await change("UPDATE mw_list_field SET required = 'yes' WHERE list_id = 12 AND tag = 'PHONE'", "UPDATE mw_list_field SET required = 'no' WHERE tag = 'PHONE'");
  expect(tally(await openTables().add([toContact(1), toContact(2, { phone: '1' })]))).toEqual({ 'rejected field_required': 1, 'injected mysql': 1 });
});

test('a list that is gone rejects its contacts, and a field that is gone is left out', async () => {
  const tables = openTables();
  expect(await tables.addSubscribers(999, contactsOf(1), Infinity)).toEqual([{ contactId: 1, outcome: 'rejected', reason: 'list_not_found' }]);
  await change("UPDATE mw_list_field SET tag = 'OTHER' WHERE list_id = 12 AND tag = 'BUCKET'", "UPDATE mw_list_field SET tag = 'BUCKET' WHERE tag = 'OTHER'");
  await tables.add(contactsOf(1));
  expect(await query("SELECT value FROM mw_list_field_value JOIN mw_list_field USING (field_id) WHERE tag = 'OTHER'")).toEqual([{ value: '' }]);
});

test('what does not fit is rejected with its reason and never cut, its neighbours go in', async () => {
  const contacts = [toContact(1, { company: 'x'.repeat(256) }), toContact(2, { email: `${'y'.repeat(90)}@example.test` }), toContact(3, { company: '😀'.repeat(255) }), toContact(4, { email: 'n\u0000@example.test' })];
  expect(tally(await openTables().add(contacts))).toEqual({ 'rejected value_too_long': 1, 'rejected address_too_long_for_instance': 1, 'injected mysql': 2 });
});

test.each<[string, string, string]>([
  ['schema_no_column_list_subscriber_source', 'ALTER TABLE mw_list_subscriber DROP COLUMN source', "ALTER TABLE mw_list_subscriber ADD source enum('web','api','import') NOT NULL DEFAULT 'web' AFTER ip_address"],
  ['schema_new_column_list_subscriber_shard', 'ALTER TABLE mw_list_subscriber ADD shard int NOT NULL', 'ALTER TABLE mw_list_subscriber DROP COLUMN shard'],
  ['schema_no_table_email_blacklist', 'RENAME TABLE mw_email_blacklist TO mw_gone', 'RENAME TABLE mw_gone TO mw_email_blacklist'],
  ['schema_values_split_list_field_value_text', 'CREATE TABLE mw_list_field_value_text (subscriber_id int)', 'DROP TABLE mw_list_field_value_text'],
  ['schema_values_list_subscriber_source', "ALTER TABLE mw_list_subscriber MODIFY source enum('web','import') NOT NULL DEFAULT 'web'", "ALTER TABLE mw_list_subscriber MODIFY source enum('web','api','import') NOT NULL DEFAULT 'web'"],
])('a schema we do not know is refused with its reason: %s', async (reason, statement, undo) => {
  await change(statement, undo);
  const tables = openTables();
  expect(await tables.add()).toEqual({ failed: reason });
  await expect(tables.lists()).rejects.toMatchObject({ kind: 'unavailable' });
  const { findings } = await inspectInstance({ ...standIn.settings, apiUrl: 'http://127.0.0.1:1/api' });
  expect(findings.find(({ part }) => part === 'schema')).toMatchObject({ state: 'bad', code: reason });
});

test.each([['no_such_', 'schema_no_table_list'], ['mw_`; --', 'schema_prefix_not_a_word']])('with the prefix %s the tables are refused: %s', async (tablePrefix, failed) => {
  expect(await openTables({ tablePrefix }).add()).toEqual({ failed });
});

test('where the tables hold three bytes a character, an emoji is rejected and not cut, and the report says so', async () => {
  await change('ALTER TABLE mw_list_field_value MODIFY value varchar(255) CHARACTER SET utf8mb3 NOT NULL', 'ALTER TABLE mw_list_field_value MODIFY value varchar(255) CHARACTER SET utf8mb4 NOT NULL');
  expect(tally(await openTables().add([toContact(1, { firstName: 'Ana 😀' }), toContact(2)]))).toEqual({ 'rejected value_not_storable': 1, 'injected mysql': 1 });
  expect((await inspectInstance(standIn.settings)).findings.find(({ part }) => part === 'charset')).toMatchObject({ state: 'warn', code: 'three_byte' });
});

test('columns that became narrower are minded', async () => {
  await change('ALTER TABLE mw_list_field_value MODIFY value varchar(40) NOT NULL', 'ALTER TABLE mw_list_field_value MODIFY value varchar(255) NOT NULL');
  expect(tally(await openTables().add([toContact(1, { company: 'x'.repeat(41) }), toContact(2)]))).toEqual({ 'rejected value_too_long': 1, 'injected mysql': 1 });
});

test('a schema that changes under us is looked at again', async () => {
  const tables = openTables();
  await tables.add(contactsOf(1));
  await change('ALTER TABLE mw_list_subscriber ADD shard int NOT NULL', 'ALTER TABLE mw_list_subscriber DROP COLUMN shard');
  expect(await tables.add([toContact(2)])).toEqual({ failed: 'er_no_default_for_field' });
  expect(await tables.add([toContact(2)])).toEqual({ failed: 'schema_new_column_list_subscriber_shard' });
});

test.each<[string, string[]]>([
  ['right_missing_insert_list_subscriber', ['SELECT ON *', 'UPDATE ON mw_list']],
  ['right_missing_insert_list_field_value', ['SELECT ON *', 'UPDATE ON mw_list', 'INSERT ON mw_list_subscriber']],
  ['right_missing_update_list_field_value', ['SELECT ON *', 'UPDATE ON mw_list', 'INSERT ON mw_list_subscriber', 'INSERT ON mw_list_field_value']],
])('a user without a right is found out before anything is written, and may still read: %s', async (reason, grants) => {
  const narrow = await userWith(grants);
  await openTables().add(contactsOf(1));
  const tables = openTables(narrow);
  expect(await tables.add([toContact(2)])).toEqual({ failed: reason });
  expect((await tables.lists()).length).toBe(3);
  expect(tally(await tables.settle(contactsOf(2)))).toEqual({ 'injected mysql': 1, 'pending absent': 1 });
  const { findings } = await inspectInstance({ ...standIn.settings, mysql: { ...standIn.settings.mysql, ...narrow } });
  expect(findings.find(({ part }) => part === 'rights')).toMatchObject({ state: 'bad', code: reason, words: expect.stringContaining('right to') });
});

test('the documented rights are enough, and no more is used', async () => {
  const documented = await userWith(['SELECT ON *', 'INSERT, UPDATE ON mw_list_subscriber', 'INSERT, UPDATE ON mw_list_field_value']);
  const tables = openTables(documented);
  expect(tally(await tables.add(contactsOf(3)))).toEqual({ 'injected mysql': 3 });
  expect(tally(await tables.add(contactsOf(3, { firstName: 'New' })))).toEqual({ 'injected mysql': 3 });
});

test.each<[string, Partial<MysqlSettings>, string]>([
  ['a wrong password', { password: 'canary-secret' }, 'er_access_denied_error'], ['a database that is not there', { database: 'nowhere', user: 'root', password: '' }, 'er_bad_db_error'],
  ['nobody listening', { port: 1 }, 'econnrefused'], ['a host that does not exist', { host: 'nowhere.invalid' }, 'enotfound'],
  ['a certificate for an address', { tls: true }, 'tls_needs_a_host_name'], ['a server without TLS that shall prove itself', { tls: true, host: 'localhost' }, 'handshake_no_ssl_support'],
])('%s is told by its code, and nothing was written', async (_name, over, failed) => {
  const result = await openTables(over).add();
  expect(result).toEqual({ failed: failed === 'enotfound' ? expect.stringMatching(/^e(notfound|ai_again)$/) : failed });
});

test('rows follow the clock by which MailWizz itself writes: the zone of the server where its newest rows show it, else UTC', async () => {
  await change("SET GLOBAL time_zone = '+05:00'", "SET GLOBAL time_zone = 'SYSTEM'");
  const zoneOf = async () => Number((await query("SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), date_added) zone FROM mw_list_subscriber ORDER BY subscriber_id DESC LIMIT 1"))[0].zone);
  await openTables().add([toContact(1)]);
  expect(Math.abs(await zoneOf())).toBeLessThanOrEqual(1);
  await query("INSERT INTO mw_list_subscriber (subscriber_uid, list_id, email, source, status, date_added, last_updated) VALUES ('zz000zzzzz001', 12, 'x@example.test', 'api', 'confirmed', UTC_TIMESTAMP() + INTERVAL 5 HOUR, UTC_TIMESTAMP() + INTERVAL 5 HOUR)");
  await openTables().add([toContact(2)]);
  expect(Math.abs((await zoneOf()) - 300)).toBeLessThanOrEqual(1);
});

test('a server that is read-only writes nothing, and can still be asked', async () => {
  const tables = openTables();
  await tables.add(contactsOf(1));
  await change('SET GLOBAL read_only = 1', 'SET GLOBAL read_only = 0');
  expect(await tables.add([toContact(2)])).toEqual({ failed: 'er_option_prevents_statement' });
  const fresh = openTables();
  expect(await fresh.add([toContact(2)])).toEqual({ failed: 'er_option_prevents_statement' });
  expect(tally(await fresh.settle(contactsOf(2)))).toEqual({ 'injected mysql': 1, 'pending absent': 1 });
});

test('a server that has no connection left wrote nothing', async () => {
  // The user's own limit answers as max_connections does, and leaves the other tests alone.
  const narrow = await userWith(['SELECT, INSERT, UPDATE ON *']);
  const root = await mysql.createConnection(standIn.mariadbUrl);
  await root.query(`GRANT USAGE ON *.* TO '${narrow.user}'@'%' WITH MAX_USER_CONNECTIONS 1`);
  const { tablePrefix: _, ...way } = standIn.settings.mysql;
  const held = await mysql.createConnection({ ...way, ...narrow });
  expect(await openTables(narrow).add()).toEqual({ failed: expect.stringMatching(/^er_(con_count_error|user_limit_reached|too_many_user_connections)$/) });
  await held.end();
  await root.end();
  expect(await standIn.truth()).toEqual([]);
});

test('who waits for the lock of the list waits, and a lock that is never given back costs nothing but time', async () => {
  const holder = await standIn.root.getConnection();
  await holder.query('START TRANSACTION');
  await holder.query('SELECT list_id FROM mw_list WHERE list_id = 12 FOR UPDATE');
  const waiting = openTables().add(contactsOf(1));
  expect(await openTables().add(contactsOf(1))).toEqual({ failed: 'er_lock_wait_timeout' });
  await holder.query('ROLLBACK');
  holder.release();
  expect([await waiting].flat()).toHaveLength(1);
  expect((await standIn.truth()).length).toBeLessThanOrEqual(1);
}, 30_000);

test('ten writers with the same contacts at once: everybody once, and each is told the same uid', async () => {
  const writers = Array.from({ length: 10 }, () => openTables());
  const all = await Promise.all(writers.map(({ add }) => add(contactsOf(100))));
  const uids = all.map((outcomes) => (Array.isArray(outcomes) ? outcomes.toSorted((a, b) => a.contactId - b.contactId).map((outcome) => ('uid' in outcome ? outcome.uid : outcome.reason)) : outcomes));
  expect(new Set(uids.map((list) => JSON.stringify(list))).size).toBe(1);
  expect((await standIn.truth()).length).toBe(100);
});

test('a connection that died while idle is replaced without a word', async () => {
  const tables = openTables();
  await tables.add(contactsOf(1));
  for (const { Id } of await query("SELECT ID Id FROM information_schema.PROCESSLIST WHERE USER = 'mw_client_1' AND COMMAND = 'Sleep'")) await standIn.root.query('KILL ?', [Id]);
  expect(tally(await tables.add(contactsOf(2)))).toEqual({ 'injected mysql': 2 });
});

test.each<[Cut, string]>([['after', 'done'], ['before', 'not done']])('500 contacts, every COMMIT cut %s it arrived: unknown, then settled by a look, none lost and none twice (%s)', async (cut, done) => {
  let cutting = true;
  const proxy = await startMysqlProxy(standIn.settings.mysql.port, () => (cutting ? cut : undefined));
  closing.push(proxy.stop);
  const tables = openTables({ port: proxy.port });
  const contacts = contactsOf(500);
  for (let from = 0; from < 500; from += 50) expect(tally(await tables.add(contacts.slice(from, from + 50)))).toEqual({ 'unknown mysql_commit_cut': 50 });
  cutting = false;
  expect(tally(await tables.settle(contacts))).toEqual(done === 'done' ? { 'injected mysql': 500 } : { 'pending absent': 500 });
  expect(tally(await tables.add(contacts))).toEqual({ 'injected mysql': 500 });
  const emails = (await standIn.truth()).map(({ email }) => email);
  expect([emails.length, new Set(emails).size]).toEqual([500, 500]);
  expect((await query('SELECT COUNT(*) n FROM mw_list_field_value'))[0].n).toBe(500 * 15);
}, 60_000);

test('of many pages, those behind a cut one wait, and what was written stays told', async () => {
  const proxy = await startMysqlProxy(standIn.settings.mysql.port, (commit) => (commit === 2 ? 'before' : undefined));
  closing.push(proxy.stop);
  const outcomes = await openTables({ port: proxy.port }).add(contactsOf(1_500));
  expect(tally(outcomes)).toEqual({ 'injected mysql': 1_000, 'unknown mysql_commit_cut': 500 });
});

test('a transaction that took too long is rolled back, and none begins behind the window', async () => {
  let at = 0;
  const slow = openTables({}, () => (at += 20_000));
  expect(await slow.add()).toEqual({ failed: 'transaction_too_slow' });
  expect(await openTables().add(contactsOf(1), Date.now() - 1)).toEqual({ failed: 'window_over' });
  expect(await standIn.truth()).toEqual([]);
});
