import { Pool as PgPool } from 'pg';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { from as copyFrom } from 'pg-copy-streams';
import { adminKey, apiUrl, call, databaseUrl, makeContact, percentile, pool, quick, startPart, stopPart, until } from './support';

const source = 'scraper-google-001';
const bulkCalls = quick ? 40 : 200;
const perCall = 1_000;
const callers = 4;
const singleCallers = 32;
const singleMs = quick ? 3_000 : 10_000;

/** How fast the API commits, beside a bare COPY of the same rows into the same table in the same run. */
async function main(): Promise<void> {
  const api = startPart('api');
  await until(async () => (await fetch(`${apiUrl}/healthz`)).ok, 30_000);
  await call('POST', '/api/v1/data-sources', { source_id: source, source_type: 'scraping', name: source });
  const bodies = Array.from({ length: bulkCalls }, (_, n) => JSON.stringify({ source_id: source, contacts: Array.from({ length: perCall }, (_, row) => makeContact(n * perCall + row, 'bulk-')) }));
  const copyRate = await measureCopy(bodies);
  await postAll(bodies.slice(0, 10)); // warm
  const bulkStarted = Date.now();
  await postAll(bodies);
  const bulkRate = (bulkCalls * perCall) / ((Date.now() - bulkStarted) / 1000);
  const copyAgain = await measureCopy(bodies);
  const baseline = (copyRate + copyAgain) / 2;
  const singles = await measureCalls(single);
  const empty = await measureCalls(nothing);
  await pool.close();
  await stopPart(api);
  console.log('ingest, everything on this machine');
  console.log(`  1,000 contacts a call, ${callers} callers   ${bulkRate.toFixed(0).padStart(8)} contacts/s`);
  console.log(`  bare COPY of the same rows, ${callers} writers ${baseline.toFixed(0).padStart(8)} rows/s`);
  console.log(`  one contact a call, ${singleCallers} callers      ${singles.rate.toFixed(0).padStart(8)} calls/s   p50 ${singles.p50.toFixed(1)} ms   p99 ${singles.p99.toFixed(1)} ms`);
  console.log(`  the same callers at /healthz         ${empty.rate.toFixed(0).padStart(8)} calls/s   ratio ${(singles.rate / empty.rate).toFixed(2)}`);
  console.log(`bench ingest: contacts_per_s=${bulkRate.toFixed(0)} ratio_to_copy=${(bulkRate / baseline).toFixed(2)} single_calls_per_s=${singles.rate.toFixed(0)} single_p99_ms=${singles.p99.toFixed(1)}`);
}

async function postAll(bodies: string[]): Promise<void> {
  const queue = [...bodies];
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let body = queue.pop(); body !== undefined; body = queue.pop()) await call('POST', '/api/v1/contacts/ingest', body, { prefer: 'respond-async' });
    }),
  );
}

/** The floor under us: the same payloads as text, one COPY and one commit a call, as many writers. */
async function measureCopy(bodies: string[]): Promise<number> {
  const database = new PgPool({ connectionString: databaseUrl, max: callers });
  const pieces = bodies.map((body, n) => {
    const { contacts } = JSON.parse(body) as { contacts: unknown[] };
    return contacts.map((row, index) => `${-n - 1}\t${index}\t2026-11-24T00:00:00Z\t${JSON.stringify(row)}\n`).join('');
  });
  const month = new Date().toISOString();
  const queue = pieces.map((piece) => piece.replaceAll('2026-11-24T00:00:00Z', month));
  const started = Date.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      const client = await database.connect();
      for (let piece = queue.pop(); piece !== undefined; piece = queue.pop()) {
        await pipeline(Readable.from([piece]), client.query(copyFrom('copy batch_rows (batch_id, row_number, received_at, payload) from stdin')));
      }
      client.release();
    }),
  );
  const rate = (bodies.length * perCall) / ((Date.now() - started) / 1000);
  await database.query('delete from batch_rows where batch_id < 0');
  await database.end();
  return rate;
}

const single = (index: number) => pool.request({
  method: 'POST',
  path: '/api/v1/contacts/ingest',
  headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', prefer: 'respond-async' },
  body: JSON.stringify({ source_id: source, contacts: [makeContact(index, 'single-')] }),
});
/** What the machine gives to a call that does nothing. */
const nothing = () => pool.request({ method: 'GET', path: '/healthz' });

async function measureCalls(request: (index: number) => ReturnType<typeof nothing>) {
  const times: number[] = [];
  const end = Date.now() + singleMs;
  let index = 0;
  const started = Date.now();
  await Promise.all(
    Array.from({ length: singleCallers }, async () => {
      while (Date.now() < end) {
        const before = performance.now();
        const answer = await request((index += 1));
        await answer.body.dump();
        if (answer.statusCode >= 300) throw new Error(`answered ${answer.statusCode}`);
        times.push(performance.now() - before);
      }
    }),
  );
  const sorted = times.toSorted((a, b) => a - b);
  return { rate: times.length / ((Date.now() - started) / 1000), p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
