import { createGuard } from '../../../src/adapters/mailwizz/guard';
import { createConnections } from '../../../src/adapters/mailwizz/connection';
import { createApiClient } from '../../../src/adapters/mailwizz/api';
import { startOdd, success } from './support';

const loopbacks = [
  '127.0.0.1', '127.1', '127.0.1', '0', '0.0.0.0', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001', '①②⑦.0.0.1', '127。0。0。1', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]',
  '[0:0:0:0:0:ffff:127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', 'localhost', 'LOCALHOST', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '[fd00::1]', '[fe80::1]', '198.18.0.1',
  '192.0.2.1', '224.0.0.1', '255.255.255.255',
];

test('no spelling of a private address reaches a server on our side, through HTTP or as a MySQL host', async () => {
  const canary = await startOdd((_, res) => success(res));
  const port = Number(new URL(canary.settings.apiUrl).port);
  for (const host of loopbacks) {
    const api = createApiClient({ apiUrl: `http://${host}:${port}/api`, apiKey: 'k', allowPrivateNetwork: false, timeouts: { connectMs: 500, firstByteMs: 500, totalMs: 1_000 } });
    const answer = await api.request({ method: 'GET', path: '/lists' });
    await api.close();
    expect([host, answer]).toEqual([host, { kind: 'nothing', reason: expect.stringMatching(/^(private_network|enotfound|eai_again|ednstimeout)$/) }]);
    const mysql = createConnections({ host, port, database: 'd', user: 'u', password: 'p', tablePrefix: 'mw_' }, false);
    await expect(mysql.lend()).rejects.toThrow();
    await mysql.close();
  }
  expect(canary.seen).toHaveLength(0);
  await canary.stop();
});

test('an address written as such passes no look-up, so it is checked on its own', () => {
  const guard = createGuard({ allowPrivate: false, timeoutMs: 100 });
  expect(guard.check('[::1]')).toMatchObject({ kind: 'refused' });
  expect(guard.check('8.8.8.8')).toBeUndefined();
  expect(createGuard({ allowPrivate: true, timeoutMs: 100 }).check('127.0.0.1')).toBeUndefined();
});

test('the socket gets the very addresses that were checked', async () => {
  const guard = createGuard({ allowPrivate: true, timeoutMs: 5_000 });
  const all = await new Promise<unknown>((resolve, reject) => guard.lookup('localhost', { all: true }, (error, found) => (error ? reject(error) : resolve(found))));
  expect(all).toEqual(expect.arrayContaining([expect.objectContaining({ address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) })]));
});
