// Programs of the machine: what is on PATH, and Debian packages for what is missing.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal, say } from '../say.mjs';
import { runLogged } from './cache.mjs';

/** The path of `program` on PATH, or undefined. */
export function onPath(program) {
  return (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find(existsSync);
}

let packageListIsFresh = false;

/** Installs Debian packages; does nothing for those that are installed. */
export function installPackages(...names) {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Refusal(`this machine has no apt-get. Install these packages and start again: ${missing.join(', ')}.`);
  }
  if (process.getuid() !== 0) {
    throw new Refusal(`some Debian packages are missing and only root can install them: sudo apt-get install ${missing.join(' ')}`);
  }
  say(`installing Debian packages: ${missing.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  if (!packageListIsFresh) runLogged('apt-update', 'apt-get', ['update', '-q'], { env });
  packageListIsFresh = true;
  runLogged('apt-install', 'apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
}

function isInstalled(name) {
  const status = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status}', name], { encoding: 'utf8' });
  return status.stdout === 'installed';
}
