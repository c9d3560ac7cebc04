// Opt-ins from the catalogue to the certificate: developers, administrators and auditors, each in a browser of their own.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, stack, test, unique } from './portal.mjs';
import { accepted, confirmed, decided, published } from './opt-ins.mjs';
import { kube, mailsAbout, rows } from './db.mjs';

const within = { timeout: 30_000 };
const bindingPath = (namespace, feature) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings/fairway-preview-${feature}`;
const labels = async (namespace) => (await kube.get(`/api/v1/namespaces/${namespace}`)).metadata.labels ?? {};
const binding = (namespace, feature) => kube.get(bindingPath(namespace, feature)).catch(() => null);
const mark = (feature) => `preview.fairway.dev/${feature}`;
const steps = (id) => rows(`select step, reason from opt_in_steps where acceptance_id = '${id}' order by number`).map(({ step, reason }) => (reason ? `${step}: ${reason}` : step));

/** A namespace that a group, or somebody by themselves, administers, seen by the page's person. */
async function namespaceFor(page, who, kind = 'Group') {
  const name = unique('opt');
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const subject = { apiGroup: 'rbac.authorization.k8s.io', kind, name: who };
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'admins', namespace: name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' }, subjects: [subject] });
  await expect.poll(async () => (await page.request.get(`/namespaces/${name}`)).status(), within).toBe(200);
  return name;
}

/** A feature that gives a label, accepted for a namespace of its own and approved. */
async function effective(open, more = {}) {
  const [developer, administrator] = [await open('dana'), await open('ada')];
  const feature = unique('labelled');
  const form = { effect: 'metadata', labels: `${mark(feature)}=on`, ...more };
  await published(administrator, feature, form);
  const namespace = await namespaceFor(developer, 'team-shop');
  const id = await accepted(developer, feature, { scope: `namespace ${namespace}` });
  await decided(administrator, id, 'approve');
  await expect.poll(() => steps(id), within).toEqual(['approved', 'effective']);
  expect((await labels(namespace))[mark(feature)]).toBe('on');
  return { developer, administrator, feature, form, namespace, id };
}

test('two administrators approve, the role is bound, a difference is seen and fixed, and revoking takes it back', async ({ open }) => {
  test.setTimeout(120_000);
  const [developer, first, second] = [await open('dana'), await open('ada'), await open('gus')];
  const namespace = await namespaceFor(developer, 'team-shop');
  const id = await accepted(developer, 'endpoints', { scope: `namespace ${namespace}`, why: 'A database outside' });
  const record = `/preview-features/acceptances/${id}`;
  await decided(first, id, 'approve', 'Once');
  await expect(first.getByText('The decision is recorded.')).toBeVisible();
  await expect(first.getByText('You have approved this; a second administrator decides next.')).toBeVisible();
  await developer.reload();
  await expect(developer.getByText('Waiting for a second approval')).toBeVisible();
  expect(await binding(namespace, 'endpoints')).toBe(null);
  await decided(second, id, 'approve', 'Twice');
  await expect.poll(() => steps(id), within).toEqual(['approved', 'approved', 'effective']);
  const made = await binding(namespace, 'endpoints');
  expect(made.roleRef.name).toBe('preview-endpoints');
  expect(made.subjects.map(({ kind, name }) => [kind, name])).toEqual([['Group', 'team-shop']]);
  expect(made.metadata.annotations['fairway.dev/granted-for']).toBe(`acceptance ${id}`);
  // Namespaces below were not accepted for.
  expect(made.metadata.annotations['propagate.hnc.x-k8s.io/none']).toBe('true');
  // Whoever wonders where the role comes from is led to the feature.
  await expect.poll(async () => (await developer.request.get('/access')).text(), within).toMatch(new RegExp(`${namespace}[^]*fairway-preview-endpoints`));
  await developer.goto('/access');
  const given = developer.getByRole('row').filter({ hasText: namespace }).filter({ hasText: 'fairway-preview-endpoints' });
  await given.getByRole('link', { name: 'endpoints' }).click();
  await expect(developer).toHaveURL(/\/preview-features\/endpoints$/);

  await kube.request('DELETE', bindingPath(namespace, 'endpoints'));
  await expect.poll(async () => (await first.goto(record), first.locator('main').textContent()), within).toContain('The cluster differs from what was approved.');
  await expect(developer.getByRole('button', { name: 'Make it again as approved' })).toHaveCount(0);
  await first.getByRole('button', { name: 'Make it again as approved' }).click();
  await expect(first.getByText('It is done and recorded.')).toBeVisible();
  expect((await binding(namespace, 'endpoints')).roleRef.name).toBe('preview-endpoints');

  await developer.goto(record);
  await developer.getByRole('button', { name: 'Revoke opt-in' }).click();
  await expect(developer.getByRole('alert')).toContainText('Say why it is revoked');
  await developer.getByLabel('Why it is no longer wanted').fill('We moved the database in');
  await developer.getByRole('button', { name: 'Revoke opt-in' }).click();
  await expect.poll(() => binding(namespace, 'endpoints'), within).toBe(null);
  await expect.poll(() => steps(id), within).toEqual(['approved', 'approved', 'effective', 'ending: revoked', 'ended: revoked']);
  await developer.reload();
  await expect(developer.getByRole('region', { name: 'Decisions' })).toContainText('We moved the database in');
});

for (const javaScriptEnabled of [true, false]) {
  test(`a mail leads an administrator to the decision, and another the person to what came of it${javaScriptEnabled ? '' : ', without JavaScript'}`, async ({ open }) => {
    const [developer, administrator] = [await open('dana', { javaScriptEnabled }), await open('ada', { javaScriptEnabled })];
    const feature = unique('mailed');
    await published(administrator, feature);
    const namespace = await namespaceFor(developer, 'team-shop');
    const id = await accepted(developer, feature, { scope: `namespace ${namespace}`, why: 'For the "spring" sale' });
    const mails = () => mailsAbout(id).then((mails) => mails.map(({ to, subject }) => [...to, subject]));
    const what = `${feature} for namespace ${namespace}`;
    await expect.poll(mails, within).toEqual([['platform-team@example.com', `[Fairway] Decide: ${what}`]]);
    const [{ text, automatic }] = await mailsAbout(id);
    expect(automatic).toBe('auto-generated');
    expect(text).toContain('Why: For the "spring" sale');
    await administrator.goto(/Decide: (\S+)/.exec(text)[1]);
    await expect(administrator.getByRole('listitem').filter({ hasText: feature })).toBeVisible();
    await decided(administrator, id, 'refuse', 'Use the queue instead');
    await expect.poll(mails, within).toContainEqual(['dana@example.com', `[Fairway] Refused: ${what}`]);
    const refused = (await mailsAbout(id)).at(-1);
    expect(refused.text).toContain('Comment: Use the queue instead');
    await developer.goto(/The record: (\S+)/.exec(refused.text)[1]);
    const told = developer.getByRole('region', { name: 'Told by e-mail' });
    await expect(told.getByRole('row', { name: /^Accepted/ })).toContainText('the administrators');
    await expect(told.getByRole('row', { name: /^Refused/ })).toContainText('the person who accepted');
    expect(await told.textContent()).not.toContain('@');
    expect(rows(`select entry from audit_events where action = 'preview_feature.notify' and entry like '%${id}%' and entry like '%@%'`)).toEqual([]);
  });
}

test('nobody decides on their own acceptance, whatever they send', async ({ open }) => {
  const page = await open('gus');
  const feature = unique('own');
  await published(page, feature);
  const namespace = await namespaceFor(page, 'gus@example.com', 'User');
  const id = await accepted(page, feature, { scope: `namespace ${namespace}` });
  await page.goto('/admin/approvals');
  await expect(page.getByRole('listitem').filter({ hasText: feature })).toContainText('You accepted this yourself, so somebody else decides it.');
  const again = await open('gus');
  const response = await again.request.post('/admin/approvals/approve', { form: { acceptance: id, comment: '' } });
  expect(response.status()).toBe(422);
  expect(await response.text()).toContain('You accepted this yourself');
  expect(steps(id)).toEqual([]);
  expect(rows(`select phase from audit_events where action = 'preview_feature.approve' and object_id = '${id}'`)).toEqual([{ phase: 'refused' }]);
});

test('an auditor changes nothing, whatever they send, and what they tried is in the record', async ({ open }) => {
  const { id, administrator, developer } = await effective(open);
  const feature = unique('audited');
  await published(administrator, feature);
  const waiting = await accepted(developer, feature);
  const auditor = await open('alex');
  const before = rows(`select count(*) from opt_in_steps where acceptance_id in ('${id}', '${waiting}')`);
  const tried = [
    ...['approve', 'refuse'].map((decision) => [`/admin/approvals/${decision}`, { acceptance: waiting, comment: 'Because' }]),
    ...['withdraw', 'revoke', 'confirm-effect', 'confirm-removal', 'repair'].flatMap((verb) => [id, waiting].map((one) => [`/preview-features/acceptances/${one}/${verb}`, { comment: 'Because' }])),
    [`/admin/features/${feature}`, { slug: feature, name: 'Other' }],
    ['/admin/features', { catalogue: '[]' }],
    ['/admin/features/catalogue.yaml', {}],
  ];
  for (const [path, form] of tried) {
    const response = await auditor.request.post(path, { form, maxRedirects: 0 });
    expect([404, 409], `${path} ${JSON.stringify(form)}`).toContain(response.status());
    const reference = response.headers()['x-request-id'];
    expect(rows(`select distinct phase from audit_events where request_id = '${reference}'`)).toEqual([{ phase: 'refused' }]);
  }
  expect(rows(`select count(*) from opt_in_steps where acceptance_id in ('${id}', '${waiting}')`)).toEqual(before);
  expect(rows(`select count(*) from risk_statements where feature_slug = '${feature}'`)).toEqual([{ count: 1 }]);
});

test('several are refused at once, each by itself, and one that was withdrawn meanwhile is named', async ({ open }) => {
  const [developer, administrator] = [await open('devin'), await open('ada')];
  const features = [unique('bulk'), unique('bulk'), unique('bulk')];
  const ids = [];
  for (const feature of features) {
    await published(administrator, feature);
    ids.push(await accepted(developer, feature));
  }
  await administrator.goto('/admin/approvals');
  for (const box of await administrator.getByRole('checkbox').all()) await box.uncheck();
  for (const id of ids) await administrator.locator(`#acceptance-${id}`).check();
  await developer.goto(`/preview-features/acceptances/${ids[1]}`);
  await developer.getByRole('button', { name: 'Withdraw acceptance' }).click();
  await expect(developer.getByText('It is done and recorded.')).toBeVisible();
  await administrator.getByLabel('Comment').fill('Not this year');
  await administrator.getByRole('button', { name: 'Refuse chosen' }).click();
  await expect(administrator.getByRole('alert')).toContainText(`${features[1]} for namespace shop: This was changed in the meantime`);
  await expect(administrator.getByRole('alert')).toContainText('2 of them are decided and recorded, and what is named here is not.');
  expect(ids.map(steps)).toEqual([['refused'], ['withdrawn'], ['refused']]);
  await developer.goto('/preview-features');
  await expect(developer.getByRole('row').filter({ hasText: features[0] })).toContainText('Not this year');
});

for (const javaScriptEnabled of [true, false]) {
  test(`what will be recorded is shown before it is, and can be changed${javaScriptEnabled ? '' : ', without JavaScript'}`, async ({ open }) => {
    const administrator = await open('ada');
    const feature = unique('shown');
    await published(administrator, feature, { points: 'First\nSecond' });
    const page = await open('lee', { javaScriptEnabled });
    await confirmed(page, feature, { why: 'Because' });
    await expect(page.getByText('Because').first()).toBeVisible();
    await expect(page.locator('main')).toContainText('team-shop, team-shop-leads');
    expect(rows(`select 1 from acceptances where feature_slug = '${feature}'`)).toEqual([]);
    await page.getByRole('button', { name: 'Change answers' }).click();
    await expect(page.getByLabel('Why you need it')).toHaveValue('Because');
    await expect(page.getByRole('checkbox', { name: 'Second' })).toBeChecked();
    await page.getByLabel('Why you need it').fill('Because of that');
    await page.getByRole('button', { name: 'Review acceptance' }).click();
    await page.getByRole('button', { name: 'Accept risks' }).click();
    await expect(page.getByText('Your acceptance is recorded.')).toBeVisible();
    const [{ document }] = rows(`select document from acceptances where feature_slug = '${feature}'`);
    expect(JSON.parse(document)).toMatchObject({ justification: 'Because of that', points: ['First', 'Second'] });
  });
}

test('whoever reaches a namespace sees which preview features give something there, and only its administrators the record', async ({ open }) => {
  const [lead, administrator, dana, pia] = [await open('lee'), await open('ada'), await open('dana'), await open('pia')];
  const feature = unique('seen-here');
  await published(administrator, feature, { scopes: 'team', effect: 'metadata', labels: `${mark(feature)}=on` });
  const id = await accepted(lead, feature, { scope: 'team shop' });
  await administrator.goto('/admin');
  await expect(administrator.getByText(/Open: [1-9]/)).toBeVisible();
  await decided(administrator, id, 'approve');
  await expect.poll(() => steps(id), within).toEqual(['approved', 'effective']);

  // Dana administers the namespace, and cannot act for the team.
  await dana.goto('/namespaces/shop');
  const here = dana.getByRole('region', { name: 'Preview features here' }).getByRole('row').filter({ hasText: feature });
  for (const words of ['team shop', `${mark(feature)}=on`, 'Effective']) await expect(here).toContainText(words);
  await here.getByRole('link', { name: feature }).click();
  await dana.getByRole('region', { name: 'What was accepted' }).getByRole('link', { name: feature }).click();
  await expect(dana.getByRole('heading', { name: 'Certificate of risk acceptance' })).toBeVisible();
  await expect(dana.getByRole('button', { name: 'Revoke opt-in' })).toHaveCount(0);
  expect((await dana.request.post(`/preview-features/acceptances/${id}/revoke`, { form: { comment: 'Mine' } })).status()).toBe(404);

  // Pia reads in a namespace that somebody opted in for.
  const namespace = await namespaceFor(dana, 'team-shop');
  const readers = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-pay' };
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'readers', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }, subjects: [readers] });
  const one = unique('one-here');
  await published(administrator, one);
  const own = await accepted(dana, one, { scope: `namespace ${namespace}` });
  await decided(administrator, own, 'approve');
  await expect(async () => {
    await pia.goto(`/namespaces/${namespace}`);
    await expect(pia.getByRole('region', { name: 'Preview features here' })).toContainText('Approved, not yet effective', { timeout: 100 });
  }).toPass(within);
  for (const unseen of [id, own]) expect((await pia.request.get(`/preview-features/acceptances/${unseen}`)).status()).toBe(404);
  expect((await pia.request.get('/namespaces/shop')).status()).toBe(404);
  // What all share is left as it was.
  await lead.goto(`/preview-features/acceptances/${id}`);
  await lead.getByLabel('Why it is no longer wanted').fill('Tried');
  await lead.getByRole('button', { name: 'Revoke opt-in' }).click();
  await expect.poll(() => steps(id), within).toEqual(['approved', 'effective', 'ending: revoked', 'ended: revoked']);
});

test('a group that only reads in a namespace gets nothing from an opt-in for it', async ({ open }) => {
  const [page, administrator] = [await open('lee'), await open('ada')];
  const feature = unique('groups');
  await published(administrator, feature);
  const namespace = await namespaceFor(page, 'team-shop');
  const readers = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-shop-leads' };
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'readers', namespace }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }, subjects: [readers] });
  await expect.poll(async () => (await page.request.get('/access')).text()).toContain('readers');
  const id = await accepted(page, feature, { scope: `namespace ${namespace}` });
  const [{ document }] = rows(`select document from acceptances where id = '${id}'`);
  expect(JSON.parse(document)).toMatchObject({ groups: ['team-shop'], person_groups: ['team-shop', 'team-shop-leads'] });
});

test('a statement that changes while it is read is read again, and nothing is recorded', async ({ open }) => {
  const [page, administrator] = [await open('dana'), await open('ada')];
  const feature = unique('changing');
  await published(administrator, feature);
  await confirmed(page, feature);
  await published(administrator, feature, { body: 'Riskier.', changes: 'Riskier' });
  await page.getByRole('button', { name: 'Accept risks' }).click();
  await expect(page.getByRole('alert')).toContainText('was changed while you read it');
  await expect(page.getByRole('checkbox').first()).not.toBeChecked();
  await expect(page.getByText('New in version 2: Riskier What was accepted before goes on as long as it lasts.')).toBeVisible();
  // Nor do ticks come back under a text that nobody ticked, by the way of changing the answers.
  await confirmed(page, feature);
  await published(administrator, feature, { body: 'Riskiest.', points: 'We know it all.', changes: 'Riskiest', renewal_days: '14' });
  await page.getByRole('button', { name: 'Change answers' }).click();
  await expect(page.getByRole('alert')).toContainText('was changed while you read it');
  await expect(page.getByRole('checkbox', { name: 'We know it all.' })).not.toBeChecked();
  await expect(page.getByText('has to accept this one within 14 days, or loses the feature')).toBeVisible();
  expect(rows(`select 1 from acceptances where feature_slug = '${feature}'`)).toEqual([]);
});

test('the queue is filtered with its form, and a certificate prints without what only a screen needs', async ({ open }) => {
  const { administrator, feature } = await effective(open);
  await administrator.goto('/admin/approvals');
  await administrator.getByLabel('Feature', { exact: true }).selectOption(feature);
  await administrator.getByLabel('Status').selectOption('Effective');
  await administrator.getByRole('button', { name: 'Filter acceptances' }).click();
  const found = administrator.getByRole('region', { name: 'Acceptances' }).getByRole('row');
  await expect(found).toHaveCount(2);
  await found.getByRole('link', { name: feature }).click();
  await expect(administrator.getByRole('button', { name: 'Export as JSON' })).toBeVisible();
  await administrator.emulateMedia({ media: 'print' });
  for (const name of ['Export as JSON', 'Revoke opt-in']) await expect(administrator.getByRole('button', { name })).toHaveCount(0);
  await expect(administrator.getByText('From the record of Fairway.')).toBeVisible();
  await expect(administrator.getByRole('region', { name: 'Decisions' })).toContainText('Ada Administrator');
});

test('a version that must be accepted again warns who accepted the one before, and shows what changed', async ({ open }) => {
  const { developer, administrator, feature, namespace, id } = await effective(open);
  await administrator.goto(`/admin/features/${feature}`);
  await administrator.getByLabel('What may go wrong').fill('Much riskier.');
  await administrator.getByRole('button', { name: 'Save feature' }).click();
  await expect(administrator.getByRole('alert')).toContainText('Say what changed');
  await administrator.getByLabel('What changed').fill('It was tried');
  await administrator.getByLabel('Days until it must be accepted again').fill('14');
  await administrator.getByRole('button', { name: 'Save feature' }).click();
  await expect(administrator.getByText('Saved and recorded.')).toBeVisible();
  await administrator.goto(`/admin/features/${feature}`);
  await administrator.getByText('What changed, line by line').click();
  await expect(administrator.getByRole('region', { name: 'Changes of version 2' })).toContainText('+Much riskier.');
  await expect.poll(() => rows(`select days from notices where acceptance_id = '${id}'`), within).toEqual([{ days: 30 }]);
  await developer.goto(`/preview-features/${feature}`);
  await developer.getByText('What changed, line by line').click();
  await expect(developer.getByRole('region', { name: 'Changes of version 2' })).toContainText('-Risky.');
  await expect(developer.getByRole('region', { name: 'Changes of version 2' })).toContainText('+Much riskier.');
  // Whoever reads records years later finds what was said before.
  const auditor = await open('alex');
  await auditor.goto(`/preview-features/${feature}`);
  await expect(auditor.getByRole('heading', { name: 'Earlier versions' })).toBeVisible();
  const link = auditor.getByRole('listitem').filter({ hasText: 'Version 1,' }).getByRole('link', { name: 'Exact text' });
  expect(await (await auditor.request.get(await link.getAttribute('href'))).json()).toMatchObject({ version: 1, body: 'Risky.' });
  await developer.goto('/preview-features');
  await expect(developer.locator('main')).toContainText(`${feature} for namespace`);
  await expect(developer.getByRole('link', { name: 'accept its risks again' }).first()).toBeVisible();
  await accepted(developer, feature, { scope: `namespace ${namespace}` });
  await developer.goto(`/preview-features/${feature}`);
  await expect(developer.locator('main')).toContainText('Its risks were accepted again, and that waits for approval.');
});

test('a renewal under a statement with another effect takes back what the earlier one gave', async ({ open }) => {
  const { developer, administrator, feature, namespace, id } = await effective(open);
  await published(administrator, feature, { changes: 'By hand from now on' });
  const renewed = await accepted(developer, feature, { scope: `namespace ${namespace}` });
  await decided(administrator, renewed, 'approve');
  await expect.poll(() => steps(id), within).toEqual(['approved', 'effective', 'ending: replaced', 'ended: replaced']);
  expect((await labels(namespace))[mark(feature)]).toBeUndefined();
  expect(steps(renewed)).toEqual(['approved']);
});

test('retiring a feature takes back what it gave, and what cannot be made yet is tried again', async ({ open }) => {
  test.setTimeout(120_000);
  const { developer, administrator, feature, namespace, id } = await effective(open);
  const stale = await open('gus');
  await stale.goto(`/admin/features/${feature}`);
  await administrator.goto(`/admin/features/${feature}`);
  await administrator.getByLabel('Stage').selectOption('Retired');
  await administrator.getByRole('button', { name: 'Save feature' }).click();
  await expect(administrator.getByRole('alert')).toContainText(`Retiring ends every opt-in, 1 now, and takes back what they gave on the day that you choose. Type ${feature} to confirm.`);
  expect(steps(id)).toEqual(['approved', 'effective']);
  await expect(administrator.getByLabel('Days until what it gave is taken back')).toHaveValue('31');
  await administrator.getByLabel('Days until what it gave is taken back').fill('25');
  await administrator.getByLabel('Short name, to confirm that it is retired').fill(feature);
  await administrator.getByRole('button', { name: 'Save feature' }).click();
  await expect(administrator.getByText('Saved and recorded.')).toBeVisible();
  // A form that was opened before does not bring it back.
  await stale.getByLabel('What it is for').fill('Trying on');
  await stale.getByRole('button', { name: 'Save feature' }).click();
  await expect(stale.getByRole('alert')).toContainText('Somebody else has changed this feature in the meantime.');
  expect(rows(`select stage, purpose from preview_features where slug = '${feature}'`)).toEqual([{ stage: 'retired', purpose: 'Trying' }]);
  // People hear of it, and keep what they have until that day.
  await expect.poll(() => rows(`select days from notices where acceptance_id = '${id}'`), within).toEqual([{ days: 30 }]);
  await developer.goto('/preview-features');
  await expect(developer.locator('main')).toContainText('because the feature is retired. Stop using it before.');
  await developer.goto(`/preview-features/${feature}`);
  await expect(developer.getByText('Nobody can opt in any more')).toBeVisible();
  expect(steps(id)).toEqual(['approved', 'effective']);
  // At once, if it must be: it is brought back, and retired again.
  for (const stage of ['Preview', 'Retired']) {
    await administrator.goto(`/admin/features/${feature}`);
    await administrator.getByLabel('Stage').selectOption(stage);
    await administrator.getByRole('button', { name: 'Save feature' }).click();
  }
  await administrator.getByLabel('Days until what it gave is taken back').fill('0');
  await administrator.getByLabel('Short name, to confirm that it is retired').fill(feature);
  await administrator.getByRole('button', { name: 'Save feature' }).click();
  await expect(administrator.getByText('Saved and recorded.')).toBeVisible();
  await expect.poll(() => steps(id), within).toEqual(['approved', 'effective', 'ending: retired', 'ended: retired']);
  expect((await labels(namespace))[mark(feature)]).toBeUndefined();

  const other = unique('later');
  await published(administrator, other, { effect: 'metadata', labels: `${mark(other)}=on` });
  const gone = await namespaceFor(developer, 'team-shop');
  const waiting = await accepted(developer, other, { scope: `namespace ${gone}` });
  await kube.request('DELETE', `/api/v1/namespaces/${gone}`);
  await expect.poll(() => kube.get(`/api/v1/namespaces/${gone}`).catch(() => null), within).toBe(null);
  await decided(administrator, waiting, 'approve');
  await expect.poll(async () => (await developer.goto(`/preview-features/acceptances/${waiting}`), developer.locator('main').textContent()), within).toContain(`Tried, and not done: The namespace ${gone} is not there.`);
  await expect(developer.getByText('Approved, not yet effective')).toBeVisible();
  // Whoever makes a namespace of that name anew may be somebody else, who accepted nothing.
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: gone } });
  await expect.poll(async () => (await developer.reload(), developer.locator('main').textContent()), { timeout: 60_000 }).toContain(`Tried, and not done: The namespace ${gone} was created again after the risks were accepted`);
  expect(steps(waiting)).toEqual(['approved']);
  expect((await labels(gone))[mark(other)]).toBeUndefined();
  // Administrators see what Fairway could not do among what waits for them.
  await administrator.goto('/admin/approvals');
  await expect(administrator.getByRole('region', { name: 'Not as approved' }).getByRole('row').filter({ hasText: other })).toContainText('Tried, and not done');
});

test('the catalogue is exported as YAML, changed, and taken in: all of it or nothing', async ({ open }) => {
  const page = await open('ada');
  const feature = unique('yaml');
  await published(page, feature);
  await page.goto('/admin/features');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export as YAML' }).click()]);
  const yaml = readFileSync(await download.path(), 'utf8');
  expect(yaml).toContain(`slug: ${feature}`);
  const entry = (body, owner = 'platform') => `- slug: ${feature}\n  name: ${feature}\n  purpose: Trying\n  owner: "${owner}"\n  stage: preview\n  body: ${body}\n  points: [We know.]\n  scopes: [namespace]\n  validity_months: 12\n  approvals: 1\n  changes: By hand\n`;
  const take = async (text) => {
    await page.goto('/admin/features');
    await page.getByLabel('Catalogue in YAML').fill(text);
    await page.getByRole('button', { name: 'Import catalogue' }).click();
  };
  await take(entry('Riskier.', ''));
  await expect(page.getByRole('alert')).toContainText(`${feature}, owner: Say who answers for it`);
  await expect(page.getByLabel('Catalogue in YAML')).toHaveValue(entry('Riskier.', ''));
  await take('- slug: [');
  await expect(page.getByRole('alert')).toContainText('This is no catalogue');
  const versions = () => rows(`select version from risk_statements where feature_slug = '${feature}' order by version`).map(({ version }) => version);
  expect(versions()).toEqual([1]);
  await take(entry('Riskier.'));
  await expect(page.getByText('Saved and recorded.')).toBeVisible();
  expect(versions()).toEqual([1, 2]);
  await take(entry('Riskier.'));
  expect(versions()).toEqual([1, 2]);
  // What changed is said of each version anew: an export does not carry what was said of the last.
  await page.goto('/admin/features');
  const [again] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export as YAML' }).click()]);
  const exported = readFileSync(await again.path(), 'utf8').split(/^(?=- slug: )/m).find((entry) => entry.startsWith(`- slug: ${feature}\n`));
  await take(exported.replace('Riskier.', 'Riskiest.'));
  await expect(page.getByRole('alert')).toContainText(`${feature}, changes: Say what changed`);
  // Two features that set one label would take it from each other.
  await published(page, `${feature}-label`, { effect: 'metadata', labels: `preview.fairway.dev/${feature}=on` });
  await take(`${entry('Riskiest.')}  effect:\n    metadata:\n      labels:\n        preview.fairway.dev/${feature}: "other"\n`);
  await expect(page.getByRole('alert')).toContainText(`preview.fairway.dev/${feature} is set by the feature ${feature}-label already`);
  expect(versions()).toEqual([1, 2]);
  // One of two is wrong: neither is taken. And nothing is retired by pasting.
  const other = unique('other');
  await take(entry('Riskiest.') + entry('New.', '').replaceAll(feature, other));
  await expect(page.getByRole('alert')).toContainText(`${other}, owner`);
  await take(entry('Riskiest.').replace('stage: preview', 'stage: retired'));
  await expect(page.getByRole('alert')).toContainText(`${feature}, stage: a feature is retired, and brought back, in its own form`);
  expect(versions()).toEqual([1, 2]);
});

test('a certificate is read by an auditor, proven without Fairway\'s database, and kept from other teams', async ({ open }, info) => {
  const { id, feature } = await effective(open);
  // What people are told by mail is recorded as well, and both files below are to be of one moment.
  await expect.poll(() => rows(`select recipient from notifications where acceptance_id = '${id}' and recipient = 'person' and sent_at is not null`).length, within).toBe(1);
  const auditor = await open('alex');
  await auditor.goto(`/admin/approvals?status=effective&feature=${feature}`);
  await expect(auditor.getByRole('button', { name: 'Approve chosen' })).toHaveCount(0);
  await auditor.getByRole('region', { name: 'Acceptances' }).getByRole('link', { name: feature }).click();
  await expect(auditor.getByRole('heading', { name: 'Certificate of risk acceptance' })).toBeVisible();
  await expect(auditor.getByRole('region', { name: 'Decisions' })).toContainText('Ada Administrator');
  await expect(auditor.getByRole('button', { name: 'Revoke opt-in' })).toHaveCount(0);
  const [download] = await Promise.all([auditor.waitForEvent('download'), auditor.getByRole('button', { name: 'Export as JSON' }).click()]);
  const verify = (...args) => spawnSync(stack.binary, ['audit', 'verify-acceptance', ...args], { encoding: 'utf8' });
  const proven = verify(await download.path());
  expect(proven.stderr).toBe('');
  expect(proven.stdout).toContain('Its status was: Effective.');
  expect(proven.stdout).toContain('could be made up');
  // Its rows stand in the whole record, and not in one that begins without them.
  const record = info.outputPath('record.jsonl');
  const whole = await auditor.request.post('/admin/audit/export', { form: { format: 'jsonl' } });
  const lines = (await whole.text()).trim().split('\n');
  writeFileSync(record, lines.join('\n'));
  expect(verify(await download.path(), '--record', record)).toMatchObject({ status: 0, stdout: expect.stringContaining('They stand in an unbroken record') });
  writeFileSync(record, lines.slice(0, 5).join('\n'));
  expect(verify(await download.path(), '--record', record)).toMatchObject({ status: 1, stderr: expect.stringContaining('is not in that record') });
  const text = readFileSync(await download.path(), 'utf8');
  const tampered = info.outputPath('tampered.json');
  writeFileSync(tampered, text.replaceAll('We know.', 'We do not know.'));
  expect(verify(tampered).status).toBe(1);
  const other = await open('pia');
  expect((await other.request.get(`/preview-features/acceptances/${id}`)).status()).toBe(404);
  expect((await other.request.post(`/preview-features/acceptances/${id}/export`)).status()).toBe(404);
});
