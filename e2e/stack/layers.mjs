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

/** Of a file of an area: handlers, pages, service, store, or one of its rules. */
const layers = ['handlers', 'pages', 'service', 'store'];

for (const area of areas) {
  const others = areas.filter((other) => other !== area).join('|');
  for (const file of files(join(root, 'app/src', area))) {
    const [name] = relative(join(root, 'app/src', area), file).split(/[/.]/);
    const layer = layers.includes(name) ? name : 'rules';
    // A path names what it is in at its end or as a folder on the way; inline modules are not meant.
    forbid(file, new RegExp(`crate::(${others})::(${layers.filter((other) => other !== 'service').join('|')})::`), 'an area sees the rules and the service of another');
    if (area === 'access' || area === 'audit') forbid(file, new RegExp(`crate::(${others})\\b`), 'access and audit import no other area');
    if (layer === 'pages') forbid(file, new RegExp(`crate::${area}::(store|handlers)\\b|\\bsqlx::`), 'pages -> service');
    if (layer === 'service') forbid(file, new RegExp(`crate::${area}::(pages|handlers)\\b`), 'service -> store');
    if (layer === 'store') forbid(file, new RegExp(`crate::${area}::(pages|handlers|service)\\b`), 'store -> rules');
    if (layer === 'rules' && name !== 'mod') forbid(file, new RegExp(`crate::${area}::(pages|handlers|service|store)\\b`), 'rules know no layer');
    if (layer === 'rules') forbid(file, /^\s*use (sqlx|kube)\b/, 'rules know no database and no cluster');
    if (layer !== 'store') forbid(file, /\bsqlx::query/, 'SQL is in the store');
    if (['service', 'store', 'rules'].includes(layer)) forbid(file, /^\s*use (leptos|axum)\b/, 'only handlers and pages know the web');
  }
}
for (const file of [...files(join(root, 'app/src')), ...files(join(root, 'server/src'))]) forbid(file, /store_in_tests::/, 'only tests see a whole store');
for (const file of files(join(root, 'app/src/ui'))) forbid(file, new RegExp(`crate::(${areas.join('|')})\\b`), 'ui knows no area');
for (const library of ['review', 'record']) {
  for (const file of files(join(root, library, 'src'))) forbid(file, /\b(leptos|axum|kube|tokio)::|\bsqlx::query/, `${library} knows no web, database or cluster`);
}

const tree = execFileSync('cargo', ['tree', '-q', '-p', 'fairway-hydrate', '-e', 'normal', '--target', 'wasm32-unknown-unknown', '--prefix', 'none'], { cwd: root, encoding: 'utf8' });
for (const crate of ['kube', 'openidconnect', 'tower-sessions', 'sqlx', 'axum', 'leptos_axum', 'tokio', 'fairway-app', 'fairway-record', 'fairway-review']) {
  if (new RegExp(`^${crate} v`, 'm').test(tree)) breaches.push(`the WASM depends on ${crate}`);
}
const onlyServer = ['app/Cargo.toml', 'record/Cargo.toml', 'review/Cargo.toml', 'app/hydrate/Cargo.toml', 'app/islands/Cargo.toml'];
for (const manifest of onlyServer) forbid(join(root, manifest), /^(kube|openidconnect|tower-sessions)\b/, 'only server/Cargo.toml names this');

console.log(breaches.length ? breaches.join('\n') : 'layers: no breach');
process.exitCode = breaches.length ? 1 : 0;
