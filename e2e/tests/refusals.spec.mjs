// Wrong input, and a cluster that says no: nothing typed is lost, and every refusal names the way out.

import { expect, test, unique } from './portal.mjs';
import { accepted, decided } from './opt-ins.mjs';
import { kube, rows } from './db.mjs';
import { begin, describe, fillRow, goOn, reviewed, toReview } from './wizard.mjs';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    const options = { javaScriptEnabled };

    test('a form with wrong values comes back with status 422, a summary that has the focus, and what was typed', async ({ open }) => {
      const page = await open('dana', options);
      await begin(page);
      await page.getByLabel('Name', { exact: true }).fill('Not A Name');
      await page.getByLabel('Copies').fill('many');
      await page.getByLabel('Image').fill('harbor.example.com/Shop/Web');
      await page.getByLabel('Ports it listens on').fill('http');
      const [response] = await Promise.all([page.waitForResponse((response) => response.url().endsWith('/workload') && response.request().method() === 'POST'), page.getByRole('button', { name: 'Save and continue' }).click()]);
      expect(response.status()).toBe(422);
      await expect(page).toHaveTitle(/^Error: /);
      const summary = page.getByRole('alert');
      await expect(summary.getByRole('link')).toHaveCount(4);
      await expect(summary).toBeFocused();
      await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Not A Name');
      await expect(page.getByLabel('Image')).toHaveValue('harbor.example.com/Shop/Web');
      await expect(page.getByLabel('Ports it listens on')).toHaveAttribute('aria-invalid', 'true');
      await summary.getByRole('link').filter({ hasText: 'mage' }).click();
      await expect(page.getByLabel('Image')).toBeFocused();
    });

    test('what is wrong in a row of the network step is said at that row, and the draft is kept', async ({ open }) => {
      const page = await open('dana', options);
      await begin(page);
      const name = await describe(page, { name: unique('rows') });
      await goOn(page, 'Who may reach it');
      await goOn(page, 'What it may reach');
      await fillRow(page, 1, { kind: 'addresses', value: '203.0.113.10/24', ports: '443' });
      await page.getByRole('button', { name: 'Save and continue' }).click();
      await expect(page.getByRole('alert')).toContainText('This range begins in its middle.');
      await page.goto('/workloads');
      await page.getByRole('link', { name }).click();
      await expect(page.locator('#rows').getByLabel('Which')).toHaveValue('203.0.113.10/24');
    });
  });
}

test('a namespace whose name is taken is not created twice', async ({ open }) => {
  const page = await open('dana');
  await page.goto('/namespaces/new');
  await page.getByRole('textbox', { name: 'Name' }).fill('pay');
  await page.getByRole('button', { name: 'Create namespace' }).click();
  await expect(page.getByRole('alert')).toContainText('This name is taken');
  await expect(page.getByRole('textbox', { name: 'Name' })).toHaveValue('pay');
});

test('a name that policies rely on is not given to a team, in the words of the operator', async ({ open }) => {
  const page = await open('dana');
  await page.goto('/namespaces/new');
  for (const name of ['monitoring', 'gatekeeper-system', 'fairway']) {
    await page.getByRole('textbox', { name: 'Name' }).fill(name);
    await page.getByRole('button', { name: 'Create namespace' }).click();
    await expect(page.getByRole('alert')).toContainText(new RegExp(`The name ${name} is reserved for the platform. Ask platform-team@example.com|This name is taken`));
  }
});

test('a Secret with values is kept nowhere, and a variable that looks like a credential is warned of', async ({ open }) => {
  const page = await open('dana');
  const value = unique('canary');
  const secret = `apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: ${value}}\n`;
  await page.goto('/workloads/import');
  await page.getByLabel('Manifests').fill(secret);
  await page.getByRole('button', { name: 'Import manifests' }).click();
  await expect(page.getByRole('alert')).toContainText('take the Secret out of the text');
  await page.getByLabel('Manifests').fill(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${unique('plain')}}\n`);
  await page.getByRole('button', { name: 'Import manifests' }).click();
  await page.getByRole('link', { name: '1. Manifests' }).click();
  await page.getByLabel('Other objects').fill(secret);
  await page.getByRole('button', { name: /^Save and/ }).click();
  await expect(page.getByRole('alert')).toContainText('Fairway stores no Secret that has values');
  await expect(page.getByLabel('Other objects')).toHaveValue(secret);
  await page.getByLabel('Other objects').fill(`apiVersion: v1\nkind: Pod\nmetadata: {name: ${unique('plain')}}\nspec:\n  containers:\n  - {name: main, image: harbor.example.com/a:1, env: [{name: DB_PASSWORD, value: ${value}}]}\n`);
  await page.getByRole('button', { name: /^Save and/ }).click();
  await expect(page.locator('main')).toContainText('The variable DB_PASSWORD of container main looks like a credential.');
  await expect(page.locator('main').getByRole('link', { name: /^Why/ }).filter({ hasText: 'DB_PASSWORD' })).toHaveAttribute('href', '/faq/secrets');
  expect(rows(`select 1 from drafts where form::text like '%${value}%' and form::text like '%Secret%'`)).toEqual([]);
});

test('what a policy of the cluster asks for is said in the review, under the name of the policy', async ({ open }) => {
  const page = await open('dana');
  await begin(page);
  await describe(page, { name: unique('single') });
  await page.getByLabel('Copies').fill('1');
  await toReview(page);
  const finding = page.getByRole('listitem').filter({ hasText: 'policy/elastisys-warn-minimum-replicas' });
  await expect(finding).toContainText('The provided number of replicas is too low for Deployment');
  await expect(finding).toContainText("the cluster's own policy K8sMinimumReplicas");
  await expect(page.locator('main')).not.toContainText('does not show this to you');
  await expect(page.getByRole('button', { name: 'Apply workload' })).toBeVisible();
});

test('what the cluster refuses is said in its words before anything is sent', async ({ open }) => {
  const namespace = unique('pay-full');
  const owner = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-pay' };
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await kube.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'full', namespace }, spec: { hard: { pods: '0' } } });
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'admins', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' }, subjects: [owner] });
  await expect.poll(async () => (await kube.get(`/api/v1/namespaces/${namespace}/resourcequotas/full`)).status?.used?.pods).toBe('0');
  const page = await open('pia');
  const name = await reviewed(page, namespace);
  const said = page.getByRole('listitem').filter({ hasText: `Pod/${namespace}/${name}-pod` });
  await expect(said).toContainText('Refused');
  await expect(said).toContainText('exceeded quota: full');
  await expect(page.getByText('It cannot be applied like this.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Apply workload' })).toHaveCount(0);
  expect(rows(`select 1 from submissions where name = '${name}'`)).toEqual([]);
});

test('a field that another tool manages is a conflict that names the tool, and nothing is overwritten', async ({ open }) => {
  const name = unique('helm');
  const path = `/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/${name}`;
  const theirs = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'shop' }, spec: { podSelector: { matchLabels: { app: 'theirs' } }, policyTypes: ['Ingress'] } };
  await kube.request('PATCH', `${path}?fieldManager=helm`, theirs, 'application/apply-patch+yaml');
  const page = await open('dana');
  await reviewed(page, 'shop', { name });
  const said = page.getByRole('listitem').filter({ hasText: `NetworkPolicy/shop/${name}` }).filter({ hasText: 'Conflict' });
  await expect(said.getByRole('listitem')).toHaveText(['.spec.podSelector is managed by helm', '.spec.policyTypes is managed by helm']);
  await expect(page.getByRole('button', { name: 'Apply workload' })).toHaveCount(0);
  expect((await kube.get(path)).spec.podSelector.matchLabels).toEqual({ app: 'theirs' });
});

test('a draft changed in another window is not applied unseen', async ({ open }) => {
  const page = await open('dana');
  const name = await reviewed(page, 'shop');
  await page.locator('input[name="digest"]').evaluate((field) => (field.value = '0'.repeat(64)));
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('nothing was applied')).toBeVisible();
  expect(rows(`select 1 from submissions where name = '${name}'`)).toEqual([]);
});

test('a refusal without a reason comes back, with the reason asked for beside the field', async ({ open }) => {
  const developer = await open('pia');
  const id = await accepted(developer, 'snippet-annotations', { scope: 'namespace pay' });
  const administrator = await open('ada');
  await decided(administrator, id, 'refuse');
  await expect(administrator.getByRole('alert')).toContainText('Say why it is refused');
  await expect(administrator.locator(`#acceptance-${id}`)).toBeChecked();
  await administrator.getByLabel('Comment').fill('Use a rewrite annotation instead');
  await administrator.getByRole('button', { name: 'Refuse chosen' }).click();
  await expect(administrator.getByText('The decision is recorded.')).toBeVisible();
  await developer.goto('/preview-features');
  await expect(developer.getByRole('region', { name: 'What was accepted' })).toContainText('Use a rewrite annotation instead');
});

test('a risk that is not confirmed is not accepted', async ({ open }) => {
  const page = await open('lee');
  await page.goto('/preview-features/snippet-annotations');
  await page.getByRole('checkbox').first().check();
  await page.getByLabel('Why you need it').fill('kept');
  await page.getByRole('button', { name: 'Review acceptance' }).click();
  await expect(page.getByRole('alert').getByRole('link')).toHaveCount(2);
  await expect(page.getByRole('checkbox').first()).toBeChecked();
  await expect(page.getByLabel('Why you need it')).toHaveValue('kept');
  expect(rows(`select 1 from acceptances where document like '%"kept"%'`)).toEqual([]);
});

test('a page that is not there says where to go on, to somebody signed in as to anybody', async ({ open }) => {
  const page = await open('dana');
  const response = await page.goto('/namespaces/of-somebody-else');
  expect(response.status()).toBe(404);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Page not found');
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
  await expect(page.getByText('Reference:')).toBeVisible();
});
