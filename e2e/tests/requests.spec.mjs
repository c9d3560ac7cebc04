// What holds for every request, whatever its route; what each route answers each role is in server/tests/integration/authorization.rs.

import { expect, stack, test } from './portal.mjs';

test('a post from another site is refused, whoever it comes from', async ({ open }) => {
  const page = await open('dana');
  const response = await page.request.post('/namespaces/new', { headers: { origin: 'https://elsewhere.example.com', 'sec-fetch-site': 'cross-site' }, form: { origin: 'shop', name: 'stolen' } });
  expect(response.status()).toBe(403);
});

test('a return path that leads elsewhere is not followed', async ({ open }) => {
  for (const path of ['https://elsewhere.example.com/', '//elsewhere.example.com', '/\\elsewhere.example.com', '/%09/elsewhere.example.com']) {
    const page = await open(null);
    await page.goto(`/sign-in?return=${encodeURIComponent(path)}`);
    await page.getByRole('button', { name: 'Dana Developer' }).click();
    await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
    expect(new URL(page.url()).origin).toBe(stack.url);
  }
});

test('the id of the session changes when somebody signs in', async ({ open }) => {
  const page = await open(null);
  const id = async () => (await page.context().cookies(stack.url)).find(({ name }) => name === '__Host-fairway')?.value;
  await page.goto('/access');
  const before = await id();
  await page.getByRole('button', { name: 'Dana Developer' }).click();
  await page.waitForURL('**/access');
  expect(before).toBeTruthy();
  expect(await id()).not.toBe(before);
});

test('a body over the limit is refused', async ({ open }) => {
  const page = await open('dana');
  const response = await page.request.post('/namespaces/new', { form: { name: 'x'.repeat(300_000) } });
  expect(response.status()).toBe(413);
});
