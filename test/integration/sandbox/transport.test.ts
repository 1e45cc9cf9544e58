import { createHmac } from 'node:crypto';
import { openMailwizz } from './mailwizz';
import { form, urlencoded, wire } from './wire';

let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
let api: string;
let key: string;
let list: string;
beforeAll(async () => {
  mailwizz = await openMailwizz(81);
  api = mailwizz.instance.api_url;
  key = mailwizz.instance.api_key;
  list = mailwizz.instance.lists[0]!.list_uid;
});
afterAll(() => mailwizz?.stop());
beforeEach(() => mailwizz.control('DELETE', '/subscribers'));
afterEach(() => mailwizz.control('DELETE', '/switches'));

const get = (path: string, headers: Record<string, string> = { 'X-API-KEY': key }) => wire('GET', api + path, { headers });
const send = (method: string, path: string, body: string, headers: Record<string, string> = urlencoded) => wire(method, api + path, { headers: { 'X-API-KEY': key, ...headers }, body });
const create = (body: string, headers?: Record<string, string>) => send('POST', `/lists/${list}/subscribers`, body, headers);
const emails = async () => ((await mailwizz.control('GET', `/truth/subscribers?list_id=${mailwizz.instance.lists[0]!.list_id}&fields=1`)) as { email: string; fields: Record<string, string> }[]);

describe('the key', () => {
  test.each(['X-API-KEY', 'x-api-key', 'X-Api-Key', 'X-MW-PUBLIC-KEY'])('is taken from %s', async (name) => {
    expect((await get('/lists', { [name]: key })).code).toBe(200);
  });

  test('a missing key is 400, a wrong one 401, in the words of the catalogue', async () => {
    expect(await get('/lists', {})).toMatchObject({ code: 400, json: { status: 'error', error: 'Invalid API request params. Please refer to the documentation.' } });
    expect(await get('/lists', { 'x-api-key': 'wrong' })).toMatchObject({ code: 401, json: { status: 'error', error: 'Invalid API key. Please refer to the documentation.' } });
  });

  test('the pairing of codes can be switched', async () => {
    await mailwizz.switches({ missing_key_code: 401, invalid_key_code: 400 });
    expect([(await get('/lists', {})).code, (await get('/lists', { 'x-api-key': 'wrong' })).code]).toEqual([401, 400]);
  });

  test('a caller outside the allow list, or on the deny list, is refused', async () => {
    const refusal = { code: 403, json: { error: 'Your IP address is not allowed to access this server.' } };
    await mailwizz.switches({ ip_allow: ['10.0.0.0/8'] });
    expect(await get('/lists')).toMatchObject(refusal);
    await mailwizz.switches({ ip_allow: ['127.0.0.0/8'] });
    expect((await get('/lists')).code).toBe(200);
    await mailwizz.switches({ ip_deny: ['127.0.0.1'] });
    expect(await get('/lists')).toMatchObject(refusal);
  });

  test('a route without permission is refused, the others go on', async () => {
    await mailwizz.switches({ denied_routes: ['bulk'] });
    expect(await send('POST', `/lists/${list}/subscribers/bulk`, 'subscribers[0][EMAIL]=a@example.test')).toMatchObject({ code: 403, json: { error: 'You do not have enough permissions to access this endpoint.' } });
    expect((await get('/lists')).code).toBe(200);
  });

  test.each([
    ['inactive', 'Your account must be active in order to use the API.'],
    ['not_allowed', 'Your account is not allowed to use the API.'],
  ])('an account that is %s is told so', async (account, text) => {
    await mailwizz.switches({ account });
    expect(await get('/lists')).toMatchObject({ code: 401, json: { error: text } });
  });
});

describe('signed 1.x requests', () => {
  const encode = (text: string) => encodeURIComponent(text).replace(/%20/g, '+').replace(/[!'()*~]/g, (sign) => '%' + sign.charCodeAt(0).toString(16).toUpperCase());
  type Params = [string, string][];
  /** The rule of the vendor's PHP client: ksort as strings on the first names, http_build_query, hmac over verb, address and parameters. */
  function signed(method: string, path: string, { query = [], body = [], at = Math.floor(Date.now() / 1000), secret = mailwizz.instance.private_key, address = '' }: { query?: Params; body?: Params; at?: number; secret?: string; address?: string }) {
    const build = (params: Params) => params.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
    const first = (name: string) => name.replace(/\[.*/, '');
    const sorted = (params: Params) => [...params].sort(([a], [b]) => (first(a) === first(b) ? 0 : first(a) < first(b) ? -1 : 1));
    const headers = { 'X-MW-PUBLIC-KEY': mailwizz.instance.public_key, 'X-MW-TIMESTAMP': String(at), 'X-MW-REMOTE-ADDR': address };
    const url = `${api}${path}${query.length > 0 ? `?${build(sorted(query))}` : ''}`;
    const text = `${method} ${url}${query.length > 0 ? '&' : '?'}${build(sorted([...Object.entries(headers), ...body]))}`;
    const { 'X-MW-REMOTE-ADDR': sent, ...rest } = headers;
    // libcurl leaves an empty header out.
    return wire(method, url, { headers: { ...rest, ...(sent !== '' && { 'X-MW-REMOTE-ADDR': sent }), ...urlencoded, 'X-MW-SIGNATURE': createHmac('sha1', secret).update(text).digest('hex') }, ...(body.length > 0 && { body: build(body) }) });
  }
  const refused = { code: 401, json: { status: 'error', error: 'Invalid API request signature. Please refer to the documentation.' } };

  test('a GET with sorted parameters is let in, with and without a remote address', async () => {
    expect((await signed('GET', '/lists', { query: [['page', '1'], ['per_page', '2']] })).json.data.records).toHaveLength(2);
    expect((await signed('GET', '/lists', { address: '192.0.2.7' })).code).toBe(200);
  });

  test('a nested body with every awkward sign is let in', async () => {
    const body: Params = [['EMAIL', 'o\'brien+x~y@example.test'], ['FNAME', 'Zoë (é) !*'], ['details[status]', 'confirmed'], ['details[source]', 'import']];
    expect((await signed('POST', `/lists/${list}/subscribers`, { body })).json).toMatchObject({ status: 'success', data: { record: { email: 'o\'brien+x~y@example.test', source: 'import' } } });
  });

  test('a PUT and a DELETE are let in', async () => {
    const made = await create('EMAIL=a@example.test');
    const path = `/lists/${list}/subscribers/${made.json.data.record.subscriber_uid}`;
    expect((await signed('PUT', path, { body: [['EMAIL', 'b@example.test'], ['FNAME', 'B B']] })).code).toBe(200);
    expect((await signed('DELETE', path, {})).code).toBe(200);
  });

  test('a wrong secret, a changed body and an old timestamp are refused', async () => {
    expect(await signed('GET', '/lists', { secret: 'wrong' })).toMatchObject(refused);
    const at = Math.floor(Date.now() / 1000) - 10_000;
    expect(await signed('GET', '/lists', { at })).toMatchObject({ code: 401, json: { error: 'Your request expired. Please refer to the documentation.' } });
    const headers = { 'X-MW-PUBLIC-KEY': mailwizz.instance.public_key, 'X-MW-TIMESTAMP': String(Math.floor(Date.now() / 1000)) };
    expect(await wire('GET', `${api}/lists`, { headers })).toMatchObject({ code: 400 });
    const signature = createHmac('sha1', mailwizz.instance.private_key).update(`POST ${api}/lists/${list}/subscribers?EMAIL=a%40example.test`).digest('hex');
    expect(await wire('POST', `${api}/lists/${list}/subscribers`, { headers: { ...headers, ...urlencoded, 'X-MW-SIGNATURE': signature }, body: 'EMAIL=b%40example.test' })).toMatchObject(refused);
  });

  test('with the check off, public key and timestamp suffice', async () => {
    await mailwizz.switches({ check_signature: false });
    expect((await wire('GET', `${api}/lists`, { headers: { 'X-MW-PUBLIC-KEY': mailwizz.instance.public_key, 'X-MW-TIMESTAMP': String(Math.floor(Date.now() / 1000)) } })).code).toBe(200);
  });

  test('an old install may answer a bad signature with an empty list', async () => {
    await mailwizz.switches({ bad_signature_answer: 'empty_list' });
    expect(await signed('GET', '/lists', { secret: 'wrong' })).toMatchObject({ code: 200, json: [] });
  });
});

describe('paths and verbs', () => {
  test.each(['/lists', '/index.php/lists', '/lists/', '/index.php/lists//'])('%s is the same address', async (path) => {
    expect((await get(path)).json.data.count).toBe('3');
  });

  test('an unknown path is 404 JSON, an upper-case uid is one', async () => {
    expect(await get('/nowhere')).toMatchObject({ code: 404, json: { status: 'error' } });
    expect((await get(`/lists/${list.toUpperCase()}`)).code).toBe(404);
  });

  test('a wrong verb is named', async () => {
    expect(await send('DELETE', '/lists', '')).toMatchObject({ code: 405, json: { status: 'error', error: 'Only GET/POST requests allowed for this endpoint.' } });
    await mailwizz.switches({ wrong_verb_code: 400 });
    expect((await send('PUT', `/lists/${list}/subscribers/bulk/`, '')).code).toBe(400);
  });

  test('X-HTTP-Method-Override turns a POST into a PUT, unless switched off', async () => {
    const made = await create('EMAIL=a@example.test');
    const path = `/lists/${list}/subscribers/${made.json.data.record.subscriber_uid}/unsubscribe`;
    expect((await send('POST', path, '', { 'X-HTTP-Method-Override': 'PUT' })).code).toBe(200);
    await mailwizz.switches({ method_override: false });
    expect((await send('POST', path, '', { 'X-HTTP-Method-Override': 'PUT' })).code).toBe(405);
  });

  test('a web server that blocks PUT answers HTML, and the override gets through', async () => {
    await mailwizz.switches({ blocked_verbs: ['PUT', 'DELETE'] });
    const made = await create('EMAIL=a@example.test');
    const path = `/lists/${list}/subscribers/${made.json.data.record.subscriber_uid}`;
    const blocked = await send('PUT', path, 'FNAME=B');
    expect([blocked.code, blocked.headers['content-type']]).toEqual([403, 'text/html; charset=utf-8']);
    expect((await send('POST', path, 'FNAME=B', { ...urlencoded, 'X-HTTP-Method-Override': 'PUT' })).code).toBe(200);
  });
});

describe('bodies', () => {
  const multipart = (fields: Record<string, string>) => ({
    headers: { 'content-type': 'multipart/form-data; boundary="--x y"' },
    body: `${Object.entries(fields).map(([name, value]) => `----x y\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('')}----x y--\r\n`,
  });

  test('multipart and urlencoded POST bodies mean the same', async () => {
    const { headers, body } = multipart({ EMAIL: 'multi@example.test', FNAME: 'Zoë\r\n--x y', 'details[source]': 'web' });
    expect((await create(body, headers)).json.data.record).toMatchObject({ email: 'multi@example.test', source: 'web' });
    expect(await emails()).toMatchObject([{ email: 'multi@example.test', fields: { FNAME: 'Zoë\r\n--x y' } }]);
  });

  test('a multipart PUT counts as empty, unless switched on', async () => {
    const made = await create('EMAIL=a@example.test&FNAME=old');
    const path = `/lists/${list}/subscribers/${made.json.data.record.subscriber_uid}`;
    const { headers, body } = multipart({ FNAME: 'new' });
    await send('PUT', path, body, headers);
    expect((await emails())[0]!.fields['FNAME']).toBe('old');
    await mailwizz.switches({ multipart_put: true });
    await send('PUT', path, body, headers);
    expect((await emails())[0]!.fields['FNAME']).toBe('new');
  });

  test('a JSON body counts as empty', async () => {
    expect(await create('{"EMAIL":"a@example.test"}', { 'content-type': 'application/json' })).toMatchObject({ code: 422, json: { error: 'Please provide the subscriber email address.' } });
    await mailwizz.switches({ json_body: true });
    expect((await create('{"EMAIL":"a@example.test"}', { 'content-type': 'application/json' })).code).toBe(201);
  });

  test('empty values count as absent', async () => {
    expect((await create('EMAIL=')).json.error).toBe('Please provide the subscriber email address.');
    expect((await get(`/lists/${list}/subscribers?status=&page=&per_page=`)).json.data).toMatchObject({ current_page: 1, total_pages: 1 });
  });

  test('everything beyond 1000 variables is dropped without a word', async () => {
    const body = Array.from({ length: 400 }, (_, row) => `subscribers[${row}][EMAIL]=v${row}@example.test&subscribers[${row}][FNAME]=A&subscribers[${row}][LNAME]=B`).join('&');
    const cut = await send('POST', `/lists/${list}/subscribers/bulk`, body);
    expect([cut.code, cut.json.data.records.length]).toEqual([200, 334]);
    expect((await emails()).at(-1)).toMatchObject({ email: 'v333@example.test', fields: { FNAME: '' } });
    await mailwizz.switches({ max_input_vars: 10 });
    expect((await send('POST', `/lists/${list}/subscribers/bulk`, body.replaceAll('v', 'w'))).json.data.records).toHaveLength(4);
  });

  test.each([
    ['subscribers[][EMAIL]=p1@example.test&subscribers[][EMAIL]=p2@example.test', ['p1@example.test', 'p2@example.test']],
    ['subscribers[7][EMAIL]=p1@example.test&subscribers[][EMAIL]=p2@example.test', ['p1@example.test', 'p2@example.test']],
    ['subscribers[a][EMAIL]=p1@example.test&subscribers[a][EMAIL]=p2@example.test', ['p2@example.test']],
    ['subscribers=x&subscribers[0][EMAIL]=p1@example.test', ['p1@example.test']],
    [' subscribers%5B0%5D%5BEMAIL%5Dlost=p1%40example.test', ['p1@example.test']],
    ['&&subscribers[0][EMAIL]=p1@example.test&', ['p1@example.test']],
    ['subscribers[0][EMAIL=p1@example.test', []],
  ])('PHP reads %s', async (body, wanted) => {
    await send('POST', `/lists/${list}/subscribers/bulk`, body);
    expect((await emails()).map(({ email }) => email)).toEqual(wanted);
  });

  test('a body beyond 32 MB is refused as a web server does', async () => {
    expect((await create(`EMAIL=${'x'.repeat(33 << 20)}`)).code).toBe(413);
  });
});

describe('answers', () => {
  test('a GET carries an ETag and gives 304 on it', async () => {
    const first = await get('/countries?per_page=3');
    const etag = String(first.headers['etag']);
    expect(await get('/countries?per_page=3', { 'x-api-key': key, 'if-none-match': etag })).toMatchObject({ code: 304, text: '' });
    expect((await get('/countries?per_page=4', { 'x-api-key': key, 'if-none-match': etag })).code).toBe(200);
  });

  test('pages: text counts, integer pages, null at both ends', async () => {
    expect((await get('/lists?per_page=2')).json.data).toMatchObject({ count: '3', total_pages: 2, current_page: 1, next_page: 2, prev_page: null });
    expect((await get('/lists?per_page=2&page=2')).json.data).toMatchObject({ count: '3', total_pages: 2, current_page: 2, next_page: null, prev_page: 1, records: [{}] });
  });

  test('per_page may be cut, and a page past the end may be empty, the last, or none', async () => {
    await mailwizz.switches({ per_page_max: 2 });
    expect((await get('/lists?per_page=9999')).json.data).toMatchObject({ total_pages: 2, records: [{}, {}] });
    expect((await get('/lists?page=9')).json.data.records).toEqual([]);
    await mailwizz.switches({ page_past_end: 'last' });
    expect((await get('/lists?page=9')).json.data).toMatchObject({ current_page: 2, records: [{}] });
    await mailwizz.switches({ page_past_end: 'not_found' });
    expect((await get('/lists?page=9')).code).toBe(404);
  });
});

describe('control', () => {
  test('an unknown switch or value is refused with all that there are, and changes nothing', async () => {
    const before = await mailwizz.control('GET', '/switches');
    expect(await mailwizz.switches({ bulk_code: 201, no_such_switch: 1 })).toMatchObject({ error: expect.stringContaining('no_such_switch'), switches: { bulk_code: 'code of a bulk answer' } });
    expect(await mailwizz.switches({ bulk_code: 500 })).toMatchObject({ error: expect.stringContaining('bulk_code') });
    expect(await mailwizz.control('GET', '/switches')).toEqual(before);
  });

  test('calls are counted by route', async () => {
    await mailwizz.control('DELETE', '/calls');
    await get('/lists');
    await get('/lists');
    await create('EMAIL=a@example.test');
    expect(await mailwizz.control('GET', '/calls')).toEqual({ lists: 2, create: 1 });
  });
});

test('form() and the API agree on plus signs', async () => {
  await create(form({ EMAIL: 'a+b@example.test', FNAME: 'A B+C' }));
  expect(await emails()).toMatchObject([{ email: 'a+b@example.test', fields: { FNAME: 'A B+C' } }]);
});
