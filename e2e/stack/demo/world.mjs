// What runs in the demo: the platform's own services and two teams with an online shop. Every object is one that the
// platform's policies admit, unless its comment says otherwise.

const DNS = { to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } }, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: [{ protocol: 'UDP', port: 53 }, { protocol: 'TCP', port: 53 }] };
const tcp = (...ports) => ports.map((port) => ({ protocol: 'TCP', port }));
const app = (name) => ({ podSelector: { matchLabels: { 'app.kubernetes.io/name': name } } });
const inNamespace = (namespace, labels) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } }, podSelector: { matchLabels: labels } });
const INGRESS_CONTROLLER = inNamespace('ingress-nginx', { 'app.kubernetes.io/name': 'ingress-nginx' });
const PROMETHEUS = inNamespace('monitoring', { 'app.kubernetes.io/name': 'prometheus' });
const DATABASE = { to: [inNamespace('postgres-system', { application: 'spilo' })], ports: tcp(5432) };
const toApp = (name, ...ports) => ({ to: [app(name)], ports: tcp(...ports) });
const toRange = (cidr, ...ports) => ({ to: [{ ipBlock: { cidr } }], ports: tcp(...ports) });

/** One pod at a time is replaced. */
const STEP_BY_STEP = { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } };

/** HNC copies policies into every namespace below; those of one workload are for its own namespace. */
const HERE = { 'propagate.hnc.x-k8s.io/none': 'true' };

const container = (name, image, { port, cpu = '50m', memory = '64Mi', env } = {}) => ({
  name, image, resources: { requests: { cpu, memory }, limits: { memory } },
  ...(port && { ports: [{ name: 'http', containerPort: port }] }), ...(env && { env: Object.entries(env).map(([name, value]) => ({ name, value })) }),
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
});
const podOf = (labels, containers, { user = 10001 } = {}) => ({
  metadata: { labels },
  spec: { securityContext: { runAsNonRoot: true, ...(user && { runAsUser: user }), seccompProfile: { type: 'RuntimeDefault' } }, automountServiceAccountToken: false, containers },
});
const labelsOf = (name, part) => ({ 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': part });

/** A Deployment (or StatefulSet) with its Service and, where `from` or `to` is given, its policy. */
function workload(namespace, name, { part = namespace, kind = 'Deployment', replicas = 2, image = `harbor.example.com/${part}/${name}:1.0.0`, port = 8080, from, to = [], user, strategy, ...resources }) {
  const labels = labelsOf(name, part);
  const metadata = { name, namespace, labels };
  const select = { matchLabels: { 'app.kubernetes.io/name': name } };
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: select.matchLabels, ports: [{ name: 'http', port: 80, targetPort: 'http' }] } };
  const pods = { apiVersion: 'apps/v1', kind, metadata, spec: { replicas, selector: select, ...(kind === 'StatefulSet' && { serviceName: name }), ...(strategy && { strategy }), template: podOf(labels, [container(name, image, { port, ...resources })], { user }) } };
  return [...(from ? [policy(namespace, name, { from, to, port })] : []), service, pods];
}

function policy(namespace, name, { from, to, port }) {
  return {
    apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace, annotations: HERE },
    spec: { podSelector: { matchLabels: { 'app.kubernetes.io/name': name } }, policyTypes: ['Ingress', 'Egress'], ingress: from.length ? [{ from, ports: tcp(port) }] : [], egress: [DNS, ...to] },
  };
}

function scheduled(namespace, name, schedule, { part = namespace, to }) {
  const labels = labelsOf(name, part);
  const template = podOf(labels, [container(name, `harbor.example.com/${part}/${name}:2.1.0`)]);
  template.spec.restartPolicy = 'Never';
  const job = { backoffLimit: 1, template };
  return [policy(namespace, name, { from: [], to }), { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name, namespace, labels }, spec: { schedule, jobTemplate: { spec: job } } }];
}

const anchor = (parent, name) => ({ apiVersion: 'hnc.x-k8s.io/v1alpha2', kind: 'SubnamespaceAnchor', metadata: { name, namespace: parent } });

/** Operated by the platform's own people, outside the rules for teams. */
export const platform = [
  ...['ingress-nginx', 'monitoring', 'postgres-system'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { owner: 'operator' } } })),
  ...workload('ingress-nginx', 'ingress-nginx', { part: 'platform', image: 'harbor.example.com/platform/ingress-nginx:1.14.0', port: 8443 }),
  ...workload('monitoring', 'prometheus', { part: 'platform', kind: 'StatefulSet', image: 'harbor.example.com/platform/prometheus:3.7.0', port: 9090 }),
  { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'shop-orders', namespace: 'postgres-system', labels: { application: 'spilo' } }, spec: { replicas: 2, serviceName: 'shop-orders', selector: { matchLabels: { application: 'spilo', cluster: 'shop-orders' } }, template: podOf({ application: 'spilo', cluster: 'shop-orders' }, [container('postgres', 'harbor.example.com/platform/spilo:17-4.0', { port: 5432 })]) } },
];

/** The namespaces of the teams below their own. */
export const subnamespaces = [anchor('shop', 'shop-staging'), anchor('pay', 'pay-sandbox')];

/** What the team shop runs: the storefront and what is behind it. */
export const shop = [
  ...workload('shop', 'storefront', { replicas: 3, image: 'harbor.example.com/shop/storefront:4.2.0', from: [INGRESS_CONTROLLER], to: ['catalogue', 'cart', 'search', 'recommendations'].map((name) => toApp(name, 8080)) }),
  ...workload('shop', 'catalogue', { image: 'harbor.example.com/shop/catalogue:2.8.1', from: [app('storefront'), app('search'), app('checkout')], to: [DATABASE] }),
  ...workload('shop', 'cart', { image: 'harbor.example.com/shop/cart:3.0.4', from: [app('storefront'), app('checkout')], to: [toApp('cart-cache', 6379)] }),
  ...workload('shop', 'cart-cache', { kind: 'StatefulSet', image: 'harbor.example.com/shop/valkey:8.1', port: 6379, from: [app('cart')] }),
  ...workload('shop', 'checkout', { image: 'harbor.example.com/shop/checkout:5.1.0', from: [app('storefront')], to: [toApp('cart', 8080), toApp('catalogue', 8080), toApp('emails', 8080), { to: [inNamespace('pay', { 'app.kubernetes.io/name': 'payments-api' })], ports: tcp(8080) }, DATABASE] }),
  // Its newest image takes five minutes to start, so that a rollout is under way for half an hour.
  ...workload('shop', 'search', { replicas: 6, image: 'harbor.example.com/shop/search:1.9.0', strategy: STEP_BY_STEP, from: [app('storefront')], to: [toApp('catalogue', 8080)] }),
  ...workload('shop', 'emails', { image: 'harbor.example.com/shop/emails:1.3.2', from: [app('checkout')], to: [toRange('203.0.113.25/32', 587)] }),
  // Its newest image does not exist: the rollout stands still and the old pods go on.
  ...workload('shop', 'images', { replicas: 3, image: 'harbor.example.com/shop/images:2.0.0', from: [INGRESS_CONTROLLER, PROMETHEUS], strategy: STEP_BY_STEP }),
  // Exits again and again, and its policy lets everything in and out.
  ...workload('shop', 'recommendations', { image: 'harbor.example.com/shop/recommendations:crashing-0.4' }),
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'recommendations', namespace: 'shop', annotations: HERE }, spec: { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'recommendations' } }, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] } },
  // Its policy was written for a label that it no longer has.
  ...workload('shop', 'reviews', { image: 'harbor.example.com/shop/reviews:1.0.7' }),
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'reviews', namespace: 'shop', annotations: HERE }, spec: { podSelector: { matchLabels: { app: 'reviews' } }, policyTypes: ['Ingress'], ingress: [{ from: [app('storefront')], ports: tcp(8080) }] } },
  ...scheduled('shop', 'nightly-report', '15 2 * * *', { to: [DATABASE, toRange('203.0.113.0/28', 443)] }),
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'storefront', namespace: 'shop' }, spec: { minAvailable: 2, selector: { matchLabels: { 'app.kubernetes.io/name': 'storefront' } } } },
  ...workload('shop-staging', 'storefront', { part: 'shop', image: 'harbor.example.com/shop/storefront:4.3.0-rc1', from: [INGRESS_CONTROLLER], to: [toApp('catalogue', 8080)] }),
  ...workload('shop-staging', 'catalogue', { part: 'shop', image: 'harbor.example.com/shop/catalogue:2.9.0-rc2', from: [app('storefront')], to: [DATABASE] }),
];

/** The next versions of two workloads of the shop: the image of one is missing, the pods of the other start slowly. */
export const rollouts = [
  ...workload('shop', 'images', { replicas: 3, image: 'harbor.example.com/shop/images:missing-2.1.0', strategy: STEP_BY_STEP }),
  ...workload('shop', 'search', { replicas: 6, image: 'harbor.example.com/shop/search:slow-2.0.0', strategy: STEP_BY_STEP }),
].filter(({ kind }) => kind === 'Deployment');

/** What the team pay runs; its sandbox has no policies at all. */
export const pay = [
  ...workload('pay', 'payments-api', { image: 'harbor.example.com/pay/payments-api:7.4.0', from: [inNamespace('shop', { 'app.kubernetes.io/name': 'checkout' })], to: [toApp('ledger', 8080), toApp('fraud-check', 8080), toRange('198.51.100.0/24', 443)] }),
  ...workload('pay', 'ledger', { image: 'harbor.example.com/pay/ledger:3.3.0', from: [app('payments-api')], to: [DATABASE] }),
  // Its image runs as root, which the kubelet refuses to start.
  ...workload('pay', 'fraud-check', { image: 'harbor.example.com/pay/fraud-check:1.1-root', user: null, from: [app('payments-api')], to: [toRange('198.51.100.7/32', 443)] }),
  // Asks for more than any node has.
  ...workload('pay', 'settlement', { image: 'harbor.example.com/pay/settlement:2.0.0', cpu: '12', memory: '8Gi', from: [app('payments-api')] }),
  ...workload('pay-sandbox', 'payments-api', { part: 'pay', image: 'harbor.example.com/pay/payments-api:8.0.0-beta1' }),
  ...workload('pay-sandbox', 'mock-bank', { part: 'pay', image: 'harbor.example.com/pay/mock-bank:0.2.0' }),
  { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'sandbox', namespace: 'pay-sandbox' }, spec: { hard: { pods: '3', 'requests.cpu': '2', 'requests.memory': '2Gi' } } },
];
