// Where builds are kept between checkouts, and how a long step is run: its output in a log, progress on the terminal.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Refusal, say } from '../say.mjs';

/** Outside the tree, so that a second checkout need not build again. */
export const cache = process.env.FAIRWAY_CACHE ?? join(homedir(), '.cache', 'fairway');

const logs = join(cache, 'logs');

/** Runs a step that takes seconds; its output goes to a log, whose end is shown if it fails. */
export function runLogged(step, command, args, options = {}) {
  const { log, out } = openLog(step);
  const done = spawnSync(command, args, { stdio: ['ignore', out, out], ...options });
  closeSync(out);
  if (done.status !== 0) throw failed(step, command, args, log, done.error);
}

/** Runs a step that takes minutes: as `runLogged`, and says every half minute that it still runs. */
export async function runLong(step, command, args, options = {}) {
  const { log, out } = openLog(step);
  try {
    const failure = await ended(step, spawn(command, args, { stdio: ['ignore', out, out], ...options }));
    if (failure !== undefined) throw failed(step, command, args, log, failure instanceof Error ? failure : undefined);
  } finally {
    closeSync(out);
  }
}

/** Runs a step that takes minutes and shows its output as it comes; says every half minute that it still runs. */
export async function runShown(step, command, args, options = {}) {
  const failure = await ended(step, spawn(command, args, { stdio: 'inherit', ...options }));
  if (failure instanceof Error) throw new Refusal(`${step}: ${command} could not be started (${failure.message}).`);
  if (failure !== undefined) throw new Refusal(`${step} failed; the messages are above.`);
}

/** Steps that run now: they end with this process. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill()));

/** Undefined where a process ended well; else why it did not start, or how it ended. */
async function ended(step, child) {
  const started = Date.now();
  const ticker = setInterval(() => say(`${step}: still running after ${duration(Date.now() - started)}`), 30_000);
  running.add(child);
  const failure = await new Promise((resolve) => {
    child.once('error', resolve);
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : (signal ?? code)));
  });
  running.delete(child);
  clearInterval(ticker);
  return failure;
}

/** Fills a folder of the cache and puts it in place only when it is complete. */
export async function fillFolder(folder, fill) {
  const staging = `${folder}.new-${process.pid}`;
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  try {
    await fill(staging);
    rmSync(folder, { recursive: true, force: true });
    renameSync(staging, folder);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Milliseconds as a person says them. */
export function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function openLog(step) {
  mkdirSync(logs, { recursive: true });
  const log = join(logs, `${step.replace(/[^a-z0-9]+/gi, '-')}.log`);
  return { log, out: openSync(log, 'w') };
}

/** What failed, and the end of its log. `log` stays with the error for callers that know what its lines mean. */
function failed(step, command, args, log, error) {
  if (error) return new Refusal(`${step}: ${command} could not be started (${error.message}).`);
  const text = readFileSync(log, 'utf8');
  const tail = text.trimEnd().split('\n').slice(-15).join('\n');
  return Object.assign(new Refusal(`${step} failed (${command} ${args.slice(0, 3).join(' ')}). The end of ${log}:\n${tail}`), { output: text });
}
