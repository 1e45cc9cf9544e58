import { type FreshDatabase, freshDatabase } from '../support/database';
import { type Engine, startEngine, until } from '../support/engine';

let database: FreshDatabase;
let engine: Engine;
let key: string;
let pmtaKey: string;
const query = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows;
const count = async (table: string) => (await query(`select count(*)::int n from ${table}`))[0].n as number;
const send = (path: string, body: string | Buffer, { key: token = '', type = 'application/json', method = 'POST' } = {}) =>
  fetch(engine.url + path, { method, headers: { 'content-type': type, ...(token !== '' && { authorization: `Bearer ${token}` }) }, ...(method === 'POST' && { body }) });
const report = (n: number, more: object = {}) => ({ subscriber_uid: `sub${n}`, email: `reader${n}@gmail.com`, campaign_uid: 'camp00000000a', timestamp: new Date(Date.now() - 60_000).toISOString(), ...more });

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine(database.url, { only: 'api' });
  for (const id of ['client-1', 'client-2']) expect((await engine.call('POST', '/api/v1/mailwizz-instances', { instance_id: id, name: id, api_url: 'https://m.example/api', api_key: 'k', event_zone: 'Europe/Paris' })).status).toBe(201);
  key = (await engine.call('POST', '/api/v1/webhook-keys', { instance_id: 'client-1', name: 'native' })).body.key;
  pmtaKey = (await engine.call('POST', '/api/v1/webhook-keys', { name: 'pmta' })).body.key;
  await query(`with made as (insert into contacts (email, email_hash, status) select 'reader' || n || '@gmail.com', encode(sha256(('reader' || n || '@gmail.com')::bytea), 'hex'), 'injected' from generate_series(1, 500) n returning id, email)
     insert into injections (contact_id, instance_id, list_id, state, subscriber_uid) select id, 'client-1', 12, 'injected', 'sub' || substring(email from '\\d+') from made`);
  const [made] = await query(`insert into campaigns (name, mailwizz_instance, mailwizz_list_id) values ('c', 'client-1', 12) returning id`);
  await query(`insert into campaign_legs (campaign_id, bucket_from, bucket_to, marker, mailwizz_campaign_uid, state) values ($1, 0, 9999, 'm', 'camp00000000a', 'finished')`, [made.id]);
});
afterAll(async () => {
  await engine.stop();
  await database.drop();
});
beforeEach(() => query('truncate contact_events, campaign_activity, event_counts, unmatched_events, webhook_quarantine, suppressions'));

test('every one of the seven addresses stores its event, with the key in the header or in the address', async () => {
  const events = { sent: 'sent', delivered: 'delivered', opened: 'opened', clicked: 'clicked', bounced: 'bounced', unsubscribed: 'unsubscribed', 'spam-report': 'spam_report' };
  for (const [event] of Object.entries(events)) {
    expect((await send(`/api/v1/webhooks/mailwizz/email-${event}`, JSON.stringify(report(1)), { key })).status).toBe(202);
    expect(await (await send(`/webhooks/mailwizz/${key}/email-${event}`, JSON.stringify(report(2)))).json()).toEqual({ accepted: 1 });
  }
  expect((await query('select distinct event_type from contact_events order by 1')).map((row) => row.event_type)).toEqual(Object.values(events).toSorted());
  expect(await count('contact_events')).toBe(14);
});

test("MailWizz's own reports come as JSON, as a form and as a query, and are one event however they came", async () => {
  const native = { event: { type: 'open', ip_address: '192.0.2.7', user_agent: 'UA', date_added: '2026-11-20 12:00:00' }, timestamp: 1, subscriber: { attributes: { subscriber_uid: 'sub3', email: 'reader3@gmail.com' }, fields: {} }, campaign: { attributes: { campaign_uid: 'camp00000000a' } }, 'new key': { x: 1 } };
  const form = 'event[type]=open&event[ip_address]=192.0.2.7&event[user_agent]=UA&event[date_added]=2026-11-20+12:00:00&subscriber[attributes][subscriber_uid]=sub3&subscriber[attributes][email]=reader3%40gmail.com&campaign[attributes][campaign_uid]=camp00000000a';
  expect((await send(`/webhooks/mailwizz/${key}`, JSON.stringify(native))).status).toBe(202);
  expect((await send(`/webhooks/mailwizz/${key}`, form, { type: 'application/x-www-form-urlencoded' })).status).toBe(202);
  expect((await send(`/webhooks/mailwizz/${key}?${form}`, '', { method: 'GET' })).status).toBe(202);
  expect(await query(`select event_type, source, timestamp, ip_address, user_agent from contact_events`)).toEqual([{ event_type: 'opened', source: 'mailwizz_webhook', timestamp: new Date('2026-11-20T11:00:00Z'), ip_address: '192.0.2.7', user_agent: 'UA' }]);
});

test('a list of PowerMTA keeps its good records when one is bad, and the bad one is kept and can be read again', async () => {
  const records = [{ type: 'd', rcpt: 'reader4@gmail.com', timeLogged: '1795600000', jobId: 'mailwizz-camp00000000a' }, { type: 'zz' }, { type: 't', rcpt: 'reader4@gmail.com' }, { type: 'b', rcpt: 'reader5@gmail.com', bounceCat: 'bad-mailbox', jobId: 'mailwizz-camp00000000a' }];
  expect(await (await send('/api/v1/webhooks/pmta', JSON.stringify(records), { key: pmtaKey })).json()).toEqual({ accepted: 2, passed_over: 1, quarantined: 1 });
  expect(await query('select event_type, source from contact_events order by 1')).toEqual([{ event_type: 'bounced', source: 'pmta' }, { event_type: 'delivered', source: 'pmta' }]);
  expect(await query(`select status from contacts where email = 'reader5@gmail.com'`)).toEqual([{ status: 'bounced' }]);
  const { items } = (await engine.call('GET', '/api/v1/webhook-quarantine')).body;
  expect(items).toEqual([expect.objectContaining({ endpoint: 'pmta', reason: 'not_an_event', bytes: 13 })]);
  expect((await engine.call('GET', `/api/v1/webhook-quarantine/${items[0].id}`)).body).toMatchObject({ body: '{"type":"zz"}' });
  expect((await engine.call('POST', `/api/v1/webhook-quarantine/${items[0].id}/replay`)).status).toBe(409);
});

test('a report in the wrong zone of a contradiction is read again after the mistake is mended', async () => {
  await query(`insert into webhook_quarantine (instance_id, endpoint, content_type, body, reason) values ('client-1', 'mailwizz/email-opened', 'application/json', $1, 'not_json')`, [Buffer.from(JSON.stringify(report(6)))]);
  const [{ id }] = await query('select id from webhook_quarantine');
  expect((await engine.call('POST', `/api/v1/webhook-quarantine/${id}/replay`)).body).toEqual({ accepted: 1, passed_over: 0 });
  expect((await engine.call('GET', '/api/v1/webhook-quarantine')).body.total).toBe(0);
  expect((await engine.call('GET', '/api/v1/webhook-quarantine?state=all')).body.items[0].replayed_at).not.toBeNull();
  expect(await count('contact_events')).toBe(1);
});

test('a thousand bodies that are no reports are all kept, none is an error', async () => {
  const bodies = Array.from({ length: 1_000 }, (_, index) => Buffer.from([`${index}`, `{"email":${index}`, `[${index}]`, '\u0000\u0001', `a=${index}`, '"x"', '[[[[]]]]', `{"a":`.repeat(50), `{"email":"\\u0000"}`, '\ud800'][index % 10]!));
  for (let from = 0; from < bodies.length; from += 20) {
    const answers = await Promise.all(bodies.slice(from, from + 20).map((body) => send('/api/v1/webhooks/mailwizz/email-opened', body, { key })));
    expect([...new Set(answers.map(({ status }) => status))]).toEqual([202]);
  }
  expect(await count('webhook_quarantine')).toBeGreaterThanOrEqual(1_000);
  expect(await count('contact_events')).toBe(0);
});

test.each([
  ['no key', ''], ['an operator key', 'operator'], ['a key of PowerMTA', 'pmta'], ['a forged key', 'forged'],
])('%s reports nothing for a MailWizz and leaves no row', async (_, kind) => {
  const forged = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`;
  const token = kind === 'operator' ? await operatorKey() : kind === 'pmta' ? pmtaKey : kind === 'forged' ? forged : '';
  expect((await send('/api/v1/webhooks/mailwizz/email-opened', JSON.stringify(report(1)), { key: token })).status).toBe(401);
  expect((await count('contact_events')) + (await count('webhook_quarantine'))).toBe(0);
});

test('a webhook key opens nothing else, and a revoked one nothing at all', async () => {
  expect((await engine.call('GET', '/api/v1/contacts', undefined, { authorization: `Bearer ${key}` })).status).toBe(401);
  const made = (await engine.call('POST', '/api/v1/webhook-keys', { instance_id: 'client-1' })).body;
  expect((await send(`/webhooks/mailwizz/${made.key}/email-sent`, JSON.stringify(report(1)))).status).toBe(202);
  expect((await engine.call('DELETE', `/api/v1/webhook-keys/${made.key_id}`)).status).toBe(204);
  await until(async () => (await send(`/webhooks/mailwizz/${made.key}/email-sent`, JSON.stringify(report(1)))).status === 401, 'the key is dead');
  expect((await engine.call('GET', '/api/v1/webhook-keys')).body.items.map((item: any) => Object.keys(item).includes('key'))).not.toContain(true);
});

test('an unknown event, an unknown instance for a key and a body beyond the limit are refused in words', async () => {
  expect((await send(`/webhooks/mailwizz/${key}/email-eaten`, '{}')).status).toBe(404);
  expect((await engine.call('POST', '/api/v1/webhook-keys', { instance_id: 'client-9' })).body.errors).toEqual([expect.objectContaining({ field: 'instance_id' })]);
  expect((await send('/api/v1/webhooks/mailwizz/email-opened', Buffer.alloc(70_000, 32), { key })).status).toBe(413);
});

test('what is answered 202 is stored, over a kill -9 of the api under load', async () => {
  const acknowledged = new Set<number>();
  let stop = false;
  let next = 0;
  const senders = Array.from({ length: 16 }, async () => {
    while (!stop) {
      const n = (next += 1);
      const answer = await send('/api/v1/webhooks/mailwizz/email-opened', JSON.stringify(report((n % 500) + 1, { user_agent: `agent-${n}` })), { key }).catch(() => undefined);
      if (answer?.status === 202) acknowledged.add(n);
    }
  });
  await until(async () => acknowledged.size > 300, 'load');
  await engine.kill('api');
  const before = acknowledged.size;
  await engine.start('api');
  await until(async () => acknowledged.size > before + 300, 'load again');
  stop = true;
  await Promise.all(senders);
  const stored = new Set((await query('select user_agent from contact_events')).map((row) => Number(row.user_agent.slice(6))));
  expect([...acknowledged].filter((n) => !stored.has(n))).toEqual([]);
  expect(await query(`select sum(total)::int total from event_counts where event_type = 'opened'`)).toEqual([{ total: stored.size }]);
});

test('who sends wrong keys is slowed down, and shuts nobody out who has the right one', async () => {
  const statuses: number[] = [];
  for (let n = 0; n < 60; n += 1) statuses.push((await send(`/webhooks/mailwizz/ee_whk_${n}`, '{}')).status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect((await send('/api/v1/webhooks/mailwizz/email-sent', JSON.stringify(report(1)), { key })).status).toBe(202);
});

async function operatorKey(): Promise<string> {
  const { makeApiKey } = await import('../../src/api/keys');
  const { text, parsed } = makeApiKey('ops');
  await query('insert into api_keys (key_id, kind, secret_hash, name) values ($1, $2, $3, $4)', [parsed.keyId, parsed.kind, parsed.secretHash, 'test']);
  return text;
}
