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
  dana: ['/access', '/namespaces', '/namespaces/new', '/namespaces/shop', '/namespaces/shop/connections', '/workloads', '/workloads/new', '/workloads/import', '/preview-features', '/preview-features/snippet-annotations', '/preview-features/endpoints', '/nothing'],
  ada: ['/access', '/admin', '/admin/approvals', '/admin/features', '/admin/features/new', '/admin/features/endpoints', '/admin/audit', '/admin/audit?control=ISO+27001+A.8.32', '/admin/view-as'],
};

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1280, 375]) {
    test(`every page is accessible and fits, ${colorScheme}, ${width} pixels wide`, async ({ open }) => {
      // Some thirty pages, each looked through by axe.
      test.setTimeout(400_000);
      for (const [subject, paths] of Object.entries(pages)) {
        const page = await open(subject || null, { colorScheme, viewport: { width, height: 900 } });
        for (const path of paths) await look(page, path, `${subject || 'anyone'}-${colorScheme}-${width}${path.replace(/[^a-z0-9]+/g, '-')}`);
        if (subject === 'dana') await lookAtAnOptIn(page, `opt-in-${colorScheme}-${width}`, await open('ada'));
        if (subject === 'dana') await lookAtTheWizard(page, `wizard-${colorScheme}-${width}`);
      }
    });
  }
}

test('at 320 pixels nothing scrolls sideways but tables and code in their own frames', async ({ open }) => {
  for (const [subject, paths] of Object.entries(pages)) {
    const page = await open(subject || null, { viewport: { width: 320, height: 700 } });
    for (const path of subject ? paths : [...paths, ...articles]) {
      await page.goto(path);
      await fits(page, path);
    }
  }
  const page = await open('dana', { viewport: { width: 320, height: 700 } });
  await begin(page);
  await describe(page, { name: unique('narrow'), image: 'nginx:1.27' });
  for (const heading of ['Who may reach it', 'What it may reach', 'Resources and safety', 'Review']) {
    await fits(page, page.url());
    await goOn(page, heading);
  }
  await fits(page, page.url());
  await page.getByRole('button', { name: 'Send to a second person' }).click();
  await expect(page.getByText('Waiting for a second person.')).toBeVisible();
  await fits(page, page.url());
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

async function look(page, path, name) {
  await page.goto(path);
  await lookAtThis(page, name);
}

async function lookAtThis(page, name) {
  await styled(page);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  expect(violations.map(({ id, nodes }) => `${name}: ${id} at ${nodes[0].target}`)).toEqual([]);
  await fits(page, name);
}

async function fits(page, what) {
  await styled(page);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, `${what} is too wide`).toBeLessThanOrEqual(0);
}

/** A page's text may be there before its style sheet is, and without that everything is too wide. */
const styled = (page) => page.waitForLoadState();

/** Accepting, and the record of it. */
async function lookAtAnOptIn(page, name, administrator) {
  const feature = unique('looked-at');
  await published(administrator, feature);
  await confirmed(page, feature, { why: 'A reason' });
  await lookAtThis(page, `${name}-confirmation`);
  await page.getByRole('button', { name: 'Accept risks' }).click();
  await expect(page.getByText('Your acceptance is recorded.')).toBeVisible();
  await lookAtThis(page, `${name}-certificate`);
}

/** The steps that need a draft, wrong input included. */
async function lookAtTheWizard(page, name) {
  await begin(page);
  await page.getByLabel('Image').fill('nginx:latest:oops');
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await lookAtThis(page, `${name}-error`);
  await describe(page, { name: unique('look'), image: 'nginx:1.27' });
  await page.getByText('Environment and volumes').click();
  await page.getByRole('button', { name: 'Add volume' }).click();
  await lookAtThis(page, `${name}-workload`);
  await page.getByRole('button', { name: 'Remove volume 1' }).click();
  await goOn(page, 'Who may reach it');
  await page.getByLabel('Every pod of this namespace').first().check();
  await page.getByRole('button', { name: 'Add another source' }).click();
  await lookAtThis(page, `${name}-sources`);
  await goOn(page, 'What it may reach');
  await lookAtThis(page, `${name}-destinations`);
  await goOn(page, 'Resources and safety');
  await lookAtThis(page, `${name}-resources`);
  await goOn(page, 'Review');
  await lookAtThis(page, `${name}-review`);
  await page.getByRole('button', { name: 'Send to a second person' }).click();
  await expect(page.getByText('Waiting for a second person.')).toBeVisible();
  await lookAtThis(page, `${name}-submission`);
  await reviewed(page, 'shop', { name: unique('look') });
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  await lookAtThis(page, `${name}-applied`);
}
