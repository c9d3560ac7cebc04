// The platform's safeguards as a validating webhook, with the platform's own words. A process of its own:
// node admission.mjs PORT CERTIFICATE KEY KUBECONFIG.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Kube } from './kube.mjs';

const [port, certificate, key, configFile] = process.argv.slice(2);
const kube = Kube.fromConfig(configFile);

/** What the safeguards say of one object: `deny` and `warn`. */
async function judge(object, namespace) {
  const spec = object.kind === 'Pod' ? object.spec : object.spec?.template?.spec;
  if (!spec) return { deny: [], warn: [] };
  const labels = (object.kind === 'Pod' ? object.metadata.labels : object.spec.template.metadata?.labels) ?? {};
  const deny = [];
  const warn = [];
  for (const { name, image = '', resources } of spec.containers ?? []) {
    if (!resources?.requests?.cpu || !resources?.requests?.memory) deny.push(`The container named <${name}> has no resource requests.`);
    if (image.endsWith(':latest')) deny.push(`The container named <${name}> uses the :latest tag.`);
    else if (!image.includes(':')) deny.push(`The container named <${name}> didn't specify an image tag.`);
    if (!image.startsWith('harbor.example.com')) warn.push(`The container named <${name}> does not have an allowed image registry <${image}>.`);
  }
  if (object.kind === 'Deployment' && (object.spec.replicas ?? 1) < 2) warn.push(`The provided number of replicas is too low for Deployment: ${object.metadata.name}.`);
  const { items } = await kube.get(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`);
  const selects = ({ spec: { podSelector } }) => Object.entries(podSelector.matchLabels ?? {}).every(([label, value]) => labels[label] === value);
  if (!items.some(selects)) warn.push('No matching networkpolicy found.');
  // Pod Security denies Pods only; objects that make pods get a warning.
  const security = podSecurity(spec);
  if (security.length) (object.kind === 'Pod' ? deny : warn).push(`violates PodSecurity "restricted:latest": ${security.join(', ')}`);
  return { deny, warn };
}

function podSecurity(spec) {
  const pod = spec.securityContext ?? {};
  const wrong = new Set();
  for (const { securityContext: own = {} } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    if (own.allowPrivilegeEscalation !== false) wrong.add('allowPrivilegeEscalation != false');
    if (!own.capabilities?.drop?.includes('ALL')) wrong.add('unrestricted capabilities');
    if ((own.runAsNonRoot ?? pod.runAsNonRoot) !== true) wrong.add('runAsNonRoot != true');
    if ((own.seccompProfile ?? pod.seccompProfile)?.type !== 'RuntimeDefault') wrong.add('seccompProfile');
  }
  return [...wrong];
}

async function review(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  const { apiVersion, kind, request: asked } = JSON.parse(text);
  const { deny, warn } = await judge(asked.object, asked.namespace);
  const status = deny.length ? { status: { code: 403, message: deny.join(' ') } } : {};
  return { apiVersion, kind, response: { uid: asked.uid, allowed: deny.length === 0, warnings: warn, ...status } };
}

createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
  review(request).then(
    (answer) => response.setHeader('content-type', 'application/json').end(JSON.stringify(answer)),
    (error) => {
      console.error(error);
      response.writeHead(500).end();
    },
  );
}).listen(Number(port), '127.0.0.1', () => console.log('admission ready'));
process.on('SIGTERM', () => process.exit(0));
