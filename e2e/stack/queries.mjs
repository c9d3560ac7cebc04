// Writes .sqlx, from which the SQL of the portal is checked where there is no database. Starts a Postgres
// of its own unless DATABASE_URL names one. With --check, only says whether .sqlx is as it should be.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from './postgres.mjs';
import { Processes } from './processes.mjs';
import { Refusal, runMain, say } from './say.mjs';

const root = join(import.meta.dirname, '../..');
const kept = join(root, '.sqlx');

await runMain(async () => {
  const checking = process.argv.includes('--check');
  const folder = mkdtempSync(join(tmpdir(), 'fairway-queries-'));
  const processes = new Processes(folder);
  try {
    const database = process.env.DATABASE_URL ?? (await migrated(processes, folder));
    const fresh = checking ? join(folder, 'sqlx') : kept;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh);
    describe(database, fresh);
    if (checking) compare(fresh);
  } finally {
    await processes.stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function migrated(processes, folder) {
  const { owner, psql } = await startPostgres(processes, folder);
  const migrations = join(root, 'migrations');
  for (const name of readdirSync(migrations).sort()) psql(readFileSync(join(migrations, name), 'utf8'));
  return owner;
}

/** The macros of sqlx write what the database says of each query while the crate is checked. */
function describe(database, target) {
  const now = new Date();
  utimesSync(join(root, 'app/src/lib.rs'), now, now);
  utimesSync(join(root, 'server/src/lib.rs'), now, now);
  const env = { ...process.env, DATABASE_URL: database, SQLX_OFFLINE_DIR: target, SQLX_OFFLINE: 'false' };
  const done = spawnSync('cargo', ['check', '-q'], { cwd: root, env, stdio: 'inherit' });
  if (done.status !== 0) throw new Refusal('the queries do not fit the database; the messages are above.');
}

function compare(fresh) {
  const text = (folder) => readdirSync(folder).sort().map((name) => `${name}\n${readFileSync(join(folder, name), 'utf8')}`).join('\n');
  if (text(fresh) !== text(kept)) throw new Refusal('.sqlx is not what the migrations and queries give: run make queries and commit it.');
  say(`${readdirSync(kept).length} queries checked against the migrated database`);
}
