// The record: found, exported and verified by administrators and auditors, and kept from everybody else.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, stack, test, unique } from './portal.mjs';
import { accepted, published } from './opt-ins.mjs';
import { kube, rows } from './db.mjs';

const region = (page) => page.getByRole('region', { name: 'Writes' });

/** The file that a button of the page gives. */
async function exported(page, button) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
  return download.path();
}

function fairway(args, env = {}) {
  const { status, stdout, stderr } = spawnSync(stack.binary, args, { encoding: 'utf8', env: { ...process.env, DATABASE_URL: stack.database, ...env } });
  return { status, text: stdout + stderr };
}

/** Somebody signs out, so that the record holds something new of them. */
async function leaveTrace(open, subject) {
  const page = await open(subject);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'You are signed out' })).toBeVisible();
}

for (const javaScriptEnabled of [true, false]) {
  test(`an auditor finds writes by person, action, object and day${javaScriptEnabled ? '' : ', without JavaScript'}`, async ({ open }) => {
    const name = unique('found');
    const developer = await open('dana');
    await developer.request.post('/namespaces/new', { form: { origin: 'shop', name } });
    const page = await open('alex', { javaScriptEnabled });
    await page.goto('/admin/audit');
    await page.getByLabel('Person').fill('DANA@');
    await page.getByLabel('What they did').selectOption('created a namespace');
    await page.getByLabel('Object').fill(name);
    await page.getByLabel('From').fill(new Date().toISOString().slice(0, 10));
    await page.getByRole('button', { name: 'Filter writes' }).click();
    await expect(region(page).getByRole('row')).toHaveCount(2);
    const row = region(page).getByRole('row').nth(1);
    await expect(row).toContainText('Dana Developer');
    await expect(row).toContainText(`namespace ${name}`);
    await expect(row).toContainText('Succeeded');
    await expect(row).toContainText('ISO 27001 A.5.15');
    await row.getByText('Details').click();
    const reference = await row.getByRole('listitem').filter({ hasText: 'reference: ' }).locator('code').textContent();
    await page.goto(`/admin/audit?reference=${reference}`);
    await expect(region(page).getByRole('row')).toHaveCount(2);
    await page.goto('/admin/audit?to=2020-01-01');
    await expect(page.getByText('No writes found')).toBeVisible();
  });
}

test('a filter that asks for what there is not is said to be wrong, and shows nothing', async ({ open }) => {
  const page = await open('alex');
  for (const [query, sentence] of [
    ['action=bogus', 'Choose what they did from the list.'],
    ['control=bogus', 'Choose a control from the list.'],
    ['from=2026-11-24&to=2026-11-23', 'Enter a day that is not before the first.'],
  ]) {
    await page.goto(`/admin/audit?${query}`);
    await expect(page.getByRole('alert')).toContainText(sentence);
    await expect(region(page)).toHaveCount(0);
  }
});

test('a day that is none is said to be wrong, and nothing typed is lost', async ({ open }) => {
  const page = await open('alex');
  await page.goto('/admin/audit?person=dana&from=yesterday');
  await expect(page.getByRole('alert')).toContainText('Enter a day like 2026-11-23.');
  await expect(page.getByLabel('Person')).toHaveValue('dana');
  await expect(page.getByLabel('From')).toHaveValue('yesterday');
});

test('the record is exported, verified without Fairway and with it, and a change in the file is found', async ({ open }, info) => {
  await leaveTrace(open, 'pia');
  const page = await open('alex');
  await page.goto('/admin/audit');
  const path = await exported(page, 'Export as JSON Lines');
  const lines = readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  let previous = '0'.repeat(64);
  for (const { sequence, entry, previous_hash, hash } of lines) {
    expect(JSON.parse(entry).sequence).toBe(sequence);
    expect(previous_hash).toBe(previous);
    previous = createHash('sha256').update(Buffer.from(previous_hash, 'hex')).update(entry).digest('hex');
    expect(hash).toBe(previous);
  }
  const whole = fairway(['audit', 'verify', path]);
  expect(whole).toMatchObject({ status: 0 });
  expect(whole.text).toContain(`${lines.length} rows, unbroken. The head is ${lines.length} ${previous}.`);
  // That it was exported is the next row.
  await expect.poll(() => rows(`select phase, detail ->> 'rows' as rows from audit_events where action = 'record.export' and phase = 'succeeded' and detail ? 'rows' order by sequence desc limit 1`)).toEqual([{ phase: 'succeeded', rows: String(lines.length) }]);

  const tampered = info.outputPath('tampered.jsonl');
  const write = (changed) => writeFileSync(tampered, changed.map((line) => JSON.stringify(line)).join('\n'));
  const middle = Math.floor(lines.length / 2);
  write(lines.with(middle, { ...lines[middle], entry: lines[middle].entry.replace('"kind":"', '"kind":"other_') }));
  expect(fairway(['audit', 'verify', tampered])).toMatchObject({ status: 1, text: expect.stringContaining(`row ${middle + 1} was changed`) });
  write(lines.toSpliced(middle, 1));
  expect(fairway(['audit', 'verify', tampered])).toMatchObject({ status: 1, text: expect.stringContaining(`row ${middle + 1} is missing`) });
  write(lines.slice(0, -1));
  const heads = info.outputPath('heads.txt');
  writeFileSync(heads, `${lines.length} ${previous}\n`);
  expect(fairway(['audit', 'verify', tampered, '--heads', heads])).toMatchObject({ status: 1, text: expect.stringContaining('its end was cut off') });
  write(lines.with(0, { ...lines[0], actor: { ...lines[0].actor, name: 'Somebody Else' } }));
  expect(fairway(['audit', 'verify', tampered])).toMatchObject({ status: 1, text: expect.stringContaining('the details of the actor are not those') });
  expect(fairway(['audit', 'verify'])).toMatchObject({ status: 0 });
});

test('the evidence for a control in a period is shown, and exported as a selection and as a table', async ({ open }) => {
  await leaveTrace(open, 'pia');
  const page = await open('alex');
  await page.goto('/admin/audit');
  await page.getByLabel('Evidence for the control').selectOption('ISO 27001 A.5.15: Access control');
  await page.getByLabel('From').fill('2026-01-01');
  await page.getByRole('button', { name: 'Filter writes' }).click();
  await expect(page.getByRole('heading', { name: 'Evidence for ISO 27001 A.5.15' })).toBeVisible();
  const article = page.getByRole('link', { name: '/faq/give-access' });
  await expect(article).toBeVisible();
  const reader = await open('alex');
  await reader.goto('/faq/give-access');
  await expect(reader.getByRole('complementary', { name: 'Says how these controls are met' })).toContainText('ISO 27001 A.5.15: Access control');
  await expect(region(page)).not.toContainText('workload.');
  await expect(region(page)).toContainText('session.sign_out');
  const path = await exported(page, 'Export as JSON Lines');
  const actions = new Set(readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(JSON.parse(line).entry).action));
  expect([...actions].filter((action) => !/^(session|request|namespace)\./.test(action))).toEqual([]);
  expect(fairway(['audit', 'verify', '--selection', path])).toMatchObject({ status: 0 });
  const table = readFileSync(await exported(page, 'Export as CSV'), 'utf8');
  expect(table.split('\r\n')[0]).toBe('sequence,id,intent_id,occurred_at,actor_name,actor_email,actor_issuer,actor_subject,action,object_kind,object_id,object_scope,object_name,phase,request_id,detail,failure,hash');
  expect(table).toMatch(new RegExp(`Pia Payments,pia@example.com,${stack.issuer},[\\w-]+,session.sign_out`));
});

test('the head of the chain is published outside of the database, and the record is compared with it', async ({}, info) => {
  let map;
  await expect.poll(async () => Object.keys((map = await kube.get('/api/v1/namespaces/fairway/configmaps/fairway-record')).data ?? {}), { timeout: 30_000 }).toHaveLength(1);
  const file = info.outputPath('map.json');
  writeFileSync(file, JSON.stringify(map));
  expect(fairway(['audit', 'verify', '--heads', file])).toMatchObject({ status: 0 });
  const [[day, head]] = Object.entries(map.data);
  expect(day).toMatch(/^\d{4}-\d\d-\d\d-\d+-[0-9a-f]{64}$/);
  writeFileSync(file, JSON.stringify({ ...map, data: { [day]: `${head.split(' ')[0]} ${'0'.repeat(64)}` } }));
  expect(fairway(['audit', 'verify', '--heads', file])).toMatchObject({ status: 1, text: expect.stringContaining('history was written anew') });
  expect(rows(`select phase from audit_events where action = 'record.publish_head' order by sequence`)).toEqual([{ phase: 'intent' }, { phase: 'succeeded' }]);
});

test('an administrator sees what somebody may do and why, and that they looked is in the record', async ({ open }) => {
  await leaveTrace(open, 'dana');
  const page = await open('ada');
  await page.goto('/admin');
  await page.getByRole('link', { name: 'View as somebody' }).click();
  await page.getByLabel('E-mail').fill('dana@example.com');
  await page.getByLabel('Groups, one a line').fill('team-shop\nsystem:masters');
  await page.getByRole('button', { name: 'View access' }).click();
  await expect(page.getByRole('alert')).toContainText('system:masters');
  await page.getByLabel('Groups, one a line').fill('team-shop');
  await page.getByRole('button', { name: 'View access' }).click();
  const shop = page.getByRole('region', { name: 'Namespaces they can reach' }).getByRole('row').filter({ hasText: 'workload-admin' }).filter({ has: page.getByRole('rowheader', { name: 'shop', exact: true }) });
  await expect(shop).toContainText('the group team-shop');
  const [commitment] = rows(`select encode(commitment, 'hex') as hex from identities where email = 'dana@example.com'`);
  const [{ detail }] = rows(`select detail from audit_events where action = 'access.view_as' order by sequence desc limit 1`);
  expect(detail.groups).toEqual(['team-shop']);
  expect(detail.viewed).toContain(commitment.hex);
  const auditor = await open('alex');
  await auditor.goto('/admin/audit?action=access.view_as');
  await expect(region(auditor).getByRole('row').nth(1)).toContainText('Ada Administrator');
  for (const subject of ['alex', 'dana']) {
    const other = subject === 'alex' ? auditor : await open(subject);
    expect((await other.request.post('/admin/view-as', { form: { address: 'dana@example.com' } })).status()).toBe(404);
  }
});

test('nobody else reads or exports the record, and what was tried is in it', async ({ open }) => {
  const page = await open('dana');
  // A look is recorded by the page that it was at, whatever else the address says.
  const looked = await page.request.get('/admin/audit?person=somebody%40example.com');
  expect(looked.status()).toBe(404);
  const refusals = (response) => rows(`select phase, detail, failure ->> 'code' as code from audit_events where request_id = '${response.headers()['x-request-id']}'`);
  await expect.poll(() => refusals(looked)).toEqual([{ phase: 'refused', detail: { route: '/admin/audit', ids: [], times: expect.any(Number) }, code: 'not_found' }]);
  const slug = unique('too-early');
  await published(await open('ada'), slug);
  const id = await accepted(page, slug);
  const early = await page.request.post(`/preview-features/acceptances/${id}/revoke`, { form: { comment: 'Too early' } });
  expect(early.status()).toBe(409);
  await expect.poll(() => refusals(early)).toEqual([{ phase: 'refused', detail: { route: '/preview-features/acceptances/{id}/revoke', ids: [id], times: expect.any(Number) }, code: 'not_granted' }]);
  const refused = await page.request.post('/admin/audit/export', { form: { format: 'csv' } });
  expect(refused.status()).toBe(404);
  const reference = refused.headers()['x-request-id'];
  const auditor = await open('alex');
  await auditor.goto(`/admin/audit?reference=${reference}`);
  const row = region(auditor).getByRole('row').nth(1);
  await expect(row).toContainText('asked for what Fairway refuses');
  await expect(row).toContainText('/admin/audit/export');
  await expect(row).toContainText('Refused');
});
