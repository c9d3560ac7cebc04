// Sets up the cluster as the platform's operators would: the portal's account and the teams.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountToken, kubeconfig } from './control-plane.mjs';

const root = join(import.meta.dirname, '../..');
const manifest = (name) => join(import.meta.dirname, 'manifests', name);

/** Who may do what, before anything enforces policies. `hnc` false lets the portal make namespaces itself. */
export async function setUpPlatform(folder, { kube, server, ca }, { hnc, gatekeeper, identity }) {
  const rights = ['rbac.yaml', ...(identity === 'impersonation' ? ['rbac-impersonation.yaml'] : []), 'rbac-opt-ins.yaml', 'rbac-record.yaml', ...(hnc ? [] : ['rbac-direct-mode.yaml'])];
  for (const file of rights) await kube.applyFile(join(root, 'deploy', file));
  await kube.applyFile(manifest('teams.yaml'));
  const config = join(folder, 'portal.kubeconfig');
  writeFileSync(config, kubeconfig({ server, ca, token: await accountToken(kube, 'fairway', 'fairway') }), { mode: 0o600 });
  return config;
}

/** The Pod Security labels of the teams' namespaces: where HNC manages them, its configuration says them. */
export async function labelTeams(kube, { hnc }) {
  if (hnc) await kube.applyFile(manifest('teams-hierarchy.yaml'));
  else for (const name of ['shop', 'pay']) await kube.request('PATCH', `/api/v1/namespaces/${name}`, { metadata: { labels: podSecurity } }, 'application/merge-patch+json');
}

const podSecurity = Object.fromEntries(['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']));
