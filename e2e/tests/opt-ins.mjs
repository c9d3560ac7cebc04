// How people opt in to preview features in the tests.

import { expect } from './portal.mjs';

/** Reads the statement, confirms every point, and comes to the page that shows what will be recorded. */
export async function confirmed(page, feature, { scope = 'namespace shop', why = '' } = {}) {
  await page.goto(`/preview-features/${feature}`);
  await page.getByLabel('For what').selectOption(scope);
  for (const point of await page.getByRole('group', { name: 'Confirm each point' }).getByRole('checkbox').all()) {
    await expect(point).not.toBeChecked();
    await point.check();
  }
  await page.getByLabel('Why you need it').fill(why);
  await page.getByRole('button', { name: 'Review acceptance' }).click();
  await expect(page.getByRole('heading', { name: 'What will be recorded' })).toBeVisible();
}

/** Accepts the risks of a feature; gives the id of the acceptance. */
export async function accepted(page, feature, options) {
  await confirmed(page, feature, options);
  await page.getByRole('button', { name: 'Accept risks' }).click();
  await expect(page.getByText('Your acceptance is recorded.')).toBeVisible();
  return new URL(page.url()).pathname.split('/').at(-1);
}

/** Decides on one acceptance, as the administrator whose page it is. */
export async function decided(page, id, decision, comment = '') {
  await page.goto('/admin/approvals');
  for (const box of await page.getByRole('checkbox').all()) await box.uncheck();
  await page.locator(`#acceptance-${id}`).check();
  await page.getByLabel('Comment').fill(comment);
  await page.getByRole('button', { name: decision === 'approve' ? 'Approve chosen' : 'Refuse chosen' }).click();
}

/** A feature of one's own, published by an administrator; with `changes`, its next version. */
export async function published(page, slug, more = {}) {
  const address = `/admin/features/${more.changes || more.retire ? slug : 'new'}`;
  const [, seen] = /name="seen" value="([^"]*)"/.exec(await (await page.request.get(address)).text());
  const form = {
    slug, name: slug, purpose: 'Trying', owner: 'platform', documentation_url: '', stage: 'preview', body: 'Risky.', points: 'We know.', scopes: 'namespace',
    validity_months: '12', approvals: '1', effect: 'manual', labels: '', annotations: '', cluster_role: '', changes: '', renewal_days: '', retire: '', seen: seen.trim(), ...more,
  };
  const response = await page.request.post(address, { form, maxRedirects: 0 });
  expect(response.status()).toBe(303);
}
