import { createFields } from '../../../src/adapters/mailwizz/create-fields';
import { inspectInstance, type Part } from '../../../src/adapters/mailwizz/report';
import { toWords } from '../../../src/adapters/mailwizz/report/words';
import type { InstanceSettings } from '../../../src/adapters/mailwizz/types';
import { ourTags } from '../../../src/adapters/mailwizz/fields';
import { failure, type Handler, json, listUid, startOdd, success } from './support';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
const lists = { data: { count: '1', next_page: null, records: [{ general: { list_uid: listUid, name: 'Avocats' } }] } };
const fieldsOf = (tags: readonly string[]) => ({ data: { records: tags.map((tag, index) => ({ field_id: String(index + 1), tag, type: { identifier: 'text' } })) } });
const healthy =
  (tags: readonly string[] = ourTags): Handler =>
  ({ path }, res) => {
    if (path.endsWith('/bulk')) return failure(res, 400, 'Please provide the subscribers payload.');
    if (path.includes('/fields')) return success(res, fieldsOf(tags));
    return success(res, path.includes('/subscribers') ? { data: { count: '42', records: [] } } : lists);
  };
async function inspect(handler: Handler, over: Partial<InstanceSettings> = {}, now = Date.now) {
  const odd = await startOdd(handler);
  closing.push(odd.stop);
  const report = await inspectInstance({ ...odd.settings, ...over }, now);
  const of = (part: Part) => report.findings.find((finding) => finding.part === part)!;
  return { report, of, seen: odd.seen };
}

test('an instance that is well is good in every part, and nothing was written', async () => {
  const { report, of, seen } = await inspect(healthy());
  expect(report.findings.map(({ part, state }) => `${part} ${state}`)).toEqual([
    'api good', 'key good', 'style good', 'lists good', 'fields good', 'bulk good', 'api_clock good', 'mysql skipped', 'list_numbers good',
  ]);
  expect(report).toMatchObject({ instanceId: 'client-1', good: true, lists: [{ listUid, listId: 12, name: 'Avocats', fields: [...ourTags], missing: [], subscribers: 42 }] });
  expect(of('api').facts).toEqual({ latency_ms: expect.any(Number) });
  expect(seen.filter(({ method }) => method !== 'GET').map(({ body }) => body)).toEqual(['']);
});

test('fields that a list lacks are named', async () => {
  const { report, of } = await inspect(healthy(['EMAIL', 'FNAME', 'LNAME']));
  expect(of('fields')).toMatchObject({ state: 'warn', code: 'fields_missing', facts: { lists_lacking: 1 } });
  expect(report.lists[0]!.missing).toEqual(['COMPANY', 'PHONE', 'WEBSITE', 'SOURCE', 'CATEGORY', 'TAGS', 'TAGSET', 'COUNTRY', 'LANGUAGE', 'BUCKET', 'SOURCES', 'SCORE']);
  expect(report.good).toBe(true);
});

test.each<[string, Handler, Part, string]>([
  ['a refused key', (_, res) => failure(res, 401, 'Invalid API key. Please refer to the documentation.'), 'key', 'key_invalid'],
  ['a key for other addresses', (_, res) => failure(res, 400, 'Your IP address is not allowed to access this server.'), 'key', 'ip_not_allowed'],
  ['an old installation', (_, res) => failure(res, 400, 'Invalid API request signature. Please refer to the documentation.'), 'style', 'signature_wanted'],
  ['a web page', (_, res) => res.writeHead(200).end('<html>'), 'api', 'html_answer'],
  ['a PHP warning', (_, res) => res.writeHead(200).end('Warning: x\n{"status":"success"}'), 'api', 'text_before_json'],
  ['a redirect', (_, res) => res.writeHead(301, { location: 'https://x' }).end(), 'api', 'http_301'],
  ['an error', (_, res) => res.writeHead(500).end(), 'api', 'http_500'],
])('%s is said in words, and what hangs on it is skipped', async (_name, handler, part, code) => {
  const { report, of } = await inspect(handler);
  expect(of(part)).toMatchObject({ state: 'bad', code });
  expect(of(part).words).not.toContain(code);
  expect([of('lists').state, of('bulk').state, report.good]).toEqual(['skipped', 'skipped', false]);
});

test('nobody listening, a name that does not exist and a private network are three things', async () => {
  const findings = await Promise.all(
    [{ apiUrl: 'http://127.0.0.1:1/api' }, { apiUrl: 'http://nowhere.invalid/api' }, { allowPrivateNetwork: false }, { apiUrl: 'nonsense' }].map(async (over) => (await inspect(healthy(), over)).of('api').code),
  );
  expect(findings).toEqual(['econnrefused', expect.stringMatching(/^e(notfound|ai_again)$/), 'private_network', 'api_url_unusable']);
});

test('a key without the bulk permission, and an installation without bulk calls, are told', async () => {
  const bulk = (status: number, text: string) => inspect((call, res, req) => (call.path.endsWith('/bulk') ? failure(res, status, text) : healthy()(call, res, req)));
  expect((await bulk(403, 'You do not have enough permissions to access this endpoint.')).of('bulk')).toMatchObject({ state: 'bad', code: 'no_permission' });
  expect((await bulk(404, 'Page not found.')).of('bulk')).toMatchObject({ state: 'warn', code: 'bulk_missing' });
});

test('clocks that differ are told with the difference', async () => {
  const { of } = await inspect(healthy(), {}, () => Date.now() + 300_000);
  expect(of('api_clock')).toMatchObject({ state: 'warn', code: 'clocks_differ', facts: { difference_seconds: expect.any(Number) } });
  expect(Math.abs(Number(of('api_clock').facts['difference_seconds']) + 300)).toBeLessThanOrEqual(2);
});

test('a MySQL that is not there is said in words, without password', async () => {
  const { report, of } = await inspect(healthy(), { mysql: { host: '127.0.0.1', port: 1, database: 'd', user: 'u', password: 'canary-secret', tablePrefix: 'mw_' } });
  expect(of('mysql')).toMatchObject({ state: 'bad', code: 'econnrefused', words: 'Nothing listens at this host and port.' });
  expect(JSON.stringify(report)).not.toContain('canary-secret');
});

test.each([
  ['schema_no_table_list_field_value', 'list_field_value'], ['schema_no_column_list_field_value_value', '"list_field_value" has no column "value"'], ['schema_new_column_list_subscriber_shard_id', '"shard_id"'],
  ['right_missing_insert_list_subscriber', 'right to insert on "list_subscriber"'], ['right_missing_lock_list', 'grant UPDATE'], ['http_307', 'redirects'], ['never_heard_of', 'never_heard_of'],
])('%s in words', (code, words) => expect(toWords(code)).toContain(words));

test('fields that are missing are created hidden and as text, those present are left, and a lost answer is looked at', async () => {
  const tags = ['EMAIL', 'FNAME'];
  const { settings, seen, stop } = await startOdd(({ method, form }, res, req) => {
    if (method === 'GET') return success(res, fieldsOf(tags));
    const tag = form.get('tag')!;
    if (tag === 'COUNTRY') return failure(res, 422, { tag: 'No more fields.' });
    tags.push(tag);
    if (tag === 'TAGSET') return req.socket.destroy();
    return json(res, 201, { status: 'success', data: { record: { field_id: '9', tag, type: { identifier: 'text' } } } });
  });
  closing.push(stop);
  expect(await createFields(settings, listUid, ['FNAME', 'SOURCE', 'TAGSET', 'COUNTRY', 'SOURCE'])).toEqual({
    listUid, created: ['SOURCE', 'TAGSET'], present: ['FNAME'], failed: [{ tag: 'COUNTRY', reason: 'No more fields.' }],
  });
  expect(Object.fromEntries(seen.find(({ method }) => method === 'POST')!.form)).toEqual({ type: 'text', label: 'Source', tag: 'SOURCE', required: 'no', visibility: 'hidden', sort_order: '2' });
  await expect(createFields(settings, listUid, ['no tag'])).rejects.toMatchObject({ kind: 'invalid' });
});
