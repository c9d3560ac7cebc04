// Pods on nodes: rollouts that finish, and pods that do not start, as the cluster itself reports them.

import { expect, test, unique } from './portal.mjs';
import { kube } from './db.mjs';
import { submitted } from './wizard.mjs';

/** Imports a manifest as it is, and submits and applies it; gives the address of the submission. */
async function imported(page, name, { image = 'harbor.example.com/shop/web:1', cpu = '10m', user } = {}) {
  const labels = { 'app.kubernetes.io/name': name };
  const container = { name: 'web', image, resources: { requests: { cpu, memory: '16Mi' } }, securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } } };
  const spec = { automountServiceAccountToken: false, securityContext: { runAsNonRoot: true, ...(user && { runAsUser: user }), seccompProfile: { type: 'RuntimeDefault' } }, containers: [container] };
  const objects = [
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'shop' }, spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress', 'Egress'] } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop', labels }, spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } },
  ];
  const draft = (await page.request.post('/workloads/import', { form: { namespace: 'shop', text: objects.map((object) => JSON.stringify(object)).join('\n---\n'), into: '' } })).url();
  const digest = /name="digest" value="([0-9a-f]{64})"/.exec(await (await page.request.get(draft)).text())[1];
  const submission = (await page.request.post(draft.replace(/review$/, 'submit'), { form: { digest } })).url();
  await page.goto(submission);
  const apply = page.getByRole('button', { name: 'Apply workload' });
  if (await apply.count()) await apply.click();
  return submission;
}

/** Looks at a submission until it shows what is expected. */
async function shows(page, submission, ...texts) {
  await expect(async () => {
    await page.goto(submission);
    for (const text of texts) await expect(page.locator('main')).toContainText(text, { timeout: 500 });
  }).toPass({ timeout: 30_000 });
}

test('a rollout finishes: its pods are placed by the scheduler and become ready', async ({ open }) => {
  const page = await open('dana');
  const name = unique('ready');
  const submission = await submitted(page, { name });
  await shows(page, submission, 'Running', '2 wanted, 2 admitted, 2 on a node, 2 ready.');
  const pods = await kube.get(`/api/v1/namespaces/shop/pods?labelSelector=${encodeURIComponent(`app.kubernetes.io/name=${name}`)}`);
  expect(pods.items.map(({ status }) => status.phase)).toEqual(['Running', 'Running']);
});

test('an image that cannot be pulled is named', async ({ open }) => {
  const page = await open('dana');
  const image = 'harbor.example.com/shop/web:missing-1';
  await shows(page, await submitted(page, { name: unique('missing'), image }), 'Starting', 'ImagePullBackOff', image);
});

test('a container that exits again and again is told once for all its pods', async ({ open }) => {
  const page = await open('dana');
  await shows(page, await submitted(page, { name: unique('crashing'), image: 'harbor.example.com/shop/web:crashing-1' }), 'CrashLoopBackOff', 'restarting failed container');
  await expect(page.getByText('CrashLoopBackOff')).toHaveCount(1);
});

test('an image that runs as root is refused by the node, and the page says what to do', async ({ open }) => {
  const page = await open('dana');
  await shows(page, await imported(page, unique('root'), { image: 'harbor.example.com/shop/web:1-root' }), 'CreateContainerConfigError', 'container has runAsNonRoot and image will run as root');
  await page.getByRole('link', { name: 'Why does my container not start as root?' }).first().click();
  await expect(page.locator('main')).toContainText('It can only check a number');
});

test('pods that no node has room for wait, in the words of the scheduler', async ({ open }) => {
  const page = await open('dana');
  await shows(page, await imported(page, unique('large'), { cpu: '12', user: 10001 }), 'Waiting for a node', '0/3 nodes are available: 3 Insufficient cpu.');
});

test('pods that a quota stops are refused, in the words of the API server', async ({ open }) => {
  const namespace = unique('full');
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'admins', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-shop' }] });
  // Of some pods only, so that the review does not stop it already.
  await kube.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small', namespace }, spec: { hard: { 'requests.cpu': '150m' }, scopes: ['NotTerminating'] } });
  const page = await open('dana');
  await expect(async () => expect((await page.request.get(`/workloads?namespace=${namespace}`)).status()).toBe(200)).toPass({ timeout: 20_000 });
  await shows(page, await submitted(page, { namespace, name: unique('full') }), 'exceeded quota: small');
});
