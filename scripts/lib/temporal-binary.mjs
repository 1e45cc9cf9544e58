import { createHash } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, root, say } from './settings.mjs';

export const temporalVersion = '1.8.2';
const cacheDir = () => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'email-engine');

/** The pinned CLI: on the PATH, in our cache, from the official release, or built through the Go module proxy. */
export async function findTemporal() {
  if (versionOf('temporal') === temporalVersion) return 'temporal';
  const cached = join(cacheDir(), `temporal-${temporalVersion}`);
  if (existsSync(cached) && versionOf(cached) === temporalVersion) return cached;
  mkdirSync(cacheDir(), { recursive: true });
  if (await downloadRelease(cached)) return cached;
  await buildWithGo(cached);
  return cached;
}

function versionOf(binary) {
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return /temporal version (\S+)/.exec(stdout ?? '')?.[1];
}

/** True when the archive came and its checksum is the published one. */
async function downloadRelease(target) {
  const name = `temporal_cli_${temporalVersion}_${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}.tar.gz`;
  const base = `https://github.com/temporalio/cli/releases/download/v${temporalVersion}`;
  try {
    const sums = await get(`${base}/checksums.txt`, 5_000).then((body) => body.toString());
    const wanted = new RegExp(`^([0-9a-f]{64})\\s+\\*?${name.replaceAll('.', '\\.')}$`, 'm').exec(sums)?.[1];
    if (!wanted) return false;
    say(`Downloading Temporal ${temporalVersion} …`);
    const archive = await get(`${base}/${name}`, 300_000);
    if (createHash('sha256').update(archive).digest('hex') !== wanted) fail('The Temporal archive does not have its published checksum.');
    const folder = mkdtempSync(join(tmpdir(), 'email-engine-temporal-'));
    writeFileSync(join(folder, name), archive);
    const unpacked = spawnSync('tar', ['-xzf', name], { cwd: folder });
    if (unpacked.status === 0) install(join(folder, 'temporal'), target);
    rmSync(folder, { recursive: true });
    return unpacked.status === 0;
  } catch {
    return false; // no way out to the release: the Go module proxy is next
  }
}

async function get(url, limitMs) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
  if (!answer.ok) throw new Error(String(answer.status));
  return Buffer.from(await answer.arrayBuffer());
}

async function buildWithGo(target) {
  ensureGo();
  const folder = mkdtempSync(join(tmpdir(), 'email-engine-temporal-'));
  cpSync(join(root, 'scripts', 'temporal'), folder, { recursive: true });
  const started = Date.now();
  const tell = () => say(`Building Temporal ${temporalVersion} with Go (3 to 5 minutes, once) … ${Math.round((Date.now() - started) / 1000)} s`);
  tell();
  const ticking = setInterval(tell, 15_000);
  const build = spawn(
    'go',
    ['build', '-trimpath', '-ldflags', `-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=${temporalVersion}`, '-o', 'temporal', 'github.com/temporalio/cli/cmd/temporal'],
    { cwd: folder, env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let errors = '';
  build.stderr.on('data', (text) => (errors = (errors + text).slice(-4_000)));
  const code = await new Promise((resolve) => build.once('exit', resolve));
  clearInterval(ticking);
  if (code !== 0) fail(`Temporal could not be built:\n${errors}\nPut the Temporal CLI ${temporalVersion} on the PATH, or set TEMPORAL_ADDRESS.`);
  install(join(folder, 'temporal'), target);
  rmSync(folder, { recursive: true });
}

function ensureGo() {
  if (spawnSync('go', ['version']).status === 0) return;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say('Installing Go from Debian’s packages (it builds Temporal, once) …');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { env });
    if (spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'golang-go', 'ca-certificates'], { env }).status === 0) return;
  }
  fail(`Temporal is missing: put the Temporal CLI ${temporalVersion} on the PATH, install Go ≥ 1.21, or set TEMPORAL_ADDRESS to a server of your own.`);
}

function install(from, to) {
  chmodSync(from, 0o755);
  cpSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}
