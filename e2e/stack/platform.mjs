// Sets up the cluster as the platform's operators would: the portal's account, demo teams, HNC, safeguards.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { kubeconfig, portalToken } from './control-plane.mjs';
import { freePort, until } from './processes.mjs';
import * as tools from './tools.mjs';

const root = join(import.meta.dirname, '../..');
const manifest = (name) => join(import.meta.dirname, 'manifests', name);

/** `hierarchy` false leaves HNC out, so that the portal makes namespaces itself. */
export async function setUpPlatform(processes, folder, plane, { hierarchy = true, onLost } = {}) {
  const { kube, adminConfig, server, ca } = plane;
  if (hierarchy) {
    await kube.applyFile(manifest('hnc-crds.yaml'));
    await until('the HNC API', () => kube.get('/apis/hnc.x-k8s.io/v1alpha2/subnamespaceanchors'));
  }
  await kube.applyFile(join(root, 'deploy/rbac.yaml'));
  for (const more of ['rbac-opt-ins.yaml', 'rbac-record.yaml']) await kube.applyFile(join(root, 'deploy', more));
  if (!hierarchy) await kube.applyFile(join(root, 'deploy/rbac-direct-mode.yaml'));
  await kube.applyFile(manifest('demo.yaml'));
  await servePolicies(kube);
  if (hierarchy) processes.start('hnc', 'node', [join(import.meta.dirname, 'hnc.mjs'), adminConfig], { onLost });
  await startAdmission(processes, folder, plane, onLost);
  const config = join(folder, 'portal.kubeconfig');
  writeFileSync(config, kubeconfig({ server, ca, token: await portalToken(kube) }), { mode: 0o600 });
  return config;
}

/** The part of Gatekeeper that reviews read: its templates and constraints. What it refuses, the webhook refuses here. */
async function servePolicies(kube) {
  const policies = parseAllDocuments(readFileSync(join(root, 'review/testdata/policies/policies.yaml'), 'utf8')).map((document) => document.toJS());
  const kinds = policies.filter(({ kind }) => kind === 'ConstraintTemplate').map(({ spec }) => spec.crd.spec.names.kind);
  await kube.apply(definition('templates.gatekeeper.sh', 'v1', 'ConstraintTemplate', 'constrainttemplates'));
  for (const kind of kinds) await kube.apply(definition('constraints.gatekeeper.sh', 'v1beta1', kind, kind.toLowerCase()));
  await until('the policy APIs', () => Promise.all([kube.get('/apis/templates.gatekeeper.sh/v1/constrainttemplates'), ...kinds.map((kind) => kube.get(`/apis/constraints.gatekeeper.sh/v1beta1/${kind.toLowerCase()}`))]));
  for (const policy of policies) await kube.apply(policy);
}

function definition(group, version, kind, plural) {
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}` },
    spec: { group, scope: 'Cluster', names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` }, versions: [{ name: version, served: true, storage: true, schema }] },
  };
}

async function startAdmission(processes, folder, { kube, adminConfig }, onLost) {
  if (!tools.onPath('openssl')) tools.installPackages('openssl');
  const [certificate, key] = [join(folder, 'admission.crt'), join(folder, 'admission.key')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const port = await freePort();
  const webhook = processes.start('admission', 'node', [join(import.meta.dirname, 'admission.mjs'), String(port), certificate, key, adminConfig], { onLost });
  await until('the admission webhook', () => readFileSync(webhook.log, 'utf8').includes('admission ready'));
  await kube.apply({
    apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { name: 'platform-safeguards' },
    webhooks: [{
      name: 'safeguards.platform.example.com', admissionReviewVersions: ['v1'], sideEffects: 'None', failurePolicy: 'Fail', timeoutSeconds: 5,
      clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: readFileSync(certificate).toString('base64') },
      namespaceSelector: { matchLabels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
      rules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['pods'] },
        { apiGroups: ['apps', 'batch'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments', 'jobs'] },
      ],
    }],
  });
}
