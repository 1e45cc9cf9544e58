import { once } from 'node:events';
import { type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createHttpServer } from '../../src/api/http';

const idleLimitMs = 300;
let server: Server;
beforeAll(async () => {
  server = createHttpServer((req, res) => void req.resume().on('end', () => res.end('done')), { idleLimitMs }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

const open = (): Socket => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8').on('error', () => undefined);
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n');
  return socket;
};

test('a connection on which nothing moves is closed', async () => {
  const socket = open();
  const began = Date.now();
  await once(socket, 'close');
  expect(Date.now() - began).toBeGreaterThanOrEqual(idleLimitMs - 20);
});

test('an upload may last much longer than that, as long as it moves', async () => {
  const socket = open();
  let answer = '';
  socket.on('data', (text: string) => (answer += text));
  let sent = 0;
  const sending = setInterval(() => {
    sent += 1;
    socket.write(sent === 12 ? '0\r\n\r\n' : '1\r\nx\r\n');
  }, idleLimitMs / 4);
  await once(socket, 'close');
  clearInterval(sending);
  expect([sent, answer.split('\r\n')[0]]).toEqual([12, 'HTTP/1.1 200 OK']);
});
