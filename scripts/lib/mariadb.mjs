import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { fail, say } from './settings.mjs';

const places = ['/usr/sbin/mariadbd', '/usr/bin/mariadbd', '/usr/local/bin/mariadbd', '/usr/local/sbin/mariadbd'];
const present = () => places.some((place) => existsSync(place)) || spawnSync('mariadbd', ['--version']).status === 0;

/** The sandbox's MySQL: named by SANDBOX_MYSQL_URL, already installed, or from Debian's packages. */
export function ensureMariadb(env) {
  if (env.SANDBOX_MYSQL_URL || present()) return;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say('Installing MariaDB from Debian’s packages (the sandbox’s MySQL; about half a minute, once) …');
    // The package would start a server of its own; ours runs in its own folder and port.
    const policy = '/usr/sbin/policy-rc.d';
    const ours = !existsSync(policy);
    if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    const options = { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
    spawnSync('apt-get', ['update', '-qq'], options);
    const installed = spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'mariadb-server'], options);
    if (ours) rmSync(policy);
    if (installed.status === 0 && present()) return;
  }
  fail('The sandbox needs MariaDB: install mariadb-server, or set SANDBOX_MYSQL_URL=mysql://root@host:3306 to one that may be written to.');
}
