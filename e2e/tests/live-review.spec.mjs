// The island beside the wizard's form: the review as one types.

import { expect, test, unique } from './portal.mjs';

test('the panel follows what is typed, without a reload and without storing anything', async ({ open }) => {
  const page = await open('dana');
  await page.goto('/workloads/new');
  const panel = page.getByRole('complementary', { name: 'Review so far' });
  await expect(panel).toHaveAttribute('data-ready', '');
  await expect(panel).toContainText('Not complete yet');
  await page.getByLabel('Name', { exact: true }).fill(unique('live'));
  await page.getByLabel('Image').fill('docker.io/library/nginx:1.27');
  await expect(panel).toContainText('worth reading');
  await expect(panel).toContainText('Who can reach it');
  await page.getByLabel('Image').fill('harbor.example.com/shop/web:1');
  await expect(panel).toContainText('Ready: the rules find nothing to fix.');
  await page.getByLabel('Image').fill('');
  await expect(panel).toContainText('Still to do');
  await page.goto('/workloads');
  await expect(page.getByText(/^live-/)).toHaveCount(0);
});

test('without JavaScript the panel shows what was saved', async ({ open }) => {
  const page = await open('dana', { javaScriptEnabled: false });
  await page.goto('/workloads/new');
  await page.getByLabel('Name', { exact: true }).fill(unique('still'));
  await page.getByLabel('Image').fill('harbor.example.com/shop/web:1');
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await expect(page.getByRole('complementary', { name: 'Review so far' })).toContainText('Who can reach it');
});
