import { randomBytes } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { createServer } from 'node:net';
import { makeApiKey } from '../../src/api/keys';
import { sandboxInfo } from './sandbox';

type Part = 'api' | 'worker';
type Answer = { status: number; body: any; headers: Headers };
export type Engine = {
  url: string;
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
  /** Ends a part at once, as a crash would; `start` brings it back. */
  kill: (part: Part) => Promise<void>;
  start: (part: Part) => Promise<void>;
  stop: () => Promise<void>;
};

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** Real api and worker processes against one database, with short waits. */
export async function startEngine(
  databaseUrl: string,
  { temporal = process.env['TEST_TEMPORAL_ADDRESS'] ?? '', env = {}, only, logFile }: { temporal?: string; env?: Record<string, string>; only?: Part; logFile?: string } = {},
): Promise<Engine> {
  const port = await freePort();
  const adminKey = makeApiKey('adm').text;
  const settings = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal,
    TASK_QUEUE: `test-${randomBytes(4).toString('hex')}`,
    SECRETS_KEY: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    PORT: String(port),
    LOG_LEVEL: process.env['TEST_LOG'] ?? 'silent',
    ADMIN_API_KEY: adminKey,
    DNS_SERVERS: sandboxInfo().dns,
    VERIFICATION_DEPTH: 'dns',
    SMTP_DNS_WAITS: '200ms,300ms',
    INJECTION_WAITS: '300ms,500ms,1s,1s,2s,2s,5s,10s,10s,10s,10s',
    MAILWIZZ_PROBE_EVERY: '1s',
    DUE_BUCKET: '200ms',
    CAMPAIGN_LOOK: '300ms',
    // A busy machine may take long to start the worker; what a test asserts must not depend on it.
    INGEST_WAIT: '50s',
    ...env,
  };
  const parts = new Map<Part, ChildProcess>();
  const url = `http://127.0.0.1:${port}`;
  if (only !== 'worker') await start('api');
  if (only !== 'api') await start('worker');
  return { url, call, kill, start, stop: async () => void (await Promise.all([kill('worker'), kill('api')])) };

  async function start(part: Part): Promise<void> {
    parts.set(part, spawn(process.execPath, ['bin/email-engine.cjs', part], { env: settings, stdio: ['ignore', 'ignore', logFile === undefined ? 'inherit' : openSync(logFile, 'a')] }));
    if (part === 'api') await until(async () => (await fetch(`${url}/healthz`)).ok, 'the api');
  }

  async function kill(part: Part): Promise<void> {
    const child = parts.get(part);
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: (answer.headers.get('content-type') ?? '').includes('json') ? JSON.parse(text) : text, headers: answer.headers };
  }
}

/** Looks again until it is so; a minute at most. */
export async function until(check: () => Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await check().catch(() => false))) {
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const mappings: Record<string, Record<string, number>> = { 'client-1': { avocat: 12, assureur: 13, notaire: 14 }, 'client-2': { blogueur: 45, influenceur: 46, admin_facebook: 47 } };

/** Both stand-ins as instances, and sources whose home is client-1. */
export async function seed(engine: Engine, sourceIds = ['scraper-google-001']): Promise<void> {
  const made = async (answer: Promise<Answer>) => {
    const { status, body } = await answer;
    if (status >= 300) throw new Error(JSON.stringify(body));
  };
  for (const instance of sandboxInfo().instances) {
    const mysql = new URL(instance.mysql_url);
    const { instance_id, api_url, api_key } = instance;
    await made(
      engine.call('POST', '/api/v1/mailwizz-instances', {
        instance_id, api_url, api_key, name: instance_id, mysql_enabled: true, mysql_host: mysql.hostname, mysql_port: Number(mysql.port), mysql_database: mysql.pathname.slice(1),
        mysql_user: mysql.username, mysql_password: mysql.password, allow_private_network: true, list_mapping: mappings[instance_id],
      }),
    );
    await made(engine.call('PUT', `/api/v1/mailwizz-instances/${instance_id}/lists`, { lists: instance.lists }));
  }
  for (const source_id of sourceIds) await made(engine.call('POST', '/api/v1/data-sources', { source_id, source_type: 'scraping', name: source_id, default_mailwizz_instance: 'client-1' }));
}

export const makeContacts = (count: number, prefix: string, category = 'avocat') =>
  Array.from({ length: count }, (_, index) => ({ email: `${prefix}${index}@site-${index % 50}.example`, first_name: 'Jean', category, tags: ['expat'], country_code: 'TH', language: 'fr' }));

/** The batch when it has ended, with its sums checked. */
export async function settled(engine: Engine, batchId: string, limitMs = 120_000): Promise<any> {
  let batch: any;
  await until(
    async () => {
      batch = (await engine.call('GET', `/api/v1/batches/${batchId}`)).body;
      return batch.state === 'completed';
    },
    `batch ${batchId}`,
    limitMs,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)} ${JSON.stringify(batch)}`);
  });
  expect(batch.received).toBe(batch.accepted + batch.duplicates + batch.rejected);
  expect(batch.accepted).toBe(batch.injected + batch.invalid + batch.suppressed + batch.unroutable + batch.failed + batch.waiting);
  return batch;
}
