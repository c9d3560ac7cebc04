// What the record takes at a million rows: its first page, verifying it, exporting it. On a stack that runs already.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { say } from './say.mjs';

const ROWS = 1_000_000;
const LOOKS = 40;

/**
 * Milliseconds of the first page and of the slowest of several filtered ones (medians, round trips), rows verified in a
 * second over the database and over an export, megabytes at the most while all rows are exported on the command line,
 * and at the most more than before while the portal sends them. On the page an administrator is signed in.
 */
export async function measureRecord(stack, binary, page) {
  say('writing a million rows; usually 3 minutes');
  fill(stack.database);
  const median = async (path) => {
    const times = [];
    for (let look = 0; look < LOOKS; look += 1) {
      const began = performance.now();
      const response = await page.request.get(path);
      const text = await response.text();
      times.push(performance.now() - began);
      if (response.status() !== 200 || !text.includes('aria-label="Writes"')) throw new Error(`no page of the record: ${response.status()} ${path}`);
    }
    return times.sort((one, other) => one - other)[LOOKS / 2];
  };
  const first = await median('/admin/audit');
  const today = new Date().toISOString().slice(0, 10);
  const filters = ['object=shop-77775&action=namespace.create', 'person=somebody-7%40', `person=somebody-7%40&from=${today}`, 'control=ISO+27001+A.5.15', `control=ISO+27001+A.8.32&from=${today}&to=${today}`, 'action=record.export'];
  const filtered = [];
  for (const filter of filters) filtered.push(await median(`/admin/audit?${filter}`));
  const env = { ...process.env, DATABASE_URL: stack.database.owner };
  const verified = verifying(binary, env);
  const file = join(stack.folder, 'record.jsonl');
  const memory = await exporting(binary, env, file);
  return { first, filtered: Math.max(...filtered), verified, again: verifying(binary, env, file), memory, more: await sending(stack, page) };
}

/** Rows in a second, of the database or of an export. */
function verifying(binary, env, ...file) {
  const began = performance.now();
  const said = execFileSync(binary, ['audit', 'verify', ...file], { env, encoding: 'utf8' });
  const seconds = (performance.now() - began) / 1000;
  const rows = Number(/^(\d+) rows, unbroken/.exec(said)?.[1]);
  if (!(rows > ROWS)) throw new Error(`not verified: ${said}`);
  return rows / seconds;
}

/** By fifty people, of five kinds, chained as the portal does, by the owner; row by row with triggers it would take an hour. */
function fill({ psql }) {
  psql(`
    set session_replication_role = replica;
    do $$
    declare
      last bigint; previous bytea; line text; sealed bytea; who text[]; intent uuid; at timestamptz;
      kinds text[] := array['namespace.create', 'workload.submit', 'workload.comment', 'record.export', 'session.sign_in'];
    begin
      select sequence, hash, occurred_at into last, previous, at from audit_end;
      with people as (
        select sha256(convert_to(person::text, 'UTF8')) as salt, format('["https://idp","%s","Somebody %s","somebody-%s@example.com"]', person, person, person) as details
        from generate_series(1, 50) as person), known as (
        insert into identities (commitment, salt, details) select sha256(salt || convert_to(details, 'UTF8')), salt, details from people returning commitment)
      select array_agg(encode(commitment, 'hex')) into who from known;
      for number in 1..${ROWS} loop
        last := last + 1;
        at := at + interval '1 millisecond';
        if number % 2 = 1 then intent := gen_random_uuid(); end if;
        line := format('{"sequence":%s,"format":1,"id":"%s","intent_id":%s,"phase":"%s","actor":"%s","action":"%s","object":{"kind":"namespace","name":"shop-%s"},"detail":{"name":"shop","origin":{"parent":"shop"}},"failure":null,"request_id":"%s","occurred_at":"%s"}',
          last, case number % 2 when 1 then intent else gen_random_uuid() end, case number % 2 when 1 then 'null' else '"' || intent || '"' end,
          case number % 2 when 1 then 'intent' else 'succeeded' end, who[1 + (number / 2) % 50], kinds[1 + (number / 2) % 5], number / 2, intent, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
        sealed := sha256(previous || convert_to(line, 'UTF8'));
        insert into audit_events (sequence, entry, previous_hash, hash) values (last, line, previous, sealed);
        previous := sealed;
      end loop;
      update audit_end set sequence = last, hash = previous, occurred_at = at;
    end
    $$;`);
  psql('vacuum analyze audit_events');
}

/** Megabytes that the process held at the most, as the kernel says while it runs; the rows go into a file. */
async function exporting(binary, env, file) {
  const child = spawn(binary, ['audit', 'export'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const written = createWriteStream(file);
  child.stdout.pipe(written);
  let lines = 0;
  let most = 0;
  child.stdout.on('data', (chunk) => {
    lines += linesIn(chunk);
    most = Math.max(most, held(child.pid, 'VmHWM') ?? 0);
  });
  const [[code]] = await Promise.all([once(child, 'exit'), once(written, 'finish')]);
  if (code !== 0 || lines < ROWS) throw new Error(`the export ended with ${code} after ${lines} rows`);
  return most;
}

/** Megabytes that the portal held at the most while it sent all rows, less what it held before. */
async function sending({ portal, url }, page) {
  const { pid } = portal.child;
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const headers = { cookie, origin: url, 'content-type': 'application/x-www-form-urlencoded' };
  // From now on the highest figure is that of now (proc(5), clear_refs).
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = held(pid, 'VmRSS');
  const response = await fetch(`${url}/admin/audit/export`, { method: 'POST', headers, body: 'format=jsonl' });
  let lines = 0;
  for await (const chunk of response.body) lines += linesIn(chunk);
  if (response.status !== 200 || lines < ROWS) throw new Error(`the portal sent ${lines} rows: ${response.status}`);
  return held(pid, 'VmHWM') - before;
}

function linesIn(chunk) {
  let lines = 0;
  for (const byte of chunk) if (byte === 10) lines += 1;
  return lines;
}

/** Megabytes of a process by the name that the kernel has for them; nothing once it has ended. */
function held(pid, name) {
  try {
    return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
  } catch {
    return undefined;
  }
}
