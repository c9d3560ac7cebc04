// A private Postgres: own data folder, own port, on the loopback address only.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, until } from './processes.mjs';
import { Refusal } from './say.mjs';
import { installPackages } from './tools/debian.mjs';
import { postgres } from './tools/programs.mjs';


/** The library that shifts what a program takes for the time (Debian's faketime). */
function faketime() {
  const found = () => readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`).find(existsSync);
  if (!found()) installPackages('faketime');
  return found();
}

/**
 * Starts Postgres. Gives the owner's address (migrations run as the owner) and the portal's, whose role owns nothing.
 * With `shiftable`, also `shiftClock(days)`, which sets the clock of the database so many days back: what people do
 * meanwhile has happened then.
 */
export async function startPostgres(processes, folder, { shiftable = false, onLost } = {}) {
  const bin = postgres();
  const data = join(folder, 'postgres');
  mkdirSync(data, { mode: 0o700 });
  // Postgres refuses to run as root.
  const asUser = process.getuid() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  if (asUser.length) {
    const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    chmodSync(folder, 0o711);
    chownSync(data, id('-u'), id('-g'));
  }
  const reachable = spawnSync('runuser', ['-u', 'postgres', '--', 'test', '-w', data]).status === 0;
  if (asUser.length && !reachable) throw new Refusal(`the user postgres cannot reach ${folder}: set TMPDIR to a folder that every user may enter.`);
  const run = (program, ...args) => execFileSync([...asUser, join(bin, program)][0], [...asUser, join(bin, program), ...args].slice(1), { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
  run('initdb', '-D', data, '-U', 'owner', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync');
  const port = await freePort();
  const clock = shiftable ? shiftableClock(folder) : undefined;
  const [program, ...args] = [...asUser, join(bin, 'postgres'), '-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'fsync=off', '-c', 'max_connections=200'];
  const entry = processes.start('postgres', program, args, { onLost, cwd: '/', env: clock?.env });
  const owner = `postgres://owner@127.0.0.1:${port}/fairway`;
  const psql = (database, sql) => execFileSync(join(bin, 'psql'), ['-qAt', '-v', 'ON_ERROR_STOP=1', '-d', `postgres://owner@127.0.0.1:${port}/${database}`, '-c', sql], { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  await until('Postgres', () => psql('postgres', 'select 1'), 30);
  psql('postgres', 'create role fairway_app nologin');
  psql('postgres', 'create role fairway login in role fairway_app');
  psql('postgres', 'create database fairway');
  const shiftClock = clock && (async (days) => {
    clock.set(days);
    const isThere = () => Math.abs(Number(psql('postgres', `select extract(epoch from now()) - ${Date.now() / 1000}`)) + days * 86_400) < 60;
    await until('the clock of the database', isThere, 15);
  });
  return { owner, portal: `postgres://fairway@127.0.0.1:${port}/fairway`, psql: (sql) => psql('fairway', sql), shiftClock, entry };
}

function shiftableClock(folder) {
  const file = join(folder, 'database-clock');
  const set = (days) => writeFileSync(file, `-${days}d\n`, { mode: 0o644 });
  set(0);
  return { set, env: { LD_PRELOAD: faketime(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' } };
}
