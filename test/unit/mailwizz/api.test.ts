import { createApiClient } from '../../../src/adapters/mailwizz/api';
import { newUid } from '../../../src/adapters/mailwizz/uid';
import { startOdd } from './support';

test.each([
  ['no headers', (_: unknown, _res: unknown) => undefined],
  ['a body that never ends', (_: unknown, res: { writeHead: (status: number) => { write: (text: string) => void } }) => res.writeHead(200).write('{')],
])('%s: given up in time, and unknown', async (_name, handler) => {
  const odd = await startOdd(handler);
  const api = createApiClient({ ...odd.settings, timeouts: { connectMs: 200, firstByteMs: 20_000, totalMs: 300 } });
  const started = performance.now();
  const answer = await api.request({ method: 'POST', path: '/lists', form: 'a=b' });
  await api.close();
  await odd.stop();
  expect(answer).toEqual({ kind: 'unknown', reason: 'timeout' });
  expect(performance.now() - started).toBeLessThan(3_000);
});

test('a name that does not resolve did surely nothing', async () => {
  const api = createApiClient({ apiUrl: 'http://nowhere.invalid/api', apiKey: 'k', allowPrivateNetwork: false });
  const answer = await api.request({ method: 'GET', path: '/lists' });
  await api.close();
  expect(answer).toMatchObject({ kind: 'nothing' });
});

test.each(['ftp://x/api', 'nonsense'])('%s is no api_url', (apiUrl) => {
  expect(() => createApiClient({ apiUrl, apiKey: 'k', allowPrivateNetwork: false })).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('our uids have the shape of all public ones', () => {
  for (let times = 0; times < 1_000; times += 1) expect(newUid()).toMatch(/^[a-z]{2}[0-9]{3}[a-z0-9]{5}[0-9a-f]{3}$/);
});
