// Finds the programs the local stack is made of, and installs or builds the ones that are missing.
// A program that the machine already has always wins over one of ours.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { say, Refusal } from './say.mjs';

/** Where builds are kept, outside the tree, so that a second checkout need not build again. */
export const cache = process.env.FAIRWAY_CACHE ?? join(homedir(), '.cache', 'fairway');

const KUBERNETES = '1.20.2';
/** Counts our own changes to the build, so that an older one is not taken for it. */
const BUILD = 2;
const GO = '/usr/lib/go-1.19/bin';
const logs = join(cache, 'logs');

/** The path of `program` on PATH, or undefined. */
export function onPath(program) {
  return (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find(existsSync);
}

function logged(step, command, args, options = {}) {
  mkdirSync(logs, { recursive: true });
  const log = join(logs, `${step}.log`);
  const out = openSync(log, 'w');
  const done = spawnSync(command, args, { stdio: ['ignore', out, out], ...options });
  if (done.status === 0) return;
  const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  throw new Refusal(`${step} failed (${command} ${args.slice(0, 3).join(' ')}). The end of ${log}:\n${tail}`);
}

let packageListIsFresh = false;

/** Installs Debian packages; does nothing for those that are there. */
export function installPackages(...names) {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Refusal(`this machine has no apt-get. Install these by hand and start again: ${missing.join(', ')}.`);
  }
  if (process.getuid() !== 0) {
    throw new Refusal(`some Debian packages are missing and only root can install them: sudo apt-get install ${missing.join(' ')}`);
  }
  say(`installing Debian packages: ${missing.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  if (!packageListIsFresh) logged('apt-update', 'apt-get', ['update', '-q'], { env });
  packageListIsFresh = true;
  logged('apt-install', 'apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
}

function isInstalled(name) {
  const status = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status}', name], { encoding: 'utf8' });
  return status.stdout === 'installed';
}

/** The folder that holds `initdb` and `postgres`. */
export function postgres() {
  const found = () => {
    const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
    const packaged = versions
      .map(Number)
      .filter((version) => version >= 15)
      .sort((a, b) => b - a)
      .map((version) => `/usr/lib/postgresql/${version}/bin`);
    const fromPath = onPath('pg_config');
    const ownBin = fromPath && execFileSync(fromPath, ['--bindir'], { encoding: 'utf8' }).trim();
    return [...packaged, ownBin].find((bin) => bin && existsSync(join(bin, 'initdb')));
  };
  if (!found()) installPackages('postgresql');
  const bin = found();
  if (!bin) throw new Refusal('no PostgreSQL 15 or newer was found, and installing Debian\'s postgresql did not bring one.');
  return bin;
}

/** The folder that holds etcd, kube-apiserver and kube-controller-manager. */
export function controlPlane() {
  const complete = (folder) => folder && ['etcd', 'kube-apiserver', 'kube-controller-manager'].every((program) => existsSync(join(folder, program)));
  if (process.env.KUBEBUILDER_ASSETS) {
    if (complete(process.env.KUBEBUILDER_ASSETS)) return process.env.KUBEBUILDER_ASSETS;
    throw new Refusal(`KUBEBUILDER_ASSETS names ${process.env.KUBEBUILDER_ASSETS}, which lacks etcd, kube-apiserver or kube-controller-manager.`);
  }
  const onThisPath = onPath('kube-apiserver')?.replace(/\/kube-apiserver$/, '');
  if (complete(onThisPath)) return onThisPath;
  const kept = join(cache, `kubernetes-${KUBERNETES}-${BUILD}`);
  if (!complete(kept)) buildControlPlane(kept);
  return kept;
}

/**
 * Builds the control plane from Debian's source package. The Debian binary packages hold only the
 * client, and the upstream binaries are not in any package registry.
 */
function buildControlPlane(target) {
  installPackages('etcd-server', 'golang-1.19-go', 'golang-github-modern-go-reflect2-dev', 'rsync', 'dpkg-dev');
  say(`building Kubernetes ${KUBERNETES} from Debian's source, once: usually 7 minutes on 2 cores`);
  const work = mkdtempSync(join(tmpdir(), 'fairway-kubernetes-'));
  try {
    fetchSource('kubernetes', work);
    const source = readdirSync(work).map((name) => join(work, name)).find((path) => existsSync(join(path, 'cmd/kube-apiserver')));
    if (!source) throw new Refusal('the source package of Kubernetes did not hold cmd/kube-apiserver.');
    replaceReflect2(source);
    const [major, minor] = KUBERNETES.split('.');
    logged('build-kubernetes', 'make', ['WHAT=cmd/kube-apiserver cmd/kube-controller-manager'], {
      cwd: source,
      env: {
        ...process.env,
        PATH: `${GO}:${process.env.PATH}`,
        GO111MODULE: 'off', GOPROXY: 'off', GOFLAGS: '', CGO_ENABLED: '0',
        GOCACHE: join(work, 'go-cache'),
        KUBE_GIT_VERSION: `v${KUBERNETES}`, KUBE_GIT_MAJOR: major, KUBE_GIT_MINOR: minor,
        KUBE_GIT_COMMIT: 'debian', KUBE_GIT_TREE_STATE: 'clean',
      },
    });
    const built = join(source, '_output/bin');
    const staging = `${target}.new`;
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true });
    for (const program of ['kube-apiserver', 'kube-controller-manager']) {
      execFileSync('cp', ['-L', join(built, program), join(staging, program)]);
    }
    execFileSync('cp', [onPath('etcd') ?? '/usr/bin/etcd', join(staging, 'etcd')]);
    rmSync(target, { recursive: true, force: true });
    renameSync(staging, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The reflect2 in the source reads the runtime's maps as they were before Go 1.18: with a later Go the
 * API server crashes on the first custom resource whose labels it sorts. Debian packages the mended one.
 */
function replaceReflect2(source) {
  const vendored = join(source, 'vendor/github.com/modern-go/reflect2');
  rmSync(vendored, { recursive: true });
  execFileSync('cp', ['-rL', '/usr/share/gocode/src/github.com/modern-go/reflect2', vendored]);
}

/** Fetches a Debian source package through a sources list of our own: the machine's stays as it is. */
function fetchSource(name, folder) {
  const list = join(folder, 'source.list');
  writeFileSync(list, sourceEntries());
  const options = ['-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=-', '-o', `Dir::State::lists=${join(folder, 'lists')}`];
  mkdirSync(join(folder, 'lists/partial'), { recursive: true });
  logged('apt-source-update', 'apt-get', [...options, 'update', '-q']);
  logged(`apt-source-${name}`, 'apt-get', [...options, 'source', '-q', name], { cwd: folder });
}

/** The machine's own Debian entries (either file format), as `deb-src` lines. */
function sourceEntries() {
  const parts = '/etc/apt/sources.list.d';
  const texts = (existsSync(parts) ? readdirSync(parts) : []).filter((name) => name.endsWith('.sources')).map((name) => readFileSync(join(parts, name), 'utf8'));
  const fields = (stanza) => Object.fromEntries([...stanza.matchAll(/^([A-Za-z-]+):\s*(.+)$/gm)].map(([, key, value]) => [key, value.trim()]));
  const fromStanzas = texts
    .flatMap((text) => text.split(/\n\s*\n/).map(fields))
    .filter((entry) => /\bdebian\b/.test(entry.URIs ?? '') && entry.Components)
    .flatMap((entry) => entry.Suites.split(/\s+/).map((suite) => `deb-src ${entry['Signed-By'] ? `[signed-by=${entry['Signed-By']}] ` : ''}${entry.URIs} ${suite} ${entry.Components}`));
  const classic = existsSync('/etc/apt/sources.list') ? readFileSync('/etc/apt/sources.list', 'utf8') : '';
  const fromLines = [...classic.matchAll(/^deb\s+(.*\bdebian\b.*)$/gm)].map(([, rest]) => `deb-src ${rest}`);
  const entries = [...fromStanzas, ...fromLines];
  if (entries.length === 0) throw new Refusal('no Debian package source was found on this machine, so the Kubernetes source cannot be fetched. Set KUBEBUILDER_ASSETS or KUBECONFIG instead.');
  return `${entries.join('\n')}\n`;
}

/** Debian's Chromium, or the one `CHROMIUM` names. */
export function chromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  if (!onPath('chromium')) installPackages('chromium', 'fonts-dejavu-core');
  return onPath('chromium');
}

/**
 * How to compile for wasm32: rustup's target where it is or can be had, else Debian's matching
 * compiler with the standard library built from source.
 * Returns the cargo program, extra arguments and extra environment.
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
export function wasmBindgen(lockFile) {
  const version = /name = "wasm-bindgen"\nversion = "([^"]+)"/.exec(readFileSync(lockFile, 'utf8'))?.[1];
  if (!version) throw new Refusal('Cargo.lock names no wasm-bindgen.');
  const root = join(cache, `wasm-bindgen-${version}`);
  const program = join(root, 'bin/wasm-bindgen');
  if (!existsSync(program)) {
    say(`building wasm-bindgen ${version}, once: usually 3 minutes on 2 cores`);
    logged('build-wasm-bindgen', 'cargo', ['install', 'wasm-bindgen-cli', '--version', version, '--root', root, '--target-dir', join(cache, 'wasm-bindgen-target')]);
    rmSync(join(cache, 'wasm-bindgen-target'), { recursive: true, force: true });
  }
  return program;
}
