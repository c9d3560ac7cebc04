// Parts that go away and come back, months that pass, and a cluster without HNC. On a stack of its own, as others would notice.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, stack, test as base, unique } from './portal.mjs';
import { partsWith } from '../stack/parts.mjs';
import { freePort } from '../stack/processes.mjs';
import { startStack } from '../stack/stack.mjs';
import { NAME, brokenWebhooks, rule } from './broken-webhooks.mjs';
import { accepted, decided, published } from './opt-ins.mjs';
import { forge, holdTable, mailsAbout, rows } from './db.mjs';
import { reviewed } from './wizard.mjs';

const test = base.extend({
  own: [
    async ({}, use) => {
      const own = await startStack({ binary: stack.binary, site: stack.site, port: await freePort(), parts: partsWith({ hnc: false, gatekeeper: false, nodes: false, dex: false }), onLost: (sentence) => console.error(sentence) });
      await use(own);
      await own.stop();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  url: async ({ own }, use) => use(own.url),
});

test.describe.configure({ mode: 'serial' });

test('without HNC the portal makes the namespace itself, closed before anyone may act in it', async ({ open, own }) => {
  const name = unique('shop');
  const page = await open('dana');
  await page.goto('/namespaces/new');
  await page.getByLabel('Owning group').selectOption('team-shop');
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Create namespace' }).click();
  await expect(page.getByText(`Namespace ${name} is ready to use.`)).toBeVisible({ timeout: 30_000 });
  const { kube } = own.cluster;
  const namespace = await kube.get(`/api/v1/namespaces/${name}`);
  expect(namespace.metadata.annotations['fairway.dev/requested-by']).toBe('dana@example.com');
  expect(namespace.metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
  const policy = await kube.get(`/apis/networking.k8s.io/v1/namespaces/${name}/networkpolicies/default-deny`);
  expect(policy.spec.policyTypes).toEqual(['Ingress', 'Egress']);
  expect((await kube.get(`/api/v1/namespaces/${name}/resourcequotas/namespace`)).spec.hard['requests.cpu']).toBe('4');
  // The same name for another team is refused, and the first owner keeps it.
  const other = await open('pia');
  await other.goto('/namespaces/new');
  await other.getByRole('textbox', { name: 'Name' }).fill(name);
  await other.getByRole('button', { name: 'Create namespace' }).click();
  await expect(other.getByRole('alert')).toContainText('already exists');
  const binding = await kube.get(`/apis/rbac.authorization.k8s.io/v1/namespaces/${name}/rolebindings/workload-admin`);
  expect(binding.subjects.map(({ name }) => name)).toEqual(['team-shop']);
  // Nor can the first owner take it along to another team.
  await change(own, 'dana', { groups: ['team-shop', 'team-pay'] });
  const moved = await open('dana');
  await moved.goto('/namespaces/new');
  await moved.getByLabel('Owning group').selectOption('team-pay');
  await moved.getByRole('textbox', { name: 'Name' }).fill(name);
  await moved.getByRole('button', { name: 'Create namespace' }).click();
  await expect(moved.getByRole('alert')).toContainText('already exists');
  await change(own, 'dana', { groups: ['team-shop'] });
  expect((await kube.get(`/apis/rbac.authorization.k8s.io/v1/namespaces/${name}/rolebindings`)).items.flatMap(({ subjects }) => subjects).map(({ name }) => name)).toEqual(['team-shop']);
});

for (const javaScriptEnabled of [true, false]) {
  test(`signing out ends the session at a provider that has one of its own, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async ({ open, own }) => {
    const page = await open('pia', { javaScriptEnabled });
    await page.getByRole('button', { name: 'Sign out' }).click();
    // Without JavaScript the provider's own page asks for one more press.
    if (!javaScriptEnabled) await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page).toHaveURL(`${own.url}/`);
    await page.goto('/access');
    await expect(page.getByRole('heading', { name: 'Choose a demo person' })).toBeVisible();
  });
}

/** An apply that the cluster has begun and not ended: a webhook keeps it waiting. Gives the name, and how to let go. */
async function heldApply(page, own) {
  const name = await reviewed(page, 'shop', { name: unique('held') });
  const webhooks = await brokenWebhooks(own.cluster.kube);
  const condition = `object.metadata.name == '${name}' && (!request.dryRun || request.userInfo.username == 'stack')`;
  await webhooks.register('silent', { rule: rule('apps', 'v1', 'deployments'), condition, timeoutSeconds: 8 });
  const probe = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop' }, spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } } } };
  await expect.poll(() => own.cluster.kube.request('POST', '/apis/apps/v1/namespaces/shop/deployments?dryRun=All', probe).then(() => '', (error) => error.message), { timeout: 30_000 }).toContain(NAME);
  const pressed = page.getByRole('button', { name: 'Apply workload' }).click({ noWaitAfter: true }).catch(() => undefined);
  const phases = () => rows(`select phase from audit_events where action = 'workload.apply' and object_name = '${name}'`, own.database.owner).map(({ phase }) => phase);
  await expect.poll(phases, { intervals: [20] }).toEqual(['intent']);
  return { name, pressed, outcomes: () => rows(`select o.phase from audit_events i join audit_events o on o.intent_id = i.id where i.action = 'workload.apply' and i.object_name = '${name}'`, own.database.owner).map(({ phase }) => phase), end: webhooks.end };
}

test('a portal that is killed in the middle of an apply says that the outcome is unknown, and applying again is safe', async ({ open, own }) => {
  test.setTimeout(120_000);
  const page = await open('dana');
  const { name, pressed, outcomes, end } = await heldApply(page, own);
  await own.processes.stop(own.portal, 'SIGKILL');
  await pressed;
  await end();
  own.portal = await own.startPortal();
  expect(outcomes()).toEqual([]);
  const [{ id }] = rows(`select id from submissions where name = '${name}'`, own.database.owner);
  await page.goto(`/workloads/${id}`);
  await expect(page.locator('main')).toContainText('It is not known whether this was applied: Fairway was interrupted. Applying it again is safe.');
  await page.getByRole('button', { name: /^Apply/ }).click();
  await expect(page.locator('main')).toContainText('Applied exactly as reviewed.');
  expect((await own.cluster.kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`)).metadata.name).toBe(name);
});

test('a portal that is told to stop ends what it has begun, whoever holds connections open', async ({ open, own }) => {
  test.setTimeout(120_000);
  const page = await open('dana');
  const { pressed, outcomes, end } = await heldApply(page, own);
  const { port } = new URL(own.url);
  const silent = await Promise.all(Array.from({ length: 20 }, () => new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write('GET /faq HTTP/1.1\r\nHost: local', () => resolve(socket)));
    socket.on('error', () => {});
  })));
  const stopped = own.portal;
  stopped.expected = true;
  process.kill(-stopped.child.pid, 'SIGTERM');
  await stopped.done;
  expect([stopped.child.exitCode, stopped.child.signalCode]).toEqual([0, null]);
  expect(outcomes()).toEqual(['refused']);
  silent.forEach((socket) => socket.destroy());
  await pressed;
  await end();
  own.portal = await own.startPortal();
});

test('with a cluster that hangs pages show what was known, and say so', async ({ open, own }) => {
  const page = await open('dana');
  await page.goto('/namespaces');
  process.kill(-own.cluster.entry.child.pid, 'SIGSTOP');
  try {
    // An answer of a moment ago still counts.
    await expect.poll(async () => { await page.goto('/namespaces'); return page.locator('main').innerText(); }).toContain('Fairway cannot reach the cluster at the moment.');
    await expect(page.getByRole('link', { name: 'shop', exact: true })).toBeVisible();
    expect((await page.request.get('/faq')).status()).toBe(200);
  } finally {
    process.kill(-own.cluster.entry.child.pid, 'SIGCONT');
  }
  await expect.poll(async () => { await page.goto('/namespaces'); return page.locator('main').innerText(); }).not.toContain('cannot reach the cluster');
});

test("the cluster's audit log shows the person and their groups, not the portal", async ({ open, own }) => {
  const page = await open('dana');
  const name = await reviewed(page, 'shop', { name: unique('logged') });
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.locator('main')).toContainText('Applied exactly as reviewed.');
  const entries = () => readFileSync(own.cluster.auditLog, 'utf8').split('\n').filter((line) => line.includes(`"${name}"`) && line.includes('"patch"')).map((line) => JSON.parse(line));
  await expect.poll(() => entries().map(({ impersonatedUser }) => impersonatedUser).at(-1)).toMatchObject({ username: 'dana@example.com', groups: expect.arrayContaining(['team-shop']) });
});

test('with the cluster away pages say so, nothing is applied, and the draft waits', async ({ open, own }) => {
  const page = await open('dana');
  const name = await reviewed(page, 'shop', { name: unique('wait') });
  await expect(page.getByRole('button', { name: 'Apply workload' })).toBeVisible();

  await own.processes.stop(own.cluster.entry, 'SIGKILL');
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.locator('main')).toContainText(/The cluster cannot be asked at the moment, so nothing can be applied|Fairway cannot reach the cluster at the moment. Nothing was changed/);
  expect(rows(`select 1 from submissions where name = '${name}'`, own.database.owner)).toEqual([]);
  // What exists is still shown, from what was last heard.
  expect((await page.goto('/access')).status()).toBe(200);
  await expect(page.getByRole('region', { name: 'Namespaces you can reach' })).toContainText('shop');
  await expect(page.getByText('What you see here was true when the cluster last answered.')).toBeVisible();
  expect((await page.goto('/namespaces/new')).status()).toBe(503);
  await expect.poll(async () => (await (await page.request.get('/readyz')).json()).cluster).not.toBe('ready');
  expect((await page.request.get('/healthz')).status()).toBe(200);

  own.cluster.entry = own.cluster.entry.again();
  await expect.poll(async () => (await (await page.request.get('/readyz')).json()).cluster, { timeout: 40_000 }).toBe('ready');
  await page.goto('/workloads');
  await page.getByRole('link', { name }).click();
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
});

test('with the cluster away in the middle of an apply the record says which objects are there, and applying again is safe', async ({ open, own }) => {
  const page = await open('dana');
  const name = await reviewed(page, 'shop', { name: unique('half') });
  // The first answer waits for the record, and meanwhile the cluster goes.
  const release = await holdTable('apply_results', own.database.owner);
  const applied = page.getByRole('button', { name: 'Apply workload' }).click();
  await expect.poll(() => rows(`select 1 from pg_locks where not granted and relation = 'apply_results'::regclass`, own.database.owner).length).toBeGreaterThan(0);
  await own.processes.stop(own.cluster.entry, 'SIGKILL');
  release();
  await applied;
  await expect(page.getByText('Not everything was applied.')).toBeVisible();
  const objects = page.getByRole('region', { name: 'Objects' });
  await expect(objects.getByRole('row').filter({ hasText: `NetworkPolicy/shop/${name}` })).toContainText('Applied');
  await expect(objects.getByRole('row').filter({ hasText: `Service/shop/${name}` })).toContainText(/nothing was sent|it is not known/);
  expect(rows(`select o.phase from audit_events i join audit_events o on o.intent_id = i.id where i.object_name = '${name}' and i.action = 'workload.apply'`, own.database.owner)).not.toContainEqual({ phase: 'succeeded' });
  own.cluster.entry = own.cluster.entry.again();
  await expect.poll(async () => (await (await page.request.get('/readyz')).json()).cluster, { timeout: 40_000 }).toBe('ready');
  await page.reload();
  await page.getByRole('button', { name: 'Apply again' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  expect((await own.cluster.kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`)).spec.replicas).toBe(2);
});

const mark = (feature) => `preview.fairway.dev/${feature}`;
const within = { timeout: 30_000 };

function optIns(own) {
  const query = (sql) => rows(sql, own.database.owner);
  return {
    steps: (id) => query(`select step, reason from opt_in_steps where acceptance_id = '${id}' order by number`).map(({ step, reason }) => (reason ? `${step}: ${reason}` : step)),
    notices: (id) => query(`select days from notices where acceptance_id = '${id}'`).map(({ days }) => days),
    label: async (feature) => (await own.cluster.kube.get('/api/v1/namespaces/shop')).metadata.labels[mark(feature)],
    mails: async (id) => (await mailsAbout(id, own.mailbox.url)).map(({ to: [to], subject }) => `${to} ${subject.replace('[Fairway] ', '').replace(/(Ends)?( on \d+ \w+ \d{4})?: .*/, '$1')}`),
    pass: (id, days) => forge(`update opt_in_steps set taken_at = taken_at - interval '${days} days' where acceptance_id = '${id}'; update opt_ins set approved_at = approved_at - interval '${days} days' where acceptance_id = '${id}'`, own.database.owner),
  };
}

/** A feature that gives a label, and its risks accepted for the namespace shop. */
async function waiting(developer, administrator) {
  const feature = unique('labelled');
  await published(administrator, feature, { effect: 'metadata', labels: `${mark(feature)}=on` });
  return { feature, id: await accepted(developer, feature) };
}

test('an opt-in that is approved while the cluster is away stands as not yet effective, and becomes it once the cluster is back', async ({ open, own }) => {
  test.setTimeout(120_000);
  const [developer, administrator] = [await open('dana'), await open('ada')];
  const { feature, id } = await waiting(developer, administrator);
  const { steps, label } = optIns(own);
  await own.processes.stop(own.cluster.entry, 'SIGKILL');
  await decided(administrator, id, 'approve');
  await expect(administrator.getByText('The decision is recorded.')).toBeVisible();
  const record = `/preview-features/acceptances/${id}`;
  await expect.poll(async () => (await developer.goto(record), developer.locator('main').textContent()), within).toContain('Tried, and not done');
  await expect(developer.getByText('Approved, not yet effective')).toBeVisible();
  own.cluster.entry = own.cluster.entry.again();
  await expect.poll(() => steps(id), { timeout: 60_000 }).toEqual(['approved', 'effective']);
  expect(await label(feature)).toBe('on');
  await developer.goto(record);
  await expect(developer.locator('main')).not.toContainText('Tried, and not done');
});

test('what expires is taken back after a notice, and a renewal in time keeps it', async ({ open, own }) => {
  test.setTimeout(120_000);
  const [developer, administrator] = [await open('dana'), await open('ada')];
  const { steps, notices, label, mails, pass } = optIns(own);
  const [lost, kept] = [await waiting(developer, administrator), await waiting(developer, administrator)];
  for (const { id } of [lost, kept]) {
    await decided(administrator, id, 'approve');
    await expect.poll(() => steps(id), within).toEqual(['approved', 'effective']);
  }
  pass(kept.id, 340);
  await expect.poll(() => notices(kept.id), within).toEqual([30]);
  // Whoever accepted may have left, so the contact of the team is told too.
  for (const to of ['dana', 'lee']) await expect.poll(() => mails(kept.id), within).toContain(`${to}@example.com Ends`);
  await developer.goto('/preview-features');
  await expect(developer.getByRole('link', { name: 'accept its risks again' }).first()).toBeVisible();
  const renewed = await accepted(developer, kept.feature);
  await decided(administrator, renewed, 'approve');
  await expect.poll(() => steps(kept.id), within).toEqual(['approved', 'effective', 'ending: replaced', 'ended: replaced']);
  await expect.poll(() => steps(renewed), within).toEqual(['approved', 'effective']);
  expect(await label(kept.feature)).toBe('on');

  pass(lost.id, 400);
  await expect.poll(() => notices(lost.id), within).toEqual([1]);
  expect(steps(lost.id)).toEqual(['approved', 'effective']);
  forge(`update notices set given_at = given_at - interval '2 days' where acceptance_id = '${lost.id}'`, own.database.owner);
  await expect.poll(() => steps(lost.id), within).toEqual(['approved', 'effective', 'ending: expired', 'ended: expired']);
  expect(await label(lost.feature)).toBeUndefined();
  await expect.poll(() => mails(lost.id), within).toContain('dana@example.com Ended');
});

test('with the mail server away nothing else waits, the page says who was not told, and they are told once it is back', async ({ open, own }) => {
  test.setTimeout(90_000);
  const [developer, administrator] = [await open('dana'), await open('ada')];
  const { steps, mails } = optIns(own);
  await own.processes.stop(own.mailbox.entry, 'SIGKILL');
  const { id } = await waiting(developer, administrator);
  const told = administrator.getByRole('region', { name: 'Told by e-mail' });
  const again = async () => (await administrator.goto(`/preview-features/acceptances/${id}`), told.innerText({ timeout: 1000 }).catch(() => ''));
  await expect.poll(again, within).toContain('The mail server could not be reached.');
  own.mailbox.entry = own.mailbox.entry.again();
  await expect.poll(() => fetch(own.mailbox.url).then(({ ok }) => ok, () => false), within).toBe(true);
  // The pause until the next attempt is over.
  forge(`update notifications set next_attempt_at = now() where acceptance_id = '${id}'`, own.database.owner);
  await expect.poll(() => mails(id), within).toEqual(['platform-team@example.com Decide']);
  await expect.poll(again, within).not.toContain('Not sent');
  await decided(administrator, id, 'approve');
  await expect.poll(() => steps(id), within).toEqual(['approved', 'effective']);
  await expect.poll(() => mails(id), within).toContain('lee@example.com Effective');
});

test('with the provider away those who are signed in go on, and signing in says what is wrong', async ({ open, own }) => {
  const page = await open('dana');
  await own.processes.stop(own.provider.entry, 'SIGKILL');
  expect((await page.goto('/access')).status()).toBe(200);
  const newcomer = await open(null);
  await newcomer.goto('/');
  await newcomer.getByRole('link', { name: 'Sign in' }).first().click();
  // The address of the provider is known, so the browser may be on its way there already; what the portal can say, it says.
  const callback = await newcomer.request.get('/sign-in/callback?state=x&code=y');
  expect(callback.status()).toBe(409);
  own.provider.entry = own.provider.entry.again();
  await providerAnswers(own);
});

test('with the database away every page says so with status 503, and nobody is signed out', async ({ open, own }) => {
  const page = await open('dana');
  await own.processes.stop(own.database.entry, 'SIGINT');
  const response = await page.goto('/access');
  expect(response.status()).toBe(503);
  await expect(page.locator('main')).toContainText('database');
  await expect(page.getByRole('link', { name: 'Sign in' })).toHaveCount(0);
  await expect.poll(async () => (await page.request.get('/readyz')).status()).toBe(503);
  expect((await (await page.request.get('/readyz')).json()).database).not.toBe('ready');
  own.database.entry = own.database.entry.again();
  await expect.poll(async () => (await page.request.get('/access')).status(), { timeout: 30_000 }).toBe(200);
  await page.goto('/access');
  await expect(page.getByText('dana@example.com')).toBeVisible();
});

test('somebody whom the provider no longer vouches for is signed out, and a lost group is lost here too', async ({ open, own }) => {
  await own.processes.stop(own.portal);
  own.portal = await own.startPortal({ FAIRWAY_GROUPS_MAX_AGE_SECONDS: '1' });
  const page = await open('lee');
  await expect(page.locator('main')).toContainText('team-shop-leads');
  await change(own, 'lee', { groups: ['team-shop'] });
  await expect.poll(async () => { await page.reload(); return page.locator('main').innerText(); }).not.toContain('team-shop-leads');
  await change(own, 'lee', { disabled: true });
  await expect.poll(async () => { await page.goto('/access'); return page.url(); }).toContain(own.provider.issuer);
});

test('while the provider stays away people read until when they are signed in', async ({ open, own }) => {
  await own.processes.stop(own.portal);
  own.portal = await own.startPortal({ FAIRWAY_GROUPS_MAX_AGE_SECONDS: '1' });
  const page = await open('dana');
  await own.processes.stop(own.provider.entry, 'SIGKILL');
  await expect.poll(async () => { await page.goto('/access'); return page.locator('main').innerText(); }, { timeout: 60_000 }).toContain('you will be signed out.');
  await page.goto('/workloads');
  await expect(page.locator('main')).toContainText('Fairway cannot reach the identity provider');
  own.provider.entry = own.provider.entry.again();
  await providerAnswers(own);
});

/** Not what /readyz says: that was found out seconds ago. */
function providerAnswers(own) {
  return expect.poll(() => fetch(`${own.provider.issuer}/.well-known/openid-configuration`).then(({ ok }) => ok, () => false), { timeout: 30_000 }).toBe(true);
}

function change(own, subject, to) {
  return fetch(`${own.provider.issuer}/test/people/${subject}`, { method: 'PUT', body: JSON.stringify(to) });
}
