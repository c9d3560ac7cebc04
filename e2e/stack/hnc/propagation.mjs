// Which objects are copied to which namespaces, and what a copy looks like.

import { DEPTH, GROUP, INHERITED_FROM } from './hierarchy.mjs';

const PREFIX = `propagate.${GROUP}`;

/** Copied by every installation. */
const ALWAYS = [
  { apiVersion: 'rbac.authorization.k8s.io/v1', group: 'rbac.authorization.k8s.io', plural: 'roles', kind: 'Role' },
  { apiVersion: 'rbac.authorization.k8s.io/v1', group: 'rbac.authorization.k8s.io', plural: 'rolebindings', kind: 'RoleBinding' },
];

/** Copied where the HNCConfiguration says so. */
const ON_REQUEST = [
  { apiVersion: 'networking.k8s.io/v1', group: 'networking.k8s.io', plural: 'networkpolicies', kind: 'NetworkPolicy' },
  { apiVersion: 'v1', group: '', plural: 'configmaps', kind: 'ConfigMap' },
  { apiVersion: 'v1', group: '', plural: 'limitranges', kind: 'LimitRange' },
  { apiVersion: 'v1', group: '', plural: 'resourcequotas', kind: 'ResourceQuota' },
];

/** The kinds that an HNCConfiguration makes HNC copy. */
export function propagatedKinds(configuration) {
  const named = configuration?.spec?.resources ?? [];
  const asked = ({ group, plural }) => named.some((entry) => (entry.group ?? '') === group && entry.resource === plural && entry.mode === 'Propagate');
  return [...ALWAYS, ...ON_REQUEST.filter(asked)];
}

export const isCopy = ({ metadata }) => metadata.labels?.[INHERITED_FROM] !== undefined;

/** The copies that should exist of the objects of one kind: "namespace/name" -> object. An ancestor further up wins. */
export function wantedCopies(hierarchy, kind, objects) {
  const wanted = new Map();
  const sources = [...objects.values()].filter((object) => !isCopy(object) && !object.metadata.deletionTimestamp);
  const depth = ({ metadata }) => hierarchy.ancestry(metadata.namespace).length;
  for (const source of sources.sort((a, b) => depth(b) - depth(a))) {
    for (const target of hierarchy.descendantsOf(source.metadata.namespace)) {
      if (reaches(source, hierarchy.treeLabels(target))) wanted.set(`${target}/${source.metadata.name}`, copyOf(source, kind, target));
    }
  }
  return wanted;
}

/** Whether the annotations of an original let it through to a namespace with these tree labels. */
function reaches({ metadata: { annotations = {}, name } }, treeLabels) {
  if (isTrue(annotations[`${PREFIX}/none`]) || name === 'kube-root-ca.crt') return false;
  const terms = (annotations[`${PREFIX}/treeSelect`] ?? '').split(',').map((term) => term.trim()).filter(Boolean);
  const has = (namespace) => `${namespace}${DEPTH}` in treeLabels;
  return terms.every((term) => (term.startsWith('!') ? !has(term.slice(1)) : has(term)));
}

const isTrue = (text) => ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text);

function copyOf(source, { apiVersion, kind }, namespace) {
  const { metadata, status, apiVersion: _, kind: __, ...content } = source;
  const annotations = Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !key.startsWith(`${PREFIX}/`) && !key.startsWith('kubectl.kubernetes.io/')));
  const labels = { ...metadata.labels, 'app.kubernetes.io/managed-by': GROUP, [INHERITED_FROM]: metadata.namespace };
  return { apiVersion, kind, metadata: { name: metadata.name, namespace, labels, ...(Object.keys(annotations).length && { annotations }) }, ...content };
}

/** Whether a copy already says what it should. */
export function isSame(copy, wanted) {
  const content = ({ metadata, status, apiVersion, kind, ...rest }) => JSON.stringify([sorted(rest), sorted(metadata.labels ?? {})]);
  return content(copy) === content(wanted);
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** The originals further down that an object of this name would overwrite. */
export function wouldOverwrite(hierarchy, object, objects) {
  const { name, namespace } = object.metadata;
  const below = hierarchy.descendantsOf(namespace).filter((target) => reaches(object, hierarchy.treeLabels(target)));
  return below.filter((target) => objects.has(`${target}/${name}`) && !isCopy(objects.get(`${target}/${name}`)));
}
