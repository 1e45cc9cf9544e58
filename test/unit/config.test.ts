import { ConfigError, loadConfig, loadStoreConfig } from '../../src/config';

const needed = { DATABASE_URL: 'postgres://a@b/c', TEMPORAL_ADDRESS: 'localhost:7233' };
const linesOf = (settings: Record<string, string>) => {
  try {
    loadConfig({ ...needed, ...settings });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
};

test.each([
  ['DNS_SERVERS', '999.1.1.1:53'],
  ['DNS_SERVERS', '9.9.9.9:0'],
  ['DNS_SERVERS', '9.9.9.9:99999'],
  ['DNS_SERVERS', '[12345::1]:53'],
  ['DNS_SERVERS', 'dns.example:53'],
  ['TEMPORAL_ADDRESS', 'localhost:99999'],
  ['DATABASE_URL', 'postgres://u:p#w@host:5432/db'],
])('%s=%s is refused at start, not met later', (name, value) => {
  expect(linesOf({ [name]: value })).toEqual([expect.stringMatching(`^${name} is `)]);
});

test.each(['9.9.9.9', '9.9.9.9:53,1.1.1.1:53', '[2620:fe::fe]:53', '[::1]'])('DNS_SERVERS=%s is taken', (value) => expect(linesOf({ DNS_SERVERS: value })).toEqual([]));
test.each(['postgres://u@/db?host=/var/run/postgresql', 'postgresql://u:p%23w@host/db'])('DATABASE_URL=%s is taken', (value) => expect(linesOf({ DATABASE_URL: value })).toEqual([]));

test.each([
  [{ TEMPORAL_TLS_CERT: 'c' }, 'TEMPORAL_TLS_KEY is missing'],
  [{ TEMPORAL_TLS_KEY: 'k' }, 'TEMPORAL_TLS_CERT is missing'],
  [{ SECRETS_OLD_KEYS: `k1:${'A'.repeat(43)}=` }, 'SECRETS_KEY is missing'],
])('half of a pair (%j) is named, not ignored', (settings, line) => {
  expect(linesOf(settings as unknown as Record<string, string>)).toEqual([expect.stringContaining(line)]);
});

test('a message names a command that exists', () => {
  expect(linesOf({ ADMIN_API_KEY: 'x' })).toEqual([expect.stringContaining('`email-engine keys create`')]);
});

test("an operator's command needs a database and nothing else", () => {
  expect(loadStoreConfig({ DATABASE_URL: needed.DATABASE_URL, PORT: 'nonsense' })).toMatchObject({ databaseUrl: needed.DATABASE_URL, dataDir: '.data' });
  expect(() => loadStoreConfig({})).toThrow('DATABASE_URL is missing');
});
