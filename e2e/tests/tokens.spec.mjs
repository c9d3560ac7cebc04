// Where the API server accepts people's own ID tokens: the portal acts with those, and its account may act as nobody.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, stack, test as base, unique } from './portal.mjs';
import { partsWith } from '../stack/parts.mjs';
import { freePort } from '../stack/processes.mjs';
import { startStack } from '../stack/stack.mjs';
import { reviewed } from './wizard.mjs';

const test = base.extend({
  own: [
    async ({}, use) => {
      const parts = partsWith({ tokens: true, identity: 'token', mailbox: false, gatekeeper: false, nodes: false });
      const own = await startStack({ binary: stack.binary, site: stack.site, port: await freePort(), parts, settings: { FAIRWAY_GROUPS_MAX_AGE_SECONDS: '1' }, onLost: (sentence) => console.error(sentence) });
      await use(own);
      await own.stop();
    },
    { scope: 'worker', timeout: 180_000 },
  ],
  url: async ({ own }, use) => use(own.url),
});

test.describe.configure({ mode: 'serial' });

test('the settings are found to fit the database, the cluster and Dex before anybody signs in', async ({ own }) => {
  const { status, stdout, stderr } = spawnSync(stack.binary, ['config', 'check', '--live'], { env: { ...process.env, ...own.env }, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toContain('The settings fit the database, the cluster and the identity provider.');
  expect(status).toBe(0);
  const wrong = spawnSync(stack.binary, ['config', 'check', '--live'], { env: { ...process.env, ...own.env, OIDC_CLIENT_SECRET: 'wrong', FAIRWAY_PUBLIC_URL: 'https://elsewhere.example.com' }, encoding: 'utf8' });
  expect(wrong.stdout).toContain('Register https://elsewhere.example.com/sign-in/callback as the redirect address');
  expect(wrong.stdout).toContain('OIDC_CLIENT_SECRET');
  expect(wrong.status).toBe(1);
});

test('a namespace and a workload are made by the person, whom the audit log names without the portal', async ({ open, own }) => {
  test.setTimeout(120_000);
  const page = await open('dana');
  const namespace = unique('own');
  await page.goto('/namespaces/new');
  await page.getByLabel('Parent namespace').selectOption('shop');
  await page.getByRole('textbox', { name: 'Name' }).fill(namespace);
  await page.getByRole('button', { name: 'Create namespace' }).click();
  await expect(page.getByText(`Namespace ${namespace} is ready to use.`)).toBeVisible({ timeout: 30_000 });
  const name = await reviewed(page, namespace, { name: unique('token') });
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.locator('main')).toContainText('Applied exactly as reviewed.');
  const writes = () => readFileSync(own.cluster.auditLog, 'utf8').split('\n').filter((line) => line.includes(`"${name}"`) && line.includes('"patch"')).map((line) => JSON.parse(line));
  await expect.poll(() => writes().map(({ user, impersonatedUser }) => [user.username, user.groups.includes('team-shop'), impersonatedUser]).at(-1)).toEqual(['dana@example.com', true, undefined]);
});

test('somebody whose account is closed behind Dex is signed out', async ({ open, own }) => {
  const page = await open('lee');
  await expect(page.locator('main')).toContainText('team-shop-leads');
  const change = (to) => fetch(`${own.provider.demo}/test/people/lee`, { method: 'PUT', body: JSON.stringify(to) });
  await change({ groups: ['team-shop'] });
  await expect.poll(async () => { await page.reload(); return page.locator('main').innerText(); }, { timeout: 30_000 }).not.toContain('team-shop-leads');
  await change({ disabled: true });
  await expect.poll(async () => { await page.goto('/access'); return new URL(page.url()).origin; }, { timeout: 30_000 }).not.toBe(own.url);
  await change({ disabled: false });
});
