// Brings the cluster to what the hierarchy says: namespaces of anchors, their labels, and the copies in them.

import { DEPTH, GROUP, INCLUDED, SUBNAMESPACE_OF } from './hierarchy.mjs';
import { isCopy, isSame, wantedCopies } from './propagation.mjs';

const MERGE = 'application/merge-patch+json';
const anchorPath = ({ metadata: { namespace, name } }) => `/apis/${GROUP}/v1alpha2/namespaces/${namespace}/subnamespaceanchors/${name}`;

/** One round. Each step that fails is reported and left to the next round; the others go on. */
export async function reconcile(kube, state) {
  const failures = [];
  const attempt = (step) => step().catch((error) => failures.push(error.message));
  await Promise.all([...state.hierarchy.anchors.values()].map((anchor) => attempt(() => reconcileAnchor(kube, state, anchor))));
  await Promise.all(state.hierarchy.managed().map((namespace) => attempt(() => reconcileNamespace(kube, state, namespace))));
  for (const kind of state.kinds()) await reconcileCopies(kube, state, kind, attempt);
  return failures;
}

async function reconcileAnchor(kube, { hierarchy }, anchor) {
  const { name, namespace: parent, finalizers = [], deletionTimestamp } = anchor.metadata;
  const found = hierarchy.namespace(name);
  const status = !found ? 'Missing' : hierarchy.subnamespaceOf(name) === parent ? 'Ok' : 'Conflict';
  if (deletionTimestamp) return finishAnchor(kube, hierarchy, anchor, found, status);
  if (!finalizers.includes(GROUP)) await kube.request('PATCH', anchorPath(anchor), { metadata: { finalizers: [...finalizers, GROUP] } }, MERGE);
  if (status === 'Missing') await createSubnamespace(kube, parent, name);
  // Before any copy is made: people see Ok, and their rights a moment later.
  await setStatus(kube, anchor, status === 'Missing' ? 'Ok' : status);
}

async function createSubnamespace(kube, parent, name) {
  await kube.request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations: { [SUBNAMESPACE_OF]: parent } } });
}

/** Its namespace goes first, then the anchor may. */
async function finishAnchor(kube, hierarchy, anchor, found, status) {
  const { name, finalizers = [] } = anchor.metadata;
  if (!finalizers.includes(GROUP)) return;
  const isLeaf = hierarchy.childrenOf(name).length === 0;
  const isTied = status === 'Ok' && (isLeaf || hierarchy.allowsCascadingDeletion(name));
  if (!isTied) return void (await kube.request('PATCH', anchorPath(anchor), { metadata: { finalizers: finalizers.filter((one) => one !== GROUP) } }, MERGE));
  if (found.metadata.deletionTimestamp) return;
  await setStatus(kube, anchor, status);
  await kube.request('DELETE', `/api/v1/namespaces/${name}`);
}

async function setStatus(kube, anchor, status) {
  if (anchor.status?.status !== status) await kube.request('PATCH', anchorPath(anchor), { status: { status } }, MERGE);
}

/** Its place in the tree, and the labels that only HNC may set. */
async function reconcileNamespace(kube, { hierarchy, isManagedKey }, { metadata }) {
  if (metadata.deletionTimestamp) return;
  const { name, labels = {} } = metadata;
  const parent = hierarchy.subnamespaceOf(name);
  if (parent && hierarchy.configuration(name)?.spec?.parent !== parent) {
    await kube.apply({ apiVersion: `${GROUP}/v1alpha2`, kind: 'HierarchyConfiguration', metadata: { name: 'hierarchy', namespace: name }, spec: { parent } }, 'hnc');
  }
  const wanted = { ...hierarchy.managedLabels(name), ...hierarchy.treeLabels(name), [INCLUDED]: 'true' };
  const isOurs = (key) => key.endsWith(DEPTH) || isManagedKey(key);
  const stale = Object.keys(labels).filter((key) => isOurs(key) && !(key in wanted));
  const changed = Object.entries(wanted).filter(([key, value]) => labels[key] !== value);
  if (stale.length + changed.length === 0) return;
  await kube.request('PATCH', `/api/v1/namespaces/${name}`, { metadata: { labels: Object.fromEntries([...changed, ...stale.map((key) => [key, null])]) } }, MERGE);
}

async function reconcileCopies(kube, { hierarchy, objectsOf }, kind, attempt) {
  const objects = objectsOf(kind);
  const wanted = wantedCopies(hierarchy, kind, objects);
  const path = (key) => `/${kind.group ? 'apis' : 'api'}/${kind.apiVersion}/namespaces/${key.replace('/', `/${kind.plural}/`)}`;
  const remove = (key) => kube.request('DELETE', path(key)).catch((error) => (error.status === 404 ? undefined : Promise.reject(error)));
  const isGoing = (namespace) => !hierarchy.namespace(namespace) || hierarchy.namespace(namespace).metadata.deletionTimestamp;
  await Promise.all([...wanted].filter(([, copy]) => !isGoing(copy.metadata.namespace)).map(([key, copy]) => attempt(async () => {
    const found = objects.get(key);
    if (found && isSame(found, copy)) return;
    // The role of a RoleBinding cannot be changed, and what is left out must go: so anew.
    if (found) await remove(key);
    await kube.request('POST', path(key).replace(/\/[^/]+$/, ''), copy);
  })));
  const stale = [...objects].filter(([key, object]) => isCopy(object) && !wanted.has(key) && !isGoing(object.metadata.namespace));
  await Promise.all(stale.map(([key]) => attempt(() => remove(key))));
}
