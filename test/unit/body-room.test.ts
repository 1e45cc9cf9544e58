import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import { createBodyRoom, largestBody } from '../../src/api/body-room';
import { answerErrors } from '../../src/api/errors';
import { createHttpServer } from '../../src/api/http';
import { createLog } from '../../src/log';
import { until } from '../support/engine';

const room = 2 * largestBody;
let server: ReturnType<typeof createHttpServer>;
let port: number;
beforeEach(async () => {
  const app = express().use(createBodyRoom(room), express.raw({ type: 'application/json', limit: largestBody }), ((_req, res) => void res.json({})) satisfies RequestHandler, answerErrors(createLog('silent')));
  server = createHttpServer(app, { idleLimitMs: 60_000 }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A body of which only the beginning is sent until its end is asked for. */
async function begin(headers: Record<string, string | number>) {
  const sending = request({ port, method: 'POST', headers: { 'content-type': 'application/json', ...headers } });
  sending.on('error', () => undefined);
  const answered = new Promise<{ status: number | undefined; retryAfter: string | undefined }>((resolve) =>
    sending.once('response', (response) => resolve({ status: response.resume().statusCode, retryAfter: response.headers['retry-after'] })),
  );
  const received = once(server, 'request');
  sending.write('{');
  await received;
  return { sending, answered, end: (bytes: number) => sending.end(' '.repeat(bytes - 2) + '}') };
}
const declared = { 'content-length': largestBody };
const small = async (headers: Record<string, string> = {}) => (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', ...headers } })).status;

test('bodies on their way share one room: who finds it full is told when to come again, though his whole body is sent', async () => {
  const [first] = [await begin(declared), await begin(declared)];
  const third = await begin(declared);
  third.end(largestBody);
  expect(await third.answered).toEqual({ status: 429, retryAfter: '1' });
  expect(await small()).toBe(429);
  first.end(largestBody);
  expect((await first.answered).status).toBe(200);
  expect(await small()).toBe(200);
});

test('a sender that goes away gives its room back', async () => {
  const both = [await begin(declared), await begin(declared)];
  expect(await small()).toBe(429);
  both[0]!.sending.destroy();
  await until(async () => (await small()) === 200, 'room again');
});

test.each([
  ['without its length', { 'transfer-encoding': 'chunked' }],
  ['that is to be unpacked', { 'content-encoding': 'gzip', 'content-length': 1_000 }],
])('a body %s takes as much as it may become', async (_, headers) => {
  const open = [await begin(headers), await begin(headers)];
  expect(await small()).toBe(429);
  expect(open).toHaveLength(2);
});

test('a stream, which is never held whole, takes no room', async () => {
  await begin(declared);
  await begin(declared);
  expect(await small({ 'content-type': 'application/x-ndjson' })).toBe(200);
});
