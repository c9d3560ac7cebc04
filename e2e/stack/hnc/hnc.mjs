// HNC beside the API server: the stand-in, or the real controller where HNC_MANAGER names its program.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { accountToken, kubeconfig } from '../control-plane.mjs';
import { freePort, until } from '../processes.mjs';

const here = (name) => join(import.meta.dirname, name);

/** Starts it and waits until it answers; `managedLabels` are expressions for keys that only it may set on namespaces. */
export async function startHnc(processes, folder, { kube, server, ca }, authority, { managedLabels = [], onLost } = {}) {
  await kube.applyFile(here('crds.yaml'));
  await kube.applyFile(here('rbac.yaml'));
  await until('the HNC API', () => Promise.all(['subnamespaceanchors', 'hierarchyconfigurations', 'hncconfigurations'].map((plural) => kube.get(`/apis/hnc.x-k8s.io/v1alpha2/${plural}`))));
  const { folder: certificates } = authority.issue('hnc');
  const config = join(folder, 'hnc.kubeconfig');
  writeFileSync(config, kubeconfig({ server, ca, token: await accountToken(kube, 'hnc-system', 'hnc') }), { mode: 0o600 });
  const port = await freePort();
  const flags = managedLabels.map((regex) => `--managed-namespace-label=${regex}`);
  const entry = process.env.HNC_MANAGER
    ? await startReal(processes, { config, port, certificates, flags, onLost })
    : processes.start('hnc', 'node', [here('manager.mjs'), config, String(port), certificates, ...flags], { onLost });
  await until('HNC', () => listens(port, readFileSync(authority.certificate)));
  for (const object of webhooks(port, authority.bundle)) await kube.apply(object);
  await until('the copies of HNC', () => kube.get('/apis/hnc.x-k8s.io/v1alpha2/hncconfigurations/config'));
  const resources = [{ group: 'networking.k8s.io', resource: 'networkpolicies', mode: 'Propagate' }];
  await kube.apply({ apiVersion: 'hnc.x-k8s.io/v1alpha2', kind: 'HNCConfiguration', metadata: { name: 'config' }, spec: { resources } });
  return entry;
}

async function startReal(processes, { config, port, certificates, flags, onLost }) {
  const [health, metrics] = [await freePort(), await freePort()];
  // It looks for its certificate below the folder for temporary files.
  for (const file of ['tls.crt', 'tls.key']) cpSync(join(certificates, file), join(certificates, 'k8s-webhook-server/serving-certs', file));
  return processes.start('hnc', process.env.HNC_MANAGER, [
    `--kubeconfig=${config}`, `--webhook-server-port=${port}`, `--health-probe-bind-address=127.0.0.1:${health}`, `--metrics-addr=127.0.0.1:${metrics}`,
    '--enable-stackdriver=false', '--namespace=hnc-system', ...['kube-system', 'kube-public', 'kube-node-lease', 'hnc-system'].map((name) => `--excluded-namespace=${name}`), ...flags,
  ], { onLost, env: { TMPDIR: certificates, POD_NAMESPACE: 'hnc-system' } });
}

function listens(port, ca) {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/readyz', ca }, (response) => resolve(response.resume() && response.statusCode !== 503)).once('error', reject).end();
  });
}

/** As HNC's own manifests have them, reached by address instead of through a Service. */
function webhooks(port, caBundle) {
  const webhook = (name, path, rules, more = {}) => ({
    name, admissionReviewVersions: ['v1'], sideEffects: 'None', failurePolicy: 'Fail', timeoutSeconds: 2,
    clientConfig: { url: `https://127.0.0.1:${port}${path}`, caBundle }, rules: [rules], ...more,
  });
  const rule = (group, version, resource, operations) => ({ apiGroups: [group], apiVersions: [version], resources: [resource], operations });
  const all = ['CREATE', 'UPDATE', 'DELETE'];
  const included = { namespaceSelector: { matchLabels: { 'hnc.x-k8s.io/included-namespace': 'true' } } };
  const copied = { apiGroups: ['rbac.authorization.k8s.io', 'networking.k8s.io'], apiVersions: ['*'], resources: ['roles', 'rolebindings', 'networkpolicies'], operations: all, scope: 'Namespaced' };
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration', metadata: { name: 'hnc-mutating-webhook-configuration' },
      webhooks: [webhook('namespacelabel.hnc.x-k8s.io', '/mutate-namespace', rule('', 'v1', 'namespaces', ['CREATE', 'UPDATE']), { failurePolicy: 'Ignore' })],
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { name: 'hnc-validating-webhook-configuration' },
      webhooks: [
        webhook('subnamespaceanchors.hnc.x-k8s.io', '/validate-hnc-x-k8s-io-v1alpha2-subnamespaceanchors', rule('hnc.x-k8s.io', 'v1alpha2', 'subnamespaceanchors', all)),
        webhook('hierarchyconfigurations.hnc.x-k8s.io', '/validate-hnc-x-k8s-io-v1alpha2-hierarchyconfigurations', rule('hnc.x-k8s.io', 'v1alpha2', 'hierarchyconfigurations', ['CREATE', 'UPDATE'])),
        webhook('namespaces.hnc.x-k8s.io', '/validate-v1-namespace', rule('', 'v1', 'namespaces', all)),
        webhook('objects.hnc.x-k8s.io', '/validate-objects', copied, included),
      ],
    },
  ];
}
