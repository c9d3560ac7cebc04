// The part of HNC that people meet: an anchor becomes a namespace, and the parent's RoleBindings and
// NetworkPolicies arrive in it a moment later. A process of its own: node hnc.mjs KUBECONFIG.

import { Kube } from './kube.mjs';

const INHERITED = 'hnc.x-k8s.io/inherited-from';
const DELAY = 700;
const kube = Kube.fromConfig(process.argv[2]);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function reconcile(anchor) {
  const { name, namespace: parent } = anchor.metadata;
  if (anchor.metadata.deletionTimestamp) return;
  const existing = await kube.get(`/api/v1/namespaces/${name}`).catch((error) => (error.status === 404 ? undefined : Promise.reject(error)));
  if (existing && existing.metadata.annotations?.['hnc.x-k8s.io/subnamespace-of'] !== parent) return setStatus(anchor, 'Conflict');
  if (!existing) {
    const above = await kube.get(`/api/v1/namespaces/${parent}`);
    const labels = Object.fromEntries(Object.entries(above.metadata.labels).filter(([key]) => key.startsWith('pod-security.kubernetes.io/')));
    await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { ...labels, [`${parent}.tree.hnc.x-k8s.io/depth`]: '1' }, annotations: { 'hnc.x-k8s.io/subnamespace-of': parent } } });
  }
  if (anchor.status?.status !== 'Ok') await setStatus(anchor, 'Ok');
  // As with the real one, "Ok" comes before the copies do.
  await pause(existing ? 0 : DELAY);
  await propagate(parent, name, '/apis/rbac.authorization.k8s.io/v1', 'rolebindings', 'RoleBinding', ({ roleRef, subjects }) => ({ roleRef, subjects }));
  await propagate(parent, name, '/apis/networking.k8s.io/v1', 'networkpolicies', 'NetworkPolicy', ({ spec }) => ({ spec }));
}

async function propagate(parent, child, api, plural, kind, content) {
  const { items } = await kube.get(`${api}/namespaces/${parent}/${plural}`);
  for (const item of items.filter(({ metadata }) => metadata.annotations?.['propagate.hnc.x-k8s.io/none'] !== 'true')) {
    const labels = { [INHERITED]: item.metadata.labels?.[INHERITED] ?? parent };
    await kube.apply({ apiVersion: api.replace('/apis/', ''), kind, metadata: { name: item.metadata.name, namespace: child, labels }, ...content(item) });
  }
}

function setStatus({ metadata: { name, namespace } }, status) {
  return kube.request('PATCH', `/apis/hnc.x-k8s.io/v1alpha2/namespaces/${namespace}/subnamespaceanchors/${name}/status`, { status: { status } }, 'application/merge-patch+json');
}

process.on('SIGTERM', () => process.exit(0));
console.log('hierarchy ready');
for (;;) {
  try {
    const { items } = await kube.get('/apis/hnc.x-k8s.io/v1alpha2/subnamespaceanchors');
    for (const anchor of items) await reconcile(anchor);
  } catch (error) {
    console.error(error.message);
  }
  await pause(300);
}
