// What every browser test starts from: the running stack, and browsers in which somebody is signed in.

import { readFileSync } from 'node:fs';
import { expect, test as base } from '@playwright/test';

/** The addresses of the running stack, as stack/test.mjs tells them. */
export const stack = JSON.parse(process.env.FAIRWAY_STACK ?? 'null');
if (!stack) throw new Error('the browser tests need the local stack: run them with make test');

/** A name that no other test uses. */
export const unique = (stem) => `${stem}-${Math.random().toString(36).slice(2, 8)}`;

export const test = base.extend({
  url: [stack.url, { option: true }],

  /** Opens a browser for a person, or for somebody signed out, and fails the test if the page complains. */
  open: async ({ browser, url }, use, { errors }) => {
    const contexts = [];
    const complaints = [];
    await use(async (subject, options = {}) => {
      const context = await browser.newContext({ baseURL: url, ...options });
      contexts.push(context);
      const page = await context.newPage();
      watch(page, url, complaints);
      if (subject) await signIn(page, subject);
      return page;
    });
    if (errors.length) await tellWhere(contexts);
    for (const context of contexts) await context.close();
    expect(complaints).toEqual([]);
  },
});

/** Scripts that fail and violations of the content security policy; answers like 422 are no complaint. */
function watch(page, url, complaints) {
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const ours = message.location().url.startsWith(url);
    if (ours && message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
}

/** What the pages of a failed test show, and the last warnings of the portal: often all that CI leaves. */
async function tellWhere(contexts) {
  for (const page of contexts.flatMap((context) => context.pages())) {
    const shown = await page.locator('body').innerText({ timeout: 5_000 }).catch((error) => error.message);
    console.error(`${page.url()} shows: ${shown.replaceAll(/\s+/g, ' ').slice(0, 600)}`);
  }
  const warnings = readFileSync(stack.portalLog, 'utf8').split('\n').filter((line) => /WARN|ERROR/.test(line));
  console.error(`The portal's last warnings:\n${warnings.slice(-8).join('\n')}`);
}

/** Asks for more rows of a list until all are there. */
export async function shownAll(page, what) {
  const more = page.getByRole('link', { name: `Show more ${what}`, exact: true });
  while (await more.isVisible()) await more.click();
}

/** Signs in as one of the demo people. */
export async function signIn(page, subject, path = '/access') {
  await page.goto(path);
  await page.locator(`button[value="${subject}"]`).click();
  await expect(page, 'where signing in ends').toHaveURL(path);
  await page.waitForLoadState();
}

export { expect };
