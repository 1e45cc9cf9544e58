import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './engine';

export type Services = {
  settings: Record<string, string>;
  end: (signal: NodeJS.Signals) => Promise<void>;
};

/** `npm run services` on a folder of its own, whose servers a test may kill; their ports are remembered there. */
export async function startServices(dataDir: string): Promise<Services> {
  const { DATABASE_URL: _, TEMPORAL_ADDRESS: __, ...env } = process.env;
  const child = spawn(process.execPath, ['scripts/services.mjs', '--json'], { env: { ...env, DATA_DIR: dataDir }, stdio: ['ignore', 'pipe', 'inherit'] });
  const settings = await new Promise<Record<string, string>>((resolve) => child.stdout.once('data', (line: Buffer) => resolve(JSON.parse(line.toString()) as Record<string, string>)));
  return {
    settings,
    end: (signal) =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill(signal);
      }),
  };
}

export function makeDataDir(): string {
  const dataDir = mkdtempSync(join(process.env['TEST_DIR'] ?? tmpdir(), 'email-engine-kill-'));
  chmodSync(dataDir, 0o755); // Postgres runs as another user there
  return dataDir;
}

/** The Temporal server of that folder by its command line, which names it. */
export function temporalPid(dataDir: string): number | undefined {
  const line = execFileSync('pgrep', ['-fa', 'start-dev'], { encoding: 'utf8' }).split('\n').find((entry) => entry.includes(dataDir) && !entry.includes('sh -c'));
  return line === undefined ? undefined : Number(line.split(' ')[0]);
}

/** As a crash would; the services start it again on the same file. */
export async function killTemporal(dataDir: string): Promise<void> {
  const pid = temporalPid(dataDir)!;
  process.kill(pid, 'SIGKILL');
  await until(async () => ![pid, undefined].includes(temporalPid(dataDir)), 'another Temporal');
}

/** Everything that Temporal knows. What was killed with it needs a moment to let go of the file. */
export async function deleteTemporalStore(dataDir: string): Promise<void> {
  await until(async () => temporalPid(dataDir) === undefined, 'the end of Temporal', 15_000);
  for (const file of ['temporal.db', 'temporal.db-wal', 'temporal.db-shm']) rmSync(join(dataDir, file), { force: true });
}
