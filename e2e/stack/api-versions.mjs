// Writes the table of Kubernetes' own groups, versions and kinds that the review knows: what the API serves, by its own
// discovery, and what is gone, with what to use instead, by the lifecycle that its types declare. Both are read from the
// modules that the stack's Kubernetes is built from: node api-versions.mjs > review/src/api_versions.txt

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Refusal, runMain } from './say.mjs';

const cache = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
const version = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(join(import.meta.dirname, 'tools/kubernetes/go.mod'), 'utf8'))[1];
const discovery = join(cache, `k8s.io/kubernetes@${version}/api/discovery`);
const types = join(cache, `k8s.io/api@${version.replace('v1.', 'v0.')}`);

// Gone from the modules as well (Kubernetes documentation, Deprecated API Migration Guide), and groups that extensions of the
// API server serve itself.
const EARLIER = [
  ['apiextensions.k8s.io v1beta1 CustomResourceDefinition', '1.22', 'apiextensions.k8s.io/v1 CustomResourceDefinition'],
  ['apiregistration.k8s.io v1beta1 APIService', '1.22', 'apiregistration.k8s.io/v1 APIService'],
  ['autoscaling v2beta1 HorizontalPodAutoscaler', '1.25', 'autoscaling/v2 HorizontalPodAutoscaler'],
  ['autoscaling v2beta2 HorizontalPodAutoscaler', '1.26', 'autoscaling/v2 HorizontalPodAutoscaler'],
  ['batch v2alpha1 CronJob', '1.21', 'batch/v1 CronJob'],
  ['extensions v1beta1 PodSecurityPolicy', '1.16', ''],
  ['policy v1beta1 PodSecurityPolicy', '1.25', ''],
  ['rbac.authorization.k8s.io v1alpha1 ClusterRole', '1.22', 'rbac.authorization.k8s.io/v1 ClusterRole'],
  ['rbac.authorization.k8s.io v1alpha1 ClusterRoleBinding', '1.22', 'rbac.authorization.k8s.io/v1 ClusterRoleBinding'],
  ['rbac.authorization.k8s.io v1alpha1 Role', '1.22', 'rbac.authorization.k8s.io/v1 Role'],
  ['rbac.authorization.k8s.io v1alpha1 RoleBinding', '1.22', 'rbac.authorization.k8s.io/v1 RoleBinding'],
  ['storage.k8s.io v1beta1 CSIDriver', '1.22', 'storage.k8s.io/v1 CSIDriver'],
  ['storage.k8s.io v1beta1 CSINode', '1.22', 'storage.k8s.io/v1 CSINode'],
  ['storage.k8s.io v1beta1 CSIStorageCapacity', '1.27', 'storage.k8s.io/v1 CSIStorageCapacity'],
  ['storage.k8s.io v1beta1 StorageClass', '1.22', 'storage.k8s.io/v1 StorageClass'],
  ['storage.k8s.io v1beta1 VolumeAttachment', '1.22', 'storage.k8s.io/v1 VolumeAttachment'],
];
const EXTENSIONS = ['apiextensions.k8s.io v1 CustomResourceDefinition', 'apiregistration.k8s.io v1 APIService'];

await runMain(async () => {
  const served = new Set([...servedKinds(), ...EXTENSIONS]);
  const lines = [...served].map((kind) => `${kind} served`);
  const gone = new Map([...EARLIER, ...goneKinds()].map(([kind, ...more]) => [kind, more]));
  for (const [kind, [since, instead]] of gone) if (!served.has(kind)) lines.push(`${kind} gone ${since} ${instead}`.trimEnd());
  console.log(`# Kubernetes ${version}, by api-versions.mjs. Group (core is empty), version and kind; then served, or since when it is\n# gone and what to use instead.`);
  console.log(lines.sort().join('\n'));
});

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new Refusal(`${file} is missing: start the stack once, which fetches the modules of Kubernetes.`);
  }
}

function servedKinds() {
  const kinds = new Set();
  // The core group is not in it.
  const core = JSON.parse(read(join(discovery, 'api__v1.json')));
  for (const { name, kind } of core.resources) if (!name.includes('/')) kinds.add(`- v1 ${kind}`);
  for (const group of JSON.parse(read(join(discovery, 'aggregated_v2.json'))).items) {
    for (const { version, resources } of group.versions) {
      for (const { responseKind } of resources ?? []) kinds.add(`${group.metadata.name} ${version} ${responseKind.kind}`);
    }
  }
  return kinds;
}

/** Kinds that are no longer served, as their types say. */
function* goneKinds() {
  for (const file of filesBelow(types)) {
    const text = readFileSync(file, 'utf8');
    const [folder, version] = relative(types, file).split('/');
    const group = groupOf(join(types, folder, version), folder);
    for (const [, kind, major, minor] of text.matchAll(/func \(in \*(\w+)\) APILifecycleRemoved\(\) \(major, minor int\) \{\n\treturn (\d+), (\d+)/g)) {
      if (kind.endsWith('List')) continue;
      const [, to = ''] = new RegExp(`func \\(in \\*${kind}\\) APILifecycleReplacement\\(\\).*\\{\\n\\treturn (.*)\\n`).exec(text) ?? [];
      const [, newGroup, newVersion, newKind] = /Group: "(.*)", Version: "(.*)", Kind: "(.*)"/.exec(to) ?? [];
      yield [`${group} ${version} ${kind}`, `${major}.${minor}`, newKind ? `${newGroup ? `${newGroup}/` : ''}${newVersion} ${newKind.replace(/List$/, '')}` : ''];
    }
  }
}

function groupOf(folder, name) {
  const [, group] = /GroupName = "(.*)"/.exec(readFileSync(join(folder, 'register.go'), 'utf8')) ?? [];
  return group ?? name;
}

function* filesBelow(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* filesBelow(path);
    else if (name === 'zz_generated.prerelease-lifecycle.go') yield path;
  }
}
