import { createApiClient } from '../../../src/adapters/mailwizz/api';
import { type Calls, createCalls } from '../../../src/adapters/mailwizz/calls';
import { type Called, toValue } from '../../../src/adapters/mailwizz/calls/called';
import { failure, type Handler, json, startOdd, success } from './support';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
async function arrange(handler: Handler) {
  const odd = await startOdd(handler);
  const client = createApiClient(odd.settings);
  closing.push(odd.stop, client.close);
  return { ...odd, calls: createCalls(client) };
}

const newCampaign = { name: 'n', listUid: 'l', fromName: 'f', fromEmail: 'f@x.test', replyTo: 'r@x.test', subject: 's', sendAt: '2026-12-01 10:00:00', content: { html: '<p>é</p>' } };
const newSegment = { name: 's', match: 'all' as const, conditions: [{ fieldId: 3, operatorId: 1, value: 'FR' }] };
const newEmail = { toName: 't', toEmail: 't@x.test', fromName: 'f', subject: 's', html: '<p>é</p>', sendAt: new Date('2026-12-01T10:00:00Z') };
/** One of each kind of call, of every family. */
const every: [string, (calls: Calls) => Promise<Called<unknown>>][] = [
  ['lists.readPage', (calls) => calls.lists.readPage({})], ['lists.readAll', (calls) => calls.lists.readAll()], ['lists.read', (calls) => calls.lists.read('l')],
  ['fields.readAll', (calls) => calls.fields.readAll('l')], ['fields.create', (calls) => calls.fields.create('l', { tag: 'T', label: 'T', type: 'text', required: false, visibility: 'hidden' })],
  ['segments.readPage', (calls) => calls.segments.readPage('l', {})], ['segments.findByName', (calls) => calls.segments.findByName('l', 'n')], ['segments.read', (calls) => calls.segments.read('l', 's')],
  ['segments.create', (calls) => calls.segments.create('l', newSegment)], ['segments.update', (calls) => calls.segments.update('l', 's', newSegment)], ['segments.remove', (calls) => calls.segments.remove('l', 's')],
  ['segments.readOperators', (calls) => calls.segments.readOperators()], ['segments.readMembers', (calls) => calls.segments.readMembers('l', 's', {})],
  ['subscribers.create', (calls) => calls.subscribers.create('l', new Map([['EMAIL', 'a@x.test']]))], ['subscribers.update', (calls) => calls.subscribers.update('l', 'u', new Map([['EMAIL', 'a@x.test']]))],
  ['subscribers.read', (calls) => calls.subscribers.read('l', 'u')], ['subscribers.search', (calls) => calls.subscribers.search('l', 'a@x.test')], ['subscribers.searchEverywhere', (calls) => calls.subscribers.searchEverywhere('a@x.test')],
  ['subscribers.readPage', (calls) => calls.subscribers.readPage('l', { status: 'confirmed' })], ['subscribers.unsubscribe', (calls) => calls.subscribers.unsubscribe('l', 'u')],
  ['subscribers.unsubscribeEverywhere', (calls) => calls.subscribers.unsubscribeEverywhere('a@x.test')], ['subscribers.remove', (calls) => calls.subscribers.remove('l', 'u')],
  ['templates.readPage', (calls) => calls.templates.readPage({ name: 'n' })], ['templates.read', (calls) => calls.templates.read('t')], ['templates.create', (calls) => calls.templates.create({ name: 'n', html: 'h', inlineCss: false })],
  ['templates.update', (calls) => calls.templates.update('t', { name: 'n', html: 'h', inlineCss: false })], ['templates.remove', (calls) => calls.templates.remove('t')],
  ['campaigns.readPage', (calls) => calls.campaigns.readPage({})], ['campaigns.read', (calls) => calls.campaigns.read('c')], ['campaigns.create', (calls) => calls.campaigns.create(newCampaign)],
  ['campaigns.update', (calls) => calls.campaigns.update('c', { subject: 's' })], ['campaigns.copy', (calls) => calls.campaigns.copy('c')], ['campaigns.setPaused', (calls) => calls.campaigns.setPaused('c', true)],
  ['campaigns.markSent', (calls) => calls.campaigns.markSent('c')], ['campaigns.remove', (calls) => calls.campaigns.remove('c')], ['campaigns.readStats', (calls) => calls.campaigns.readStats('c')],
  ['campaigns.findByMarker', (calls) => calls.campaigns.findByMarker('l', 'm')],
  ['campaignLogs.readBounces', (calls) => calls.campaignLogs.readBounces('c', {})], ['campaignLogs.readUnsubscribes', (calls) => calls.campaignLogs.readUnsubscribes('c', {})],
  ['campaignLogs.readComplaints', (calls) => calls.campaignLogs.readComplaints('c', {})], ['campaignLogs.readDeliveries', (calls) => calls.campaignLogs.readDeliveries('c', {})], ['campaignLogs.findDelivery', (calls) => calls.campaignLogs.findDelivery('m')],
  ['transactional.create', (calls) => calls.transactional.create(newEmail)], ['transactional.read', (calls) => calls.transactional.read('e')], ['transactional.remove', (calls) => calls.transactional.remove('e')],
];
/** Their answers carry nothing beyond the word success. */
const bare = /\.(remove|update|unsubscribe|unsubscribeEverywhere)$/;

const troubles: [string, Handler, object][] = [
  ['a cut reply', (_, _res, req) => req.socket.destroy(), { kind: 'unknown', reason: 'cut' }],
  ['an empty 500', (_, res) => res.writeHead(500).end(), { kind: 'unknown', reason: 'http_500' }],
  ['a login page', (_, res) => res.writeHead(200).end('<html>'), { kind: 'unknown', reason: 'html_answer' }],
  ['an empty PHP list', (_, res) => json(res, 200, []), { kind: 'unknown', reason: 'foreign_json' }],
  ['a limit', (_, res) => res.writeHead(429, { 'retry-after': '9' }).end(), { kind: 'limited', retryAfterMs: 9_000 }],
  ['a refused key', (_, res) => failure(res, 401, 'Invalid API key.'), { kind: 'refused' }],
  ['the mutex', (_, res) => failure(res, 400, 'Unable to acquire the mutex lock, please try again.'), { kind: 'limited', reason: 'locked' }],
  ['"not there"', (_, res) => failure(res, 404, 'The thing does not exist.'), { kind: 'absent' }],
  ['a refusal by field', (_, res) => failure(res, 422, { name: 'Name cannot be blank.' }), { kind: 'rejected', status: 422, messages: new Map([['name', 'Name cannot be blank.']]) }],
  ['a refusal under 200', (_, res) => failure(res, 200, 'No.'), { kind: 'rejected', status: 200, messages: new Map([['', 'No.']]) }],
];
test.each(troubles)('%s is told apart in every call', async (_name, handler, expected) => {
  const { calls } = await arrange(handler);
  for (const [name, make] of every) expect([name, await make(calls)]).toEqual([name, expect.objectContaining(expected)]);
});

test('a success of a shape that is not expected is unknown in every call that needs more than the word', async () => {
  const { calls } = await arrange((_, res) => json(res, 200, { status: 'success', data: 'x' }));
  for (const [name, make] of every) expect([name, (await make(calls)).kind]).toEqual([name, bare.test(name) ? 'done' : 'unknown']);
});

test('nobody listening has surely done nothing, in every call', async () => {
  const client = createApiClient({ apiUrl: 'http://127.0.0.1:1/api', apiKey: 'k', allowPrivateNetwork: true });
  closing.push(client.close);
  for (const [name, make] of every) expect([name, await make(createCalls(client))]).toEqual([name, { kind: 'nothing', reason: 'econnrefused' }]);
});

test('pages are followed by what the server names, not by what was asked for', async () => {
  const { calls, seen } = await arrange(({ query }, res) => {
    const page = Number(query.get('page'));
    success(res, { data: { count: '5', total_pages: 3, current_page: page, next_page: page < 3 ? page + 1 : null, records: [{ general: { list_uid: `l${page}`, name: 'L' } }] } });
  });
  expect(await calls.lists.readAll()).toEqual({ kind: 'done', value: [1, 2, 3].map((page) => ({ listUid: `l${page}`, name: 'L' })) });
  expect(seen.map(({ query }) => [query.get('page'), query.get('per_page')])).toEqual([['1', '100'], ['2', '100'], ['3', '100']]);
});

test('a server that names the same page for ever is left, and "not among endless pages" is unknown', async () => {
  const same = await arrange((_, res) => success(res, { data: { next_page: 1, records: [{ general: { list_uid: 'l', name: 'L' } }] } }));
  expect(await same.calls.lists.readAll()).toMatchObject({ kind: 'done', value: [{ listUid: 'l' }] });
  const endless = await arrange(({ query }, res) => success(res, { data: { next_page: Number(query.get('page')) + 1, records: [{ campaign_uid: 'c', name: 'n', status: 'sent' }] } }));
  expect(await endless.calls.campaigns.findByMarker('l', '[m]')).toEqual({ kind: 'unknown', reason: 'too_many_pages' });
  expect(endless.seen).toHaveLength(500);
});

test('a record we cannot read costs itself only, and is counted', async () => {
  const { calls } = await arrange((_, res) => success(res, { data: { count: 2, records: [{ odd: true }, { bounce_type: 'hard', processed: 'no', subscriber: { subscriber_uid: 'u', email: 'a@x.test' } }] } }));
  expect(await calls.campaignLogs.readBounces('c', {})).toEqual({
    kind: 'done',
    value: { records: [{ subscriberUid: 'u', email: 'a@x.test', bounceType: 'hard', message: undefined, processed: false, at: undefined }], unreadable: 1, count: 2, nextPage: undefined },
  });
});

test('counts, ids and empty maps are read as text, numbers and []', async () => {
  const { calls } = await arrange(({ path }, res) => {
    if (path.includes('/stats')) return success(res, { data: { campaign_status: 'sent', subscribers_count: '12', processed_count: 10, opens_count: '3', opens_rate: '30%', bounces_count: 1, bounces_rate: 8.33 } });
    if (path.includes('/campaigns/')) return success(res, { data: { record: { campaign_uid: 'c', campaign_id: '7', name: 'n', status: 'paused', list: { list_uid: 'l' }, segment: [], group: [], send_at: '2/24/21, 11:38 PM' } } });
    if (path.includes('/segments/')) return success(res, { data: { record: { segment_uid: 's', name: 'n', operator_match: 'all', subscribers_count: '4', conditions: { 1: { field_id: '3', operator_id: 1, value: 'x' } }, campaign_conditions: [] } } });
    return success(res, { data: { record: { general: { list_uid: 'l', name: 'L', display_name: '' }, defaults: [], company: [] } } });
  });
  const stats = toValue(await calls.campaigns.readStats('c'), 'x');
  expect([stats.subscribers, stats.processed, stats.counts.get('opens'), stats.rates.get('opens'), stats.rates.get('bounces')]).toEqual([12, 10, 3, 30, 8.33]);
  expect(toValue(await calls.campaigns.read('c'), 'x')).toMatchObject({ campaignId: 7, listUid: 'l', segmentUid: undefined, status: 'paused' });
  expect(toValue(await calls.segments.read('l', 's'), 'x')).toEqual({ segmentUid: 's', name: 'n', match: 'all', subscribers: 4, conditions: [{ fieldId: 3, operatorId: 1, value: 'x' }] });
  expect(toValue(await calls.lists.read('l'), 'x')).toMatchObject({ listUid: 'l', displayName: undefined, fromEmail: undefined });
});

test.each([[{ segment_uid: 's1' }], [{ data: { record: { segment_uid: 's1', name: 'n' } } }]])('a new segment is found in both shapes of the answer: %j', async (body) => {
  const { calls, seen } = await arrange((_, res) => json(res, 201, { status: 'success', ...body }));
  expect(await calls.segments.create('l', newSegment)).toEqual({ kind: 'done', value: { segmentUid: 's1' } });
  expect([...seen[0]!.form]).toEqual([['name', 's'], ['operator_match', 'all'], ['conditions[0][field_id]', '3'], ['conditions[0][operator_id]', '1'], ['conditions[0][value]', 'FR']]);
});

test.each([[{ expression: 'NOW()', params: [] }], ['2026-01-01 00:00:00'], [{}]])('a new subscriber is read whatever its date_added is: %j', async (date_added) => {
  const { calls } = await arrange((_, res) => json(res, 201, { status: 'success', data: { record: { subscriber_uid: 'u', email: 'a@x.test', date_added } } }));
  expect(await calls.subscribers.create('l', new Map([['EMAIL', 'a@x.test']]))).toEqual({ kind: 'done', value: { subscriberUid: 'u' } });
});

test('a subscriber is read with its tags, flat or in a record, in either spelling of the address', async () => {
  const row = { subscriber_uid: 'u', status: 'confirmed', source: 'api', ip_address: null, date_added: 'x', FNAME: 'F', LNAME: '' };
  for (const data of [{ record: { ...row, EMAIL: 'a@x.test' } }, { ...row, EMAIL: 'a@x.test' }, { record: { ...row, email: 'a@x.test' } }]) {
    const { calls } = await arrange((_, res) => success(res, { data }));
    const read = toValue(await calls.subscribers.read('l', 'u'), 'x');
    expect([read.email, read.status, read.fields.get('FNAME'), read.fields.has('LNAME'), read.fields.has('source')]).toEqual(['a@x.test', 'confirmed', 'F', false, false]);
  }
});

test('a campaign is created paused and never without a status: the default of MailWizz would send it', async () => {
  const { calls, seen } = await arrange((_, res) => json(res, 201, { status: 'success', campaign_uid: 'c1' }));
  expect(await calls.campaigns.create({ ...newCampaign, segmentUid: 's' })).toEqual({ kind: 'done', value: { campaignUid: 'c1' } });
  expect(Object.fromEntries(seen[0]!.form)).toMatchObject({
    'campaign[status]': 'paused', 'campaign[type]': 'regular', 'campaign[segment_uid]': 's', 'campaign[template][content]': Buffer.from('<p>é</p>').toString('base64'), 'campaign[send_at]': '2026-12-01 10:00:00',
  });
  await calls.campaigns.update('c1', { subject: 'new' });
  expect([...seen[1]!.form]).toEqual([['campaign[subject]', 'new']]);
});

test('pausing looks first, and pauses nothing that is paused: the verb is the same both ways', async () => {
  let status = 'sending';
  const { calls, seen } = await arrange(({ method }, res) => {
    if (method === 'GET') return success(res, { data: { record: { campaign_uid: 'c', name: 'n', status } } });
    status = status === 'paused' ? 'sending' : 'paused';
    return success(res, { campaign: { status } });
  });
  for (const [wanted, after] of [[true, 'paused'], [true, 'paused'], [false, 'sending'], [false, 'sending']] as const) {
    expect(await calls.campaigns.setPaused('c', wanted)).toEqual({ kind: 'done', value: { status: after } });
  }
  expect(seen.filter(({ method }) => method === 'PUT')).toHaveLength(2);
  status = 'sent';
  expect(await calls.campaigns.setPaused('c', false)).toMatchObject({ kind: 'rejected', messages: new Map([['status', 'sent']]) });
});

test('a toggle that somebody else flipped in between is flipped back, and one that got lost is left to the next look', async () => {
  let status = 'sending';
  let meddle = true;
  const { calls } = await arrange(({ method }, res) => {
    if (method === 'GET') return success(res, { data: { record: { campaign_uid: 'c', name: 'n', status } } });
    if (meddle) status = 'paused';
    meddle = false;
    status = status === 'paused' ? 'sending' : 'paused';
    return success(res, { campaign: { status } });
  });
  expect(await calls.campaigns.setPaused('c', true)).toEqual({ kind: 'done', value: { status: 'paused' } });
  let toggles = 0;
  const cut = await arrange(({ method }, res, req) => {
    if (method === 'GET') return success(res, { data: { record: { campaign_uid: 'c', name: 'n', status: 'sending' } } });
    toggles += 1;
    return req.socket.destroy();
  });
  expect(await cut.calls.campaigns.setPaused('c', true)).toEqual({ kind: 'unknown', reason: 'cut' });
  expect(toggles).toBe(1);
});

test('a marker is found on any page, and absent only after the last', async () => {
  const { calls } = await arrange(({ query }, res) => {
    const page = Number(query.get('page'));
    success(res, { data: { next_page: page < 3 ? page + 1 : null, records: [{ campaign_uid: `c${page}`, campaign_id: page, name: `Campaign ${page} [ee-${page}]`, status: 'paused' }] } });
  });
  expect(await calls.campaigns.findByMarker('l', '[ee-3]')).toMatchObject({ kind: 'done', value: { campaignUid: 'c3' } });
  expect(await calls.campaigns.findByMarker('l', '[ee-4]')).toEqual({ kind: 'done', value: undefined });
});

test('a delivery is found under either of the two paths', async () => {
  for (const known of ['/campaigns/delivery-logs/email-message-id/', '/campaigns/email-message-id/']) {
    const { calls } = await arrange(({ path }, res) =>
      path.startsWith(`/api${known}`) ? success(res, { data: { record: { subscriber: { subscriber_uid: 'u' }, status: 'success', email_message_id: 'm@x', delivery_confirmed: 'yes' } } }) : failure(res, 404, 'The delivery log does not exist!'),
    );
    expect(await calls.campaignLogs.findDelivery('<m@x>')).toMatchObject({ kind: 'done', value: { messageId: 'm@x', confirmed: true, campaignUid: undefined } });
  }
});

test('a transactional e-mail is sent by the clock of UTC', async () => {
  const { calls, seen } = await arrange((_, res) => json(res, 201, { status: 'success', email_uid: 'e' }));
  await calls.transactional.create(newEmail);
  expect(seen[0]!.form.get('email[send_at]')).toBe('2026-12-01 10:00:00');
  expect(seen[0]!.form.get('email[body]')).toBe(Buffer.from('<p>é</p>').toString('base64'));
});

test.each<[Called<never>, string]>([
  [{ kind: 'absent' }, 'notFound'], [{ kind: 'rejected', status: 422, messages: new Map([['name', 'blank']]) }, 'refused'], [{ kind: 'refused', reason: 'key_invalid' }, 'refused'],
  [{ kind: 'limited', reason: 'rate_limited', retryAfterMs: 5 }, 'rateLimited'], [{ kind: 'nothing', reason: 'econnrefused' }, 'unavailable'], [{ kind: 'unknown', reason: 'cut' }, 'unavailable'],
])('%j becomes the error %s', (called, kind) => expect(() => toValue(called, 'it')).toThrow(expect.objectContaining({ kind })));
