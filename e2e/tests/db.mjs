// What is really stored: rows in Postgres and objects in the cluster, read behind the portal's back.

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kube } from '../stack/kube.mjs';
import { postgres } from '../stack/tools/programs.mjs';
import { stack } from './portal.mjs';

/** The rows of a query, as objects. */
export function rows(sql, database = stack.database) {
  const psql = join(postgres(), 'psql');
  const query = `select coalesce(json_agg(found), '[]') from (${sql}) as found`;
  return JSON.parse(execFileSync(psql, ['-qAt', '-v', 'ON_ERROR_STOP=1', '-d', database, '-c', query], { encoding: 'utf8' }));
}

/** Does as the owner what triggers would refuse, for example to let time pass. */
export function forge(sql, database = stack.database) {
  execFileSync(join(postgres(), 'psql'), ['-qAt', '-v', 'ON_ERROR_STOP=1', '-d', database, '-c', `set session_replication_role = replica; ${sql}`]);
}

/** Keeps everyone from writing to a table until what it gives is called. */
export async function holdTable(table, database = stack.database) {
  const psql = spawn(join(postgres(), 'psql'), ['-qAt', '-d', database], { stdio: ['pipe', 'pipe', 'inherit'] });
  psql.stdin.write(`begin; lock table ${table} in exclusive mode; select 'held';\n`);
  for await (const chunk of psql.stdout) if (String(chunk).includes('held')) break;
  return () => psql.stdin.end('rollback;\n');
}

/** The cluster, with all rights. */
export const kube = Kube.fromConfig(stack.kubeconfig);

/** Who the API server says made a request: its own audit log, line by line. */
export function clusterAudit() {
  return readFileSync(stack.clusterAudit, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
}

/** The mails about an acceptance that the mail server has taken, the oldest first. */
export async function mailsAbout(id, mailbox = stack.mailbox) {
  const mails = await (await fetch(`${mailbox}/mails.json`)).json();
  return mails.filter((mail) => mail.id.includes(id)).reverse();
}
