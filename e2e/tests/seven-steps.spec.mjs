// The main job of the portal, step by step as the people do it, with JavaScript and without.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, shownAll, stack, test, unique } from './portal.mjs';
import { clusterAudit, kube, rows } from './db.mjs';
import { confirmed, decided } from './opt-ins.mjs';
import { describe, fillRow, goOn } from './wizard.mjs';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    const options = { javaScriptEnabled };

    test('somebody signed out reads the front page and the FAQ, signs in, and is back at the page asked for', async ({ open }) => {
      const page = await open(null, options);
      await page.goto('/');
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('The safe way into the demo platform');
      await page.getByRole('navigation').getByRole('link', { name: 'FAQ' }).click();
      await page.getByLabel('Paste a message you do not understand').fill('The container named <web> uses the :latest tag.');
      await page.getByRole('button', { name: 'Explain message' }).click();
      await page.getByRole('link', { name: 'Which image tags may I use?' }).first().click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Which image tags may I use?');
      await page.getByRole('link', { name: 'Sign in' }).click();
      expect(page.url()).toContain(stack.demo);
      await page.getByRole('button', { name: 'Dana Developer' }).click();
      await expect(page).toHaveURL(/\/faq\/image-tags$/);
      await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
    });

    test('a person sees who they are, what they reach, and which binding gives it through which group', async ({ open }) => {
      const page = await open('lee', options);
      await expect(page.getByText('lee@example.com')).toBeVisible();
      const reach = page.getByRole('region', { name: 'Namespaces you can reach' });
      const row = (binding) => reach.getByRole('row').filter({ hasText: binding }).filter({ has: page.getByRole('rowheader', { name: 'shop', exact: true }) });
      await expect(row('extra-workload-admins')).toContainText('admin');
      await expect(row('extra-workload-admins')).toContainText('your group team-shop-leads');
      await expect(row(/RoleBinding workload-admin/)).toContainText('your group team-shop');
      await expect(page.getByRole('region', { name: 'Access in the whole cluster' })).toContainText('ClusterRoleBinding user-view');
    });

    test('a newcomer is told what to ask for and whom', async ({ open }) => {
      const page = await open('nico', options);
      await expect(page.getByRole('heading', { name: 'You have no access yet' })).toBeVisible();
      await expect(page.locator('main')).toContainText('add nico@example.com to the team');
      await expect(page.locator('main')).toContainText('platform-team@example.com');
    });

    test('a namespace is created, waited for, and shown', async ({ open }) => {
      const name = unique('shop');
      const page = await open('dana', options);
      await page.goto('/namespaces');
      await page.getByRole('link', { name: 'Create namespace' }).click();
      await page.getByLabel('Parent namespace').selectOption('shop');
      await page.getByRole('textbox', { name: 'Name' }).fill(name);
      await page.getByRole('button', { name: 'Create namespace' }).click();
      await expect(page.getByText(`Namespace ${name} is ready to use.`)).toBeVisible({ timeout: 30_000 });
      await expect(page).toHaveURL(new RegExp(`/namespaces/${name}`));
      await expect(page.getByRole('link', { name: 'Add workload' })).toBeVisible();
      const anchor = () => kube.get(`/apis/hnc.x-k8s.io/v1alpha2/namespaces/shop/subnamespaceanchors/${name}`);
      await expect.poll(async () => (await anchor()).status?.status).toBe('Ok');
      expect(outcomesOf('namespace', name)).toEqual(['succeeded']);
      const [created] = clusterAudit().filter(({ objectRef, verb }) => objectRef.resource === 'subnamespaceanchors' && objectRef.name === name && verb === 'create');
      expect(created.impersonatedUser.username).toBe('dana@example.com');
    });

    test('the wizard ends in a workload behind its policy, applied as the person and exactly as reviewed', async ({ open }) => {
      const name = unique('web');
      const page = await open('dana', options);
      await page.goto('/workloads');
      await page.getByRole('link', { name: 'Add workload' }).click();
      await page.getByRole('button', { name: 'Start wizard' }).click();
      await page.getByLabel('Namespace').selectOption('shop');
      await describe(page, { name });
      await goOn(page, 'Who may reach it');
      await page.getByLabel('Every pod of this namespace').first().check();
      await fillRow(page, 1, { kind: 'namespace', value: 'pay' });
      await goOn(page, 'What it may reach');
      await fillRow(page, 1, { kind: 'addresses', value: '203.0.113.0/24', ports: '5432' });
      await goOn(page, 'Resources and safety');
      await goOn(page, 'Review');

      await expect(page.getByText('Ready: the rules find nothing to fix.')).toBeVisible();
      await expect(page.getByText(`Pods of ${name} in shop can be reached by every pod in pay on TCP 8080 and every pod in shop on TCP 8080, and by nobody else.`)).toBeVisible();
      await page.getByText('The picture as a table').click();
      const table = page.getByRole('region', { name: 'Who may talk with it' });
      await expect(table.getByRole('row')).toHaveCount(5);
      await expect(table.getByRole('row').filter({ hasText: '203.0.113.0/24' })).toContainText('TCP 5432');
      await expect(page.getByText(`Pod/shop/${name}-pod`)).toBeVisible();
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download YAML' }).click()]);
      const manifest = readFileSync(await download.path(), 'utf8');
      await page.getByRole('button', { name: 'Apply workload' }).click();

      await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
      const deployment = await kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`);
      expect(deployment.metadata.managedFields.find(({ manager }) => manager === 'fairway').operation).toBe('Apply');
      const policy = await kube.get(`/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/${name}`);
      expect(deployment.spec.template.metadata.labels).toMatchObject(policy.spec.podSelector.matchLabels);
      const [submission] = rows(`select manifest, encode(digest, 'hex') as digest, author_id from submissions where name = '${name}'`);
      expect(submission.manifest).toBe(manifest);
      expect(submission.digest).toBe(createHash('sha256').update(manifest).digest('hex'));
      expect(outcomesOf('submission', name)).toEqual(['succeeded', 'succeeded']);
      const patched = clusterAudit().filter(({ objectRef, verb, requestURI }) => objectRef.name === name && objectRef.namespace === 'shop' && verb === 'patch' && !requestURI.includes('dryRun'));
      expect(patched.map(({ impersonatedUser }) => impersonatedUser.username)).toEqual(Array(patched.length).fill('dana@example.com'));
      expect(patched.length).toBeGreaterThanOrEqual(2);
    });

    test('risks are accepted point by point, decided by another person, and kept as evidence', async ({ open }) => {
      const feature = javaScriptEnabled ? 'snippet-annotations' : 'custom-resource-definitions';
      const developer = await open('devin', options);
      await developer.goto('/preview-features');
      await shownAll(developer, 'features');
      await developer.locator(`a[href="/preview-features/${feature}"]`).first().click();
      await confirmed(developer, feature, { why: 'A rewrite that the ingress does not offer' });
      await expect(developer.getByText('A rewrite that the ingress does not offer').first()).toBeVisible();
      expect(rows(`select 1 from acceptances where feature_slug = '${feature}' and document like '%team-shop%' and scope_name = 'shop' and person_id = (select id from people where email = 'devin@example.com')`)).toEqual([]);
      await developer.getByRole('button', { name: 'Accept risks' }).click();
      await expect(developer.getByText('Your acceptance is recorded.')).toBeVisible();
      const id = new URL(developer.url()).pathname.split('/').at(-1);

      const administrator = await open('ada', options);
      await decided(administrator, id, 'approve', 'Until the end of the quarter');
      await expect(administrator.getByText('The decision is recorded.')).toBeVisible();
      if (feature === 'custom-resource-definitions') {
        await administrator.goto(`/preview-features/acceptances/${id}`);
        await administrator.getByRole('button', { name: 'Confirm that it is enabled' }).click();
        await expect(administrator.getByText('It is done and recorded.')).toBeVisible();
      } else {
        await expect.poll(async () => (await kube.get('/api/v1/namespaces/shop')).metadata.labels['preview.fairway.dev/snippets'], { timeout: 20_000 }).toBe('allowed');
      }
      await expect.poll(async () => (await developer.reload(), developer.locator('main').textContent()), { timeout: 20_000 }).toContain('Effective');
      await expect(developer.getByRole('region', { name: 'Decisions' })).toContainText('Until the end of the quarter');
      const [acceptance] = rows(`select a.document, encode(a.digest, 'hex') as digest, s.document as statement, encode(s.digest, 'hex') as statement_digest, i.email
        from acceptances a join risk_statements s on s.feature_slug = a.feature_slug and s.version = a.statement_version join identities i on i.commitment = a.identity where a.id = '${id}'`);
      const sha256 = (text) => createHash('sha256').update(text).digest('hex');
      const document = JSON.parse(acceptance.document);
      expect(document).toMatchObject({ feature, scope: { kind: 'namespace', name: 'shop' }, namespaces: ['shop'], person_groups: ['team-shop'], points: JSON.parse(acceptance.statement).points, statement_digest: acceptance.statement_digest });
      expect([acceptance.digest, acceptance.statement_digest, acceptance.email]).toEqual([sha256(acceptance.document), sha256(acceptance.statement), 'devin@example.com']);
      const served = await developer.request.get(`/preview-features/${feature}/statements/1`);
      expect(sha256(await served.text())).toBe(document.statement_digest);
      expect(rows(`select p.email from opt_in_steps t join people p on p.id = t.person_id where t.acceptance_id = '${id}' and t.step = 'approved'`)).toEqual([{ email: 'ada@example.com' }]);
      expect(rows(`select detail ->> 'digest' as digest from audit_events where action = 'preview_feature.accept_risk' and object_id = '${id}'`)).toEqual([{ digest: acceptance.digest }]);
    });

    test('an administrator reads every write, with actor, object and outcome', async ({ open }) => {
      const page = await open('ada', options);
      await page.getByRole('link', { name: 'Admin', exact: true }).click();
      await page.getByRole('link', { name: 'Audit' }).click();
      await page.getByLabel('Person').fill('ada@example.com');
      await page.getByRole('button', { name: 'Filter writes' }).click();
      // Other tests act as the same administrator meanwhile, so the sign-in need not be the newest of her writes.
      const signedIn = page.getByRole('region', { name: 'Writes' }).getByRole('row').filter({ hasText: 'session.sign_in' }).first();
      await expect(signedIn).toContainText('Ada Administrator');
      await expect(signedIn).toContainText('Succeeded');
    });

    test('signing out ends the session, and the provider asks again who somebody is', async ({ open }) => {
      const page = await open('pia', options);
      const [cookie] = (await page.context().cookies(stack.url)).filter(({ name }) => name === '__Host-fairway');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await expect(page.getByRole('heading', { name: 'You are signed out' })).toBeVisible();
      await expect(page.getByRole('link', { name: 'Sign in' }).first()).toBeVisible();
      await page.goto('/access');
      await expect(page.getByRole('heading', { name: 'Choose a demo person' })).toBeVisible();
      // The old cookie is worth nothing, wherever it was copied to.
      await page.context().addCookies([cookie]);
      await page.goto('/access');
      await expect(page.getByRole('heading', { name: 'Choose a demo person' })).toBeVisible();
    });
  });
}

/** Outcomes of every write to an object, as recorded. */
function outcomesOf(kind, name) {
  return rows(`select phase from audit_events where object_kind = '${kind}' and object_name = '${name}' and phase <> 'intent' order by sequence`).map(({ phase }) => phase);
}
