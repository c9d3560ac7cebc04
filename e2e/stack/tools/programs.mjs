// The programs of the local stack, and where each is looked for. What a person's machine has already wins over what is
// downloaded, and that over what is built.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from '../say.mjs';
import { installPackages, onPath } from './debian.mjs';
import { builtFolder, goPrograms } from './go.mjs';
import { downloaded } from './prebuilt.mjs';

const KUBERNETES = 'v1.37.2';
const [, MAJOR, MINOR] = /^v(\d+)\.(\d+)/.exec(KUBERNETES);
const version = 'k8s.io/component-base/version';

const own = 'set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kube-controller-manager, or KUBECONFIG to use a cluster of yours';

const parts = {
  kubernetes: {
    name: 'kubernetes', title: `Kubernetes ${KUBERNETES}`, usually: '9 minutes', instead: own,
    programs: Object.fromEntries(['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'].map((program) => [program, `k8s.io/kubernetes/cmd/${program}`])),
    flags: `-X ${version}.gitVersion=${KUBERNETES} -X ${version}.gitMajor=${MAJOR} -X ${version}.gitMinor=${MINOR}`,
  },
  etcd: { name: 'etcd', title: 'etcd', usually: '1 minute', instead: own, programs: { etcd: 'go.etcd.io/etcd/server/v3' } },
  gatekeeper: {
    name: 'gatekeeper', title: 'Gatekeeper', usually: '3 minutes', instead: 'leave it out with PARTS=minimal',
    programs: { gatekeeper: 'github.com/open-policy-agent/gatekeeper/v3', gator: 'github.com/open-policy-agent/gatekeeper/v3/cmd/gator' },
    files: (module, target) => cpSync(join(module('github.com/open-policy-agent/gatekeeper/v3'), 'deploy/gatekeeper.yaml'), join(target, 'gatekeeper.yaml')),
  },
  kwok: {
    name: 'kwok', title: 'kwok', usually: '2 minutes', instead: 'leave it out with PARTS=minimal',
    programs: { kwok: 'sigs.k8s.io/kwok/cmd/kwok' },
    files: (module, target) => {
      const stages = join(module('sigs.k8s.io/kwok'), 'kustomize/stage');
      const files = ['node/fast/node-initialize.yaml', 'node/heartbeat-with-lease/node-heartbeat-with-lease.yaml'];
      writeFileSync(join(target, 'node-stages.yaml'), files.map((file) => readFileSync(join(stages, file), 'utf8')).join('\n---\n'));
    },
  },
  dex: {
    name: 'dex', title: 'Dex', usually: '3 minutes', instead: 'leave it out with PARTS=minimal', cgo: true,
    programs: { dex: 'github.com/dexidp/dex/cmd/dex' },
    files: (module, target) => cpSync(join(module('github.com/dexidp/dex'), 'web'), join(target, 'web'), { recursive: true }),
  },
};

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

const controlPlanePrograms = ['etcd', 'kube-apiserver', 'kube-controller-manager'];

/**
 * The paths of the control plane's programs, by name. Looked for in KUBEBUILDER_ASSETS, on PATH, in the cache, among
 * the official downloads; else built. `more` names programs that are wanted beside the control plane's own; where
 * somebody else's folder lacks them, they are built.
 */
export async function controlPlane(more = []) {
  const given = givenControlPlane();
  const [kubernetes, etcd] = given ? [given, given] : [await folderOf(parts.kubernetes), await folderOf(parts.etcd)];
  const program = (name) => join(name === 'etcd' ? etcd : kubernetes, name);
  const paths = Object.fromEntries(controlPlanePrograms.map((name) => [name, program(name)]));
  for (const name of more) paths[name] = existsSync(program(name)) ? program(name) : join(await folderOf(parts.kubernetes), name);
  return paths;
}

/** The folder of a control plane that somebody else provides. */
function givenControlPlane() {
  const missing = (folder) => controlPlanePrograms.filter((program) => !existsSync(join(folder, program)));
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets) {
    if (missing(assets).length === 0) return assets;
    throw new Refusal(`KUBEBUILDER_ASSETS names ${assets}, which lacks ${missing(assets).join(' and ')}.`);
  }
  const onThisPath = onPath('kube-apiserver')?.replace(/\/kube-apiserver$/, '');
  return onThisPath && missing(onThisPath).length === 0 ? onThisPath : undefined;
}

/** Gatekeeper's manager and `gator`, and the manifests of its release. */
export const gatekeeper = () => folderOf(parts.gatekeeper);

/** kwok, and the stages of its release for nodes. */
export const kwok = () => folderOf(parts.kwok);

/** Dex and its web templates. */
export const dex = () => folderOf(parts.dex);

/** From the cache, the official downloads, or built. */
async function folderOf(part) {
  const built = builtFolder(part);
  if (existsSync(built)) return built;
  return (await downloaded(part.name)) ?? goPrograms(part);
}

/** Debian's Chromium, or the one that `CHROMIUM` names. */
export function chromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  if (!onPath('chromium')) installPackages('chromium', 'fonts-dejavu-core');
  return onPath('chromium');
}
