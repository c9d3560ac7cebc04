// Public applications of a dozen workloads, from the import to the cluster. They stand beside the project, not in it.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, unique } from './portal.mjs';
import { kube } from './db.mjs';

const folder = join(import.meta.dirname, '../../../shared/fixtures/apps');
const shots = join(import.meta.dirname, '../../target/screenshots');

/** What the files of an application hold, as somebody pastes it who has a registry of their own. */
function application(name, namespace) {
  const files = readdirSync(join(folder, name)).filter((file) => file.endsWith('.yaml'));
  const text = files.map((file) => readFileSync(join(folder, name, file), 'utf8')).join('\n---\n');
  return text.replaceAll(/^(\s*namespace:).*$/gm, `$1 ${namespace}`).replaceAll(/^(\s*(?:- )?image:\s*)"?(?:[^\s"]*\/)?([^\s"/:]+)(?::([^\s"]+))?.*$/gm, (_, field, image, tag) => `${field}harbor.example.com/mirror/${image}:${tag && tag !== 'latest' ? tag : '1.0'}`).replaceAll(/@sha256:[0-9a-f]+/g, '');
}

async function namespaceFor(name) {
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'team', namespace: name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-shop' }] });
}

for (const [name, workloads] of [['online-boutique', 12], ['bank-of-anthos', 9], ['sock-shop', 14]]) {
  test(`${name} is imported, fixed, given policies and applied`, async ({ open }) => {
    test.skip(!existsSync(folder), 'the applications are not beside this checkout');
    test.slow();
    const namespace = unique(name);
    await namespaceFor(namespace);
    const page = await open('dana');
    await expect(async () => {
      await page.goto(`/workloads/import?namespace=${namespace}`);
      await expect(page.getByLabel('Namespace')).toHaveValue(namespace, { timeout: 500 });
    }).toPass();
    const given = application(name, namespace);
    await page.getByLabel('Manifests').fill(given);
    await page.getByRole('button', { name: 'Import manifests' }).click();
    const namespaces = given.split(/^---$/m).filter((part) => /^kind: Namespace$/m.test(part));
    if (namespaces.length) {
      await expect(page.getByRole('alert')).toContainText('Create sock-shop under Namespaces, and take it out of the text.');
      await page.getByLabel('Manifests').fill(namespaces.reduce((text, part) => text.replace(part, '\n'), given));
      await page.getByRole('button', { name: 'Import manifests' }).click();
    }
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Review');
    await page.screenshot({ path: join(shots, `${name}-1.png`), fullPage: true });
    await page.getByRole('button', { name: /^Fix \d+ findings at once$/ }).click();
    await expect(page.getByRole('button', { name: /^Fix \d+ findings/ })).toHaveCount(0);
    await expect(page.getByRole('checkbox')).toHaveCount(workloads);
    await page.screenshot({ path: join(shots, `${name}-2.png`), fullPage: true });
    await page.getByRole('button', { name: 'Add selected policies' }).click();
    await expect(page.getByRole('heading', { name: 'Proposed policies' })).toHaveCount(0);
    const fixes = page.getByRole('button', { name: /^Fix it/ });
    for (let left = await fixes.count(); left > 0; left = await fixes.count()) {
      await fixes.first().click();
      await expect(fixes).toHaveCount(left - 1);
    }
    await page.screenshot({ path: join(shots, `${name}-3.png`), fullPage: true });
    await page.setViewportSize({ width: 375, height: 800 });
    await page.screenshot({ path: join(shots, `${name}-375.png`), fullPage: true });
    await page.getByRole('button', { name: 'Apply workload' }).click();
    await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
    // What people reached by a load balancer is open to the ingress controller, for the Ingress that takes its place.
    if (given.includes('LoadBalancer')) {
      const frontend = await kube.get(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/frontend`);
      expect(JSON.stringify(frontend.spec.ingress)).toContain('ingress-nginx');
    }
    const listed = async (path) => (await kube.get(path)).items.map((item) => item.metadata.name).sort();
    const made = [...(await listed(`/apis/apps/v1/namespaces/${namespace}/deployments`)), ...(await listed(`/apis/apps/v1/namespaces/${namespace}/statefulsets`))];
    expect(made).toHaveLength(workloads);
    expect(await listed(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`)).toHaveLength(workloads);
  });
}
