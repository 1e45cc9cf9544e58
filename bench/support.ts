import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Pool } from 'undici';
import { makeApiKey } from '../src/api/keys';

export const quick = process.argv.includes('--quick');
export const databaseUrl = process.env['DATABASE_URL'] ?? '';
export const adminKey = makeApiKey('adm').text;
const port = 28_080;
export const apiUrl = `http://127.0.0.1:${port}`;

/** One part of the engine as its own process, as in production. */
export function startPart(part: 'api' | 'worker', env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, ['bin/email-engine.cjs', part], {
    env: { ...process.env, PORT: String(port), LOG_LEVEL: 'warn', ADMIN_API_KEY: adminKey, SECRETS_KEY: `k1:${Buffer.alloc(32, 7).toString('base64')}`, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
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

/** CPU seconds a process and its children of one name have used. */
export function cpuOf(pattern: string): number {
  const ticks = 100;
  return pidsOf(pattern).reduce((sum, pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
      return sum + (Number(fields[11]) + Number(fields[12])) / ticks;
    } catch {
      return sum;
    }
  }, 0);
}

export function rssMbOf(pid: number): number {
  const line = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

function pidsOf(pattern: string): string[] {
  try {
    return execFileSync('pgrep', ['-f', pattern], { encoding: 'utf8' }).trim().split('\n');
  } catch {
    return [];
  }
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
