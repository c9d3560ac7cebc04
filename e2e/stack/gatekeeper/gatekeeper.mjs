// The real Gatekeeper beside the API server, with the platform's policies, mutations, and what it may look up.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { accountToken, kubeconfig } from '../control-plane.mjs';
import { freePort, until } from '../processes.mjs';
import { gatekeeper } from '../tools/programs.mjs';

const file = (name) => join(import.meta.dirname, name);
const policies = join(import.meta.dirname, '../../../review/testdata/policies/policies.yaml');
const read = (path) => parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS()).filter(Boolean);

/** What a release has for running in the cluster: here Gatekeeper is a process beside it. */
const ofTheCluster = ['Deployment', 'Service', 'PodDisruptionBudget', 'Secret', 'ResourceQuota'];

/** Starts Gatekeeper, waits until it enforces the platform's policies, and gives its process. */
export async function startGatekeeper(processes, folder, { kube, server, ca }, authority, onLost) {
  const bin = await gatekeeper();
  const release = read(join(bin, 'gatekeeper.yaml')).filter(({ kind }) => !ofTheCluster.includes(kind));
  const isWebhook = ({ kind }) => kind.endsWith('WebhookConfiguration');
  const definitions = release.filter(({ kind }) => kind === 'CustomResourceDefinition');
  for (const object of release.filter((object) => !isWebhook(object))) await kube.apply(object);
  await until('the APIs of Gatekeeper', () => Promise.all(definitions.map(({ spec }) => served(kube, spec))));

  await kube.apply(pod);

  const { folder: certificates } = authority.issue('gatekeeper');
  const config = join(folder, 'gatekeeper.kubeconfig');
  writeFileSync(config, kubeconfig({ server, ca, token: await accountToken(kube, 'gatekeeper-system', 'gatekeeper-admin') }), { mode: 0o600 });
  const [port, health] = [await freePort(), await freePort()];
  const entry = processes.start('gatekeeper', join(bin, 'gatekeeper'), [
    '--kubeconfig', config, '--host', '127.0.0.1', '--port', String(port), '--cert-dir', certificates, '--disable-cert-rotation', '--logtostderr',
    '--prometheus-port', String(await freePort()), '--health-addr', `127.0.0.1:${health}`, '--exempt-namespace=gatekeeper-system',
    ...['webhook', 'mutation-webhook', 'mutation-controller', 'status', 'mutation-status', 'generate'].map((operation) => `--operation=${operation}`),
    '--disable-opa-builtin={http.send}', '--api-cache-dir', join(folder, 'gatekeeper-cache'), '--log-level', 'WARNING',
  ], { onLost, env: { POD_NAMESPACE: 'gatekeeper-system', POD_NAME: pod.metadata.name, CONTAINER_NAME: 'manager', NAMESPACE: 'gatekeeper-system' } });

  const objects = [...read(file('config.yaml')), ...read(policies), ...read(file('mutations.yaml'))];
  await setUpPolicies(kube, objects);
  await until('Gatekeeper', async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok, 60);
  for (const object of release.filter(isWebhook)) await kube.apply(reachedBy(object, port, authority.bundle));
  await until('Gatekeeper at the API server', () => refuses(kube, objects.filter(({ apiVersion }) => apiVersion.startsWith('constraints.'))), 60);
  return entry;
}

/**
 * The pod that Gatekeeper takes itself for. Its reports belong to it: without a pod of that name the cluster would delete
 * them as fast as Gatekeeper writes them, which takes a whole processor.
 */
const pod = {
  apiVersion: 'v1', kind: 'Pod', metadata: { name: 'gatekeeper-local', namespace: 'gatekeeper-system' },
  spec: {
    serviceAccountName: 'gatekeeper-admin', securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [{ name: 'manager', image: 'gatekeeper', resources: { requests: { cpu: '1m', memory: '1Mi' } }, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
  },
};

function served(kube, { group, names, versions }) {
  return kube.get(`/apis/${group}/${versions.at(-1).name}/${names.plural}?limit=1`);
}

/** Templates first: a constraint's kind exists only once Gatekeeper has taken the template. */
async function setUpPolicies(kube, objects) {
  const isTemplate = ({ kind }) => kind === 'ConstraintTemplate';
  for (const template of objects.filter(isTemplate)) await kube.apply(template);
  for (const object of objects.filter((object) => !isTemplate(object))) await until(`the kind ${object.kind}`, () => kube.apply(object), 60);
}

/**
 * The release reaches its webhooks through a Service. Here they fail closed and have more time: on a busy machine a
 * slow answer would otherwise let through what the platform refuses.
 */
function reachedBy(configuration, port, caBundle) {
  const webhooks = configuration.webhooks.map((webhook) => ({
    ...webhook, failurePolicy: 'Fail', timeoutSeconds: 10,
    clientConfig: { url: `https://127.0.0.1:${port}${webhook.clientConfig.service.path}`, caBundle },
    namespaceSelector: { matchExpressions: [...webhook.namespaceSelector.matchExpressions.filter(({ key }) => key !== 'kubernetes.io/metadata.name'), { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['gatekeeper-system', 'kube-system', 'kube-node-lease', 'hnc-system'] }] },
  }));
  return { ...configuration, webhooks };
}

/** Whether a pod that breaks a policy is refused: every policy is taken by then, or its constraint would say otherwise. */
async function refuses(kube, constraints) {
  for (const { kind, metadata } of constraints) {
    const { status } = await kube.get(`/apis/constraints.gatekeeper.sh/v1beta1/${kind.toLowerCase()}/${metadata.name}`);
    if (!status?.byPod?.some(({ enforced }) => enforced)) throw new Error(`${metadata.name} is not enforced yet`);
  }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probe', namespace: 'default' }, spec: { containers: [{ name: 'probe', image: 'probe:latest' }] } };
  const answer = await kube.request('POST', '/api/v1/namespaces/default/pods?dryRun=All', pod).catch((error) => error);
  return answer.message?.includes('"validation.gatekeeper.sh" denied the request');
}
