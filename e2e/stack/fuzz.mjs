// `make fuzz`: feeds the review engine with whatever a fuzzer can think of, ten minutes for each target, and keeps
// what made it find new ways. Needs a nightly compiler, which rustup installs.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Refusal, runMain, say } from './say.mjs';

const crate = join(import.meta.dirname, '../../review/fuzz');
const env = { ...process.env, CARGO_TARGET_DIR: join(import.meta.dirname, '../../target/fuzz') };
const targets = { decode: [], evaluate: ['-max_len=512'] };
const seconds = Number(process.env.SECONDS_EACH ?? 600);

await runMain(async () => {
  if (!quiet('rustup', ['run', 'nightly', 'rustc', '--version'])) run('rustup', ['toolchain', 'install', 'nightly', '--profile', 'minimal']);
  if (!quiet('cargo', ['fuzz', '--version'])) run('cargo', ['install', '--locked', 'cargo-fuzz']);
  say('building the fuzz targets; the first time usually takes 3 minutes on 2 cores');
  for (const [target, options] of Object.entries(targets)) fuzz(target, options);
  say(`nothing found in ${seconds} seconds each`);
});

function fuzz(target, options) {
  say(`fuzzing ${target} for ${seconds} seconds`);
  // What is new goes to a folder of its own: the corpus in the tree holds only what was chosen for it.
  const found = mkdtempSync(join(tmpdir(), `fairway-fuzz-${target}-`));
  const corpus = join(crate, 'corpus', target);
  if (existsSync(corpus)) cpSync(corpus, found, { recursive: true });
  // All of it is safe Rust, and the interpreter's allocator does not go with a sanitizer's.
  run('cargo', ['+nightly', 'fuzz', 'run', '--sanitizer', 'none', target, found, '--', `-max_total_time=${seconds}`, '-timeout=10', '-rss_limit_mb=2048', ...options]);
  rmSync(found, { recursive: true });
}

function quiet(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function run(command, args) {
  if (spawnSync(command, args, { cwd: crate, env, stdio: 'inherit' }).status !== 0) throw new Refusal(`${command} ${args.slice(0, 4).join(' ')} failed; the messages are above.`);
}
