// `make bench`: measures, prints a table, writes target/bench.json, and fails naming what misses its target.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measurePortal } from './bench-portal.mjs';
import { Refusal, runMain, say } from './say.mjs';

const root = join(import.meta.dirname, '../..');

await runMain(async () => {
  say('measuring the review engine; usually 3 minutes on 2 cores');
  bench('fairway-review', 'engine');
  const memory = Number(/peak memory: (\d+) kB/.exec(bench('fairway-review', 'engine', { FAIRWAY_BENCH_MEMORY: 'yes' }))?.[1]) / 1024;
  const [, hostile, afterwards] = /slowest: ([\d.]+) ms, afterwards: ([\d.]+) ms/.exec(bench('fairway', 'hostile_policies'));
  const portal = await measurePortal();
  const rows = [
    atLeast('reviews of a pod and its policy, one core', 1e9 / median('review'), 'per second', 20_000),
    figure('the same with three policies of the cluster in Rego', 1e9 / median('review with policies'), 'per second'),
    figure('decoding the same from text', 1e9 / median('decode'), 'per second'),
    atMost('connections of 500 workloads and 500 policies', median('connections/500') / 1e6, 'ms', 50),
    figure('connections of 250 workloads and 250 policies', median('connections/250') / 1e6, 'ms'),
    figure('connections of 125 workloads and 125 policies', median('connections/125') / 1e6, 'ms'),
    atMost('coverage of 50,000 pods, 10,000 policies', median('coverage/50000') / 1e6, 'ms', 1000),
    atMost('coverage: cost of 4 times the pods', median('coverage/50000') / median('coverage/12500'), 'times', 4.4),
    atMost('peak memory of that coverage', memory, 'MiB', 300),
    atMost('review beside 8 hostile policies, the slowest', Number(hostile), 'ms', 500),
    figure('the same, once they are left alone', Number(afterwards), 'ms'),
    atMost('live review beside 50 policies and 50 workloads, median', portal.median, 'ms', 15),
    figure('live review, the slowest twentieth', portal.slow, 'ms'),
    atMost('a step of the wizard, first visit', portal.first, 'kB', 150),
    atMost('a step of the wizard, after', portal.again, 'kB', 25),
    ...Object.entries(portal.sizes.sent).map(([name, time]) => atMost(name, time, 'ms', 1000)),
    atMost('the slowest health check meanwhile', portal.sizes.health, 'ms', 100),
    ...portal.pages.pages.map(({ path, target, part }) => atLeast(`${path}: part of the bare handler's throughput`, part, '', target)),
    figure('the bare handler beside them', portal.pages.limit, 'per second'),
    atMost('release binary', portal.size, 'MB', 40),
    atMost('first page of a record of 1,000,000 rows, median', portal.record.first, 'ms', 50),
    atMost('the same, filtered: the slowest of six filters', portal.record.filtered, 'ms', 50),
    atLeast('rows of the record verified', portal.record.verified, 'per second', 200_000),
    atLeast('rows of an export of it verified', portal.record.again, 'per second', 200_000),
    atMost('memory while 1,000,000 rows are exported', portal.record.memory, 'MiB', 64),
    atMost('the same in the portal, more than before', portal.record.more, 'MiB', 64),
  ];
  mkdirSync(join(root, 'target'), { recursive: true });
  writeFileSync(join(root, 'target/bench.json'), `${JSON.stringify(rows, null, 2)}\n`);
  for (const { name, value, unit, target, met } of rows) console.log(`${name.padEnd(58)} ${String(value).padStart(10)} ${unit.padEnd(10)} ${target === null ? '' : `target ${target} ${met ? 'met' : 'NOT MET'}`}`);
  const missed = rows.filter(({ met }) => met === false);
  printGrowth();
  if (missed.length) throw new Refusal(`missed: ${missed.map(({ name }) => name).join('; ')}`);
});

/** Runs a benchmark and gives what it prints. Criterion reports its progress where errors go. */
function bench(crate, name, env = {}) {
  const command = ['bench', '-q', '-p', crate, '--bench', name];
  const run = spawnSync('cargo', command, { cwd: root, env: { ...process.env, SQLX_OFFLINE: 'true', ...env }, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (run.status === 0) return run.stdout;
  process.stderr.write(run.stderr ?? '');
  throw new Refusal('the benchmarks did not run; the messages are above.');
}

/** What each doubling of the pods costs: at most twice as much where cost grows linearly. */
function printGrowth() {
  console.log(`\n${'coverage beside 10,000 policies: pods'.padEnd(40)} ${'ms'.padStart(8)} ${'times the half'.padStart(16)}`);
  let half;
  for (const pods of [6250, 12500, 25000, 50000]) {
    const ms = median(`coverage/${pods}`) / 1e6;
    console.log(`${String(pods).padEnd(40)} ${ms.toFixed(1).padStart(8)} ${(half ? (ms / half).toFixed(2) : '').padStart(16)}`);
    half = ms;
  }
}

/** Nanoseconds, as criterion has written them. */
function median(id) {
  const file = join(root, 'target/criterion', id, 'new/estimates.json');
  return JSON.parse(readFileSync(file, 'utf8')).median.point_estimate;
}

function row(name, value, unit, target, met) {
  return { name, value: Number(value.toPrecision(4)), unit, target, met };
}

function atLeast(name, value, unit, target) {
  return row(name, value, unit, target, value >= target);
}

function atMost(name, value, unit, target) {
  return row(name, value, unit, target, value <= target);
}

function figure(name, value, unit) {
  return row(name, value, unit, null, null);
}
