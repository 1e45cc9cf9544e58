import { call, cpuOf, makeContact, pool, quick, rssMbOf, startPart, stopPart, until, apiUrl } from './support';

type Instance = { instance_id: string; api_url: string; api_key: string; lists: { list_id: number; list_uid: string; name: string }[] };
type Batch = { state: string; injected: number; accepted: number; waiting: number };
const sandbox = JSON.parse(process.env['BENCH_SANDBOX'] ?? '{}') as { instances: Instance[]; dns: string };
const source = 'scraper-google-001';
const main100 = quick ? 20_000 : 100_000;
const small = quick ? 10_000 : 50_000;
const large = quick ? 50_000 : 500_000;
const perUpload = 10_000;

/** Posted to injected, at depth dns, everything on this machine; and what one contact costs as the load grows. */
async function main(): Promise<void> {
  const env = { DNS_SERVERS: sandbox.dns, VERIFICATION_DEPTH: 'dns', DUE_BUCKET: '500ms' };
  const api = startPart('api', env);
  await until(async () => (await fetch(`${apiUrl}/healthz`)).ok, 30_000);
  for (const { instance_id, api_url, api_key, lists } of sandbox.instances) {
    await call('POST', '/api/v1/mailwizz-instances', { instance_id, name: instance_id, api_url, api_key, allow_private_network: true, list_mapping: { avocat: 12, assureur: 13, notaire: 14 } });
    await call('PUT', `/api/v1/mailwizz-instances/${instance_id}/lists`, { lists });
  }
  await call('POST', '/api/v1/data-sources', { source_id: source, source_type: 'scraping', name: source, default_mailwizz_instance: 'client-1' });
  const worker = startPart('worker', env);
  await run(2_000, 'warm-');
  const figures = [];
  let rss = 0;
  const watching = setInterval(() => (rss = Math.max(rss, rssMbOf(worker.pid ?? 0))), 250);
  for (const [count, name] of [[main100, 'main'], [small, 'small'], [large, 'large']] as const) figures.push({ name, ...(await run(count, `${name}-`)) });
  clearInterval(watching);
  console.log('pipeline: posted → injected into the sandbox, depth dns');
  console.log('  contacts   seconds  contacts/s   CPU s: postgres  temporal  api  worker  sandbox  mariadb');
  for (const f of figures) {
    const cpu = f.cpu;
    console.log(`  ${String(f.count).padStart(8)}  ${f.seconds.toFixed(1).padStart(7)}  ${f.rate.toFixed(0).padStart(9)}  ${[cpu.postgres, cpu.temporal, cpu.api, cpu.worker, cpu.sandbox, cpu.mariadb].map((value) => value.toFixed(1).padStart(9)).join('')}`);
  }
  const [first, before, after] = figures;
  if (!first || !before || !after) throw new Error('a run is missing');
  const total = Object.values(first.cpu).reduce((sum, value) => sum + value, 0);
  const growth = after.seconds / after.count / (before.seconds / before.count);
  console.log(`bench pipeline: contacts_per_s=${first.rate.toFixed(0)} temporal_share=${(first.cpu.temporal / total).toFixed(2)} worker_rss_mb=${rss} cost_growth=${growth.toFixed(2)}`);
  await pool.close();
  await stopPart(worker);
  await stopPart(api);
}

const cpuNow = () => ({ postgres: cpuOf('postgres'), temporal: cpuOf('server start-dev'), api: cpuOf('email-engine.cjs api'), worker: cpuOf('email-engine.cjs worker'), sandbox: cpuOf('sandbox/main.ts'), mariadb: cpuOf('mariadbd --no-defaults') });

async function run(count: number, prefix: string) {
  const before = cpuNow();
  const started = Date.now();
  const batches: string[] = [];
  for (let from = 0; from < count; from += perUpload) {
    const contacts = Array.from({ length: Math.min(perUpload, count - from) }, (_, row) => makeContact(from + row, prefix));
    const answer = await call<{ batch_id: string }>('POST', '/api/v1/contacts/ingest', { source_id: source, contacts }, { prefer: 'respond-async' });
    batches.push(answer.batch_id);
  }
  for (const id of batches) {
    await until(async () => {
      const batch = await call<Batch>('GET', `/api/v1/batches/${id}`);
      if (batch.state === 'completed' && batch.injected !== batch.accepted) throw new Error(`batch ${id}: ${JSON.stringify(batch)}`);
      return batch.state === 'completed';
    }, 900_000);
  }
  const seconds = (Date.now() - started) / 1000;
  const after = cpuNow();
  const cpu = { ...after };
  for (const name of ['postgres', 'temporal', 'api', 'worker', 'sandbox', 'mariadb'] as const) cpu[name] = after[name] - before[name];
  return { count, seconds, rate: count / seconds, cpu };
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
