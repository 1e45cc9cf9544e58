import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Pool } from 'undici';
import { makeApiKey } from '../src/api/keys';

export const quick = process.argv.includes('--quick');
export const databaseUrl = process.env['DATABASE_URL'] ?? '';
export const adminKey = makeApiKey('adm').text;
const port = Number(process.env['BENCH_PORT'] ?? 28_080);
export const apiUrl = `http://127.0.0.1:${port}`;

/** One part of the engine as its own process, as in production. */
export function startPart(part: 'api' | 'worker', env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, ['bin/email-engine.cjs', part], {
    env: { ...process.env, PORT: String(port), LOG_LEVEL: 'warn', ADMIN_API_KEY: adminKey, SECRETS_KEY: `k1:${Buffer.alloc(32, 7).toString('base64')}`, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL')); // a benchmark that fails leaves nothing running
  return child;
}

export async function stopPart(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

export async function until(check: () => Promise<boolean>, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await check().catch(() => false))) {
    if (Date.now() > end) throw new Error(`not within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const pool = new Pool(apiUrl, { connections: 40, pipelining: 1 });

export async function call<T>(method: 'GET' | 'POST' | 'PUT', path: string, body?: string | object, headers: Record<string, string> = {}): Promise<T> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await pool.request({ method, path, headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', ...headers }, ...(text !== undefined && { body: text }) });
  const parsed: unknown = await answer.body.json();
  if (answer.statusCode >= 300) throw new Error(`${path} answered ${answer.statusCode}: ${JSON.stringify(parsed)}`);
  return parsed as T;
}

/** CPU seconds that our own processes with this in their command line have used, those included that have ended below them. */
export const cpuOf = (pattern: string): number => ownProcesses().reduce((sum, { command, cpuSeconds }) => (command.includes(pattern) ? sum + cpuSeconds : sum), 0);

type Process = { pid: number; parent: number; command: string; cpuSeconds: number };

/** All below scripts/bench.mjs: another Postgres on this machine is none of ours. */
function ownProcesses(): Process[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap(readProcess);
  const own = new Set([Number(process.env['BENCH_ROOT_PID'] ?? process.pid)]);
  for (let before = 0; before < own.size; ) {
    before = own.size;
    for (const { pid, parent } of all) if (own.has(parent)) own.add(pid);
  }
  return all.filter(({ pid }) => own.has(pid));
}

const ticksPerSecond = 100;

function readProcess(pid: string): Process[] {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ').map(Number);
    const [, parent = 0] = fields;
    const cpuSeconds = fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) / ticksPerSecond;
    return [{ pid: Number(pid), parent, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '), cpuSeconds }];
  } catch {
    return []; // it has ended
  }
}

export function rssMbOf(pid: number): number {
  const line = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

export const makeContact = (index: number, prefix: string) => ({
  email: `${prefix}${index}@site-${index % 5_000}.example`,
  first_name: 'Jean',
  last_name: 'Dupont',
  company: `Cabinet Dupont ${index}`,
  phone: '+66 2 123 4567',
  website: `https://site-${index % 5_000}.example`,
  country_code: 'TH',
  language: 'fr',
  category: ['avocat', 'assureur', 'notaire'][index % 3],
  tags: ['avocat', 'bangkok', 'expat'],
  raw_data: { rank: index, query: 'avocat Bangkok' },
});

export const percentile = (sorted: number[], share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
