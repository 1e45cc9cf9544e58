import { createMailwizzGateway } from '../../src/adapters/mailwizz/gateway';
import { createFields } from '../../src/adapters/mailwizz/create-fields';
import { inspectInstance } from '../../src/adapters/mailwizz/report';
import type { MailwizzGateway } from '../../src/adapters/mailwizz/types';
import { startStandIn, type StandIn } from '../unit/mailwizz/stand-in';
import { contactsOf as plainContacts, tally, target } from '../unit/mailwizz/support';

let standIn: StandIn;
let gateway: MailwizzGateway;
let at = 0;

beforeAll(async () => {
  standIn = await startStandIn();
});
afterAll(() => standIn?.stop());
beforeEach(async () => {
  await standIn.reset();
  at = Date.now();
  gateway = createMailwizzGateway({ loadInstance: async () => standIn.settings, now: () => at });
});
afterEach(() => gateway.close());

const contactsOf = (count: number) => plainContacts(count, { sourceId: 'demo' });
async function expectOneEach(count: number) {
  const emails = (await standIn.truth()).map(({ email }) => email);
  expect([emails.length, new Set(emails).size]).toEqual([count, count]);
}

test('a cut reply is looked up, never sent again: many in the tables, a few through the API', async () => {
  const contacts = contactsOf(300);
  await standIn.control('POST', '/faults', { route: 'bulk', fault: 'cut_after_commit' });
  expect(tally(await gateway.addSubscribers(target, contacts))).toEqual({ 'unknown cut': 300 });
  await standIn.control('DELETE', '/faults');
  expect(tally(await gateway.lookUpSubscribers(target, contacts))).toEqual({ 'injected mysql': 300 });
  expect(tally(await gateway.lookUpSubscribers(target, contacts.slice(0, 10)))).toEqual({ 'injected api': 10 });
  await expectOneEach(300);
});

test('a call cut before the work is looked up as absent', async () => {
  await standIn.control('POST', '/faults', { route: 'bulk', fault: 'cut_before' });
  expect(tally(await gateway.addSubscribers(target, contactsOf(20)))).toEqual({ 'unknown cut': 20 });
  expect(tally(await gateway.lookUpSubscribers(target, contactsOf(20)))).toEqual({ 'pending absent': 20 });
});

test('API down: MySQL takes over at once, one row per address and one value per field', async () => {
  const contacts = contactsOf(450);
  expect(tally(await gateway.addSubscribers(target, contacts.slice(0, 100)))).toEqual({ 'injected api': 100 });
  await standIn.down();
  expect(tally(await gateway.addSubscribers(target, contacts))).toEqual({ 'injected mysql': 450 });
  expect(tally(await gateway.lookUpSubscribers(target, contacts))).toEqual({ 'injected mysql': 450 });
  await expectOneEach(450);
});

test('both ways through 30 flaps: nothing twice, nothing lost', async () => {
  const methods = new Set<string>();
  for (let flap = 0; flap < 30; flap += 1) {
    const contacts = contactsOf(30 * flap + 40);
    await standIn.down();
    // Two writers with the same contacts: the lock on the list keeps them apart.
    const down = await Promise.all([gateway.addSubscribers(target, contacts.slice(-60, -20)), gateway.addSubscribers(target, contacts.slice(-60, -20))]);
    await standIn.control('DELETE', '/faults');
    at += 61_000;
    const up = await gateway.addSubscribers(target, contacts.slice(-90));
    // A call that met the closing door may be cut: such a contact is looked up, and sent again only when absent.
    const open = contacts.filter(({ contactId }) => [...down.flat(), ...up].some((outcome) => outcome.contactId === contactId && outcome.outcome === 'unknown'));
    const absent = new Set((await gateway.lookUpSubscribers(target, open)).flatMap((outcome) => (outcome.outcome === 'pending' ? [outcome.contactId] : [])));
    await gateway.addSubscribers(target, contacts.filter(({ contactId }) => absent.has(contactId)));
    for (const key of Object.keys(tally([...down.flat(), ...up]))) methods.add(key);
  }
  expect([...methods]).toEqual(expect.arrayContaining(['injected mysql', 'injected api']));
  await expectOneEach(910);
}, 120_000);

test('who is there already is brought up to date through either way, and blanks overwrite nothing', async () => {
  await gateway.addSubscribers(target, contactsOf(2));
  await standIn.root.query("UPDATE mw_list_field_value v JOIN mw_list_field f USING (field_id) SET v.value = 'Kept' WHERE f.tag = 'COMPANY'");
  const changed = (firstName: string) => contactsOf(2).map((contact) => ({ ...contact, firstName, company: null }));
  const values = async () => {
    const [rows] = await standIn.root.query<any[]>(
      "SELECT s.email, f.tag, v.value FROM mw_list_field_value v JOIN mw_list_field f USING (field_id) JOIN mw_list_subscriber s USING (subscriber_id) WHERE f.tag IN ('EMAIL', 'FNAME', 'COMPANY') ORDER BY 1, 2 DESC",
    );
    return rows.map(({ tag, value }) => `${tag}=${value}`);
  };
  expect(tally(await gateway.addSubscribers(target, changed('Through API')))).toEqual({ 'injected api': 2 });
  expect(await values()).toEqual(['FNAME=Through API', 'EMAIL=a1@example.test', 'COMPANY=Kept', 'FNAME=Through API', 'EMAIL=a2@example.test', 'COMPANY=Kept']);
  await standIn.down();
  expect(tally(await gateway.addSubscribers(target, changed('Through MySQL')))).toEqual({ 'injected mysql': 2 });
  expect(await values()).toEqual(['FNAME=Through MySQL', 'EMAIL=a1@example.test', 'COMPANY=Kept', 'FNAME=Through MySQL', 'EMAIL=a2@example.test', 'COMPANY=Kept']);
  await expectOneEach(2);
});

test('a contact with more tags than a field holds goes in by either way with those that fit, and its outcome says so', async () => {
  const tags = Array.from({ length: 60 }, (_, index) => `label-${index}`);
  const contacts = contactsOf(2).map((contact) => ({ ...contact, tags }));
  const cut = (method: string) => contacts.map(({ contactId }) => ({ contactId, outcome: 'injected', method, reason: 'tags_cut' }));
  expect(await gateway.addSubscribers(target, contacts)).toMatchObject(cut('api'));
  await standIn.down();
  expect(await gateway.addSubscribers(target, contacts)).toMatchObject(cut('mysql'));
  const [rows] = await standIn.root.query<any[]>("SELECT DISTINCT f.tag, v.value FROM mw_list_field_value v JOIN mw_list_field f USING (field_id) WHERE f.tag IN ('TAGS', 'TAGSET') ORDER BY 1");
  expect(rows.map(({ tag, value }) => [tag, value.length <= 255, /label-0[,|].*label-2\d\|?$/.test(value)])).toEqual([['TAGS', true, true], ['TAGSET', true, true]]);
});

test('the status of a subscriber and the blacklists hold, and both ways say the same', async () => {
  await gateway.addSubscribers(target, contactsOf(5));
  for (const [index, status] of ['unsubscribed', 'blacklisted', 'unconfirmed', 'disabled', 'confirmed'].entries()) {
    await standIn.root.query('UPDATE mw_list_subscriber SET status = ? WHERE email = ?', [status, `a${index + 1}@example.test`]);
  }
  await standIn.root.query("INSERT INTO mw_email_blacklist (email, date_added, last_updated) VALUES ('A6@example.test', NOW(), NOW())");
  const expected = (method: string) => ({
    'suppressed unsubscribed': 1, 'suppressed blacklisted': 2, 'rejected subscriber_unconfirmed': 1, 'rejected subscriber_disabled': 1, [`injected ${method}`]: 1,
  });
  expect(tally(await gateway.addSubscribers(target, contactsOf(6)))).toEqual(expected('api'));
  await standIn.down();
  expect(tally(await gateway.addSubscribers(target, contactsOf(6)))).toEqual(expected('mysql'));
  expect((await standIn.truth()).map(({ status }) => status).sort()).toEqual(['blacklisted', 'confirmed', 'disabled', 'unconfirmed', 'unsubscribed']);
});

test('lists come with number, uid, fields and size, and their subscribers page by page, by either way', async () => {
  await gateway.addSubscribers(target, contactsOf(25));
  expect((await gateway.readLists('client-1')).map(({ listId, fields }) => [listId, fields.length])).toEqual([[12, 15], [13, 15], [14, 15]]);
  const { mysql: _, ...apiOnly } = standIn.settings;
  const throughApi = createMailwizzGateway({ loadInstance: async () => apiOnly, now: Date.now });
  for (const reader of [gateway, throughApi]) {
    expect((await reader.surveyLists('client-1')).map(({ listId, subscribers, fields }) => [listId, subscribers, fields.length])).toEqual([[12, 25, 15], [13, 0, 15], [14, 0, 15]]);
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await reader.readSubscribers(target, cursor, 10);
      found.push(...page.subscribers.map(({ email, status }) => `${email} ${status}`));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(found.sort()).toEqual(contactsOf(25).map(({ email }) => `${email} confirmed`).sort());
  }
  await throughApi.close();
});

test('an instance that is well is reported so in every part', async () => {
  const report = await inspectInstance(standIn.settings);
  expect(report.findings.filter(({ state }) => state !== 'good')).toEqual([]);
  expect(report.findings.map(({ part }) => part)).toEqual(['api', 'key', 'style', 'lists', 'fields', 'bulk', 'api_clock', 'mysql', 'schema', 'rights', 'charset', 'mysql_clock', 'list_numbers']);
  expect(report.lists.map(({ listId, missing, subscribers }) => [listId, missing, subscribers])).toEqual([[12, [], 0], [13, [], 0], [14, [], 0]]);
});

test('fields that a list lacks are named, created once, and then there for the API and for MySQL', async () => {
  await standIn.root.query("DELETE FROM mw_list_field WHERE list_id = 14 AND tag IN ('TAGSET', 'BUCKET')");
  const lacking = async () => (await inspectInstance(standIn.settings)).lists.find(({ listId }) => listId === 14)!;
  const { listUid, missing } = await lacking();
  expect(missing).toEqual(['TAGSET', 'BUCKET']);
  expect(await createFields(standIn.settings, listUid, missing)).toEqual({ listUid, created: ['TAGSET', 'BUCKET'], present: [], failed: [] });
  expect(await createFields(standIn.settings, listUid, missing)).toEqual({ listUid, created: [], present: ['TAGSET', 'BUCKET'], failed: [] });
  expect((await lacking()).missing).toEqual([]);
  await standIn.down();
  expect(tally(await gateway.addSubscribers({ ...target, listId: 14 }, contactsOf(1)))).toEqual({ 'injected mysql': 1 });
});

test('every call of the hub is understood by the stand-in as we mean it', async () => {
  const calls = await gateway.callsOf('client-1');
  const { listUid } = standIn.settings.lists[0]!;
  await gateway.addSubscribers(target, contactsOf(3));
  const fields = await calls.fields.readAll(listUid);
  const country = fields.kind === 'done' ? fields.value.find(({ tag }) => tag === 'COUNTRY')! : undefined;
  const operators = await calls.segments.readOperators();
  expect(operators).toMatchObject({ kind: 'done', value: expect.arrayContaining([{ operatorId: 1, name: 'is' }]) });
  const segment = await calls.segments.create(listUid, { name: 'French', match: 'all', conditions: [{ fieldId: country!.fieldId, operatorId: 1, value: 'FR' }] });
  expect(segment.kind).toBe('done');
  const segmentUid = segment.kind === 'done' ? segment.value.segmentUid : '';
  expect(await calls.segments.findByName(listUid, 'French')).toMatchObject({ kind: 'done', value: { segmentUid } });
  expect(await calls.segments.read(listUid, segmentUid)).toMatchObject({ kind: 'done', value: { match: 'all', conditions: [{ operatorId: 1, value: 'FR' }] } });
  expect(await calls.segments.readMembers(listUid, segmentUid, {})).toMatchObject({ kind: 'done', value: { count: 3, unreadable: 0 } });

  const template = await calls.templates.create({ name: 'T', html: '<p>é [UNSUBSCRIBE_URL]</p>', inlineCss: false });
  const templateUid = template.kind === 'done' ? template.value.templateUid : '';
  expect(await calls.templates.read(templateUid)).toEqual({ kind: 'done', value: { name: 'T', html: '<p>é [UNSUBSCRIBE_URL]</p>' } });
  const campaign = await calls.campaigns.create({
    name: 'C [ee-1]', listUid, segmentUid, fromName: 'F', fromEmail: 'f@sandbox.test', replyTo: 'r@sandbox.test', subject: 'S', sendAt: '2030-01-01 10:00:00', content: { html: '<p>[UNSUBSCRIBE_URL]</p>' },
  });
  const campaignUid = campaign.kind === 'done' ? campaign.value.campaignUid : '';
  expect(await calls.campaigns.findByMarker(listUid, '[ee-1]')).toMatchObject({ kind: 'done', value: { campaignUid, status: 'paused' } });
  expect(await calls.campaigns.update(campaignUid, { subject: 'S2' })).toEqual({ kind: 'done', value: undefined });
  expect(await calls.campaigns.read(campaignUid)).toMatchObject({ kind: 'done', value: { subject: 'S2', listUid, segmentUid, campaignId: expect.any(Number) } });
  expect(await calls.campaigns.setPaused(campaignUid, true)).toEqual({ kind: 'done', value: { status: 'paused' } });
  expect((await calls.campaigns.setPaused(campaignUid, false)).kind).toBe('done');
  expect(await calls.campaigns.setPaused(campaignUid, true)).toEqual({ kind: 'done', value: { status: 'paused' } });
  expect(await calls.campaigns.readStats(campaignUid)).toMatchObject({ kind: 'done', value: { processed: 0 } });
  for (const read of [calls.campaignLogs.readBounces, calls.campaignLogs.readUnsubscribes, calls.campaignLogs.readComplaints, calls.campaignLogs.readDeliveries]) {
    expect(await read(campaignUid, {})).toMatchObject({ kind: 'done', value: { records: [], unreadable: 0 } });
  }
  expect((await calls.campaigns.copy(campaignUid)).kind).toBe('done');
  expect((await calls.campaigns.remove(campaignUid)).kind).toBe('done');

  const found = await calls.subscribers.search(listUid, 'a1@example.test');
  const uid = found.kind === 'done' ? found.value.subscriberUid : '';
  expect(await calls.subscribers.searchEverywhere('a1@example.test')).toMatchObject({ kind: 'done', value: { records: [{ listUid, subscriberUid: uid }] } });
  expect(await calls.subscribers.unsubscribe(listUid, uid)).toEqual({ kind: 'done', value: undefined });
  expect(await calls.subscribers.readPage(listUid, { status: 'unsubscribed' })).toMatchObject({ kind: 'done', value: { records: [{ subscriberUid: uid, status: 'unsubscribed' }] } });
  expect(await calls.subscribers.unsubscribeEverywhere('a2@example.test')).toEqual({ kind: 'done', value: undefined });
  expect(await calls.subscribers.remove(listUid, uid)).toEqual({ kind: 'done', value: undefined });
  expect(await calls.subscribers.search(listUid, 'a1@example.test')).toEqual({ kind: 'absent' });
  const mail = await calls.transactional.create({ toName: 'T', toEmail: 't@sandbox.test', fromName: 'F', subject: 'S', html: '<p>x</p>', sendAt: new Date() });
  expect(await calls.transactional.read(mail.kind === 'done' ? mail.value.emailUid : '')).toMatchObject({ kind: 'done', value: { status: 'unsent' } });
});
