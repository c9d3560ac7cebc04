// The demo that `make run` ends in: every page shows something real. On a stack of its own.

import { fillDemo } from '../stack/demo/demo.mjs';
import { partsWith } from '../stack/parts.mjs';
import { freePort } from '../stack/processes.mjs';
import { startStack } from '../stack/stack.mjs';
import { expect, stack, test as base } from './portal.mjs';

const test = base.extend({
  own: [
    async ({}, use) => {
      const own = await startStack({ binary: stack.binary, site: stack.site, port: await freePort(), parts: partsWith({ demo: true }), onLost: (sentence) => console.error(sentence) });
      await fillDemo(own);
      await use(own);
      await own.stop();
    },
    { scope: 'worker', timeout: 300_000 },
  ],
  url: async ({ own }, use) => use(own.url),
});

test.describe.configure({ mode: 'serial' });

test('a developer finds namespaces with reasons, a dozen workloads, drafts, submissions and opt-ins', async ({ open }) => {
  const page = await open('dana');
  const namespaces = page.getByRole('region', { name: 'Namespaces you can reach' });
  for (const name of ['shop', 'shop-experiments', 'shop-staging']) await expect(namespaces.getByRole('rowheader', { name, exact: true }).first()).toBeVisible();
  await expect(namespaces).toContainText('from the preview feature endpoints');
  await page.goto('/workloads?namespace=shop');
  for (const name of ['storefront', 'catalogue', 'cart', 'cart-cache', 'checkout', 'search', 'emails', 'images', 'recommendations', 'reviews', 'nightly-report', 'gift-cards', 'price-import']) {
    await expect(page.getByRole('rowheader', { name, exact: true }).first()).toBeVisible();
  }
  for (const state of ['Waiting for review', 'Changes asked for', 'Applied']) await expect(page.locator('main')).toContainText(state);
  await page.goto('/namespaces/shop/connections');
  await expect(page.getByRole('row').filter({ hasText: '203.0.113.25' }).filter({ hasText: 'TCP 587' })).toContainText('shop/emails[Deployment]');
  await page.goto('/preview-features');
  for (const state of ['Approved, not yet effective', 'Revoked', 'Withdrawn', 'Expired', 'Effective']) await expect(page.locator('main')).toContainText(state);
});

test('an administrator finds decisions that wait, and an auditor months of record', async ({ open }) => {
  const administrator = await open('ada');
  await administrator.goto('/admin/approvals');
  await expect(administrator.locator('main')).toContainText('Custom error pages of the payment form.');
  const auditor = await open('alex');
  const quarterAgo = new Date(Date.now() - 90 * 86_400_000).toISOString().slice(0, 10);
  await auditor.goto(`/admin/audit?action=namespace.create&to=${quarterAgo}`);
  await expect(auditor.getByRole('region', { name: 'Writes' })).toContainText('namespace shop-experiments');
});

test('pods are ready, starting, crashing, refused by their node and without one', async ({ own }) => {
  const { kube } = own.cluster;
  const deployment = (namespace, name) => kube.get(`/apis/apps/v1/namespaces/${namespace}/deployments/${name}`);
  const waiting = async (namespace, name) => {
    const { items } = await kube.get(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(`app.kubernetes.io/name=${name}`)}`);
    return items.flatMap(({ status }) => (status.containerStatuses ?? status.conditions).map(({ state, reason }) => state?.waiting?.reason ?? reason));
  };
  expect((await deployment('shop', 'storefront')).status).toMatchObject({ readyReplicas: 3, updatedReplicas: 3 });
  const { status, spec } = await deployment('shop', 'search');
  expect(status.updatedReplicas).toBeLessThan(spec.replicas);
  expect(status.conditions.find(({ type }) => type === 'Progressing').status).toBe('True');
  await expect.poll(() => waiting('shop', 'search')).toContain('ContainerCreating');
  await expect.poll(() => waiting('shop', 'images')).toContain('ImagePullBackOff');
  await expect.poll(() => waiting('shop', 'recommendations')).toContain('CrashLoopBackOff');
  await expect.poll(() => waiting('pay', 'fraud-check')).toContain('CreateContainerConfigError');
  await expect.poll(() => waiting('pay', 'settlement')).toContain('Unschedulable');
});
