// `make image`: builds the image with docker or podman where one runs, else with buildah on base images
// made from Debian's packages and this machine's own Rust and Node. With --start, runs the local stack
// with the portal out of that image, until Ctrl-C.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Refusal, runMain, say } from './say.mjs';
import { startStack } from './stack.mjs';
import { cache } from './tools/cache.mjs';
import { installPackages, onPath } from './tools/debian.mjs';


const root = join(import.meta.dirname, '../..');
const name = process.env.FAIRWAY_IMAGE ?? 'localhost/fairway';
const buildah = ['--storage-driver', 'vfs', '--root', join(cache, 'containers'), '--runroot', join(tmpdir(), 'fairway-containers')];

await runMain(async () => {
  const engine = ['docker', 'podman'].find((program) => onPath(program) && spawnSync(program, ['info'], { stdio: 'ignore' }).status === 0);
  if (process.argv.includes('--start')) return start();
  if (engine) run('building the image', engine, ['build', '-t', name, root]);
  else buildWithBuildah();
  say(`built ${name}`);
});

function run(what, program, args, options = {}) {
  const done = spawnSync(program, args, { stdio: 'inherit', ...options });
  if (done.error) throw new Refusal(`${what}: ${program} cannot be started (${done.error.message}).`);
  if (done.status !== 0) throw new Refusal(`${what} failed; the messages are above.`);
}

function output(...args) {
  return execFileSync('buildah', [...buildah, ...args], { encoding: 'utf8' }).trim();
}

function buildWithBuildah() {
  installPackages('buildah', 'debootstrap');
  baseImage('fairway-build', ['ca-certificates', 'gcc', 'libc6-dev', 'libstdc++6', 'make', 'procps'], { 'usr/local/bin/npm': '/usr/lib/node_modules/npm/bin/npm-cli.js' });
  baseImage('fairway-base', ['ca-certificates']);
  // The machine's own compilers, package settings and trust, and caches that outlive the build.
  const target = join(cache, 'image-target');
  mkdirSync(target, { recursive: true });
  const shared = [homedir() + '/.cargo', homedir() + '/.rustup', homedir() + '/.npmrc', '/usr/etc/npmrc', '/usr/bin/node', '/usr/lib/node_modules', '/etc/ssl', '/usr/share/ca-certificates', '/usr/local/share/ca-certificates', cache].filter(existsSync);
  const mounts = [...shared.map((path) => `${path}:${path}`), `${target}:/fairway/target`].flatMap((mount) => ['--volume', mount]);
  const images = ['RUST_IMAGE=localhost/fairway-build', 'NODE_IMAGE=localhost/fairway-base', 'BASE_IMAGE=localhost/fairway-base'].flatMap((argument) => ['--build-arg', argument]);
  say('building the image; the first time usually takes 20 minutes on 2 cores');
  run('building the image', 'buildah', [...buildah, 'bud', '--isolation', 'chroot', '--pull-never', '--ignorefile', join(root, '.dockerignore'), ...images, ...mounts, '--tag', name, root]);
}

/** A Debian with a few packages and links, under a local name. */
function baseImage(tag, packages, links = {}) {
  if (spawnSync('buildah', [...buildah, 'inspect', '--type', 'image', `localhost/${tag}`], { stdio: 'ignore' }).status === 0) return;
  say(`making the base image ${tag}`);
  const folder = mkdtempSync(join(tmpdir(), 'fairway-debian-'));
  try {
    run('debootstrap', 'debootstrap', ['--variant=minbase', `--include=${packages.join(',')}`, 'bookworm', folder, ...mirror()], { stdio: ['ignore', 'ignore', 'inherit'] });
    for (const [from, to] of Object.entries(links)) symlinkSync(to, join(folder, from));
    const container = output('from', 'scratch');
    output('add', '--quiet', container, folder, '/');
    const env = { PATH: `${homedir()}/.cargo/bin:/usr/local/bin:/usr/bin:/bin`, SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt', NODE_EXTRA_CA_CERTS: '/etc/ssl/certs/ca-certificates.crt' };
    output('config', ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]), container);
    output('commit', '--quiet', '--rm', container, `localhost/${tag}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The mirror this machine itself uses. */
function mirror() {
  const policy = execFileSync('apt-cache', ['policy', 'base-files'], { encoding: 'utf8' });
  const found = /\d+ (https?:\S+) bookworm\/main/.exec(policy)?.[1];
  return found ? [found] : [];
}

/** The local stack with the portal out of the image: what `serve` and `migrate` of the image do. */
async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-image-'));
  // The image's user must reach the kubeconfig in it.
  chmodSync(folder, 0o711);
  const binary = join(folder, 'fairway');
  writeFileSync(binary, inImage(output('from', '--pull-never', name), folder));
  chmodSync(binary, 0o755);
  let ask;
  const asked = new Promise((resolve) => (ask = resolve));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => ask());
  const stack = await startStack({ binary, site: undefined, onLost: (sentence) => ask(say(sentence)) });
  try {
    const started = await (await fetch(`${stack.url}/readyz`)).text();
    say(`the image serves ${stack.url}, as user ${execFileSync('ps', ['-o', 'uid=', '-C', 'fairway'], { encoding: 'utf8' }).trim().split(/\s+/).join(', ')}: ${started}`);
    await asked;
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A program that runs the image's own with the settings of the stack. */
function inImage(container, folder) {
  const settings = ['DATABASE_URL', 'FAIRWAY_MIGRATE_DATABASE_URL', 'OIDC_ISSUER_URL', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'FAIRWAY_LISTEN', 'FAIRWAY_PUBLIC_URL', 'FAIRWAY_CONFIG'];
  const given = settings.map((setting) => `\${${setting}:+--env "${setting}=$${setting}"}`).join(' ');
  return `#!/bin/sh
# The account's token is readable for the image's user only inside this private folder.
[ -n "$KUBECONFIG" ] && install -m 0444 "$KUBECONFIG" ${folder}/kubeconfig
exec buildah ${buildah.join(' ')} run --isolation chroot --volume ${folder}:${folder}:ro --volume ${root}/e2e/stack:${root}/e2e/stack:ro --env KUBECONFIG=${folder}/kubeconfig ${given} ${container} -- /usr/bin/fairway "$@"
`;
}
