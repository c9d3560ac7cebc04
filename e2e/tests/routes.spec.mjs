// Every route for every role: what it answers is written down in snapshots/routes.txt. A change there is
// a change of who may see what, and is reviewed as such.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, stack, test, unique } from './portal.mjs';
import { accepted, published } from './opt-ins.mjs';
import { drafted, submitted } from './wizard.mjs';

// The developer comes last, as a draft is deleted: the others must meet it while it is there.
const roles = { anonymous: null, newcomer: 'nico', 'other team': 'pia', administrator: 'ada', auditor: 'alex', developer: 'dana' };
const feature = 'snippet-annotations';

/** Addresses by the route they belong to; those with an id are about things of the developer's. */
const gets = ({ draft, submission, acceptance }) => ({
  '/': '/', '/access': '/access', '/namespaces': '/namespaces', '/namespaces/new': '/namespaces/new', '/namespaces/:name': '/namespaces/shop',
  '/namespaces/:name/connections': '/namespaces/shop/connections', '/workloads': '/workloads', '/workloads/new': '/workloads/new', '/workloads/import': '/workloads/import',
  '/workloads/drafts/:id/:step': `/workloads/drafts/${draft}/workload`, '/workloads/drafts/:id/delete': `/workloads/drafts/${draft}/delete`, '/workloads/drafts/{id}/manifest.yaml': `/workloads/drafts/${draft}/manifest.yaml`,
  '/workloads/drafts/{id}/picture.svg': `/workloads/drafts/${draft}/picture.svg`, '/workloads/drafts/{id}/kustomize.zip': `/workloads/drafts/${draft}/kustomize.zip`, '/workloads/:id': `/workloads/${submission}`,
  '/preview-features': '/preview-features', '/preview-features/:slug': `/preview-features/${feature}`, '/preview-features/{slug}/statements/{version}': `/preview-features/${feature}/statements/1`, '/preview-features/acceptances/:id': `/preview-features/acceptances/${acceptance}`, '/faq': '/faq', '/faq/:slug': '/faq/image-tags',
  '/admin': '/admin', '/admin/approvals': '/admin/approvals', '/admin/features': '/admin/features', '/admin/features/:slug': `/admin/features/${feature}`, '/admin/audit': '/admin/audit', '/admin/view-as': '/admin/view-as', '/styleguide': '/styleguide',
  '/sign-in': '/sign-in?return=%2Faccess', '/nothing': '/nothing', '/healthz': '/healthz', '/readyz': '/readyz',
});

/** Posts that hold nothing, so that nobody who is let in changes anything; a draft is deleted last. */
const posts = ({ draft, submission, doomed, acceptance }) => ({
  '/namespaces/new': '/namespaces/new', '/workloads/new': '/workloads/new', '/workloads/import': '/workloads/import', '/workloads/drafts/{id}/{step}': `/workloads/drafts/${draft}/sources`,
  '/workloads/{id}': `/workloads/${submission}`, '/workloads/{id}/apply': `/workloads/${submission}/apply`, '/workloads/{id}/undo': `/workloads/${submission}/undo`, '/workloads/drafts/{id}/delete': `/workloads/drafts/${doomed}/delete`,
  '/preview-features/{slug}': `/preview-features/${feature}`, '/admin/approvals': '/admin/approvals', '/admin/features': '/admin/features', '/admin/features/{slug}': `/admin/features/${feature}`, '/admin/features/catalogue.yaml': '/admin/features/catalogue.yaml', '/preview-features/acceptances/{id}': `/preview-features/acceptances/${acceptance}`, '/preview-features/acceptances/{id}/record': `/preview-features/acceptances/${acceptance}/record`, '/admin/audit/export': '/admin/audit/export', '/admin/view-as': '/admin/view-as',
  '/api/review-live': '/api/review-live',
});

test('every route answers every role as written down', async ({ open }) => {
  const developer = await open('dana');
  const things = await made(developer, await open('ada'));
  const answers = {};
  for (const [role, subject] of Object.entries(roles)) {
    const page = subject === 'dana' ? developer : await open(subject);
    for (const [route, path] of Object.entries(gets(things))) answers[`GET ${route}`] = { ...answers[`GET ${route}`], [role]: await get(page, path) };
    for (const [route, path] of Object.entries(posts(things))) answers[`POST ${route}`] = { ...answers[`POST ${route}`], [role]: await post(page, path, things.draft) };
  }
  const line = (cells) => cells.map((cell, index) => String(cell).padEnd(index ? 14 : 42)).join('').trimEnd();
  const table = [line(['', ...Object.keys(roles)]), ...Object.entries(answers).map(([route, byRole]) => line([route, ...Object.values(byRole)]))];
  expect(`${table.join('\n')}\n`).toMatchSnapshot('routes.txt');
});

test('no route is missing above', () => {
  const source = readFileSync(join(import.meta.dirname, '../../app/src/routes.rs'), 'utf8');
  const known = [...Object.keys(gets({})), ...Object.keys(posts({}))];
  for (const [, route] of source.matchAll(/(?:path!\(|\.route\()"([^"]+)"/g)) expect(known, route).toContain(route);
});

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

async function get(page, path) {
  const response = await page.request.get(path, { maxRedirects: 0 });
  return told(response);
}

async function post(page, path, draft) {
  const response = await page.request.post(path, { maxRedirects: 0, headers: { 'content-type': 'application/x-www-form-urlencoded' }, data: path.startsWith('/api/') ? `draft=${draft}&step=workload&form=` : '' });
  return told(response);
}

/** The status; for a redirect to sign-in also that. */
function told(response) {
  const location = response.headers().location ?? '';
  return location.startsWith('/sign-in') || location.startsWith(stack.issuer) ? `${response.status()} sign-in` : response.status();
}

/** A draft and a submission of the developer's. */
async function made(page, administrator) {
  const submission = (await submitted(page)).split('/').at(-1);
  const draft = (await drafted(page)).split('/').at(-1);
  const doomed = (await drafted(page)).split('/').at(-1);
  const slug = unique('routes');
  await published(administrator, slug);
  const acceptance = await accepted(page, slug);
  return { draft, submission, doomed, acceptance };
}
