// What HNC answers, as measured on the real controller: the same tests run on the stand-in and, where HNC_MANAGER names
// its program, on the real one. Run by `make test CHECK=hnc`.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Kube } from '../kube.mjs';
import { until } from '../processes.mjs';

const kube = Kube.fromConfig(process.env.FAIRWAY_TEST_ADMIN_KUBECONFIG);
const unique = (stem) => `${stem}-${Math.random().toString(36).slice(2, 8)}`;

const anchorOf = (parent, name, spec = {}) => ({ apiVersion: 'hnc.x-k8s.io/v1alpha2', kind: 'SubnamespaceAnchor', metadata: { name, namespace: parent }, spec });
const anchors = (parent) => `/apis/hnc.x-k8s.io/v1alpha2/namespaces/${parent}/subnamespaceanchors`;
const createAnchor = (parent, name, spec) => kube.request('POST', anchors(parent), anchorOf(parent, name, spec));
const hierarchy = (namespace) => `/apis/hnc.x-k8s.io/v1alpha2/namespaces/${namespace}/hierarchyconfigurations/hierarchy`;
const configure = (namespace, spec) => kube.apply({ apiVersion: 'hnc.x-k8s.io/v1alpha2', kind: 'HierarchyConfiguration', metadata: { name: 'hierarchy', namespace }, spec }, 'test');
const roleBindings = (namespace) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`;
const policies = (namespace) => `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`;
const policy = (name, metadata = {}) => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, ...metadata }, spec: { podSelector: {}, policyTypes: ['Ingress'] } });
const binding = (name, metadata = {}) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name, ...metadata }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-pay' }] });
const namespaceOf = (name) => kube.get(`/api/v1/namespaces/${name}`);

/** A refusal has a status and HNC's words in it. */
async function refused(promise, status, words) {
  const error = await promise.then(() => assert.fail('it was allowed'), (error) => error);
  assert.equal(error.status, status, error.message);
  assert.ok(error.message.includes(words), `${error.message}\ndoes not hold\n${words}`);
}

/** A namespace of its own for a test, with a child where a test needs one. */
async function root() {
  const name = unique('tree');
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await until('the tree label', async () => (await namespaceOf(name)).metadata.labels[`${name}.tree.hnc.x-k8s.io/depth`] === '0');
  return name;
}

async function child(parent, spec) {
  const name = unique(`${parent}-dev`);
  await createAnchor(parent, name, spec);
  await until('the subnamespace', async () => (await kube.get(`${anchors(parent)}/${name}`)).status?.status === 'Ok');
  await until('its tree label', async () => (await namespaceOf(name)).metadata.labels[`${parent}.tree.hnc.x-k8s.io/depth`] === '1');
  return name;
}

/** Sets the finalizers that keep a namespace although it was deleted. */
const hold = (name, finalizers) => kube.request('PATCH', `/api/v1/namespaces/${name}`, { metadata: { finalizers } }, 'application/merge-patch+json');

before(() => until('HNC', () => kube.get('/apis/hnc.x-k8s.io/v1alpha2/hncconfigurations/config')));

test('a managed namespace carries the included label and its depth in every tree', async () => {
  const parent = await root();
  const name = await child(parent);
  const { labels } = (await namespaceOf(name)).metadata;
  assert.equal(labels['hnc.x-k8s.io/included-namespace'], 'true');
  assert.equal(labels[`${name}.tree.hnc.x-k8s.io/depth`], '0');
  assert.equal(labels[`${parent}.tree.hnc.x-k8s.io/depth`], '1');
  assert.equal((await namespaceOf('kube-system')).metadata.labels['hnc.x-k8s.io/included-namespace'], undefined);
});

test('a namespace carries the included label from the moment it is made', async () => {
  const made = await kube.request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: unique('labelled') } });
  assert.equal(made.metadata.labels['hnc.x-k8s.io/included-namespace'], 'true');
});

test('an anchor becomes a namespace that names its parent, and the anchor has a finalizer', async () => {
  const parent = await root();
  const name = await child(parent);
  assert.equal((await namespaceOf(name)).metadata.annotations['hnc.x-k8s.io/subnamespace-of'], parent);
  await until('its configuration', async () => (await kube.get(hierarchy(name))).spec.parent === parent);
  assert.deepEqual((await kube.get(`${anchors(parent)}/${name}`)).metadata.finalizers, ['hnc.x-k8s.io']);
});

test('RoleBindings and NetworkPolicies are copied, with labels that name the source', async () => {
  const parent = await root();
  await kube.request('POST', roleBindings(parent), binding('readers'));
  await kube.request('POST', policies(parent), policy('closed'));
  const name = await child(parent);
  const grandchild = await child(name);
  for (const path of [`${roleBindings(name)}/readers`, `${policies(name)}/closed`, `${roleBindings(grandchild)}/readers`]) {
    const copy = await until(path, () => kube.get(path));
    assert.equal(copy.metadata.labels['hnc.x-k8s.io/inherited-from'], parent);
    assert.equal(copy.metadata.labels['app.kubernetes.io/managed-by'], 'hnc.x-k8s.io');
  }
});

test('labels of the parent are not inherited, but managed ones that its configuration names are', async () => {
  const parent = await root();
  await kube.request('PATCH', `/api/v1/namespaces/${parent}`, { metadata: { labels: { 'example.com/team': 'a' } } }, 'application/merge-patch+json');
  await configure(parent, { labels: [{ key: 'pod-security.kubernetes.io/warn', value: 'restricted' }] });
  const name = await child(parent);
  await until('the managed label', async () => (await namespaceOf(name)).metadata.labels['pod-security.kubernetes.io/warn'] === 'restricted');
  assert.equal((await namespaceOf(name)).metadata.labels['example.com/team'], undefined);
});

test('a managed label that somebody sets by hand is taken away', async () => {
  const parent = await root();
  await kube.request('PATCH', `/api/v1/namespaces/${parent}`, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } }, 'application/merge-patch+json');
  await until('the label to go', async () => (await namespaceOf(parent)).metadata.labels['pod-security.kubernetes.io/enforce'] === undefined);
});

test('a label or annotation that is not managed cannot be asked for', async () => {
  const parent = await root();
  await refused(createAnchor(parent, unique('child'), { annotations: [{ key: 'example.com/x', value: 'y' }] }), 422, 'spec.annotations: Invalid value: "example.com/x": not a managed annotation and cannot be configured');
});

test('an original with propagate none is not copied, and a copy that exists goes away', async () => {
  const parent = await root();
  await kube.request('POST', roleBindings(parent), binding('kept'));
  await kube.request('POST', roleBindings(parent), binding('alone', { annotations: { 'propagate.hnc.x-k8s.io/none': 'true' } }));
  const name = await child(parent);
  await until('the copy', () => kube.get(`${roleBindings(name)}/kept`));
  assert.equal(await kube.find(`${roleBindings(name)}/alone`), undefined);
  await kube.request('PATCH', `${roleBindings(parent)}/kept`, { metadata: { annotations: { 'propagate.hnc.x-k8s.io/none': 'true' } } }, 'application/merge-patch+json');
  await until('the copy to go', async () => !(await kube.find(`${roleBindings(name)}/kept`)));
});

test('treeSelect leaves out the trees that it names', async () => {
  const parent = await root();
  const [in_, out] = [await child(parent), await child(parent)];
  await kube.request('POST', roleBindings(parent), binding('some', { annotations: { 'propagate.hnc.x-k8s.io/treeSelect': `!${out}` } }));
  await until('the copy', () => kube.get(`${roleBindings(in_)}/some`));
  assert.equal(await kube.find(`${roleBindings(out)}/some`), undefined);
});

test('the name of a namespace that exists is refused at once', async () => {
  const parent = await root();
  await refused(createAnchor(parent, 'pay'), 409, 'Operation cannot be fulfilled on subnamespaceanchors.hnc.x-k8s.io "pay": cannot create a subnamespace using an existing namespace');
});

test('an excluded namespace has no subnamespaces', async () => {
  await refused(createAnchor('kube-system', unique('child')), 403, 'cannot create a subnamespace in the unmanaged namespace "kube-system" (excluded by the HNC administrator)');
});

test('a name that is no label is refused', async () => {
  await refused(createAnchor(await root(), 'foo.bar'), 422, 'metadata.name: Invalid value: "foo.bar": not a valid namespace name:');
});

test('a copy can be neither changed nor deleted', async () => {
  const parent = await root();
  await kube.request('POST', roleBindings(parent), binding('readers'));
  const name = await child(parent);
  await until('the copy', () => kube.get(`${roleBindings(name)}/readers`));
  await refused(kube.request('PATCH', `${roleBindings(name)}/readers`, { subjects: [] }, 'application/merge-patch+json'), 403, `cannot modify object propagated from namespace "${parent}"`);
  await refused(kube.request('DELETE', `${roleBindings(name)}/readers`), 403, `cannot delete object propagated from namespace "${parent}"`);
});

test('an original that would overwrite an object of a descendant is refused', async () => {
  const parent = await root();
  const name = await child(parent);
  await kube.request('POST', policies(name), policy('own'));
  await until('the refusal', async () => {
    const error = await kube.request('POST', `${policies(parent)}?dryRun=All`, policy('own')).catch((error) => error);
    return error.status === 409;
  });
  await refused(kube.request('POST', policies(parent), policy('own')), 409, `would overwrite objects in the following descendant namespace(s): ${name}. To fix this, choose a different name for the object, or remove the conflicting objects from the listed namespaces`);
});

test('nobody else may create an object that looks like a copy', async () => {
  const parent = await root();
  await refused(kube.request('POST', roleBindings(parent), binding('forged', { labels: { 'hnc.x-k8s.io/inherited-from': 'shop' } })), 403, 'cannot create objects with the label "hnc.x-k8s.io/inherited-from"');
});

test('a subnamespace is deleted through its anchor only', async () => {
  const parent = await root();
  const name = await child(parent);
  await refused(kube.request('DELETE', `/api/v1/namespaces/${name}`), 403, `is a subnamespace. Please delete the anchor from the parent namespace ${parent} to delete the subnamespace`);
  await kube.request('DELETE', `${anchors(parent)}/${name}`);
  await until('the namespace to go', async () => !(await kube.find(`/api/v1/namespaces/${name}`)));
  await until('the anchor to go', async () => !(await kube.find(`${anchors(parent)}/${name}`)));
});

test('a branch is deleted only where its configuration allows cascading, deepest first', async () => {
  const parent = await root();
  const name = await child(parent);
  const grandchild = await child(name);
  await refused(kube.request('DELETE', `${anchors(parent)}/${name}`), 403, `subnamespace ${name} is not a leaf and doesn't allow cascading deletion. Please set allowCascadingDeletion flag or make it a leaf first`);
  await configure(name, { parent, allowCascadingDeletion: true });
  // Held at the bottom, the branch waits with everything above it.
  await hold(grandchild, ['example.com/held']);
  await until('the branch to begin to go', async () => {
    await kube.request('DELETE', `${anchors(parent)}/${name}`).catch(() => undefined);
    return (await namespaceOf(grandchild)).metadata.deletionTimestamp;
  });
  assert.ok(await kube.find(`/api/v1/namespaces/${name}`));
  assert.ok(await kube.find(`${anchors(name)}/${grandchild}`));
  await hold(grandchild, []);
  await until('the branch to go', async () => !(await kube.find(`/api/v1/namespaces/${name}`)) && !(await kube.find(`/api/v1/namespaces/${grandchild}`)));
});

test('a subnamespace cannot be moved to another parent', async () => {
  const parent = await root();
  const name = await child(parent);
  await until('its configuration', () => kube.get(hierarchy(name)));
  await refused(configure(name, { parent: 'pay' }), 409, `illegal parent: Cannot set the parent of "${name}" to "pay" because it's a subnamespace of "${parent}"`);
});

test('tree labels are HNC\'s alone', async () => {
  const name = await root();
  await refused(kube.request('PATCH', `/api/v1/namespaces/${name}`, { metadata: { labels: { 'x.tree.hnc.x-k8s.io/depth': '1' } } }, 'application/merge-patch+json'), 403, 'cannot set or modify tree label "x.tree.hnc.x-k8s.io/depth"');
});
