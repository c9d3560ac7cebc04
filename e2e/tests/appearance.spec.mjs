// How pages look and sound: axe, no sideways scrolling, no WASM where no island is. The pictures in
// target/screenshots are for people to look at.

import AxeBuilder from '@axe-core/playwright';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test, unique } from './portal.mjs';
import { confirmed, published } from './opt-ins.mjs';
import { begin, describe, goOn, reviewed } from './wizard.mjs';

const folder = join(import.meta.dirname, '../../target/screenshots');
const articles = readdirSync(join(import.meta.dirname, '../../app/src/faq/articles')).map((file) => `/faq/${basename(file, '.md')}`);
const pages = {
  '': ['/', '/faq', '/faq/why-cant-i-kubectl-run', '/faq/record', '/styleguide', '/faq?message=is+forbidden%3A+User'],
  nico: ['/access', '/namespaces', '/namespaces/new', '/workloads/new', '/preview-features/snippet-annotations'],
  dana: ['/access', '/namespaces', '/namespaces/new', '/namespaces/shop', '/namespaces/shop/connections', '/workloads', '/workloads/new', '/workloads/import', '/preview-features', '/preview-features/snippet-annotations', '/preview-features/endpoints', '/sessions', '/nothing'],
  ada: ['/access', '/admin', '/admin/approvals', '/admin/features', '/admin/features/new', '/admin/features/endpoints', '/admin/audit', '/admin/audit?control=ISO+27001+A.8.32', '/admin/view-as', '/admin/sessions'],
};

// The longest of all files, and none of its tests needs another.
test.describe.configure({ mode: 'parallel' });

/**
 * Each page is loaded once, and looked at in every width and colour. What axe says follows from the width or from the
 * colour, never from both, so it need not look at all four.
 */
const looks = [
  { width: 1280, colorScheme: 'light', axe: true }, { width: 1280, colorScheme: 'dark' },
  { width: 375, colorScheme: 'light' }, { width: 375, colorScheme: 'dark', axe: true },
];
const NARROW = 320;

for (const [subject, paths] of Object.entries(pages)) {
  test(`every page is accessible and fits in every width and colour, for ${subject || 'anyone'}`, async ({ open }) => {
    test.setTimeout(300_000);
    const page = await open(subject || null);
    for (const path of paths) {
      await page.goto(path);
      await lookAtThis(page, `${subject || 'anyone'}${path.replace(/[^a-z0-9]+/g, '-')}`);
    }
  });
}

test('accepting risks is accessible and fits in every width and colour', async ({ open }) => {
  test.setTimeout(300_000);
  await lookAtAnOptIn(await open('dana'), await open('ada'));
});

test('the wizard is accessible and fits in every width and colour, from a wrong answer to what runs', async ({ open }) => {
  test.setTimeout(450_000);
  await lookAtTheWizard(await open('dana'));
});

test('articles do not scroll sideways on the narrowest screens', async ({ open }) => {
  const page = await open(null, { viewport: { width: NARROW, height: 700 } });
  for (const path of articles) {
    await page.goto(path);
    await fits(page, path);
  }
});

test('only pages with an island ship WASM', async ({ open }) => {
  const page = await open('dana');
  const fetched = [];
  page.on('request', (request) => request.url().includes('/pkg/') && fetched.push(new URL(page.url()).pathname));
  for (const path of pages.dana) await page.goto(path, { waitUntil: 'networkidle' });
  expect(fetched).toEqual([]);
  await begin(page);
  await page.waitForLoadState('networkidle');
  expect(fetched.length).toBeGreaterThan(0);
});

async function lookAtThis(page, name) {
  await styled(page);
  for (const { width, colorScheme, axe } of looks) {
    const look = `${name}-${colorScheme}-${width}`;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(folder, `${look}.png`), fullPage: true });
    if (axe) await isAccessible(page, look);
    await fits(page, look);
  }
  await page.setViewportSize({ width: NARROW, height: 700 });
  await fits(page, `${name} at ${NARROW} pixels`);
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function isAccessible(page, what) {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  expect(violations.map(({ id, nodes }) => `${what}: ${id} at ${nodes[0].target}`)).toEqual([]);
}

async function fits(page, what) {
  await styled(page);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, `${what} is too wide`).toBeLessThanOrEqual(0);
}

/** A page's text may be there before its style sheet is, and without that everything is too wide. */
const styled = (page) => page.waitForLoadState();

/** Accepting, and the record of it. */
async function lookAtAnOptIn(page, administrator) {
  const feature = unique('looked-at');
  await published(administrator, feature);
  await confirmed(page, feature, { why: 'A reason' });
  await lookAtThis(page, 'opt-in-confirmation');
  await page.getByRole('button', { name: 'Accept risks' }).click();
  await expect(page.getByText('Your acceptance is recorded.')).toBeVisible();
  await lookAtThis(page, 'opt-in-certificate');
}

/** The steps that need a draft, wrong input included. */
async function lookAtTheWizard(page) {
  await begin(page);
  await page.getByLabel('Image').fill('nginx:latest:oops');
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await lookAtThis(page, 'wizard-error');
  await describe(page, { name: unique('look'), image: 'nginx:1.27' });
  await page.getByText('Environment and volumes').click();
  await page.getByRole('button', { name: 'Add volume' }).click();
  await lookAtThis(page, 'wizard-workload');
  await page.getByRole('button', { name: 'Remove volume 1' }).click();
  await goOn(page, 'Who may reach it');
  await page.getByLabel('Every pod of this namespace').first().check();
  await page.getByRole('button', { name: 'Add another source' }).click();
  await lookAtThis(page, 'wizard-sources');
  await goOn(page, 'What it may reach');
  await lookAtThis(page, 'wizard-destinations');
  await goOn(page, 'Resources and safety');
  await lookAtThis(page, 'wizard-resources');
  await goOn(page, 'Review');
  await lookAtThis(page, 'wizard-review');
  await page.getByRole('button', { name: 'Send to a second person' }).click();
  await expect(page.getByText('Waiting for a second person.')).toBeVisible();
  await lookAtThis(page, 'wizard-submission');
  await reviewed(page, 'shop', { name: unique('look') });
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  await lookAtThis(page, 'wizard-applied');
}
