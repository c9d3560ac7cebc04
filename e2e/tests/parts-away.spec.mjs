// Parts that go away and come back, and a cluster without HNC. On a stack of its own, as others would notice.

import { expect, stack, test as base, unique } from './portal.mjs';
import { freePort } from '../stack/processes.mjs';
import { startStack } from '../stack/stack.mjs';
import { holdTable, rows } from './truth.mjs';
import { reviewed } from './wizard.mjs';

const test = base.extend({
  own: [
    async ({}, use) => {
      const own = await startStack({ binary: stack.binary, site: stack.site, port: await freePort(), hierarchy: false, onLost: (sentence) => console.error(sentence) });
      await use(own);
      await own.stop();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  url: async ({ own }, use) => use(own.url),
});

test.describe.configure({ mode: 'serial' });

test('without HNC the portal makes the namespace itself, closed before anyone may act in it', async ({ open, own }) => {
  const name = unique('shop');
  const page = await open('dana');
  await page.goto('/namespaces/new');
  await page.getByLabel('Owning group').selectOption('team-shop');
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Create namespace' }).click();
  await expect(page.getByText(`Namespace ${name} is ready to use.`)).toBeVisible({ timeout: 30_000 });
  const { kube } = own.cluster;
  const namespace = await kube.get(`/api/v1/namespaces/${name}`);
  expect(namespace.metadata.annotations['fairway.dev/requested-by']).toBe('dana@example.com');
  expect(namespace.metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
  const policy = await kube.get(`/apis/networking.k8s.io/v1/namespaces/${name}/networkpolicies/default-deny`);
  expect(policy.spec.policyTypes).toEqual(['Ingress', 'Egress']);
  expect((await kube.get(`/api/v1/namespaces/${name}/resourcequotas/namespace`)).spec.hard['requests.cpu']).toBe('4');
  // The same name for another team is refused, and the first owner keeps it.
  const other = await open('pia');
  await other.goto('/namespaces/new');
  await other.getByRole('textbox', { name: 'Name' }).fill(name);
  await other.getByRole('button', { name: 'Create namespace' }).click();
  await expect(other.getByRole('alert')).toContainText('already exists');
  const binding = await kube.get(`/apis/rbac.authorization.k8s.io/v1/namespaces/${name}/rolebindings/workload-admin`);
  expect(binding.subjects.map(({ name }) => name)).toEqual(['team-shop']);
  // Nor can the first owner take it along to another team.
  await change(own, 'dana', { groups: ['team-shop', 'team-pay'] });
  const moved = await open('dana');
  await moved.goto('/namespaces/new');
  await moved.getByLabel('Owning group').selectOption('team-pay');
  await moved.getByRole('textbox', { name: 'Name' }).fill(name);
  await moved.getByRole('button', { name: 'Create namespace' }).click();
  await expect(moved.getByRole('alert')).toContainText('already exists');
  await change(own, 'dana', { groups: ['team-shop'] });
  expect((await kube.get(`/apis/rbac.authorization.k8s.io/v1/namespaces/${name}/rolebindings`)).items.flatMap(({ subjects }) => subjects).map(({ name }) => name)).toEqual(['team-shop']);
});

test('with the cluster away pages say so, nothing is applied, and the draft waits', async ({ open, own }) => {
  const page = await open('dana');
  const name = await reviewed(page, 'shop', { name: unique('wait') });
  await expect(page.getByRole('button', { name: 'Apply workload' })).toBeVisible();

  await own.processes.stop(own.cluster.entry, 'SIGKILL');
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.locator('main')).toContainText(/The cluster cannot be asked at the moment, so nothing can be applied|Fairway cannot reach the cluster at the moment. Nothing was changed/);
  expect(rows(`select 1 from submissions where name = '${name}'`, own.database.owner)).toEqual([]);
  // What exists is still shown, from what was last heard.
  expect((await page.goto('/access')).status()).toBe(200);
  await expect(page.getByRole('region', { name: 'Namespaces you can reach' })).toContainText('shop');
  await expect(page.getByText('What you see here was true when the cluster last answered.')).toBeVisible();
  expect((await page.goto('/namespaces/new')).status()).toBe(503);
  expect((await (await page.request.get('/readyz')).json()).cluster).not.toBe('ready');
  expect((await page.request.get('/healthz')).status()).toBe(200);

  own.cluster.entry = own.cluster.entry.again();
  await expect.poll(async () => (await (await page.request.get('/readyz')).json()).cluster, { timeout: 40_000 }).toBe('ready');
  await page.goto('/workloads');
  await page.getByRole('link', { name }).click();
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
});

test('with the cluster away in the middle of an apply the record says which objects are there, and applying again is safe', async ({ open, own }) => {
  const page = await open('dana');
  const name = await reviewed(page, 'shop', { name: unique('half') });
  // The first answer waits for the record, and meanwhile the cluster goes.
  const release = await holdTable('apply_results', own.database.owner);
  const applied = page.getByRole('button', { name: 'Apply workload' }).click();
  await expect.poll(() => rows(`select 1 from pg_locks where not granted and relation = 'apply_results'::regclass`, own.database.owner).length).toBeGreaterThan(0);
  await own.processes.stop(own.cluster.entry, 'SIGKILL');
  release();
  await applied;
  await expect(page.getByText('Not everything was applied.')).toBeVisible();
  const objects = page.getByRole('region', { name: 'Objects' });
  await expect(objects.getByRole('row').filter({ hasText: `NetworkPolicy/shop/${name}` })).toContainText('Applied');
  await expect(objects.getByRole('row').filter({ hasText: `Service/shop/${name}` })).toContainText(/nothing was sent|it is not known/);
  expect(rows(`select o.phase from audit_events i join audit_events o on o.intent_id = i.id where i.object = 'Submission/shop/${name}' and i.action = 'workload.apply'`, own.database.owner)).not.toContainEqual({ phase: 'succeeded' });
  own.cluster.entry = own.cluster.entry.again();
  await expect.poll(async () => (await (await page.request.get('/readyz')).json()).cluster, { timeout: 40_000 }).toBe('ready');
  await page.reload();
  await page.getByRole('button', { name: 'Apply again' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  expect((await own.cluster.kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`)).spec.replicas).toBe(2);
});

test('with the provider away those who are signed in go on, and signing in says what is wrong', async ({ open, own }) => {
  const page = await open('dana');
  await own.processes.stop(own.provider.entry, 'SIGKILL');
  expect((await page.goto('/access')).status()).toBe(200);
  const newcomer = await open(null);
  await newcomer.goto('/');
  await newcomer.getByRole('link', { name: 'Sign in' }).first().click();
  // The address of the provider is known, so the browser may be on its way there already; what the portal can say, it says.
  const callback = await newcomer.request.get('/sign-in/callback?state=x&code=y');
  expect(callback.status()).toBe(409);
  own.provider.entry = own.provider.entry.again();
  await expect.poll(async () => (await (await page.request.get('/readyz')).json()).identity_provider, { timeout: 30_000 }).toBe('ready');
});

test('with the database away every page says so with status 503, and nobody is signed out', async ({ open, own }) => {
  const page = await open('dana');
  await own.processes.stop(own.database.entry, 'SIGINT');
  const response = await page.goto('/access');
  expect(response.status()).toBe(503);
  await expect(page.locator('main')).toContainText('database');
  await expect(page.getByRole('link', { name: 'Sign in' })).toHaveCount(0);
  expect((await (await page.request.get('/readyz')).json()).database).not.toBe('ready');
  own.database.entry = own.database.entry.again();
  await expect.poll(async () => (await page.request.get('/access')).status(), { timeout: 30_000 }).toBe(200);
  await page.goto('/access');
  await expect(page.getByText('dana@example.com')).toBeVisible();
});

test('somebody whom the provider no longer vouches for is signed out, and a lost group is lost here too', async ({ open, own }) => {
  await own.processes.stop(own.portal);
  own.portal = await own.startPortal({ FAIRWAY_GROUPS_MAX_AGE_SECONDS: '1' });
  const page = await open('lee');
  await expect(page.locator('main')).toContainText('team-shop-leads');
  await change(own, 'lee', { groups: ['team-shop'] });
  await expect.poll(async () => { await page.reload(); return page.locator('main').innerText(); }).not.toContain('team-shop-leads');
  await change(own, 'lee', { disabled: true });
  await expect.poll(async () => { await page.goto('/access'); return page.url(); }).toContain(own.provider.issuer);
});

function change(own, subject, to) {
  return fetch(`${own.provider.issuer}/test/people/${subject}`, { method: 'PUT', body: JSON.stringify(to) });
}
