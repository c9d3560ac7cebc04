// Webhooks of the cluster that fail: people are told which one and how, and that the cluster refused for that reason.

import { freePort } from '../stack/processes.mjs';
import { NAME, brokenWebhooks, rule } from './broken-webhooks.mjs';
import { accepted, decided, published } from './opt-ins.mjs';
import { expect, test as base, unique } from './portal.mjs';
import { kube, rows } from './db.mjs';
import { reviewed } from './wizard.mjs';

const team = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-shop' };

/** What each kind of failure is called. */
const failures = {
  closed: 'cannot be reached',
  silent: 'did not answer in time',
  nonsense: 'gave an answer that the cluster does not understand',
};

const test = base.extend({
  /** Registers a webhook that fails. */
  broken: async ({}, use) => {
    const webhooks = await brokenWebhooks(kube);
    await use(webhooks.register);
    await webhooks.end();
  },
});

const named = (name) => `object.metadata.name == '${name}'`;

/** A webhook takes a moment to be asked; until then the request goes through. */
const asked = (path, object) => expect.poll(() => kube.request('POST', `${path}?dryRun=All`, object).then(() => '', (error) => error.message), { timeout: 20_000 }).toContain(NAME);

for (const [how, words] of Object.entries(failures)) {
  test(`a review says that a webhook ${words}, and that nothing was applied`, async ({ open, broken }) => {
    const name = unique('web');
    await broken(how, { rule: rule('apps', 'v1', 'deployments'), condition: named(name) });
    await asked('/apis/apps/v1/namespaces/shop/deployments', deployment(name));
    const page = await open('dana');
    await reviewed(page, 'shop', { name });
    const tried = page.locator('main');
    await expect(tried).toContainText(`The cluster refused because its webhook ${NAME} ${words}.`);
    await expect(tried).toContainText("Fairway's checks passed, but the cluster could not complete its own.");
    await expect(tried).not.toContainText('cannot reach the cluster');
    await expect(page.getByRole('button', { name: 'Apply workload' })).toHaveCount(0);
  });
}

test('an apply that a webhook stops says which one, and the record shows it as refused, not as unknown', async ({ open, broken }) => {
  const page = await open('dana');
  const name = await reviewed(page, 'shop', { name: unique('web') });
  // Not before the apply itself: the dry run just before it goes through.
  const remove = await broken('closed', { rule: rule('apps', 'v1', 'deployments'), condition: `${named(name)} && (!request.dryRun || request.userInfo.username == 'stack')` });
  await asked('/apis/apps/v1/namespaces/shop/deployments', deployment(name));
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.locator('main')).toContainText(`The cluster refused because its webhook ${NAME} cannot be reached.`);
  const outcomes = () => rows(`select o.phase from audit_events i join audit_events o on o.intent_id = i.id where i.object_name = '${name}' and i.action = 'workload.apply'`).map(({ phase }) => phase);
  expect(outcomes()).toEqual(['refused']);
  await remove();
});

test('a namespace that a webhook stops keeps what was typed and names the webhook', async ({ open, broken }) => {
  const name = unique('shop');
  await broken('closed', { rule: rule('hnc.x-k8s.io', 'v1alpha2', 'subnamespaceanchors', ['CREATE']), condition: named(name) });
  await asked('/apis/hnc.x-k8s.io/v1alpha2/namespaces/shop/subnamespaceanchors', { apiVersion: 'hnc.x-k8s.io/v1alpha2', kind: 'SubnamespaceAnchor', metadata: { name, namespace: 'shop' } });
  const page = await open('dana');
  await page.goto('/namespaces/new');
  await page.getByLabel('Parent namespace').selectOption('shop');
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Create namespace' }).click();
  await expect(page.getByRole('alert')).toContainText(`its webhook ${NAME} cannot be reached`);
  await expect(page.getByRole('textbox', { name: 'Name' })).toHaveValue(name);
});

test('a binding that a webhook stops is tried again, and the opt-in says why it is not effective yet', async ({ open, broken }) => {
  test.setTimeout(120_000);
  const namespace = unique('bound');
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'admins', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' }, subjects: [team] });
  const remove = await broken('closed', { rule: rule('rbac.authorization.k8s.io', 'v1', 'rolebindings'), condition: `object.metadata.namespace == '${namespace}'` });
  await asked(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'probe', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' } });
  const [developer, administrator] = [await open('dana'), await open('ada')];
  const feature = unique('bound');
  await published(administrator, feature, { effect: 'role_binding', cluster_role: 'preview-endpoints' });
  await expect(async () => {
    await developer.goto(`/preview-features/${feature}`);
    await expect(developer.getByLabel('For what').locator('option', { hasText: namespace })).toHaveCount(1, { timeout: 500 });
  }).toPass({ timeout: 20_000 });
  const id = await accepted(developer, feature, { scope: `namespace ${namespace}` });
  await decided(administrator, id, 'approve');
  await expect.poll(async () => (await developer.goto(`/preview-features/acceptances/${id}`), developer.locator('main').textContent()), { timeout: 30_000 }).toContain(`its webhook ${NAME} cannot be reached`);
  await remove();
  await expect.poll(() => rows(`select step from opt_in_steps where acceptance_id = '${id}'`).map(({ step }) => step), { timeout: 60_000 }).toContain('effective');
});

test('the API server names a conversion webhook that fails in the words that the portal recognises', async () => {
  const kind = unique('broken').replace('-', '');
  const plural = kind.toLowerCase();
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const version = (name, storage) => ({ name, served: true, storage, schema });
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.conversions.example.com` },
    spec: { group: 'conversions.example.com', scope: 'Cluster', names: { kind, plural, singular: plural, listKind: `${kind}List` }, versions: [version('v1', true), version('v2', false)], conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: `https://127.0.0.1:${await freePort()}/` } } } },
  };
  await kube.apply(definition);
  await expect.poll(() => kube.apply({ apiVersion: 'conversions.example.com/v1', kind, metadata: { name: 'one' } }).then(() => true, () => false)).toBe(true);
  const answer = await kube.get(`/apis/conversions.example.com/v2/${plural}`).catch((error) => error);
  // The words of the API server that the portal recognises.
  expect(answer.message).toMatch(/conversion webhook for .* failed/);
  await kube.request('DELETE', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`);
});

function deployment(name) {
  const labels = { app: name };
  const container = { name: 'main', image: 'harbor.example.com/shop/web:1', resources: { requests: { cpu: '10m', memory: '16Mi' } } };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop' }, spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [container] } } } };
}
