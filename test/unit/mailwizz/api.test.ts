import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { toAnswer } from '../../../src/adapters/mailwizz/answer';
import { createApiClient, type Timeouts } from '../../../src/adapters/mailwizz/api';
import { newUid } from '../../../src/adapters/mailwizz/uid';
import { failure, type Handler, json, startOdd, success } from './support';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function arrange(handler: Handler, timeouts?: Timeouts) {
  const odd = await startOdd(handler);
  const api = createApiClient({ ...odd.settings, ...(timeouts && { timeouts }) });
  closing.push(odd.stop, api.close);
  return { ...odd, api };
}
const call = { method: 'POST' as const, path: '/lists', form: 'a=b' };

test.each<[string, Handler]>([
  ['no headers', () => undefined],
  ['a body that never ends', (_, res) => res.writeHead(200).write('{')],
  ['a body of one byte now and then', (_, res) => {
    res.writeHead(200);
    const drip = setInterval(() => res.write(' '), 20);
    res.on('close', () => clearInterval(drip));
  }],
])('%s: given up in time, and unknown', async (_name, handler) => {
  const { api } = await arrange(handler, { connectMs: 200, firstByteMs: 20_000, totalMs: 300 });
  const started = performance.now();
  expect(await api.request(call)).toEqual({ kind: 'unknown', reason: 'timeout' });
  expect(performance.now() - started).toBeLessThan(3_000);
});

test('no first byte in time is unknown, long before the whole time is over', async () => {
  const { api } = await arrange(() => undefined, { connectMs: 200, firstByteMs: 100, totalMs: 30_000 });
  const started = performance.now();
  expect(await api.request(call)).toEqual({ kind: 'unknown', reason: 'timeout' });
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('a host that takes the connection and says nothing at all is given up, too', async () => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const api = createApiClient({ apiUrl: `http://127.0.0.1:${(mute.address() as AddressInfo).port}/api`, apiKey: 'k', allowPrivateNetwork: true, timeouts: { connectMs: 200, firstByteMs: 200, totalMs: 400 } });
  expect(await api.request(call)).toEqual({ kind: 'unknown', reason: 'timeout' });
  await api.close();
  sockets.forEach((socket) => socket.destroy());
  await new Promise((resolve) => mute.close(resolve));
});

test.each([['http://nowhere.invalid/api', /^e/], ['http://127.0.0.1:1/api', /^econnrefused$/]])('%s did surely nothing', async (apiUrl, reason) => {
  const api = createApiClient({ apiUrl, apiKey: 'k', allowPrivateNetwork: true });
  const answer = await api.request(call);
  await api.close();
  expect(answer).toEqual({ kind: 'nothing', reason: expect.stringMatching(reason) });
});

test('what was called off before it was sent did surely nothing; afterwards nobody knows', async () => {
  const { api, seen } = await arrange(() => undefined);
  expect(await api.request({ ...call, signal: AbortSignal.abort() })).toEqual({ kind: 'nothing', reason: 'cancelled' });
  expect(seen).toHaveLength(0);
  const off = new AbortController();
  const answer = api.request({ ...call, signal: off.signal });
  while (seen.length === 0) await new Promise(setImmediate);
  off.abort();
  expect(await answer).toEqual({ kind: 'unknown', reason: 'cancelled' });
});

test.each(['ftp://x/api', 'nonsense'])('%s is no api_url', (apiUrl) => {
  expect(() => createApiClient({ apiUrl, apiKey: 'k', allowPrivateNetwork: false })).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('a redirect is not followed, and the key goes nowhere else', async () => {
  const canary = await startOdd((_, res) => json(res, 200, { status: 'success' }));
  closing.push(canary.stop);
  for (const status of [301, 302, 307, 308]) {
    const { api } = await arrange((_, res) => res.writeHead(status, { location: canary.settings.apiUrl }).end());
    expect(await api.request(call)).toEqual({ kind: 'unknown', reason: `http_${status}` });
  }
  expect(canary.seen).toHaveLength(0);
});

test('the key travels in X-API-KEY alone; PUT and DELETE name themselves for those who only let GET and POST through', async () => {
  const { api, seen } = await arrange((_, res) => success(res));
  await api.request({ method: 'PUT', path: '/x' });
  await api.request({ method: 'GET', path: '/x' });
  expect(seen[0]).toMatchObject({ method: 'PUT', headers: { 'x-api-key': 'k', 'x-http-method-override': 'PUT', 'content-length': '0' } });
  expect(seen[1]!.headers).toMatchObject({ 'x-api-key': 'k' });
  expect(Object.keys(seen[1]!.headers).filter((name) => name.startsWith('x-'))).toEqual(['x-api-key']);
});

const ok = JSON.stringify({ status: 'success', data: {} });
test.each<[string, string, string]>([
  ['nothing', '', 'empty_answer'], ['an empty PHP list', '[]', 'foreign_json'], ['foreign JSON', '{"ok":true}', 'foreign_json'], ['a number', '1', 'foreign_json'], ['null', 'null', 'foreign_json'],
  ['a web page', '<!doctype html><p>log in', 'html_answer'], ['cut JSON', ok.slice(0, -3), 'cut_json'], ['plain words', 'Service unavailable', 'foreign_text'],
  ['a PHP warning first', `<br />\n<b>Warning</b>: x in y.php on line 1<br />\n${ok}`, 'text_before_json'], ['a notice first', `Notice: x\n${ok}`, 'text_before_json'],
  ['an unknown status', '{"status":"maybe"}', 'foreign_json'], ['two answers', `${ok}${ok}`, 'text_before_json'],
])('a 200 with %s is unknown', (_name, text, reason) => expect(toAnswer(200, {}, text)).toEqual({ kind: 'unknown', reason }));

const said = (error: unknown) => JSON.stringify({ status: 'error', error });
test.each<[number, string, object]>([
  [200, ok, { kind: 'answer' }], [201, ok, { kind: 'answer' }], [404, said('The list does not exist.'), { kind: 'answer', status: 404 }], [200, `\ufeff${ok}`, { kind: 'answer' }],
  [401, '<html>', { kind: 'refused', reason: 'http_401' }], [401, said('Invalid API key. Please refer to the documentation.'), { kind: 'refused', reason: 'key_invalid' }],
  [403, said('You do not have enough permissions to access this endpoint.'), { kind: 'refused', reason: 'no_permission' }], [403, said('Hayır.'), { kind: 'refused', reason: 'http_403' }],
  [400, said('Your IP address is not allowed to access this server.'), { kind: 'refused', reason: 'ip_not_allowed' }],
  [400, said('Invalid API request params. Please refer to the documentation.'), { kind: 'refused', reason: 'key_not_read' }],
  [400, said('Invalid API request signature. Please refer to the documentation.'), { kind: 'refused', reason: 'signature_wanted' }],
  [403, '<html>blocked</html>', { kind: 'unknown', reason: 'foreign_403', retryAfterMs: 5_000 }], [404, '<html>', { kind: 'unknown', reason: 'foreign_404' }],
  [500, '', { kind: 'unknown', reason: 'http_500' }], [500, said('x'), { kind: 'unknown', reason: 'http_500' }], [502, '<html>', { kind: 'unknown', reason: 'http_502' }], [503, said('Service Unavailable.'), { kind: 'unknown', reason: 'http_503' }],
  [504, '<html>', { kind: 'unknown', reason: 'http_504' }], [429, '<html>', { kind: 'limited', reason: 'rate_limited', retryAfterMs: 5_000 }], [429, ok, { kind: 'limited' }],
])('a %i with %s is told apart', (status, text, expected) => expect(toAnswer(status, {}, text)).toMatchObject(expected));

test.each<[string, Record<string, string>, number]>([
  ['seconds', { 'retry-after': '7' }, 7_000], ['a date by their own clock', { 'retry-after': 'Wed, 25 Nov 2026 10:01:00 GMT', date: 'Wed, 25 Nov 2026 10:00:00 GMT' }, 60_000],
  ['a year', { 'retry-after': '31536000' }, 900_000], ['the past', { 'retry-after': 'Wed, 25 Nov 2020 10:01:00 GMT' }, 1_000], ['zero', { 'retry-after': '0' }, 1_000], ['nonsense', { 'retry-after': 'soon' }, 5_000],
])('Retry-After as %s is honoured within 15 minutes, on 429 as on 503', (_name, headers, retryAfterMs) => {
  expect(toAnswer(429, headers, '')).toMatchObject({ retryAfterMs });
  expect(toAnswer(503, headers, '<html>')).toMatchObject({ kind: 'unknown', retryAfterMs });
});

test('an error is read as text or by field', async () => {
  const { api } = await arrange((_, res) => failure(res, 422, { name: 'cannot be blank', from_name: ['a', 'b'] }));
  expect(await api.request(call)).toMatchObject({ kind: 'answer', status: 422, body: { error: { name: 'cannot be blank' } } });
});

test('our uids have the shape of all public ones', () => {
  for (let times = 0; times < 1_000; times += 1) expect(newUid()).toMatch(/^[a-z]{2}[0-9]{3}[a-z0-9]{5}[0-9a-f]{3}$/);
});
