// What HNC's webhooks refuse, in its words. Each function answers one admission request: undefined lets it through.

import { DEPTH, GROUP, INCLUDED, INHERITED_FROM, SUBNAMESPACE_OF, whyUnmanaged } from './hierarchy.mjs';
import { isSame, wouldOverwrite } from './propagation.mjs';

const forbidden = (resource, name, why) => ({ code: 403, reason: 'Forbidden', message: `${resource} "${name}" is forbidden: ${why}` });
const conflict = (resource, name, why) => ({ code: 409, reason: 'Conflict', message: `Operation cannot be fulfilled on ${resource} "${name}": ${why}` });
const invalid = (kind, name, why) => ({ code: 422, reason: 'Invalid', message: `${kind} "${name}" is invalid: ${why}` });

const ANCHORS = `subnamespaceanchors.${GROUP}`;
const CONFIGURATIONS = `hierarchyconfigurations.${GROUP}`;

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/** `POST /validate-hnc-x-k8s-io-v1alpha2-subnamespaceanchors` */
export function anchor({ operation, object, oldObject }, { hierarchy, isManagedKey }) {
  const { metadata: { name, namespace }, spec = {}, status } = object ?? oldObject;
  const exists = hierarchy.namespace(name);
  if (operation === 'DELETE') {
    const bound = status?.status === 'Ok' && hierarchy.childrenOf(name).length > 0;
    if (bound && !hierarchy.allowsCascadingDeletion(name)) return forbidden(ANCHORS, name, `subnamespace ${name} is not a leaf and doesn't allow cascading deletion. Please set allowCascadingDeletion flag or make it a leaf first`);
    return undefined;
  }
  if (!DNS_LABEL.test(name) || name.length > 63) return invalid(`SubnamespaceAnchor.${GROUP}`, name, `metadata.name: Invalid value: "${name}": not a valid namespace name: ${LABEL_RULE}`);
  const unmanaged = unmanagedKeys(spec, isManagedKey);
  if (unmanaged) return invalid(`SubnamespaceAnchor.${GROUP}`, name, unmanaged);
  if (operation !== 'CREATE') return undefined;
  if (whyUnmanaged(namespace)) return forbidden(ANCHORS, namespace, `cannot create a subnamespace in the unmanaged namespace "${namespace}" (${whyUnmanaged(namespace)})`);
  if (whyUnmanaged(name)) return forbidden(ANCHORS, name, `cannot create a subnamespace using the unmanaged namespace name "${name}" (${whyUnmanaged(name)})`);
  if (exists && hierarchy.subnamespaceOf(name) !== namespace) return conflict(ANCHORS, name, 'cannot create a subnamespace using an existing namespace');
  return undefined;
}

/** `POST /validate-hnc-x-k8s-io-v1alpha2-hierarchyconfigurations` */
export function configuration({ object, isController }, { hierarchy, isManagedKey }) {
  if (isController) return undefined;
  const { metadata: { namespace }, spec = {} } = object;
  const refuse = (why) => forbidden(CONFIGURATIONS, 'hierarchy', why);
  if (whyUnmanaged(namespace)) return refuse(`namespace "${namespace}" is not managed by HNC (${whyUnmanaged(namespace)}) and cannot be set as a child of another namespace`);
  if (whyUnmanaged(spec.parent)) return refuse(`namespace "${spec.parent}" is not managed by HNC (${whyUnmanaged(spec.parent)}) and cannot be set as the parent of another namespace`);
  const unmanaged = unmanagedKeys(spec, isManagedKey);
  if (unmanaged) return invalid(`HierarchyConfiguration.${GROUP}`, 'hierarchy', unmanaged);
  const before = hierarchy.parentOf(namespace);
  if ((spec.parent || undefined) === before) return undefined;
  if (hierarchy.subnamespaceOf(namespace)) return conflict(CONFIGURATIONS, 'hierarchy', `illegal parent: Cannot set the parent of "${namespace}" to "${spec.parent ?? ''}" because it's a subnamespace of "${before}"`);
  if (spec.parent && !hierarchy.namespace(spec.parent)) return refuse(`requested parent "${spec.parent}" does not exist`);
  if (spec.parent && hierarchy.ancestry(spec.parent).includes(namespace)) return conflict(CONFIGURATIONS, 'hierarchy', `illegal parent: cycle when making "${spec.parent}" the parent of "${namespace}": current parent would be a descendant`);
  return undefined;
}

function unmanagedKeys({ labels = [], annotations = [] }, isManagedKey) {
  const wrong = [
    ...labels.filter(({ key }) => !isManagedKey(key)).map(({ key }) => `spec.labels: Invalid value: "${key}": not a managed label and cannot be configured`),
    ...annotations.map(({ key }) => `spec.annotations: Invalid value: "${key}": not a managed annotation and cannot be configured`),
  ];
  return wrong.length > 1 ? `[${wrong.join(', ')}]` : wrong[0];
}

/** `POST /validate-v1-namespace` */
export function namespace({ operation, object, oldObject, isController }, { hierarchy }) {
  const { name, labels = {}, annotations = {} } = (object ?? oldObject).metadata;
  const refuse = (why) => forbidden('namespaces', name, why);
  if (operation === 'DELETE') {
    const parent = annotations[SUBNAMESPACE_OF];
    const anchored = parent && hierarchy.anchor(parent, name);
    if (anchored && !(isController && anchored.metadata.deletionTimestamp)) return refuse(`is a subnamespace. Please delete the anchor from the parent namespace ${parent} to delete the subnamespace`);
    const below = hierarchy.childrenOf(name).some((child) => hierarchy.subnamespaceOf(child));
    if (below && !hierarchy.allowsCascadingDeletion(name)) return refuse("contains subnamespaces. Please remove all subnamespaces before deleting this namespace, or set 'allowCascadingDeletion' to delete them automatically");
    return undefined;
  }
  if (isController) return undefined;
  const before = oldObject?.metadata.labels ?? {};
  const link = 'See https://github.com/kubernetes-sigs/hierarchical-namespaces/blob/master/docs/user-guide/concepts.md#included-namespace-label for detail';
  if (labels[INCLUDED] !== before[INCLUDED]) {
    if (whyUnmanaged(name) && labels[INCLUDED]) return refuse(`you cannot enforce webhook rules on this unmanaged namespace using the "${INCLUDED}" label. ${link}`);
    if (!whyUnmanaged(name) && labels[INCLUDED] !== 'true') return refuse(`you cannot change the value of the "${INCLUDED}" label. It has to be set as true on all managed namespaces. ${link}`);
  }
  const changed = Object.keys(labels).find((key) => key.endsWith(DEPTH) && labels[key] !== before[key]);
  if (changed) return refuse(`cannot set or modify tree label "${changed}" in namespace "${name}"; these can only be managed by HNC`);
  const removed = Object.keys(before).find((key) => key.endsWith(DEPTH) && !(key in labels));
  if (removed) return refuse(`cannot remove tree label "${removed}" in namespace "${name}"; these can only be managed by HNC`);
  return undefined;
}

/** `POST /validate-objects`: objects of kinds that are copied. */
export function object({ operation, object: now, oldObject: before, resource, isController }, { hierarchy, copies }) {
  if (isController) return undefined;
  const { name, namespace } = (now ?? before).metadata;
  const label = (one) => one?.metadata.labels?.[INHERITED_FROM];
  const refuse = (why) => forbidden(named(resource), name, why);
  if (label(now) === undefined && label(before) === undefined) {
    const overwritten = operation === 'DELETE' ? [] : wouldOverwrite(hierarchy, now, copies(resource));
    if (overwritten.length === 0) return undefined;
    return conflict(named(resource), name, `would overwrite objects in the following descendant namespace(s): ${overwritten.join(',')}. To fix this, choose a different name for the object, or remove the conflicting objects from the listed namespaces`);
  }
  if (operation === 'CREATE') return refuse(`cannot create objects with the label "${INHERITED_FROM}"`);
  if (operation === 'DELETE') return hierarchy.namespace(namespace)?.metadata.deletionTimestamp ? undefined : refuse(`cannot delete object propagated from namespace "${label(before)}"`);
  if (label(now) !== label(before)) return refuse(`cannot modify the label "${INHERITED_FROM}"`);
  const same = isSame(now, before) && JSON.stringify(now.metadata.annotations ?? {}) === JSON.stringify(before.metadata.annotations ?? {});
  return same ? undefined : refuse(`cannot modify object propagated from namespace "${label(before)}"`);
}

const named = ({ group, resource }) => (group ? `${resource}.${group}` : resource);
