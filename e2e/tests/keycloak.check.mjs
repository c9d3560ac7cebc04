// Signing in with Keycloak as its defaults have it: no scope `groups`, `offline_access` only for those who may.
// Run by `make test CHECK=keycloak`.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PASSWORD, startKeycloak } from '../stack/keycloak.mjs';
import { partsWith } from '../stack/parts.mjs';
import { freePort, Processes } from '../stack/processes.mjs';
import { startStack } from '../stack/stack.mjs';
import { expect, stack, test as base } from './portal.mjs';

const CLIENT = { id: 'fairway', secret: 'secret-of-the-check' };

const test = base.extend({
  own: [
    async ({}, use) => {
      const folder = mkdtempSync(join(tmpdir(), 'fairway-keycloak-'));
      const processes = new Processes(folder);
      const port = await freePort();
      const keycloak = await startKeycloak(processes, folder, { portal: `http://localhost:${port}`, client: CLIENT, offlineAccess: false }, (sentence) => console.error(sentence));
      const parts = partsWith({ dex: false, mailbox: false, hnc: false, gatekeeper: false, nodes: false });
      process.env.OIDC_ISSUER_URL = keycloak.issuer;
      const own = await startStack({ binary: stack.binary, site: stack.site, port, parts, settings: { ...keycloak.env, FAIRWAY_GROUPS_MAX_AGE_SECONDS: '1' }, onLost: (sentence) => console.error(sentence) });
      await use({ ...own, keycloak });
      await own.stop();
      await processes.stopAll();
      rmSync(folder, { recursive: true });
    },
    { scope: 'worker', timeout: 240_000 },
  ],
  url: async ({ own }, use) => use(own.url),
});

test.describe.configure({ mode: 'serial' });

async function signIn(page, person) {
  await page.goto('/access');
  await page.getByLabel('Username or email').fill(person);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign In' }).click();
  await page.waitForURL('**/access');
}

test('somebody signs in, and their groups come with them', async ({ open }) => {
  const page = await open(null);
  await signIn(page, 'lee');
  await expect(page.locator('main')).toContainText('lee@example.com');
  await expect(page.locator('main')).toContainText('team-shop-leads');
});

test('a group that somebody leaves is gone with the next refresh', async ({ open, own }) => {
  const page = await open(null);
  await signIn(page, 'lee');
  await own.keycloak.admin.leave('lee', 'team-shop-leads');
  await expect.poll(async () => (await page.reload(), page.locator('main').innerText()), { timeout: 20_000 }).not.toContain('team-shop-leads');
  await expect(page.locator('main')).toContainText('team-shop');
});

test('signing out ends the session at Keycloak as well', async ({ open, own }) => {
  const page = await open(null);
  await signIn(page, 'dana');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(`${own.url}/`);
  await page.goto('/access');
  await expect(page.getByLabel('Username or email')).toBeVisible();
});

test('somebody whose account is closed is signed out', async ({ open, own }) => {
  const page = await open(null);
  await signIn(page, 'devin');
  await own.keycloak.admin.disable('devin');
  await expect.poll(async () => (await page.goto('/access'), page.url()), { timeout: 20_000 }).toContain(own.keycloak.issuer);
});
