// What the controller knows: namespaces and who is whose parent. Read from the API server's own objects, nothing else.

export const GROUP = 'hnc.x-k8s.io';
export const INHERITED_FROM = `${GROUP}/inherited-from`;
export const SUBNAMESPACE_OF = `${GROUP}/subnamespace-of`;
export const INCLUDED = `${GROUP}/included-namespace`;
export const DEPTH = `.tree.${GROUP}/depth`;

const EXCLUDED = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'hnc-system']);

/** Why a namespace is not managed; undefined where it is. */
export const whyUnmanaged = (name) => (EXCLUDED.has(name) ? 'excluded by the HNC administrator' : undefined);

export class Hierarchy {
  namespaces = new Map();
  configurations = new Map();
  anchors = new Map();

  namespace(name) {
    return this.namespaces.get(`/${name}`);
  }

  /** Namespaces that HNC manages. */
  managed() {
    return [...this.namespaces.values()].filter(({ metadata }) => !whyUnmanaged(metadata.name));
  }

  configuration(name) {
    return this.configurations.get(`${name}/hierarchy`);
  }

  anchor(parent, name) {
    return this.anchors.get(`${parent}/${name}`);
  }

  subnamespaceOf(name) {
    return this.namespace(name)?.metadata.annotations?.[SUBNAMESPACE_OF];
  }

  parentOf(name) {
    return this.configuration(name)?.spec?.parent || this.subnamespaceOf(name) || undefined;
  }

  /** The namespace itself, its parent, and so on; a cycle ends where it closes. */
  ancestry(name) {
    const found = [];
    for (let here = name; here && this.namespace(here) && !found.includes(here); here = this.parentOf(here)) found.push(here);
    return found;
  }

  childrenOf(name) {
    return this.managed().map(({ metadata }) => metadata.name).filter((child) => this.parentOf(child) === name);
  }

  descendantsOf(name) {
    return this.childrenOf(name).flatMap((child) => [child, ...this.descendantsOf(child)]);
  }

  allowsCascadingDeletion(name) {
    return this.ancestry(name).some((ancestor) => this.configuration(ancestor)?.spec?.allowCascadingDeletion);
  }

  /** `NAME.tree.hnc.x-k8s.io/depth` for the namespace itself and each ancestor. */
  treeLabels(name) {
    return Object.fromEntries(this.ancestry(name).map((ancestor, depth) => [`${ancestor}${DEPTH}`, String(depth)]));
  }

  /** What is set on a namespace by configurations and its anchor; an ancestor's value wins. */
  managedLabels(name) {
    const pairs = (list) => (list ?? []).map(({ key, value }) => [key, value]);
    const own = pairs(this.anchor(this.subnamespaceOf(name), name)?.spec?.labels);
    const above = this.ancestry(name).flatMap((ancestor) => pairs(this.configuration(ancestor)?.spec?.labels));
    return Object.fromEntries([...own, ...above]);
  }
}
