// Stands in for HNC's controller, which cannot be built from a published module: it answers as shared measurements of
// the real one say, webhooks included (see hnc.test.mjs). A process of its own:
// node manager.mjs KUBECONFIG PORT CERTIFICATES [--managed-namespace-label=REGEX ...]

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { Kube } from '../kube.mjs';
import * as admission from './admission.mjs';
import { GROUP, Hierarchy, INCLUDED, whyUnmanaged } from './hierarchy.mjs';
import { propagatedKinds } from './propagation.mjs';
import { reconcile } from './reconciler.mjs';

const [configFile, port, certificates, ...flags] = process.argv.slice(2);
const ACCOUNT = 'system:serviceaccount:hnc-system:hnc';
const kube = Kube.fromConfig(configFile);

const managed = flags.map((flag) => /^--managed-namespace-label=(.*)$/.exec(flag)?.[1]).filter(Boolean).map((regex) => new RegExp(`^(?:${regex})$`));
const hierarchy = new Hierarchy();
let configuration;
const objects = new Map();
const watched = new Set();

const state = {
  hierarchy,
  isManagedKey: (key) => managed.some((regex) => regex.test(key)),
  kinds: () => propagatedKinds(configuration).filter(({ plural }) => objects.has(plural)),
  objectsOf: ({ plural }) => objects.get(plural),
  copies: ({ resource }) => objects.get(resource) ?? new Map(),
};

/** One round at a time; what changes meanwhile makes another. A round that failed is tried again a moment later. */
let running = false;
let again = false;
async function run() {
  if (running) return void (again = true);
  running = true;
  do {
    again = false;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const failures = await reconcile(kube, state);
    for (const failure of failures) console.error(failure);
    if (failures.length) setTimeout(run, 500);
  } while (again);
  running = false;
}

function watchKinds() {
  for (const { group, apiVersion, plural } of propagatedKinds(configuration)) {
    if (watched.has(plural)) continue;
    watched.add(plural);
    kube.watch(`/${group ? 'apis' : 'api'}/${apiVersion}/${plural}`, (found) => { objects.set(plural, found); run(); });
  }
}

const handlers = {
  '/validate-hnc-x-k8s-io-v1alpha2-subnamespaceanchors': admission.anchor,
  '/validate-hnc-x-k8s-io-v1alpha2-hierarchyconfigurations': admission.configuration,
  '/validate-v1-namespace': admission.namespace,
  '/validate-objects': admission.object,
};

async function answer(request, response) {
  const { apiVersion, kind, request: asked } = await json(request);
  // The API server adds its time limit as a query.
  const { pathname } = new URL(request.url, 'https://localhost');
  const body = { apiVersion, kind, response: { uid: asked.uid, ...(pathname === '/mutate-namespace' ? included(asked) : judged(pathname, asked)) } };
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
}

function judged(path, { operation, object, oldObject, resource, userInfo }) {
  const isController = userInfo.username === ACCOUNT;
  const { code, reason, message } = handlers[path]({ operation, object: object ?? undefined, oldObject: oldObject ?? undefined, resource, isController }, state) ?? {};
  return message ? { allowed: false, status: { code, reason, message } } : { allowed: true };
}

/** The mutating webhook: managed namespaces carry the label by which the other webhooks find their objects. */
function included({ object: { metadata } }) {
  if (whyUnmanaged(metadata.name) || metadata.labels?.[INCLUDED] !== undefined) return { allowed: true };
  const patch = metadata.labels ? [{ op: 'add', path: `/metadata/labels/${INCLUDED.replace('/', '~1')}`, value: 'true' }] : [{ op: 'add', path: '/metadata/labels', value: { [INCLUDED]: 'true' } }];
  return { allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
}

const tls = { cert: readFileSync(join(certificates, 'tls.crt')), key: readFileSync(join(certificates, 'tls.key')) };
// The API server keeps idle connections for 90 seconds, and tells of a webhook that failed when it meets one just being
// closed. Node would close them after 5.
createServer({ ...tls, keepAliveTimeout: 120_000 }, (request, response) => {
  if (request.url === '/readyz') return response.writeHead(objects.size ? 200 : 503).end();
  answer(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
}).listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));

if (!(await kube.find(`/apis/${GROUP}/v1alpha2/hncconfigurations/config`))) {
  await kube.apply({ apiVersion: `${GROUP}/v1alpha2`, kind: 'HNCConfiguration', metadata: { name: 'config' }, spec: {} }, 'hnc');
}
kube.watch('/api/v1/namespaces', (found) => { hierarchy.namespaces = found; run(); });
kube.watch(`/apis/${GROUP}/v1alpha2/subnamespaceanchors`, (found) => { hierarchy.anchors = found; run(); });
kube.watch(`/apis/${GROUP}/v1alpha2/hierarchyconfigurations`, (found) => { hierarchy.configurations = found; run(); });
kube.watch(`/apis/${GROUP}/v1alpha2/hncconfigurations`, (found) => { configuration = found.get('/config'); watchKinds(); run(); });
