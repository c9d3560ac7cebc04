// The wizard as its user goes through it.

import { expect, unique } from './portal.mjs';

/** Begins a draft; ends on its first step. */
export async function begin(page, namespace = 'shop') {
  await page.goto(`/workloads/new?namespace=${namespace}`);
  await page.getByRole('button', { name: 'Start wizard' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('What runs');
}

/** Fills in the first step, with what most tests need. */
export async function describe(page, { name = unique('web'), image = 'harbor.example.com/shop/web:1.4.2', ports = '8080' } = {}) {
  await page.getByLabel('Name', { exact: true }).first().fill(name);
  await page.getByLabel('Image').fill(image);
  await page.getByLabel('Ports it listens on').fill(ports);
  return name;
}

/** Saves a step and waits for the one after it. */
export async function goOn(page, heading) {
  await page.getByRole('button', { name: /^Save and/ }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
}

/** Goes on to the review, with every later step as it is. */
export async function toReview(page) {
  for (const heading of ['Who may reach it', 'What it may reach', 'Resources and safety', 'Review']) await goOn(page, heading);
}

/** From nothing to the review. */
export async function reviewed(page, namespace, what) {
  await begin(page, namespace);
  const name = await describe(page, what);
  await toReview(page);
  return name;
}

/** A row of the list of other ends. */
export async function fillRow(page, number, { kind, value, ports }) {
  const rows = page.locator('#rows');
  await rows.getByLabel(new RegExp(`^(Source|Destination) ${number}$`)).selectOption(kind);
  if (value) await rows.getByLabel('Which').nth(number - 1).fill(value);
  if (ports) await rows.getByLabel('On ports').nth(number - 1).fill(ports);
}

/** The same without a browser: posts every step of a draft, and gives the address of each. */
export async function drafted(page, answers = {}) {
  const draft = (await page.request.post('/workloads/new', { form: { namespace: answers.namespace ?? 'shop' } })).url().replace(/\/workload$/, '');
  const version = async (step) => /name="version" value="(\d+)"/.exec(await (await page.request.get(`${draft}/${step}`)).text())[1];
  const post = async (step, form) => page.request.post(`${draft}/${step}`, { form: { ...form, version: await version(step) } });
  await post('workload', { namespace: 'shop', name: unique('web'), kind: 'deployment', replicas: '2', image: 'harbor.example.com/shop/web:1', command: '', ports: '8080', ...answers });
  await post('sources', {});
  await post('destinations', { dns: 'yes' });
  await post('resources', { cpu: '100', memory: '128', run_as_user: '10001', read_only_root: 'yes' });
  return draft;
}

/** And submits it; gives the address of the submission. */
export async function submitted(page, answers) {
  const draft = await drafted(page, answers);
  const review = await (await page.request.get(`${draft}/review`)).text();
  const digest = /name="digest" value="([0-9a-f]{64})"/.exec(review)[1];
  return (await page.request.post(`${draft}/submit`, { form: { digest } })).url();
}
