// Checks the dependency rules of ARCHITECTURE.md: what may import what. Prints every breach.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '../..');
const breaches = [];
const areas = ['access', 'audit', 'faq', 'namespaces', 'preview', 'view_as', 'workloads'];

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith('.rs') ? [path] : [];
  });
}

function forbid(file, pattern, rule) {
  const lines = readFileSync(file, 'utf8').split('\n');
  lines.forEach((line, index) => {
    if (pattern.test(line)) breaches.push(`${relative(root, file)}:${index + 1}: ${rule}\n    ${line.trim()}`);
  });
}

for (const area of areas) {
  const others = areas.filter((other) => other !== area).join('|');
  for (const file of files(join(root, 'app/src', area))) {
    forbid(file, new RegExp(`crate::(${others})::(api|page|store|live|forms|draft|submission)\\b`), 'an area sees only the mod.rs of another');
    if (area === 'access' || area === 'audit') forbid(file, new RegExp(`crate::(${others})\\b`), 'access and audit import no other area');
    const layer = relative(join(root, 'app/src', area), file).split(/[/.]/)[0];
    if (layer === 'mod') forbid(file, /^\s*use (leptos|axum|sqlx|kube)\b/, 'mod.rs holds rules, not frameworks');
    if (layer === 'page') forbid(file, /\b(store|sqlx)::/, 'page -> api -> store');
    if (layer === 'api') forbid(file, /::page::/, 'page -> api');
    if (layer === 'store') forbid(file, /^\s*use (leptos|axum)\b/, 'a store knows no web');
    if (layer !== 'store') forbid(file, /\bsqlx::query/, 'SQL is in the store');
    if (!['api', 'page', 'live'].includes(layer)) forbid(file, /^\s*use (leptos|axum)\b/, 'rules know no web');
  }
}
for (const file of files(join(root, 'app/src/ui'))) forbid(file, new RegExp(`crate::(${areas.join('|')})\\b`), 'ui knows no area');
for (const file of files(join(root, 'review/src'))) forbid(file, /\b(leptos|axum|sqlx|kube|tokio)::/, 'review knows no web, database or cluster');

const tree = execFileSync('cargo', ['tree', '-q', '-p', 'fairway-hydrate', '-e', 'normal', '--target', 'wasm32-unknown-unknown', '--prefix', 'none'], { cwd: root, encoding: 'utf8' });
for (const crate of ['kube', 'openidconnect', 'tower-sessions', 'sqlx', 'axum', 'leptos_axum', 'tokio', 'review']) {
  if (new RegExp(`^${crate} v`, 'm').test(tree)) breaches.push(`the WASM depends on ${crate}`);
}
const onlyServer = ['app/Cargo.toml', 'review/Cargo.toml', 'app/hydrate/Cargo.toml'];
for (const manifest of onlyServer) forbid(join(root, manifest), /^(kube|openidconnect|tower-sessions)\b/, 'only server/Cargo.toml names this');

console.log(breaches.length ? breaches.join('\n') : 'layers: no breach');
process.exitCode = breaches.length ? 1 : 0;
