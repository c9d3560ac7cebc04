// How to compile for the browser: a compiler for wasm32, and the wasm-bindgen that fits the lock file.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal, say } from '../say.mjs';
import { cache, runLong } from './cache.mjs';
import { installPackages, onPath } from './debian.mjs';

/**
 * rustup's target where it is installed or can be, else Debian's matching compiler with the standard library built
 * from source. Returns the cargo program, extra arguments and extra environment.
 */
export function wasmToolchain() {
  const target = 'wasm32-unknown-unknown';
  const installed = () => spawnSync('rustup', ['target', 'list', '--installed'], { encoding: 'utf8' }).stdout?.includes(target);
  if (onPath('rustup') && (installed() || (spawnSync('rustup', ['target', 'add', target], { stdio: 'ignore', timeout: 120_000 }).status === 0 && installed()))) {
    return { cargo: 'cargo', args: [], env: {} };
  }
  installPackages('rustc-web', 'cargo-web', 'rust-web-src', 'lld-19');
  return {
    cargo: '/usr/bin/cargo',
    args: ['-Zbuild-std=std,panic_abort'],
    env: { RUSTC: '/usr/bin/rustc', RUSTC_BOOTSTRAP: '1', CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: 'wasm-ld-19' },
  };
}

/** The `wasm-bindgen` program of exactly the version the lock file names. */
export async function wasmBindgen(lockFile) {
  const version = /name = "wasm-bindgen"\nversion = "([^"]+)"/.exec(readFileSync(lockFile, 'utf8'))?.[1];
  if (!version) throw new Refusal('Cargo.lock names no wasm-bindgen.');
  const root = join(cache, `wasm-bindgen-${version}`);
  const program = join(root, 'bin/wasm-bindgen');
  if (!existsSync(program)) {
    say(`building wasm-bindgen ${version}, once: usually 3 minutes on 2 cores`);
    await runLong('build wasm-bindgen', 'cargo', ['install', 'wasm-bindgen-cli', '--version', version, '--root', root, '--target-dir', join(cache, 'wasm-bindgen-target')]);
    rmSync(join(cache, 'wasm-bindgen-target'), { recursive: true, force: true });
  }
  return program;
}
