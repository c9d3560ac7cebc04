// `make bench`: measures, prints each part as a table once it is measured, writes target/bench.json, and fails naming what
// misses its target. `make bench PART=pages` measures one part.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measurePages } from './bench-pages.mjs';
import { measureLiveReview, withPortal } from './bench-portal.mjs';
import { measureRecord } from './bench-record.mjs';
import { measureSizes } from './bench-sizes.mjs';
import { Refusal, runMain, say } from './say.mjs';

const root = join(import.meta.dirname, '../..');

/** What needs no portal. */
const parts = {
  engine: measureEngine,
  'hostile-policies': measureHostilePolicies,
};

/** What needs one, in an order in which no part disturbs the next. */
const portalParts = {
  'live-review': async (portal) => {
    const { size, first, again, median, slow } = await measureLiveReview(portal);
    return [
      atMost('release binary', size, 'MB', 40),
      atMost('live review beside 50 policies and 50 workloads, median', median, 'ms', 15),
      figure('live review, the slowest twentieth', slow, 'ms'),
      atMost('a step of the wizard, first visit', first, 'kB', 150),
      atMost('a step of the wizard, after', again, 'kB', 25),
    ];
  },
  sizes: async (portal) => {
    const { sent, health } = await measureSizes(portal.stack, await portal.signedIn('dana'));
    return [
      ...Object.entries(sent).map(([name, time]) => atMost(name, time, 'ms', 1000)),
      atMost('the slowest health check meanwhile', health, 'ms', 100),
    ];
  },
  pages: async ({ stack, bareHandler }) => {
    const { pages, limit } = await measurePages(stack, bareHandler);
    return [
      ...pages.map(({ path, target, part }) => atLeast(`${path}: part of the bare handler's throughput`, part, '', target)),
      figure('the bare handler beside them', limit, 'per second'),
    ];
  },
  record: async ({ stack, binary, signedIn }) => {
    const record = await measureRecord(stack, binary, await signedIn('ada'));
    return [
      atMost('first page of a record of 1,000,000 rows, median', record.first, 'ms', 50),
      atMost('the same, filtered: the slowest of six filters', record.filtered, 'ms', 50),
      atLeast('rows of the record verified', record.verified, 'per second', 200_000),
      atLeast('rows of an export of it verified', record.again, 'per second', 200_000),
      atMost('memory while 1,000,000 rows are exported', record.memory, 'MiB', 64),
      atMost('the same in the portal, more than before', record.more, 'MiB', 64),
    ];
  },
};

function measureEngine() {
  say('measuring the review engine; usually 3 minutes on 2 cores');
  bench('fairway-review', 'engine');
  const memory = Number(/peak memory: (\d+) kB/.exec(bench('fairway-review', 'engine', { FAIRWAY_BENCH_MEMORY: 'yes' }))?.[1]) / 1024;
  printGrowth();
  return [
    atLeast('reviews of a pod and its policy, one core', 1e9 / median('review'), 'per second', 20_000),
    figure('the same with three policies of the cluster in Rego', 1e9 / median('review with policies'), 'per second'),
    figure('decoding the same from text', 1e9 / median('decode'), 'per second'),
    atMost('connections of 500 workloads and 500 policies', median('connections/500') / 1e6, 'ms', 50),
    figure('connections of 250 workloads and 250 policies', median('connections/250') / 1e6, 'ms'),
    figure('connections of 125 workloads and 125 policies', median('connections/125') / 1e6, 'ms'),
    atMost('coverage of 50,000 pods, 10,000 policies', median('coverage/50000') / 1e6, 'ms', 1000),
    atMost('coverage: cost of 4 times the pods', median('coverage/50000') / median('coverage/12500'), 'times', 4.4),
    atMost('peak memory of that coverage', memory, 'MiB', 300),
  ];
}

function measureHostilePolicies() {
  const [, hostile, afterwards] = /slowest: ([\d.]+) ms, afterwards: ([\d.]+) ms/.exec(bench('fairway', 'hostile_policies'));
  return [
    atMost('review beside 8 hostile policies, the slowest', Number(hostile), 'ms', 500),
    figure('the same, once they are left alone', Number(afterwards), 'ms'),
  ];
}

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

function print({ name, value, unit, target, met }) {
  console.log(`${name.padEnd(58)} ${String(value).padStart(10)} ${unit.padEnd(10)} ${target === null ? '' : `target ${target} ${met ? 'met' : 'NOT MET'}`}`);
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

await runMain(async () => {
  const asked = process.argv.slice(2);
  const unknown = asked.find((part) => !(part in parts) && !(part in portalParts));
  if (unknown) throw new Refusal(`there is no part ${unknown}; there are ${[...Object.keys(parts), ...Object.keys(portalParts)].join(', ')}.`);
  const isAsked = (part) => !asked.length || asked.includes(part);
  const rows = [];
  const show = (measured) => {
    rows.push(...measured);
    for (const row of measured) print(row);
  };
  for (const [part, measure] of Object.entries(parts)) if (isAsked(part)) show(measure());
  if (Object.keys(portalParts).some(isAsked)) {
    await withPortal(async (portal) => {
      for (const [part, measure] of Object.entries(portalParts)) if (isAsked(part)) show(await measure(portal));
    });
  }
  mkdirSync(join(root, 'target'), { recursive: true });
  writeFileSync(join(root, 'target/bench.json'), `${JSON.stringify(rows, null, 2)}\n`);
  const missed = rows.filter(({ met }) => met === false);
  if (missed.length) throw new Refusal(`missed: ${missed.map(({ name }) => name).join('; ')}`);
});
