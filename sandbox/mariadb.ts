import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';

const programs = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'];
const find = (name: string) => programs.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? name;

export type Mariadb = { url: string; stop: () => Promise<void> };

/** A MariaDB of our own under `dataDir`, on loopback; SANDBOX_MYSQL_URL names another one instead. */
export async function startMariadb({ dataDir, port }: { dataDir: string; port: number }): Promise<Mariadb> {
  const named = process.env['SANDBOX_MYSQL_URL'];
  if (named) return { url: named.replace(/\/$/, ''), stop: async () => undefined };
  const data = join(dataDir, 'mariadb');
  mkdirSync(dataDir, { recursive: true });
  if (!existsSync(join(data, 'mysql'))) {
    execFileSync(find('mariadb-install-db'), ['--no-defaults', `--user=${userName()}`, '--auth-root-authentication-method=normal', '--skip-test-db', `--datadir=${data}`], { stdio: 'ignore' });
  }
  await endStale(join(dataDir, 'mariadb.pid'));
  const log = openSync(join(dataDir, 'mariadb.log'), 'a');
  // The shell holds the read end of our pipe: when we die, by kill -9 too, it closes and takes the server along.
  const script = '"$@" </dev/null & child=$!; (while read -r _ <&3; do :; done; kill -TERM $child 2>/dev/null) & wait $child';
  const flags = [
    '--no-defaults', `--user=${userName()}`, `--datadir=${data}`, `--socket=/tmp/email-engine-mariadb-${port}.sock`, `--port=${port}`, '--bind-address=127.0.0.1',
    `--pid-file=${join(dataDir, 'mariadb.pid')}`, '--skip-name-resolve', '--innodb-buffer-pool-size=512M', '--innodb-flush-log-at-trx-commit=2', '--skip-log-bin',
    '--character-set-server=utf8mb4', '--innodb-log-file-size=256M', '--max-connections=300',
  ];
  const child = spawn('sh', ['-c', script, 'sh', find('mariadbd'), ...flags], { stdio: ['ignore', log, log, 'pipe'], detached: true });
  const url = `mysql://root@127.0.0.1:${port}`;
  await ready(url, child);
  return { url, stop: () => stop(child) };
}

const userName = () => (process.getuid?.() === 0 ? 'root' : (process.env['USER'] ?? 'mysql'));

async function ready(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error('MariaDB ended before it was ready: see mariadb.log');
    try {
      const connection = await mysql.createConnection(url);
      await connection.end();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error('MariaDB was not ready within 30 s');
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    const pipe = child.stdio[3];
    if (pipe && 'destroy' in pipe) pipe.destroy();
  });
}

async function endStale(pidFile: string): Promise<void> {
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
  const alive = () => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('mariadbd');
  if (pid === 0 || !alive()) return;
  process.kill(pid, 'SIGTERM');
  for (let tries = 0; tries < 100 && alive(); tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
}
