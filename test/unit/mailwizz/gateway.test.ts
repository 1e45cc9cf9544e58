import { createMailwizzGateway } from '../../../src/adapters/mailwizz/gateway';
import type { InstanceSettings, MailwizzGateway } from '../../../src/adapters/mailwizz/types';
import type { OutgoingContact } from '../../../src/domain/injection';
import { emailsOf, failure, type Handler, json, startOdd, success, target, toContact } from './support';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function arrange(handler: Handler, over: Partial<InstanceSettings> = {}, now = Date.now) {
  const odd = await startOdd(handler);
  const gateway = createMailwizzGateway({ loadInstance: async () => ({ ...odd.settings, ...over }), now });
  closing.push(odd.stop, gateway.close);
  return { ...odd, gateway };
}
const two = [toContact(1), toContact(2)];
const add = async (gateway: MailwizzGateway, contacts: OutgoingContact[] = two) => (await gateway.addSubscribers(target, contacts)).sort((a, b) => a.contactId - b.contactId);
const records = (emails: string[]) => ({ status: 'success', data: { records: emails.map((email, index) => ({ data: { subscriber_uid: `uid-${email}-${index}`, EMAIL: email } })) } });

test.each<[string, Handler]>([
  ['a login page', (_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in</html>')],
  ['an empty list', (_, res) => json(res, 200, [])],
  ['an empty body', (_, res) => res.writeHead(200).end()],
  ['a cut JSON', (_, res) => res.writeHead(200).end('{"status":"success","data":{"records":[{"data"')],
  ['foreign JSON', (_, res) => json(res, 200, { ok: true })],
  ['success without records', (_, res) => json(res, 200, { status: 'success' })],
  ['a PHP warning first', (_, res) => res.writeHead(200).end(`Warning: x ${JSON.stringify(records(['a1@example.test']))}`)],
  ['an empty 500', (_, res) => res.writeHead(500).end()],
  ['a 502 in HTML', (_, res) => res.writeHead(502).end('<html></html>')],
  ['a 403 in HTML', (_, res) => res.writeHead(403).end('<html></html>')],
  ['a body over the cap', (_, res) => res.writeHead(200).end('x'.repeat(2 << 20))],
  ['a cut reply', (_, _res, req) => req.socket.destroy()],
])('%s is never success: the contacts are unknown', async (_name, handler) => {
  const { gateway } = await arrange(handler);
  expect((await add(gateway)).map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown']);
});

test('a redirect is not followed', async () => {
  const other = await startOdd((_, res) => json(res, 200, records([])));
  closing.push(other.stop);
  const { gateway } = await arrange((_, res) => res.writeHead(307, { location: other.settings.apiUrl }).end());
  expect((await add(gateway)).map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown']);
  expect(other.seen).toHaveLength(0);
});

test('shuffled answers find their contact, whatever the case of the address', async () => {
  const { gateway } = await arrange(({ form }, res) => json(res, 201, records(emailsOf(form).toReversed().map((email) => email.toUpperCase()))));
  expect(await add(gateway)).toEqual([
    { contactId: 1, outcome: 'injected', uid: 'uid-A1@EXAMPLE.TEST-1', method: 'api' },
    { contactId: 2, outcome: 'injected', uid: 'uid-A2@EXAMPLE.TEST-0', method: 'api' },
  ]);
});

test('a contact without an answer is unknown, its neighbours are injected', async () => {
  const { gateway } = await arrange(({ form }, res) => json(res, 200, records(emailsOf(form).slice(1))));
  expect((await add(gateway)).map(({ outcome }) => outcome)).toEqual(['unknown', 'injected']);
});

test('an address that was answered in two ways is unknown', async () => {
  const { gateway } = await arrange(({ form }, res) => json(res, 200, { status: 'success', data: { records: [...records(emailsOf(form)).data.records, { data: { EMAIL: 'A1@example.test' }, errors: { EMAIL: 'x' } }] } }));
  expect((await add(gateway)).map(({ outcome }) => outcome)).toEqual(['unknown', 'injected']);
});

test('no call carries 900 variables, and every contact is in one', async () => {
  const { gateway, seen } = await arrange(({ form }, res) => json(res, 200, records(emailsOf(form))));
  const contacts = Array.from({ length: 500 }, (_, index) => toContact(index, { tags: index % 3 === 0 ? [] : ['t'] }));
  expect((await add(gateway, contacts)).every(({ outcome }) => outcome === 'injected')).toBe(true);
  expect(Math.max(...seen.map(({ form }) => [...form].length))).toBeLessThan(900);
  expect(seen.flatMap(({ form }) => emailsOf(form)).sort()).toEqual(contacts.map(({ email }) => email).sort());
});

test('only fields of the list are sent, and no blanks', async () => {
  const { gateway, seen } = await arrange(({ form }, res) => json(res, 200, records(emailsOf(form))));
  await add(gateway, [toContact(1, { email: "o'x+y@example.test", firstName: 'É & ü' }), toContact(2)]);
  expect([...seen[0]!.form].filter(([name]) => name.startsWith('subscribers[0]'))).toEqual([
    ['subscribers[0][EMAIL]', "o'x+y@example.test"], ['subscribers[0][details][status]', 'confirmed'], ['subscribers[0][FNAME]', 'É & ü'], ['subscribers[0][TAGS]', 'a,b'],
    ['subscribers[0][TAGSET]', '|a|b|'], ['subscribers[0][BUCKET]', '0042'],
  ]);
});

test('unknown fields of a list are asked once', async () => {
  const { gateway, seen } = await arrange(
    ({ path, form }, res) => json(res, 200, path.endsWith('/fields') ? { status: 'success', data: { records: [{ field_id: '1', tag: 'EMAIL' }, { field_id: '2', tag: 'COUNTRY' }] } } : records(emailsOf(form))),
    { lists: [{ listId: 12, listUid: 'ab123cdefg45f', fields: [] }] },
  );
  await add(gateway);
  await add(gateway);
  expect(seen.map(({ path }) => path.split('/').at(-1))).toEqual(['fields', 'bulk', 'bulk']);
  expect(seen[1]!.form.get('subscribers[0][COUNTRY]')).toBe('FR');
});

const exists = 'The subscriber already exists in this list.';
const found = { outcome: 'injected', uid: 'found', method: 'api' };
test.each([
  [exists, 409, 'confirmed', found],
  [exists, 409, 'unsubscribed', { outcome: 'suppressed', reason: 'unsubscribed' }],
  [exists, 409, 'unconfirmed', { outcome: 'rejected', reason: 'subscriber_unconfirmed' }],
  [exists, 409, 'unapproved', { outcome: 'rejected', reason: 'subscriber_unapproved' }],
  [exists, 409, 'disabled', { outcome: 'rejected', reason: 'subscriber_disabled' }],
  [exists, 409, 'moved', { outcome: 'rejected', reason: 'subscriber_moved' }],
  [exists, 409, 'frozen', { outcome: 'rejected', reason: 'subscriber_status_unknown' }],
  [exists, 409, undefined, { outcome: 'pending', reason: 'absent' }],
  ['This email address is blacklisted.', 409, undefined, { outcome: 'suppressed', reason: 'blacklisted' }],
  ['Bu abone zaten listede var.', 409, 'confirmed', found],
  ['Kara liste', 409, 'blacklisted', { outcome: 'suppressed', reason: 'blacklisted' }],
  ['Kara listede.', 409, undefined, { outcome: 'suppressed', reason: 'blacklisted' }],
  ['Nein.', 422, undefined, { outcome: 'rejected', reason: 'refused_by_list' }],
  ['Please provide a valid email address.', 422, undefined, { outcome: 'rejected', reason: 'address_refused' }],
  ['The field Phone is required by the list but it has not been provided!', 422, undefined, { outcome: 'rejected', reason: 'field_required' }],
  ['The maximum number of allowed subscribers has been reached.', 422, undefined, { outcome: 'pending', reason: 'list_full' }],
])('a refusal "%s" (%i) of an address that is %s there is read right, single and bulk', async (text, code, status, expected) => {
  const { gateway } = await arrange(({ path, form }, res) => {
    if (path.includes('search-by-email')) return status ? success(res, { data: { subscriber_uid: 'found', status } }) : failure(res, 404, 'no');
    if (path.endsWith('/found')) return success(res, { data: { record: { subscriber_uid: 'found', status } } });
    if (path.endsWith('/bulk')) return json(res, 200, { status: 'success', data: { records: emailsOf(form).map((EMAIL) => ({ data: { EMAIL }, errors: { EMAIL: text } })) } });
    return failure(res, code, text);
  });
  expect(await add(gateway, [toContact(1)])).toEqual([{ contactId: 1, ...expected }]);
  expect((await add(gateway))[1]).toEqual({ contactId: 2, ...expected });
});

const quoting = 'Blacklisted words are not allowed here.';
test.each<[string, number, unknown, object]>([
  ['another field', 422, { COMPANY: quoting }, { outcome: 'rejected', reason: 'refused_by_list' }],
  ['another field, as a conflict', 409, { COMPANY: quoting }, { outcome: 'rejected', reason: 'refused_by_list' }],
  ['a call that was not understood', 400, quoting, { outcome: 'rejected', reason: 'refused_by_list' }],
  ['the address', 422, { EMAIL: quoting }, { outcome: 'suppressed', reason: 'blacklisted' }],
  ['the address, as a conflict', 409, { EMAIL: [quoting] }, { outcome: 'suppressed', reason: 'blacklisted' }],
  ['the row as a whole', 409, quoting, { outcome: 'suppressed', reason: 'blacklisted' }],
])('"blacklist" in the words about %s (%i) stops a person for ever only when the address is meant', async (_name, code, error, expected) => {
  const { gateway } = await arrange(({ path, form }, res) => {
    if (path.includes('search-by-email')) return failure(res, 404, 'no');
    if (path.endsWith('/bulk')) return json(res, 200, { status: 'success', data: { records: emailsOf(form).map((EMAIL) => ({ data: { EMAIL }, errors: code === 400 ? { details: error } : error })) } });
    return failure(res, code, error);
  });
  expect(await add(gateway, [toContact(1)])).toEqual([{ contactId: 1, ...expected }]);
  expect(await add(gateway)).toEqual([1, 2].map((contactId) => ({ contactId, ...expected })));
});

test('who is there already gets our fields, all others are kept, and blanks overwrite nothing', async () => {
  const { gateway, seen } = await arrange(({ method, path }, res) => {
    if (path.includes('search-by-email')) return success(res, { data: { subscriber_uid: 'there', status: 'confirmed' } });
    if (method === 'POST') return failure(res, 409, exists);
    return success(res, { data: { record: { subscriber_uid: 'there', status: 'confirmed', EMAIL: 'A1@example.test', FNAME: 'Old', LNAME: 'Kept', TAGS: 'a,b', TAGSET: '|a|b|', BUCKET: '0042', COMPANY: '' } } });
  });
  expect(await add(gateway, [toContact(1, { lastName: null })])).toEqual([{ contactId: 1, outcome: 'injected', uid: 'there', method: 'api' }]);
  const put = seen.find(({ method }) => method === 'PUT');
  expect(Object.fromEntries(put!.form)).toEqual({ EMAIL: 'A1@example.test', FNAME: 'Ana', LNAME: 'Kept', TAGS: 'a,b', TAGSET: '|a|b|', BUCKET: '0042' });
});

test('nothing is written to a subscriber that has our fields already', async () => {
  const { gateway, seen } = await arrange(({ method, path }, res) => {
    if (path.includes('search-by-email')) return success(res, { data: { subscriber_uid: 'there', status: 'confirmed' } });
    if (method === 'POST') return failure(res, 409, exists);
    return success(res, { data: { record: { subscriber_uid: 'there', status: 'confirmed', EMAIL: 'a1@example.test', FNAME: 'Ana', TAGS: 'a,b', TAGSET: '|a|b|', BUCKET: '0042' } } });
  });
  await add(gateway, [toContact(1)]);
  expect(seen.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET']);
});

test('whom a loose comparison found under another address is left alone', async () => {
  const { gateway, seen } = await arrange(({ method, path }, res) => {
    if (path.includes('search-by-email')) return success(res, { data: { subscriber_uid: 'twin', status: 'confirmed' } });
    if (method === 'POST') return failure(res, 409, exists);
    return success(res, { data: { record: { subscriber_uid: 'twin', status: 'confirmed', EMAIL: 'josé@example.test' } } });
  });
  expect(await add(gateway, [toContact(1, { email: 'jose@example.test' })])).toEqual([{ contactId: 1, outcome: 'rejected', reason: 'another_address_there' }]);
  expect(seen.some(({ method }) => method === 'PUT')).toBe(false);
});

test('a status told by a bulk answer is respected', async () => {
  const { gateway } = await arrange(({ form }, res) =>
    json(res, 200, { status: 'success', data: { records: emailsOf(form).map((EMAIL, index) => ({ data: { subscriber_uid: 'u', EMAIL, status: index === 0 ? 'unsubscribed' : 'confirmed' } })) } }),
  );
  expect((await add(gateway)).map(({ outcome }) => outcome)).toEqual(['suppressed', 'injected']);
});

test('an installation without bulk calls is served one by one; a list that is gone is told from it', async () => {
  const { gateway, seen } = await arrange(({ method, path, form }, res) => {
    if (path.endsWith('/bulk')) return failure(res, 404, 'Page not found.');
    if (method === 'GET') return success(res, { data: { record: { general: { list_uid: 'l', name: 'L' } } } });
    return json(res, 201, { status: 'success', data: { record: { subscriber_uid: form.get('EMAIL') } } });
  });
  expect((await add(gateway)).map(({ outcome }) => outcome)).toEqual(['injected', 'injected']);
  await add(gateway, [toContact(3), toContact(4)]);
  expect(seen.filter(({ path }) => path.endsWith('/bulk'))).toHaveLength(1);
});

test.each([
  [401, 'Invalid API key. Please refer to the documentation.'],
  [403, 'You do not have enough permissions to access this endpoint.'],
  [400, 'Your IP address is not allowed to access this server.'],
])('a denial (%i) stops at once and leaves the contacts pending', async (status, error) => {
  const { gateway, seen } = await arrange((_, res) => json(res, status, { status: 'error', error }));
  const outcomes = await add(gateway, Array.from({ length: 1_000 }, (_, index) => toContact(index)));
  expect(new Set(outcomes.map((outcome) => JSON.stringify({ ...outcome, contactId: 0 })))).toEqual(new Set([JSON.stringify({ contactId: 0, outcome: 'pending', reason: 'refused' })]));
  expect(seen.length).toBeLessThanOrEqual(4);
});

test('429 leaves the contacts pending and is honoured until Retry-After', async () => {
  let at = 1_000_000;
  const { gateway, seen } = await arrange((_, res) => res.writeHead(429, { 'retry-after': '7' }).end('<html>'), {}, () => at);
  expect((await add(gateway))[0]).toEqual({ contactId: 1, outcome: 'pending', reason: 'rate_limited' });
  at += 1_500;
  await add(gateway);
  expect(seen).toHaveLength(1);
  at += 5_600;
  await add(gateway);
  expect(seen).toHaveLength(2);
});

test('a refused connection leaves the contacts pending, rests the API and sends one probe after it', async () => {
  let at = 1_000_000;
  const { gateway, stop } = await arrange((_, res) => json(res, 200, []), {}, () => at);
  await stop();
  closing.shift();
  expect((await add(gateway))[0]).toEqual({ contactId: 1, outcome: 'pending', reason: 'econnrefused' });
  expect((await add(gateway))[0]).toEqual({ contactId: 1, outcome: 'pending', reason: 'api_resting' });
  at += 2_001;
  expect((await Promise.all([add(gateway), add(gateway)])).map(([first]) => first && 'reason' in first && first.reason).sort()).toEqual(['api_resting', 'econnrefused']);
});

test('when both ways are shut the contacts wait, with both reasons and no address', async () => {
  const mysql = { host: '127.0.0.1', port: 1, database: 'd', user: 'u', password: 'canary', tablePrefix: 'mw_' };
  const { gateway } = await arrange((_, res) => json(res, 200, []), { apiUrl: 'http://127.0.0.1:1/api', mysql });
  expect((await add(gateway))[0]).toEqual({ contactId: 1, outcome: 'pending', reason: 'API + MySQL failed: econnrefused, econnrefused' });
});

test('a private address is not connected to unless the instance is allowed it', async () => {
  const { gateway, seen, settings } = await arrange((_, res) => json(res, 200, []), { allowPrivateNetwork: false });
  const port = new URL(settings.apiUrl).port;
  expect((await add(gateway))[0]).toMatchObject({ outcome: 'pending', reason: 'private_network' });
  for (const host of ['2130706433', '0x7f.1', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost', '0', '①②⑦.0.0.1']) {
    const other = createMailwizzGateway({ loadInstance: async () => ({ ...settings, allowPrivateNetwork: false, apiUrl: `http://${host}:${port}/api` }), now: Date.now });
    closing.push(other.close);
    expect((await add(other))[0]).toMatchObject({ outcome: 'pending', reason: 'private_network' });
  }
  expect(seen).toHaveLength(0);
});

test('what MailWizz could not hold whole is rejected, its neighbours are sent', async () => {
  const { gateway, seen } = await arrange(({ form }, res) => json(res, 200, records(emailsOf(form))));
  const contacts = [
    toContact(1), toContact(2), toContact(3, { email: `${'x'.repeat(60)}@${'y'.repeat(50)}.test` }), toContact(4, { firstName: 'x'.repeat(256) }),
    toContact(5, { firstName: '\ud800' }), toContact(6, { firstName: '😀'.repeat(255) }),
  ];
  expect((await add(gateway, contacts)).map((outcome) => ('reason' in outcome ? outcome.reason : outcome.outcome))).toEqual([
    'injected', 'injected', 'address_too_long_for_instance', 'value_too_long', 'value_not_storable', 'injected',
  ]);
  expect(emailsOf(seen[0]!.form)).toHaveLength(3);
});

test('a list that is gone rejects its contacts with that reason', async () => {
  const { gateway } = await arrange((_, res) => json(res, 404, { status: 'error', error: 'The subscribers list does not exist.' }));
  expect((await add(gateway))[0]).toEqual({ contactId: 1, outcome: 'rejected', reason: 'list_not_found' });
});

test('look-up tells there, suppressed, absent and not to be told apart', async () => {
  const { gateway } = await arrange(({ path }, res) => {
    if (path.endsWith('/u1')) return json(res, 200, { status: 'success', data: { record: { subscriber_uid: 'u1', EMAIL: 'a1@example.test' } } });
    if (path.includes('a1%40')) return json(res, 200, { status: 'success', data: { subscriber_uid: 'u1', status: 'confirmed', date_added: 'x' } });
    if (path.includes('a2%40')) return json(res, 200, { status: 'success', data: { subscriber_uid: 'u2', status: 'blacklisted' } });
    return path.includes('a3%40') ? json(res, 404, { status: 'error', error: 'The subscriber does not exist in this list.' }) : res.writeHead(404).end('<html>');
  });
  const outcomes = await gateway.lookUpSubscribers(target, [...two, toContact(3), toContact(4)]);
  expect(outcomes.sort((a, b) => a.contactId - b.contactId)).toEqual([
    { contactId: 1, outcome: 'injected', uid: 'u1', method: 'api' },
    { contactId: 2, outcome: 'suppressed', reason: 'blacklisted' },
    { contactId: 3, outcome: 'pending', reason: 'absent' },
    { contactId: 4, outcome: 'unknown', reason: 'foreign_404' },
  ]);
});

test('a wait of a second is sat out within the page', async () => {
  let limited = 0;
  const { gateway, seen } = await arrange(({ form }, res) => ((limited += 1) === 1 ? res.writeHead(429, { 'retry-after': '1' }).end() : json(res, 200, records(emailsOf(form)))));
  expect((await add(gateway)).map(({ outcome }) => outcome)).toEqual(['injected', 'injected']);
  expect(seen).toHaveLength(2);
});

test('a contact that was claimed too long ago is not sent: another worker may have taken it over', async () => {
  const at = 1_000_000;
  const { gateway, seen } = await arrange(({ form }, res) => json(res, 200, records(emailsOf(form))), {}, () => at);
  expect((await add(gateway, [toContact(1, { claimedAtMs: at - 20_000 }), toContact(2)]))[0]).toEqual({ contactId: 1, outcome: 'pending', reason: 'window_over' });
  expect(seen).toHaveLength(0);
  expect((await add(gateway, [toContact(1, { claimedAtMs: at - 19_000 }), toContact(2)]))[0]).toMatchObject({ outcome: 'injected' });
});

test('a page that is called off sends nothing more, and does not turn to MySQL', async () => {
  const mysql = { host: '127.0.0.1', port: 1, database: 'd', user: 'u', password: 'p', tablePrefix: 'mw_' };
  const { gateway, seen } = await arrange((_, res) => json(res, 200, []), { mysql });
  expect(await gateway.addSubscribers(target, two, AbortSignal.abort())).toEqual([{ contactId: 1, outcome: 'pending', reason: 'cancelled' }, { contactId: 2, outcome: 'pending', reason: 'cancelled' }]);
  expect(seen).toHaveLength(0);
});

test('a rest that one worker is asked for is kept by another', async () => {
  const at = 1_000_000;
  const shared = new Map<string, number>();
  const { gateway, settings } = await arrange((_, res) => res.writeHead(429, { 'retry-after': '120' }).end(), {}, () => at);
  const first = createMailwizzGateway({ loadInstance: async () => settings, now: () => at, sharedRest: { note: async (instanceId, untilMs) => void shared.set(instanceId, untilMs) } });
  closing.push(first.close);
  await add(first);
  expect(shared.get('client-1')).toBe(at + 120_000);
  const { gateway: second, seen } = await arrange((_, res) => json(res, 200, []), { restUntilMs: shared.get('client-1') }, () => at);
  expect((await add(second))[0]).toEqual({ contactId: 1, outcome: 'pending', reason: 'rate_limited' });
  expect(seen).toHaveLength(0);
  await gateway.close();
});

test('a parked instance is not called, and taken up again when it is not parked any more', async () => {
  let at = 1_000_000;
  const { seen, settings } = await arrange(({ form }, res) => json(res, 200, records(emailsOf(form))));
  let parked = true;
  const gateway = createMailwizzGateway({ loadInstance: async () => ({ ...settings, parked }), now: () => at });
  closing.push(gateway.close);
  expect((await add(gateway))[0]).toEqual({ contactId: 1, outcome: 'pending', reason: 'refused' });
  expect([seen.length, await gateway.stateOf('client-1')]).toEqual([0, 'refused']);
  parked = false;
  at += 5_001;
  expect((await add(gateway))[0]).toMatchObject({ outcome: 'injected' });
});

test('lists are read without MySQL: names, fields and sizes from the API, numbers where we know them', async () => {
  const { gateway } = await arrange(({ path }, res) => {
    if (path.includes('/fields')) return success(res, { data: { records: [{ field_id: '1', tag: 'EMAIL' }, { field_id: 2, tag: 'FNAME' }] } });
    if (path.includes('/subscribers')) return success(res, { data: { count: '7', records: [] } });
    return success(res, { data: { records: ['ab123cdefg45f', 'zz999zzzzz999'].map((list_uid) => ({ general: { list_uid, name: `List ${list_uid}` } })) } });
  });
  expect(await gateway.surveyLists('client-1')).toEqual([
    { listUid: 'ab123cdefg45f', listId: 12, name: 'List ab123cdefg45f', fields: ['EMAIL', 'FNAME'], subscribers: 7 },
    { listUid: 'zz999zzzzz999', listId: undefined, name: 'List zz999zzzzz999', fields: ['EMAIL', 'FNAME'], subscribers: 7 },
  ]);
  expect(await gateway.readLists('client-1')).toEqual([{ listId: 12, listUid: 'ab123cdefg45f', name: 'List ab123cdefg45f', fields: ['EMAIL', 'FNAME'] }]);
});

test('the subscribers of a list are read page by page through the API', async () => {
  const { gateway } = await arrange(({ query }, res) => {
    const page = Number(query.get('page'));
    success(res, { data: { next_page: page === 1 ? 2 : null, records: [{ subscriber_uid: `u${page}`, EMAIL: `a${page}@example.test`, status: 'confirmed' }, { odd: 1 }] } });
  });
  const first = await gateway.readSubscribers(target, undefined, 50);
  expect(first).toEqual({ subscribers: [{ email: 'a1@example.test', uid: 'u1', status: 'confirmed' }], unreadable: 1, cursor: 'api:2' });
  expect(await gateway.readSubscribers(target, first.cursor, 50)).toMatchObject({ subscribers: [{ email: 'a2@example.test' }], cursor: undefined });
});

test('an instance that only errs is not asked once per contact', async () => {
  const { gateway, seen } = await arrange((_, res) => res.writeHead(500).end());
  const outcomes = await gateway.lookUpSubscribers(target, Array.from({ length: 300 }, (_, index) => toContact(index)));
  expect(outcomes.filter(({ outcome }) => outcome === 'unknown')).toHaveLength(300);
  expect(seen.length).toBeLessThanOrEqual(16);
});
