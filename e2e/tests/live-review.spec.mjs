// The island beside the wizard's form: the review as one types.

import { expect, test, unique } from './portal.mjs';
import { begin, describe, goOn } from './wizard.mjs';

test('the panel follows what is typed, with picture, sentence and YAML, without a reload and without storing anything', async ({ open }) => {
  const page = await open('dana');
  await begin(page);
  const panel = page.getByRole('complementary', { name: 'Review so far' });
  await expect(page.locator('.live__body')).toHaveAttribute('data-ready', '');
  await expect(panel).toContainText('Not complete yet');
  const name = await describe(page, { name: unique('live'), image: 'docker.io/library/nginx:1.27' });
  await expect(panel).toContainText('worth reading');
  await expect(panel).toContainText('A second person will have to approve this.');
  await expect(panel).toContainText(`Pods of ${name} in shop cannot be reached by anyone.`);
  await panel.getByText('YAML so far').click();
  await expect(panel.locator('.yaml__mark').filter({ hasText: 'which the platform does not trust' })).toBeVisible();
  await page.getByLabel('Image').fill('harbor.example.com/shop/web:1');
  await expect(panel.locator('.live__headline')).toHaveText('Ready: the rules find nothing to fix.');
  await expect(panel.getByRole('status')).toHaveText('Ready: the rules find nothing to fix.');
  // What was opened stays open.
  await expect(panel.getByText('image: harbor.example.com/shop/web:1')).toBeVisible();
  await page.getByLabel('Image').fill('');
  await expect(panel).toContainText('Still to do');
  await page.goto('/workloads');
  await expect(page.getByText(name)).toHaveCount(0);
});

test('without JavaScript the panel shows what was saved', async ({ open }) => {
  const page = await open('dana', { javaScriptEnabled: false });
  await begin(page);
  const name = await describe(page, { name: unique('still') });
  await goOn(page, 'Who may reach it');
  await page.getByLabel('Every pod of this namespace').first().check();
  await page.getByRole('button', { name: 'Add another source' }).click();
  await expect(page.getByRole('complementary', { name: 'Review so far' })).toContainText(`Pods of ${name} in shop can be reached by every pod in shop on TCP 8080, and by nobody else.`);
});
