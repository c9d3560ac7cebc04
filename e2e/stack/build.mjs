// Builds what the portal serves and the portal itself. Used by `make run`, `make test` and the image.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { Refusal, say } from './say.mjs';
import * as tools from './tools.mjs';

const root = join(import.meta.dirname, '../..');
export const site = join(root, 'target/site');

function run(what, command, args, env = {}) {
  const done = spawnSync(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: 'inherit' });
  if (done.error) throw new Refusal(`${what}: ${command} cannot be started (${done.error.message}).`);
  if (done.status !== 0) throw new Refusal(`${what} failed; the messages are above.`);
}

/** The portal's binary. Queries are checked against the committed `.sqlx`, so no database is needed. */
export function buildPortal({ release = false } = {}) {
  say('building the portal; the first time usually takes 5 minutes on 2 cores');
  const env = { SQLX_OFFLINE: 'true' };
  run('building the portal', 'cargo', ['build', '-q', '--bins', ...(release ? ['--release'] : [])], env);
  return join(root, 'target', release ? 'release' : 'debug', 'fairway');
}

/** Style sheet, icon, WASM, each beside its brotli. */
export function buildSite() {
  mkdirSync(join(site, 'pkg'), { recursive: true });
  buildStyle();
  copyFileSync(join(root, 'style/favicon.svg'), join(site, 'favicon.svg'));
  buildWasm();
  for (const file of [join(site, 'fairway.css'), ...readdirSync(join(site, 'pkg')).map((name) => join(site, 'pkg', name))]) compress(file);
}

/** The order of layers is said once, in tokens.css; the files may then come in any order. */
function buildStyle() {
  const folder = join(root, 'style');
  const names = ['tokens.css', 'base.css', ...readdirSync(join(folder, 'components')).filter((name) => name.endsWith('.css')).sort().map((name) => `components/${name}`)];
  writeFileSync(join(site, 'fairway.css'), names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n'));
}

function buildWasm() {
  const wasm = join(root, 'target/wasm32-unknown-unknown/wasm/fairway.wasm');
  const { cargo, args, env } = tools.wasmToolchain();
  say('building the WASM; the first time usually takes 3 minutes on 2 cores');
  run('building the WASM', cargo, ['build', '-q', '-p', 'fairway-hydrate', '--profile', 'wasm', '--target', 'wasm32-unknown-unknown', ...args], env);
  const target = join(site, 'pkg/fairway_bg.wasm');
  if (existsSync(target) && statSync(target).mtimeMs > statSync(wasm).mtimeMs) return;
  run('wasm-bindgen', tools.wasmBindgen(join(root, 'Cargo.lock')), ['--target', 'web', '--no-typescript', '--out-name', 'fairway', '--out-dir', join(site, 'pkg'), wasm]);
  const features = ['bulk-memory', 'nontrapping-float-to-int', 'reference-types', 'sign-ext', 'mutable-globals'].map((feature) => `--enable-${feature}`);
  run('wasm-opt', 'node', [join(root, 'e2e/node_modules/binaryen/bin/wasm-opt'), '-Oz', ...features, target, '-o', target]);
}

function compress(file) {
  const packed = `${file}.br`;
  if (file.endsWith('.br') || (existsSync(packed) && statSync(packed).mtimeMs >= statSync(file).mtimeMs)) return;
  rmSync(packed, { force: true });
  writeFileSync(packed, brotliCompressSync(readFileSync(file), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
}
