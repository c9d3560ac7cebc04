// The workloads area, item by item: pickers, the second person, fixes, import, undo, what runs, take-away.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test, unique } from './portal.mjs';
import { kube, rows } from './db.mjs';
import { begin, describe, drafted, fillRow, goOn, reviewed, submitted, toReview } from './wizard.mjs';

const deployment = (name, labels = { app: name }, more = {}) => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop', labels },
  spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'harbor.example.com/shop/old:1', ports: [{ containerPort: 5432 }], resources: { requests: { cpu: '10m', memory: '16Mi' } } }], ...more } } },
});

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    const options = { javaScriptEnabled };

    test('a workload that runs is searched, picked with its ports, and meant by its own labels; the other end is told to agree', async ({ open }) => {
      const database = unique('db');
      await kube.apply(deployment(database, { app: database, tier: 'data' }));
      await kube.apply({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: database, namespace: 'shop' }, spec: { podSelector: { matchLabels: { app: database } }, policyTypes: ['Ingress'] } });
      const page = await open('dana', options);
      await begin(page);
      const name = await describe(page);
      await goOn(page, 'Who may reach it');
      await goOn(page, 'What it may reach');
      await page.getByLabel('Search what runs').fill(database);
      await page.getByRole('button', { name: 'Search workloads' }).click();
      await page.getByRole('button', { name: `Add shop/${database}[Deployment]` }).click();
      await expect(page.locator('#rows').getByLabel('On ports')).toHaveValue('5432');
      await expect(page.getByRole('complementary', { name: 'Review so far' })).toContainText(`shop/${database}[Deployment] does not let it in`);
      await goOn(page, 'Resources and safety');
      await goOn(page, 'Review');
      await expect(page.getByText(`They can reach ${database} on TCP 5432 and DNS on UDP 53, TCP 53, and nothing else.`)).toBeVisible();
      await page.getByRole('button', { name: 'Apply workload' }).click();
      await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
      const policy = await kube.get(`/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/${name}`);
      expect(policy.spec.egress.at(-1)).toEqual({ to: [{ podSelector: { matchLabels: { app: database, tier: 'data' } } }], ports: [{ port: 5432, protocol: 'TCP' }] });
    });

    test('what needs a second person waits for one, who comments on a line, asks for changes, and then approves exactly those bytes', async ({ open }) => {
      const author = await open('dana', options);
      const name = await reviewed(author, 'shop', { name: unique('second'), image: 'docker.io/library/nginx:1.27' });
      await expect(author.getByText('A second person has to approve this')).toBeVisible();
      await author.getByRole('button', { name: 'Send to a second person' }).click();
      await expect(author.getByText('Waiting for a second person.')).toBeVisible();
      await expect(author.getByRole('button', { name: 'Approve' })).toHaveCount(0);
      await expect(author.getByRole('button', { name: 'Apply workload' })).toHaveCount(0);
      expect((await author.request.post(`${author.url()}/apply`)).status()).toBe(409);

      const reviewer = await open('lee', options);
      await reviewer.goto('/workloads');
      await reviewer.getByRole('region', { name: 'Waiting for your review' }).getByRole('link', { name }).click();
      await reviewer.getByText('Comment on a line').click();
      await reviewer.getByLabel('Line of the manifest').fill('3');
      await reviewer.getByLabel('Your comment').fill('<b>Which team</b> owns this?');
      await reviewer.getByRole('button', { name: 'Add comment' }).click();
      await expect(reviewer.getByText('<b>Which team</b> owns this?')).toBeVisible();
      await reviewer.getByRole('button', { name: 'Ask for changes' }).click();
      await expect(reviewer.getByRole('alert')).toContainText('Say why');
      await reviewer.getByLabel('Comment', { exact: true }).fill('Use two copies of it');
      await reviewer.getByRole('button', { name: 'Ask for changes' }).click();
      await expect(reviewer.getByText('Your review is recorded.')).toBeVisible();

      await author.reload();
      await expect(author.getByText('A second person asks for changes.')).toBeVisible();
      await expect(author.getByText('Use two copies of it')).toBeVisible();
      const first = author.url();
      await author.getByRole('link', { name: 'Open the draft' }).click();
      await author.getByRole('link', { name: '1. What runs' }).click();
      await author.getByLabel('Copies').fill('3');
      await goOn(author, 'Review');
      await author.getByRole('button', { name: 'Send to a second person' }).click();
      await expect(author.getByText('Waiting for a second person.')).toBeVisible();
      await expect(author.getByRole('heading', { name: 'Reviews of earlier submissions' })).toBeVisible();
      const second = author.url();
      expect(second).not.toBe(first);
      // The earlier bytes are worth nothing any more, whoever approves them.
      await reviewer.goto(first);
      await expect(reviewer.getByText('A later submission of the same draft stands in its place.')).toBeVisible();
      await expect(reviewer.getByRole('button', { name: 'Approve' })).toHaveCount(0);
      await reviewer.goto(second);
      await reviewer.getByRole('button', { name: 'Approve' }).click();
      await expect(reviewer.getByText('Your review is recorded.')).toBeVisible();
      await expect(reviewer.getByRole('button', { name: 'Refuse' })).toBeHidden();
      await reviewer.getByText('Change your decision').click();
      await expect(reviewer.getByRole('button', { name: 'Refuse' })).toBeVisible();

      await author.reload();
      await expect(author.locator('svg.picture')).toBeVisible();
      await author.getByRole('button', { name: 'Apply workload' }).click();
      await expect(author.getByText('Applied exactly as reviewed.')).toBeVisible();
      await expect(author.locator('svg.picture')).toBeVisible();
      expect((await kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`)).spec.replicas).toBe(3);
      const [{ manifest, digest, approved }] = rows(`select s.manifest, encode(s.digest, 'hex') as digest, encode(r.digest, 'hex') as approved from submissions s join submission_reviews r on r.submission_id = s.id where s.name = '${name}' and r.verdict = 'approved'`);
      expect([digest, approved]).toEqual([createHash('sha256').update(manifest).digest('hex'), digest]);
      const [{ detail }] = rows(`select detail from audit_events where object_name = '${name}' and action = 'workload.apply' and phase = 'intent'`);
      expect(detail).toMatchObject({ digest, submission: { id: second.split('/').at(-1) } });
      expect(detail.approval).toEqual(expect.any(Number));
    });

    test('manifests are imported as they are, fixed by a press of a button, and keep their comments', async ({ open }) => {
      const name = unique('pasted');
      const page = await open('dana', options);
      await page.goto('/workloads/import');
      await page.getByLabel('Namespace').selectOption('shop');
      await page.getByLabel('Manifests').fill(`# ours since 2019\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: ${name}}}\nspec:\n  hostPID: true # for debugging\n  containers:\n  - {name: main, image: harbor.example.com/a:1}\n`);
      await page.getByRole('button', { name: 'Import manifests' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Review');
      const fixes = page.getByRole('button', { name: /^Fix it/ });
      await expect(page.getByRole('button', { name: 'Apply workload' })).toHaveCount(0);
      for (let left = await fixes.count(); left > 0; left = await fixes.count()) {
        await fixes.first().click();
        await expect(fixes).not.toHaveCount(left);
      }
      await page.getByRole('link', { name: '1. Manifests' }).click();
      const text = await page.getByLabel('Other objects').inputValue();
      expect(text).toMatch(/^# ours since 2019\n/);
      expect(text).not.toContain('hostPID: true');
      expect(text).toContain('runAsNonRoot: true');
    });
  });
}

test('an import that the wizard can say becomes its answers, and what it cannot say is kept and applied', async ({ open }) => {
  const name = unique('taken');
  const page = await open('dana');
  const given = deployment(name, { app: name }, { terminationGracePeriodSeconds: 7 });
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data: { level: 'info' } };
  await page.goto('/workloads/import?namespace=shop');
  await page.getByLabel('Or a file').setInputFiles({ name: 'all.json', mimeType: 'application/json', buffer: Buffer.from(`${JSON.stringify(given)}\n---\n${JSON.stringify(map)}`) });
  await page.getByLabel('What to do with them').selectOption('wizard');
  await page.getByRole('button', { name: 'Import manifests' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Review');
  await page.getByRole('link', { name: '1. What runs' }).click();
  await expect(page.getByLabel('Image')).toHaveValue('harbor.example.com/shop/old:1');
  await expect(page.getByLabel('Ports it listens on')).toHaveValue('5432');
  await page.getByRole('link', { name: '5. Manifests' }).click();
  await expect(page.getByRole('region', { name: 'Fields kept from the import' })).toContainText('Deployment /spec/template/spec/terminationGracePeriodSeconds');
  await goOn(page, 'Review');
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  const applied = await kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`);
  expect(applied.spec.template.spec.terminationGracePeriodSeconds).toBe(7);
  expect(applied.spec.selector.matchLabels).toEqual({ app: name });
  expect((await kube.get(`/api/v1/namespaces/shop/configmaps/${name}`)).data.level).toBe('info');
});

test('what is no manifest is said to be none, with its line, and stays in the field', async ({ open }) => {
  const page = await open('dana');
  await page.goto('/workloads/import');
  await page.getByLabel('Manifests').fill('apiVersion: v1\nkind: [');
  await page.getByRole('button', { name: 'Import manifests' }).click();
  await expect(page.getByRole('alert')).toContainText('2');
  await expect(page.getByLabel('Manifests')).toHaveValue('apiVersion: v1\nkind: [');
  await page.getByLabel('Manifests').fill('{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: pay}}');
  await page.getByRole('button', { name: 'Import manifests' }).click();
  await expect(page.getByRole('alert')).toContainText('Pod/pay/a is for another namespace than');
});

test('a change is undone through the same review, and the first one says that there is nothing before it', async ({ open }) => {
  const page = await open('dana');
  const name = unique('undo');
  const first = await submitted(page, { name });
  await page.goto(first);
  await page.getByRole('button', { name: 'Undo this change' }).click();
  await expect(page.locator('main')).toContainText('there is no earlier state to bring back');
  // The second time it also gets a Service.
  await submitted(page, { name, ports: '9090', replicas: '4', service: 'yes' });
  // What another has replaced is not undone, as that would undo the other as well.
  await page.goto(first);
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Undo this change' })).toHaveCount(0);
  expect((await page.request.post(`${first}/undo`)).status()).toBe(409);
  await page.goto('/workloads');
  await page.getByRole('link', { name }).first().click();
  await page.getByRole('button', { name: 'Undo this change' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Review');
  await expect(page.getByText('applying deletes nothing')).toContainText(`Service/shop/${name}`);
  await expect(page.getByRole('region', { name: `Changes of Deployment/shop/${name}` })).toContainText('+  replicas: 2');
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  const restored = await kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`);
  expect([restored.spec.replicas, restored.spec.template.spec.containers[0].ports.length, restored.spec.template.spec.containers[0].ports[0].containerPort]).toEqual([2, 1, 8080]);
  expect(rows(`select manifest from submissions where name = '${name}' order by created_at`).map(({ manifest }) => manifest)[2]).toBe(rows(`select manifest from submissions where name = '${name}' order by created_at`)[0].manifest);
});

/** A workload in a namespace of its own, without policies; gives the namespace. */
async function running(name) {
  const namespace = unique('shop-bare');
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'admins', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-shop' }] });
  const workload = deployment(name);
  workload.metadata.namespace = namespace;
  await kube.apply(workload);
  return namespace;
}

test('what a policy cuts off is named in the verdict, also where it comes from another namespace', async ({ open }) => {
  const name = unique('reached');
  const namespace = await running(name);
  const reports = { from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'reports' } } }], ports: [{ port: 5432 }] };
  await kube.apply({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace }, spec: { podSelector: { matchLabels: { app: name } }, policyTypes: ['Ingress', 'Egress'], ingress: [reports] } }, 'fairway');
  const page = await open('dana');
  await expect(async () => {
    await page.goto(`/workloads?namespace=${namespace}`);
    await expect(page.getByRole('region', { name: 'What runs' }).getByRole('row').filter({ hasText: name })).toContainText('both directions', { timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await page.getByRole('button', { name: `Change policy for ${name}` }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Who may reach it');
  await page.getByRole('button', { name: 'Remove source 1' }).click();
  await goOn(page, 'Review');
  await expect(page.getByText(`Ready: the rules find nothing to fix. This closes 1 connection: every pod in reports to ${name}.`)).toBeVisible();
  const closed = page.getByRole('heading', { name: 'Closed (1)' }).locator('..');
  await expect(closed).toContainText(`every pod in reports to ${namespace}/${name}[Deployment]: TCP 5432`);
});

test('what the quota and the limit range of the namespace leave no room for is said before anything is sent', async ({ open }) => {
  const namespace = await running(unique('beside'));
  await kube.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'team', namespace }, spec: { hard: { pods: '30', 'limits.memory': '4Gi' } } });
  const page = await open('dana');
  const said = async (replicas) => {
    const workload = deployment(unique('many'));
    workload.metadata.namespace = namespace;
    workload.spec.replicas = replicas;
    await page.goto(`/workloads/import?namespace=${namespace}`);
    await page.getByLabel('Manifests').fill(JSON.stringify(workload));
    await page.getByRole('button', { name: 'Import manifests' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Review');
    return page.locator('.finding', { hasText: /quota\/|limit-range\// }).locator('strong').allInnerTexts();
  };
  const silent = 'Container main does not say its limits of memory, which the quota team counts.';
  await expect.poll(() => said(60)).toEqual(['It needs 60 pods, and the quota team of its namespace allows 30.', silent]);
  await page.getByRole('link', { name: /^Why It needs 60 pods/ }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('What do the quota and the limit range of my namespace allow?');
  await kube.apply({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'team', namespace }, spec: { limits: [{ type: 'Container', default: { memory: '64Mi' }, max: { memory: '128Mi' } }] } });
  await expect.poll(() => said(30)).not.toContain(silent);
});

test('what a policy names and is not there is a warning, and what the person cannot see is not told', async ({ open }) => {
  const page = await open('dana');
  const warnings = async (peer) => {
    const name = unique('names');
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'shop' }, spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [peer] }] } };
    await page.goto('/workloads/import?namespace=shop');
    await page.getByLabel('Manifests').fill(JSON.stringify(policy));
    await page.getByRole('button', { name: 'Import manifests' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Review');
    return page.locator('.finding', { hasText: 'netpol/peer-selects-nothing' }).locator('strong').allInnerTexts();
  };
  const called = (name) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } });
  expect(await warnings(called('payy'))).toEqual(['There is no namespace payy, so the rule lets nobody through.']);
  await expect(page.getByText(/^Ready, with \d+ warnings? worth reading\./)).toBeVisible();
  expect(await warnings({ podSelector: { matchLabels: { app: 'nobody' } } })).toEqual(['No workload fits this peer, so the rule lets nobody through.']);
  expect(await warnings({ namespaceSelector: { matchLabels: { 'no-such': 'label' } } })).toEqual(['No namespace that was given or is known here has the labels no-such=label, so the rule lets nobody through.']);
  expect(await warnings(called('pay'))).toEqual([]);
});

test('what runs is listed with its coverage, and a policy is written for it alone', async ({ open }) => {
  const name = unique('bare');
  const namespace = await running(name);
  const page = await open('dana');
  await expect(async () => {
    await page.goto(`/workloads?namespace=${namespace}`);
    await expect(page.getByRole('region', { name: 'What runs' }).getByRole('row').filter({ hasText: name })).toContainText('nothing', { timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await page.getByRole('button', { name: `Write a policy for ${name}` }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('What runs');
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue(`${namespace}/${name}[Deployment]`);
  await expect(page.getByLabel('Ports it listens on')).toHaveValue('5432');
  await expect(page.getByLabel('Image')).toHaveCount(0);
  await goOn(page, 'Who may reach it');
  await page.getByLabel('Every pod of this namespace').first().check();
  await goOn(page, 'What it may reach');
  await goOn(page, 'Review');
  await page.getByText('The picture as a table').click();
  const table = page.getByRole('region', { name: 'Who may talk with it' });
  await expect(table.getByRole('row').filter({ hasText: 'anyone, inside and outside the cluster' })).toHaveCount(2);
  await expect(table.getByRole('row').filter({ hasText: 'Removed' })).toHaveCount(2);
  await expect(page.getByRole('heading', { name: /^Closed/ })).toBeVisible();
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  const policy = await kube.get(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/${name}`);
  expect(policy.spec.podSelector.matchLabels).toEqual({ app: name });
  await page.goto(`/workloads?namespace=${namespace}`);
  await expect(page.getByRole('region', { name: 'What runs' }).getByRole('row').filter({ hasText: name })).toContainText('both directions');
  await page.getByRole('button', { name: `Change policy for ${name}` }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Who may reach it');
  await page.getByLabel('Every pod of this namespace').first().uncheck();
  await goOn(page, 'Review');
  await expect(page.getByLabel(`Changes of NetworkPolicy/${namespace}/${name}`)).toContainText('-  ingress:');
  await page.goto(`/workloads?namespace=${namespace}`);
  await page.getByRole('link', { name: 'Who may talk to whom in this namespace' }).click();
  await page.getByRole('region', { name: 'Matrix' }).getByRole('link', { name }).click();
  await expect(page.getByRole('heading', { level: 2, name })).toBeVisible();
  await expect(page.locator('svg.picture')).toBeVisible();
});

test('pods that the cluster refuses after an apply are explained', async ({ open }) => {
  const name = unique('rollout');
  // From now on the cluster refuses what the controller makes.
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name, namespace: 'pay' }, spec: { hard: { 'count/pods': '0' } } };
  const other = await open('pia');
  const refused = unique('refused');
  const elsewhere = await submitted(other, { namespace: 'pay', name: refused });
  try {
    await kube.apply(quota);
    await expect(async () => {
      // The quota counts a moment after it is made, so a pod may still slip through.
      const pods = await kube.get(`/api/v1/namespaces/pay/pods?labelSelector=app.kubernetes.io%2Fname%3D${refused}`);
      for (const { metadata } of pods.items) await kube.request('DELETE', `/api/v1/namespaces/pay/pods/${metadata.name}`);
      await other.goto(elsewhere);
      await expect(other.locator('main')).toContainText('Pods refused', { timeout: 500 });
      await expect(other.locator('main')).toContainText('exceeded quota', { timeout: 500 });
    }).toPass({ timeout: 30_000 });
  } finally {
    await kube.request('DELETE', `/api/v1/namespaces/pay/resourcequotas/${name}`);
  }
});

test('two people on one draft: the later one is told, and nothing that either typed is lost', async ({ open }) => {
  const author = await open('dana');
  await begin(author);
  const name = await describe(author, { name: unique('shared') });
  await goOn(author, 'Who may reach it');
  const teammate = await open('devin');
  await teammate.goto(author.url());
  await fillRow(teammate, 1, { kind: 'namespace', value: 'pay' });
  await goOn(teammate, 'What it may reach');
  await fillRow(author, 1, { kind: 'addresses', value: '203.0.113.7' });
  await author.getByRole('button', { name: 'Save and continue' }).click();
  await expect(author.getByRole('alert')).toContainText('Devin Developer saved this draft after you opened this page.');
  await expect(author.locator('#rows').getByLabel('Which')).toHaveValue('203.0.113.7');
  expect(rows(`select form -> 'sources' -> 'rows' -> 'value' as value from drafts where form -> 'workload' ->> 'name' = '${name}'`)).toEqual([{ value: ['pay'] }]);
  await goOn(author, 'What it may reach');
  expect(rows(`select form -> 'sources' -> 'rows' -> 'value' as value from drafts where form -> 'workload' ->> 'name' = '${name}'`)).toEqual([{ value: ['203.0.113.7'] }]);
  // Nobody else's business.
  const stranger = await open('pia');
  expect((await stranger.request.get(author.url())).status()).toBe(404);
});

test('Back from the second step shows the first as it was saved, and a draft can be deleted', async ({ open }) => {
  const page = await open('dana');
  await begin(page);
  const name = await describe(page, { name: unique('back') });
  await goOn(page, 'Who may reach it');
  await page.goBack();
  await expect(page.getByLabel('Name', { exact: true }).first()).toHaveValue(name);
  await page.getByRole('link', { name: 'Delete draft' }).click();
  await page.getByRole('button', { name: 'Delete draft' }).click();
  await expect(page.getByText('The draft is deleted.')).toBeVisible();
  expect(rows(`select 1 from drafts where form -> 'workload' ->> 'name' = '${name}'`)).toEqual([]);
});

test('what was reviewed is taken away as YAML, as a kustomize folder and as a picture', async ({ open }) => {
  const page = await open('dana');
  const draft = await drafted(page, { kind: 'pod' });
  const yaml = await (await page.request.get(`${draft}/manifest.yaml`)).text();
  const archive = (await (await page.request.get(`${draft}/kustomize.zip`)).body()).toString('latin1');
  expect(archive).toMatch(/^PK/);
  for (const document of yaml.split('---\n')) expect(archive).toContain(document);
  expect(archive).toContain('kind: Kustomization');
  const picture = await page.request.get(`${draft}/picture.svg`);
  expect(picture.headers()['content-type']).toContain('image/svg+xml');
  const blank = await open(null);
  await blank.setContent(`<img src="data:image/svg+xml;base64,${(await picture.body()).toString('base64')}">`);
  await expect.poll(() => blank.locator('img').evaluate((image) => image.naturalWidth)).toBeGreaterThan(100);
  await page.goto(`${draft}/review`);
  await page.getByText('Do the same with kubectl').click();
  await expect(page.getByRole('region', { name: 'Commands' })).toContainText('kubectl run');
});

test('the YAML that is copied is the YAML that is applied', async ({ open }) => {
  const page = await open('dana', { permissions: ['clipboard-read', 'clipboard-write'] });
  const draft = await drafted(page);
  await page.goto(`${draft}/review`);
  await page.getByRole('button', { name: 'Copy YAML' }).click();
  await expect(page.getByText('Copied.')).toBeVisible();
  const yaml = await (await page.request.get(`${draft}/manifest.yaml`)).text();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(yaml);
});

test('labels may hold every character that Kubernetes allows', async ({ open }) => {
  const page = await open('dana');
  await begin(page);
  const name = await describe(page);
  await page.getByText('Labels', { exact: true }).click();
  await page.getByLabel('Labels of its pods').fill('App_1.x-Y=Z_9.a-b, my.example.com/Name-1_2.3=, a=b');
  await toReview(page);
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  const applied = await kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`);
  expect(applied.spec.selector.matchLabels).toEqual({ 'App_1.x-Y': 'Z_9.a-b', 'my.example.com/Name-1_2.3': '', a: 'b' });
});

test('what RBAC refuses is said before anything is sent, and a warning of a webhook is shown', async ({ open }) => {
  const namespace = unique('pay-some');
  const bind = (name, role) => kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name, namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-pay' }] });
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  // May run workloads, and may not write policies.
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'some', namespace }, rules: [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['*'] }] });
  await bind('some', 'some');
  const page = await open('pia');
  await expect.poll(async () => (await page.request.get(`/namespaces/${namespace}`)).status()).toBe(200);
  const name = await reviewed(page, namespace);
  const said = page.getByRole('listitem').filter({ hasText: `NetworkPolicy/${namespace}/${name}` }).filter({ hasText: 'Refused' });
  await expect(said).toContainText('cannot patch resource "networkpolicies"');
  await expect(page.getByText('so it was not taken into account')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Apply workload' })).toHaveCount(0);
  const warned = await reviewed(page, 'pay', { image: 'docker.io/library/nginx:1.27' });
  await expect(page.getByRole('listitem').filter({ hasText: `Deployment/pay/${warned}` }).filter({ hasText: 'Admitted with warnings' })).toContainText('does not have an allowed image registry');
});

test('what a webhook refuses is said in its words before anything is sent', async ({ open }) => {
  const page = await open('dana');
  const name = unique('latest');
  await reviewed(page, 'shop', { name, image: 'harbor.example.com/shop/web:latest' });
  const said = page.getByRole('listitem').filter({ hasText: `Pod/shop/${name}-pod` }).filter({ hasText: 'admission webhook' });
  await expect(said).toContainText(`The container named <${name}> uses the :latest tag.`);
  await expect(page.getByText('It cannot be applied like this.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Apply workload' })).toHaveCount(0);
});

test('a conflict that comes between approval and apply names field and manager, and the apply can be repeated', async ({ open }) => {
  const author = await open('dana');
  const name = await reviewed(author, 'shop', { name: unique('late'), image: 'docker.io/library/nginx:1.27' });
  await author.getByRole('button', { name: 'Send to a second person' }).click();
  const reviewer = await open('lee');
  await reviewer.goto(author.url());
  await reviewer.getByRole('button', { name: 'Approve' }).click();
  await expect(reviewer.getByText('Your review is recorded.')).toBeVisible();
  const path = `/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/${name}`;
  await kube.request('PATCH', `${path}?fieldManager=helm`, { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'shop' }, spec: { podSelector: { matchLabels: { app: 'theirs' } }, policyTypes: ['Ingress'] } }, 'application/apply-patch+yaml');
  await author.reload();
  await author.getByRole('button', { name: 'Apply workload' }).click();
  await expect(author.getByText('Not everything was applied.')).toBeVisible();
  await expect(author.getByRole('region', { name: 'Objects' })).toContainText('is managed by helm');
  await kube.request('DELETE', path);
  await author.getByRole('button', { name: 'Apply again' }).click();
  await expect(author.getByText('Applied exactly as reviewed.')).toBeVisible();
  expect((await kube.get(path)).spec.podSelector.matchLabels).toEqual({ 'app.kubernetes.io/name': name });
});

test('the whole wizard is gone through by keyboard alone', async ({ open }) => {
  const page = await open('dana');
  const name = unique('keys');
  await page.goto('/workloads/new?namespace=shop');
  const tabTo = async (target) => {
    for (let presses = 0; presses < 60; presses += 1) {
      if (await target.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`${target} is not reached by Tab`);
  };
  const press = async (target, key = 'Enter') => {
    await tabTo(target);
    await page.keyboard.press(key);
  };
  await press(page.getByRole('button', { name: 'Start wizard' }));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('What runs');
  await tabTo(page.getByLabel('Name', { exact: true }).first());
  await page.keyboard.type(name);
  await tabTo(page.getByLabel('Ports it listens on'));
  await page.keyboard.type('8080');
  await tabTo(page.getByLabel('Image'));
  await page.keyboard.type('harbor.example.com/shop/web:1');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Who may reach it');
  await press(page.getByLabel('The ingress controller'), 'Space');
  await press(page.getByRole('button', { name: 'Save and continue' }));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('What it may reach');
  await press(page.getByRole('button', { name: 'Add another destination' }));
  await tabTo(page.getByLabel('Destination 1'));
  await page.keyboard.type('Addr');
  await tabTo(page.locator('#rows').getByLabel('Which'));
  await page.keyboard.type('203.0.113.7');
  await tabTo(page.locator('#rows').getByLabel('On ports'));
  await page.keyboard.type('443');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Resources and safety');
  await press(page.getByRole('button', { name: 'Save and review' }).or(page.getByRole('button', { name: 'Save and continue' })));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Review');
  await press(page.getByText('The picture as a table'));
  await expect(page.getByRole('region', { name: 'Who may talk with it' })).toContainText('203.0.113.7/32');
  await press(page.getByRole('button', { name: 'Apply workload' }));
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
});

test('five hundred workloads stay usable: searched, paged, and drawn one by one', async ({ open }) => {
  test.setTimeout(120_000);
  const namespace = unique('shop-many');
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'admins', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-shop' }] });
  const made = async (number) => {
    const one = deployment(`app-${String(number).padStart(3, '0')}`);
    one.metadata.namespace = namespace;
    one.spec.replicas = 0;
    await kube.apply(one);
  };
  for (let first = 0; first < 500; first += 25) await Promise.all(Array.from({ length: 25 }, (_, place) => made(first + place)));
  const page = await open('dana');
  await expect(async () => {
    await page.goto(`/workloads?namespace=${namespace}`);
    await expect(page.getByText('25 of 500')).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 30_000 });
  await page.getByLabel('Name holds').fill('app-49');
  await page.getByRole('button', { name: 'Show workloads' }).click();
  await expect(page.getByRole('region', { name: 'What runs' }).getByRole('row')).toHaveCount(11);
  await page.goto(`/namespaces/${namespace}/connections`);
  await expect(page.getByRole('region', { name: 'Matrix' }).getByRole('row')).toHaveCount(2);
  await expect(page.getByRole('rowheader', { name: 'app-000[Deployment] and 499 like it' })).toBeVisible();
  await page.getByText('500 workloads', { exact: true }).click();
  await page.getByLabel('Workloads whose name holds').fill('app-12');
  await page.getByRole('button', { name: 'Show connections' }).click();
  await expect(page.getByRole('region', { name: 'Matrix' }).getByRole('row')).toHaveCount(11);
  await page.getByRole('region', { name: 'Matrix' }).getByRole('link', { name: 'app-123' }).click();
  await expect(page.getByRole('heading', { level: 2, name: 'app-123' })).toBeVisible();
  await begin(page, namespace);
  await describe(page);
  await goOn(page, 'Who may reach it');
  await expect(page.getByText('And 490 more: search for a part of the name.')).toBeVisible();
  await page.getByLabel('Search what runs').fill('app-377');
  await page.getByRole('button', { name: 'Search workloads' }).click();
  await page.getByRole('button', { name: `Add ${namespace}/app-377[Deployment]` }).click();
  await expect(page.locator('#rows').getByLabel('Which')).toHaveValue(`${namespace}/app-377[Deployment]`);
});
