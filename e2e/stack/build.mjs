// Builds what the portal serves and the portal itself. Used by `make run`, `make test` and the image.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { say } from './say.mjs';
import { runShown } from './tools/cache.mjs';
import { wasmBindgen, wasmToolchain } from './tools/rust.mjs';

const root = join(import.meta.dirname, '../..');
export const site = join(root, 'target/site');

const offline = { SQLX_OFFLINE: 'true' };

const run = (step, command, args, env = {}) => runShown(step, command, args, { cwd: root, env: { ...process.env, ...env } });


/** The portal's binary. Queries are checked against the committed `.sqlx`, so no database is needed. */
export async function buildPortal({ release = false } = {}) {
  say('building the portal; the first time usually takes 5 minutes on 2 cores');
  await run('building the portal', 'cargo', ['build', '-q', '--bins', ...(release ? ['--release'] : [])], offline);
  return join(root, 'target', release ? 'release' : 'debug', 'fairway');
}

/** What the pages are measured beside. */
export async function buildBareHandler() {
  await run('building the bare handler', 'cargo', ['build', '-q', '--release', '-p', 'fairway', '--example', 'bare_handler'], offline);
  return join(root, 'target/release/examples/bare_handler');
}

/** Style sheet, icon, WASM, each beside its brotli. */
export async function buildSite() {
  mkdirSync(join(site, 'pkg'), { recursive: true });
  buildStyle();
  copyFileSync(join(root, 'style/favicon.svg'), join(site, 'favicon.svg'));
  await buildWasm();
  for (const file of [join(site, 'fairway.css'), ...readdirSync(join(site, 'pkg')).map((name) => join(site, 'pkg', name))]) compress(file);
}

/** The order of layers is said once, in tokens.css; the files may then come in any order. */
function buildStyle() {
  const folder = join(root, 'style');
  const names = ['tokens.css', 'base.css', ...readdirSync(join(folder, 'components')).filter((name) => name.endsWith('.css')).sort().map((name) => `components/${name}`)];
  writeFileSync(join(site, 'fairway.css'), names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n'));
}

async function buildWasm() {
  const wasm = join(root, 'target/wasm32-unknown-unknown/wasm/fairway.wasm');
  const { cargo, args, env } = wasmToolchain();
  say('building the WASM; the first time usually takes 3 minutes on 2 cores');
  await run('building the WASM', cargo, ['build', '-q', '-p', 'fairway-hydrate', '--profile', 'wasm', '--target', 'wasm32-unknown-unknown', ...args], env);
  const target = join(site, 'pkg/fairway_bg.wasm');
  if (existsSync(target) && statSync(target).mtimeMs > statSync(wasm).mtimeMs) return;
  await run('wasm-bindgen', await wasmBindgen(join(root, 'Cargo.lock')), ['--target', 'web', '--no-typescript', '--out-name', 'fairway', '--out-dir', join(site, 'pkg'), wasm]);
  const features = ['bulk-memory', 'nontrapping-float-to-int', 'reference-types', 'sign-ext', 'mutable-globals'].map((feature) => `--enable-${feature}`);
  await run('wasm-opt', 'node', [join(root, 'e2e/node_modules/binaryen/bin/wasm-opt'), '-Oz', ...features, target, '-o', target]);
}

function compress(file) {
  const packed = `${file}.br`;
  if (file.endsWith('.br') || (existsSync(packed) && statSync(packed).mtimeMs >= statSync(file).mtimeMs)) return;
  rmSync(packed, { force: true });
  writeFileSync(packed, brotliCompressSync(readFileSync(file), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
}
