// The processes of the stack: each in a group of its own, its output in a log file, all ended together.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Refusal, say } from './say.mjs';

export class Processes {
  #running = [];
  #stopping;
  #folder;

  /** `folder` gets the log files. */
  constructor(folder) {
    this.#folder = folder;
    // The last resort, where nobody came to call `stopAll`.
    process.on('exit', () => this.#running.forEach((entry) => kill(entry, 'SIGKILL')));
  }

  /** Starts a process; if it ends by itself, `onLost` is called with a sentence. */
  start(name, command, args, { env = {}, cwd, onLost } = {}) {
    // What is started now would not be stopped any more.
    if (this.#stopping) throw new Refusal(`${name} was not started, because the stack is stopping.`);
    const log = join(this.#folder, `${name}.log`);
    // Straight into the file: a pipe through us would stall them whenever we are busy.
    const out = openSync(log, 'a');
    const child = spawn(command, args, { env: { ...process.env, ...env }, cwd, detached: true, stdio: ['ignore', out, out] });
    closeSync(out);
    const entry = { name, child, log, ended: false, again: () => this.start(name, command, args, { env, cwd, onLost }) };
    this.#running.push(entry);
    entry.done = new Promise((resolve) => {
      const end = (how) => {
        entry.ended = true;
        resolve();
        if (!this.#stopping && !entry.expected) onLost?.(`${name} ended by itself (${how}). The end of ${log}:\n${tail(log)}`);
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
    return entry;
  }

  /** Ends one process and waits for it. */
  async stop(entry, signal = 'SIGTERM') {
    entry.expected = true;
    kill(entry, signal);
    const patience = setTimeout(() => kill(entry, 'SIGKILL'), 10_000);
    await entry.done;
    clearTimeout(patience);
  }

  /** Ends all, the last started first. */
  stopAll() {
    this.#stopping ??= (async () => {
      for (const entry of [...this.#running].reverse()) {
        if (!entry.ended) await this.stop(entry, entry.name === 'postgres' ? 'SIGINT' : 'SIGTERM');
      }
    })();
    return this.#stopping;
  }
}

function kill({ child, ended }, signal) {
  if (ended || !child.pid) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function tail(file) {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
}

/** A port that nothing listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Fails with a sentence if something listens on `port`. */
export async function requirePort(port, what) {
  const taken = await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
  if (taken) throw new Refusal(`port ${port}, which ${what} needs, is in use. Find out by what with: ss -ltnp 'sport = :${port}'`);
}

/** Ends this process at Ctrl-C and the like, and with it whatever it has started. */
export function endOnSignals(end = () => process.exit(130)) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal).on(signal, end);
}

/** Waits until `probe` gives something; fails with a sentence after `seconds`, also where a probe never ends. */
export async function until(what, probe, seconds = 60) {
  const deadline = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < deadline) {
    try {
      const found = await inTime(probe(), deadline - Date.now());
      if (found) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  say(`last answer: ${last?.message ?? 'none'}`);
  throw new Refusal(`${what} was not ready after ${seconds} seconds.`);
}

async function inTime(answer, milliseconds) {
  let timer;
  const late = new Promise((resolve, reject) => (timer = setTimeout(() => reject(new Error('no answer')), milliseconds)));
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
