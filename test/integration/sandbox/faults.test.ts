import { createServer } from 'node:http';
import mysql from 'mysql2/promise';
import { openMailwizz } from './mailwizz';
import { urlencoded, wire } from './wire';

let mailwizz: Awaited<ReturnType<typeof openMailwizz>>;
let listId: number;
let subscribers: string;
beforeAll(async () => {
  mailwizz = await openMailwizz(85);
  const [first] = mailwizz.instance.lists;
  listId = first!.list_id;
  subscribers = `/lists/${first!.list_uid}/subscribers`;
});
afterAll(() => mailwizz?.stop());
beforeEach(async () => {
  await mailwizz.control('DELETE', '/faults');
  await mailwizz.control('DELETE', '/subscribers');
});

/** MariaDB's number for an account that is locked; the driver knows MySQL's names only. */
const accountLocked = 4151;

type Fault = { fault: string; route?: string; [setting: string]: unknown };
const fault = (body: Fault) => mailwizz.control('POST', '/faults', body);
const call = (method: string, path: string, body?: string, timeoutMs = 10_000) =>
  wire(method, mailwizz.instance.api_url + path, { headers: { 'x-api-key': mailwizz.instance.api_key, ...(body !== undefined && urlencoded) }, ...(body !== undefined && { body }), timeoutMs });
const create = (email = 'a@example.test', timeoutMs?: number) => call('POST', subscribers, `EMAIL=${email}`, timeoutMs);
const bulk = (count: number, timeoutMs?: number) => call('POST', `${subscribers}/bulk`, Array.from({ length: count }, (_, index) => `subscribers[${index}][EMAIL]=b${index}@example.test`).join('&'), timeoutMs);
const stored = async () => ((await mailwizz.control('GET', `/truth/subscribers?list_id=${listId}`)) as { email: string }[]).map(({ email }) => email);

test.each<[string, object, object]>([
  ['http_500', {}, { code: 500, text: expect.stringContaining('<html>') }],
  ['http_502', {}, { code: 502, text: expect.stringContaining('<html>') }],
  ['http_503', { retry_after: 7 }, { code: 503, text: expect.stringContaining('<html>'), headers: { 'retry-after': '7' } }],
  ['http_504', {}, { code: 504, text: expect.stringContaining('<html>') }],
  ['http_403', {}, { code: 403, text: expect.stringContaining('<html>') }],
  ['http_429', {}, { code: 429, text: expect.stringContaining('<html>'), headers: { 'retry-after': '1' } }],
  ['json_429', { retry_after: 12 }, { code: 429, json: { status: 'error' }, headers: { 'retry-after': '12' } }],
  ['json_429', { retry_after: 'date+60' }, { code: 429, headers: { 'retry-after': expect.stringMatching(/GMT$/) } }],
  ['html_200', {}, { code: 200, text: expect.stringContaining('log in') }],
  ['empty_200', {}, { code: 200, text: '' }],
  ['empty_500', {}, { code: 500, text: '' }],
  ['empty_list', {}, { code: 200, json: [] }],
  ['foreign_json', {}, { code: 200, json: { ok: true } }],
  ['unauthorized', {}, { code: 401, json: { status: 'error', error: 'Invalid API key. Please refer to the documentation.' } }],
  ['forbidden', {}, { code: 403, json: { status: 'error', error: 'You do not have enough permissions to access this endpoint.' } }],
  ['exists', {}, { code: 409, json: { error: 'The subscriber already exists in this list.' } }],
  ['exists', { text: 'Abone zaten var.' }, { code: 409, json: { error: 'Abone zaten var.' } }],
  ['blacklisted', {}, { code: 409, json: { error: 'This email address is blacklisted.' } }],
  ['mutex', {}, { code: 400, json: { error: 'Unable to acquire the mutex lock, please try again.' } }],
  ['list_gone', {}, { code: 404, json: { error: 'The subscribers list does not exist.' } }],
])('%s %j answers instead of the work, or with after_commit once it is done', async (kind, settings, answer) => {
  await fault({ route: 'create', fault: kind, count: 1, ...settings });
  expect(await create()).toMatchObject(answer);
  expect(await stored()).toEqual([]);
  await fault({ route: 'create', fault: kind, count: 1, after_commit: true, ...settings });
  expect(await create()).toMatchObject(answer);
  expect(await stored()).toEqual(['a@example.test']);
  expect((await create('b@example.test')).code).toBe(201);
});

test('without retry_after a 429 names no time', async () => {
  await fault({ fault: 'json_429' });
  await mailwizz.control('POST', '/faults', { fault: 'http_429', retry_after: null, route: 'lists' });
  expect((await create()).headers).not.toHaveProperty('retry-after');
  await mailwizz.control('DELETE', '/faults');
  await fault({ fault: 'http_429', retry_after: null });
  expect((await create()).headers).not.toHaveProperty('retry-after');
});

test.each([[false, 0], [true, 1]])('hang sends no byte (after_commit %s: %i stored)', async (after_commit, count) => {
  await fault({ fault: 'hang', after_commit });
  await expect(create('a@example.test', 400)).rejects.toThrow('timeout');
  expect(await stored()).toHaveLength(count);
});

test.each([['cut_before', 0], ['cut_after_commit', 1]])('%s drops the connection with %i stored', async (kind, count) => {
  await fault({ fault: kind });
  await expect(create()).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(await stored()).toHaveLength(count);
});

test('slow_body sends the headers at once and then a byte a second', async () => {
  await fault({ fault: 'slow_body' });
  const answer = await fetch(mailwizz.instance.api_url + '/lists', { headers: { 'x-api-key': mailwizz.instance.api_key } });
  const reader = answer.body!.getReader();
  const first = await reader.read();
  expect([answer.status, first.value?.length]).toEqual([200, 1]);
  await reader.cancel();
});

test('cut_body, truncated_json and php_warning spoil a finished answer', async () => {
  await fault({ fault: 'cut_body', count: 1 });
  await expect(create('a@example.test')).rejects.toMatchObject({ code: 'CUT', got: expect.stringMatching(/^\{"status":"success"/) });
  await fault({ fault: 'truncated_json', count: 1 });
  expect(await create('b@example.test')).toMatchObject({ code: 201, json: undefined, text: expect.stringMatching(/^\{"status":"success"/) });
  await fault({ fault: 'php_warning', count: 1 });
  expect(await create('c@example.test')).toMatchObject({ code: 201, json: undefined, text: expect.stringMatching(/^<br \/>\n<b>Warning<\/b>[^]*"status":"success"/) });
  expect(await stored()).toHaveLength(3);
});

test('delay answers late and right', async () => {
  await fault({ fault: 'delay', ms: 250 });
  const began = Date.now();
  expect((await create()).code).toBe(201);
  expect(Date.now() - began).toBeGreaterThanOrEqual(250);
});

test.each([301, 302, 307, 308])('a %i points to the canary, which nobody calls by itself', async (status) => {
  let hits = 0;
  const canary = createServer((_, res) => {
    hits += 1;
    res.end();
  });
  await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
  const address = canary.address();
  const location = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/stolen`;
  await fault({ fault: 'redirect', status, location });
  expect(await create()).toMatchObject({ code: status, headers: { location } });
  await new Promise((resolve) => canary.close(resolve));
  expect(hits).toBe(0);
});

test('max_input_vars cuts the form in silence', async () => {
  await fault({ route: 'bulk', fault: 'max_input_vars', vars: 7 });
  expect((await bulk(10)).json.data.records).toHaveLength(7);
  expect(await stored()).toHaveLength(7);
});

test('partial_bulk reads half', async () => {
  await fault({ fault: 'partial_bulk' });
  expect((await bulk(9)).json.data.records).toHaveLength(5);
  expect(await stored()).toHaveLength(5);
});

test('row_errors refuses a share of the rows, the same ones for the same seed', async () => {
  const failed = async () => {
    await mailwizz.control('DELETE', '/subscribers');
    await mailwizz.control('PUT', '/seed', { seed: 7 });
    const { records } = (await bulk(100)).json.data;
    expect(records).toHaveLength(100);
    return records.flatMap((record: any) => (record.errors ? [record.data.EMAIL] : []));
  };
  await fault({ route: 'bulk', fault: 'row_errors', share: 0.3 });
  const first = await failed();
  expect(first.length).toBeGreaterThan(15);
  expect(first.length).toBeLessThan(45);
  expect(await failed()).toEqual(first);
  expect((await stored()).filter((email) => first.includes(email))).toEqual([]);
});

test('shuffled_bulk answers the same records in another order', async () => {
  await fault({ fault: 'shuffled_bulk' });
  const emails = (await bulk(50)).json.data.records.map(({ data }: any) => data.EMAIL);
  expect(emails).not.toEqual(await stored());
  expect([...emails].sort()).toEqual([...(await stored())].sort());
});

test('stall stores some rows and stops; a client that waits gets the rest, one that leaves does not', async () => {
  await fault({ route: 'bulk', fault: 'stall', rows: 4, ms: 60_000, count: 1 });
  await expect(bulk(10, 1_000)).rejects.toThrow('timeout');
  expect(await stored()).toHaveLength(4);
  // The same call again waits for whatever the first one still does.
  expect((await bulk(10)).json.data.records.map(({ errors }: any) => errors !== undefined)).toEqual([true, true, true, true, false, false, false, false, false, false]);
  await mailwizz.control('DELETE', '/subscribers');
  await fault({ route: 'bulk', fault: 'stall', rows: 4, ms: 100, count: 1 });
  expect((await bulk(10)).json.data.records).toHaveLength(10);
  expect(await stored()).toHaveLength(10);
});

test('rate_limit lets so many calls a second through', async () => {
  await fault({ fault: 'rate_limit', per_second: 5 });
  const codes = [];
  for (let calls = 0; calls < 8; calls += 1) codes.push((await call('GET', '/lists')).code);
  expect(codes).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
});

describe('where and when', () => {
  test('a fault hits its route only, and so many times', async () => {
    await fault({ route: 'lists', fault: 'http_500', count: 2 });
    expect((await create()).code).toBe(201);
    expect([(await call('GET', '/lists')).code, (await call('GET', '/lists')).code, (await call('GET', '/lists')).code]).toEqual([500, 500, 200]);
    expect(await mailwizz.control('GET', '/faults')).toEqual({ faults: [{ route: 'lists', fault: 'http_500', count: 2, left: 0 }] });
  });

  test('a probability is drawn from the seed', async () => {
    await fault({ fault: 'http_500', probability: 0.5 });
    const draw = async () => {
      await mailwizz.control('PUT', '/seed', { seed: 3 });
      const codes = [];
      for (let calls = 0; calls < 20; calls += 1) codes.push((await call('GET', '/lists')).code);
      return codes;
    };
    const first = await draw();
    expect(new Set(first)).toEqual(new Set([200, 500]));
    expect(await draw()).toEqual(first);
  });

  test('after so many stored subscribers it begins', async () => {
    await fault({ fault: 'http_500', after: 3 });
    expect([(await create()).code, (await bulk(2)).code, (await create('c@example.test')).code]).toEqual([201, 200, 500]);
  });

  test('an unknown fault, route or setting is refused with all that there are', async () => {
    expect(await fault({ fault: 'nonsense' })).toMatchObject({ error: expect.stringContaining('an unknown fault'), faults: { hang: expect.any(String) } });
    expect(await fault({ fault: 'hang', route: 'nowhere' })).toMatchObject({ error: expect.stringContaining('route is * or one of lists') });
    expect(await fault({ fault: 'hang', cuont: 1 })).toMatchObject({ error: expect.stringContaining('cuont') });
    expect(await mailwizz.control('GET', '/faults')).toEqual({ faults: [] });
  });
});

describe('states', () => {
  test('down refuses connections until it is healed', async () => {
    await fault({ fault: 'down' });
    await expect(create()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await mailwizz.control('DELETE', '/faults');
    expect((await create()).code).toBe(201);
  });

  test('down may begin after so many stored subscribers, and the call that stored them is answered', async () => {
    await fault({ fault: 'down', after: 2 });
    expect([(await create()).code, (await create('b@example.test')).code]).toEqual([201, 201]);
    await expect(create('c@example.test')).rejects.toMatchObject({ code: expect.stringMatching(/ECONN/) });
  });

  test('mysql_down kills the connections of the instance’s user and lets none in; the API goes on', async () => {
    const connection = await mysql.createConnection(mailwizz.instance.mysql_url);
    const lost = new Promise((resolve) => connection.on('error', resolve));
    await fault({ fault: 'mysql_down' });
    await lost;
    await expect(mysql.createConnection(mailwizz.instance.mysql_url)).rejects.toMatchObject({ errno: accountLocked });
    expect((await create()).code).toBe(201);
    await mailwizz.control('DELETE', '/faults');
    const again = await mysql.createConnection(mailwizz.instance.mysql_url);
    const [rows] = await again.query('SELECT email FROM mw_list_subscriber');
    expect(rows).toEqual([{ email: 'a@example.test' }]);
    await again.end();
  });
});
