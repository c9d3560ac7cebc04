// What happens to careful work when browsers, tabs and clusters misbehave.

import { request } from 'node:http';
import { expect, stack, test, unique } from './portal.mjs';
import { accepted, published } from './opt-ins.mjs';
import { kube, rows } from './db.mjs';
import { begin, describe, goOn, submitted } from './wizard.mjs';

test('signing in from several tabs at once works in every one of them', async ({ open }) => {
  const first = await open(null);
  await first.goto('/access');
  const second = await first.context().newPage();
  await second.goto(`${stack.url}/namespaces`);
  await first.getByRole('button', { name: 'Dana Developer' }).click();
  await expect(first).toHaveURL(/\/access$/);
  await expect(first.getByText('dana@example.com')).toBeVisible();
  await second.getByRole('button', { name: 'Dana Developer' }).click();
  await expect(second.getByRole('button', { name: 'Sign out' })).toBeVisible();
});

for (const javaScriptEnabled of [true, false]) {
  test(`a session that was ended elsewhere loses nothing that was typed, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async ({ open }) => {
    const name = unique('typed');
    const [page, other] = [await open('devin', { javaScriptEnabled }), await open('devin', { javaScriptEnabled })];
    await page.goto('/namespaces/new');
    await page.getByRole('textbox', { name: 'Name' }).fill(name);
    await other.getByRole('link', { name: 'Devin Developer' }).click();
    await other.getByRole('button', { name: 'End all other sessions' }).click();
    await expect(other.getByRole('status')).toContainText('Those sessions have ended.');
    await page.getByRole('button', { name: 'Create namespace' }).click();
    await expect(page.locator('main')).toContainText('You are signed out, so nothing was changed.');
    const [tab] = await Promise.all([page.waitForEvent('popup'), page.getByRole('link', { name: 'Open sign-in in a new tab' }).click()]);
    await tab.getByRole('button', { name: 'Devin Developer' }).click();
    await expect(tab.getByRole('button', { name: 'Sign out' })).toBeVisible();
    await page.getByRole('button', { name: 'Send again' }).click();
    await expect(page).not.toHaveURL(/\/namespaces\/new/);
    await expect(page.locator('main')).toContainText(name);
  });
}

test('an answer of the provider is used once', async ({ open }) => {
  const page = await open(null);
  const callbacks = [];
  page.on('request', (request) => request.url().includes('/sign-in/callback') && callbacks.push(request.url()));
  await page.goto('/access');
  await page.getByRole('button', { name: 'Dana Developer' }).click();
  await page.waitForURL('**/access');
  const other = await open(null);
  const stolen = await other.request.get(callbacks[0], { maxRedirects: 0 });
  expect(stolen.status()).toBe(409);
});

test('a write goes on to its end and is recorded when the browser has gone away', async ({ open }) => {
  const name = unique('gone');
  const page = await open('dana');
  const cookies = (await page.context().cookies(stack.url)).map(({ name, value }) => `${name}=${value}`).join('; ');
  const sent = request(`${stack.url}/namespaces/new`, { method: 'POST', headers: { cookie: cookies, 'content-type': 'application/x-www-form-urlencoded' } });
  sent.once('error', () => {});
  sent.end(new URLSearchParams({ origin: 'shop', name }).toString());
  // From here on it must not stop half way; before, it ends with the browser.
  await expect.poll(() => rows(`select 1 from audit_events where object_name = '${name}' and phase = 'intent'`).length, { intervals: [20] }).toBe(1);
  sent.destroy();
  await expect.poll(() => rows(`select o.phase from audit_events i join audit_events o on o.intent_id = i.id where i.object_name = '${name}'`)).toEqual([{ phase: 'succeeded' }]);
  expect((await kube.get(`/apis/hnc.x-k8s.io/v1alpha2/namespaces/shop/subnamespaceanchors/${name}`)).metadata.name).toBe(name);
});

test('pressing a button twice does not do a thing twice', async ({ open }) => {
  const page = await open('lee');
  const slug = unique('twice');
  await published(await open('ada'), slug);
  const digest = rows(`select encode(digest, 'hex') as digest from risk_statements where feature_slug = '${slug}'`)[0].digest;
  const send = (shown = '') => page.request.post(`/preview-features/${slug}/accept`, { form: { digest, scope: 'namespace/shop', points: '0', justification: '', shown }, maxRedirects: 0 });
  // Nobody accepts what they were not shown.
  const unseen = await (await send()).text();
  expect(unseen).toContain('Nothing was recorded; look at it once more.');
  expect(rows(`select 1 from acceptances where feature_slug = '${slug}'`)).toEqual([]);
  const [, shown] = /name="shown" value="([^"]+)"/.exec(unseen);
  expect((await send(shown)).status()).toBe(303);
  const again = await send();
  expect(again.status()).toBe(422);
  expect(await again.text()).toContain('has been accepted for this scope already');
  expect(rows(`select 1 from acceptances where feature_slug = '${slug}'`)).toHaveLength(1);
});

test('what administrators type is shown as text, also in the title', async ({ open }) => {
  const slug = unique('hostile');
  const page = await open('ada');
  const hostile = '</title><script>document.title="owned"</script>';
  await published(page, slug, { name: hostile, purpose: '<img src=x onerror=alert(1)>', body: '<script>alert(1)</script>\n\n[a link](javascript:alert(1))', points: '<b>bold</b>' });
  await page.goto(`/preview-features/${slug}`);
  await expect(page).toHaveTitle(`${hostile} - Fairway`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(hostile);
  expect(await page.locator('main script, main img, main b').count()).toBe(0);
  await expect(page.getByRole('link', { name: 'a link' })).toHaveAttribute('href', '#');
});

test('a name that leads elsewhere in the API is refused before the cluster is asked', async ({ open }) => {
  const page = await open('dana');
  const draft = (await page.request.post('/workloads/new', { form: { namespace: 'shop/networkpolicies?watch=1#' } })).url();
  const form = { version: '1', namespace: 'shop/networkpolicies?watch=1#', name: 'web', kind: 'deployment', replicas: '2', image: 'harbor.example.com/shop/web:1', command: '', ports: '' };
  const response = await page.request.post(draft, { form });
  expect(response.status()).toBe(422);
  expect(await response.text()).toContain('Choose the namespace it runs in.');
});

test('somebody who only has an empty role in a namespace sees nothing that was submitted there', async ({ open }) => {
  const name = unique('quiet');
  const bind = (binding, role, subject) => kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: binding, namespace: name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...role }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', ...subject }] });
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await kube.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'empty', namespace: name }, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }] });
  await bind('owners', { kind: 'ClusterRole', name: 'admin' }, { kind: 'Group', name: 'team-shop' });
  await bind('guests', { kind: 'Role', name: 'empty' }, { kind: 'User', name: 'pia@example.com' });
  const developer = await open('dana');
  await expect.poll(async () => (await developer.request.get(`/namespaces/${name}`)).status()).toBe(200);
  const submission = await submitted(developer, { namespace: name, name, kind: 'pod', command: 'run --password hunter2' });
  expect(await (await developer.request.get(submission)).text()).toContain('hunter2');
  const guest = await open('pia');
  expect((await guest.request.get(`/namespaces/${name}`)).status()).toBe(200);
  expect((await guest.request.get(submission)).status()).toBe(404);
  await guest.goto('/workloads');
  await expect(guest.getByRole('link', { name })).toHaveCount(0);
});

test('a long text comes back as it was typed, whatever is in it', async ({ open }) => {
  const page = await open('ada');
  await page.goto('/admin/features/new');
  const text = '\nfirst line\n</textarea><script>document.title="owned"</script>\n& last';
  await page.getByLabel('What may go wrong').fill(text);
  await page.getByRole('button', { name: 'Save feature' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByLabel('What may go wrong')).toHaveValue(text);
  await expect(page).toHaveTitle(/^Error: /);
});

test('more than is taken at once is refused on a page that says so', async ({ open }) => {
  const page = await open('ada');
  const sent = await page.request.post('/admin/features', { form: { catalogue: 'x'.repeat(300_000) } });
  expect(sent.status()).toBe(413);
  expect(await sent.text()).toContain('That is more than Fairway takes at once, which is 256 kB.');
});

test('Enter in the comment of a decision decides nothing', async ({ open }) => {
  const slug = unique('entered');
  const administrator = await open('ada');
  await published(administrator, slug);
  const id = await accepted(await open('devin'), slug);
  await administrator.goto('/admin/approvals');
  const comment = administrator.getByLabel('Comment');
  await comment.fill('No: too risky');
  await comment.press('Enter');
  await expect(comment).toHaveValue('No: too risky');
  await expect(administrator).toHaveURL(/approvals$/);
  expect(rows(`select 1 from opt_in_steps where acceptance_id = '${id}'`)).toEqual([]);
});

test('Enter in a step of the wizard saves it, and a taken name and an applied draft are said to be', async ({ open }) => {
  const page = await open('dana');
  const name = unique('twice');
  const fill = async () => {
    await begin(page);
    await describe(page, { name });
    await page.getByLabel('Image').press('Enter');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Who may reach it');
    const draft = page.url();
    await page.locator('#rows').getByLabel('Which').press('Enter');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('What it may reach');
    await goOn(page, 'Resources and safety');
    await goOn(page, 'Review');
    return draft;
  };
  const draft = await fill();
  await expect(page.getByText('These exist already')).toHaveCount(0);
  await page.getByRole('button', { name: 'Apply workload' }).click();
  await expect(page.getByText('Applied exactly as reviewed.')).toBeVisible();
  const submission = page.url();
  await page.goto(draft);
  await expect(page).toHaveURL(submission);
  await fill();
  // The very same again changes nothing, and says so.
  await expect(page.getByText('These exist already')).toHaveCount(0);
  await expect(page.getByText('It is there already, and stays as it is.')).toHaveCount(3);
  await page.getByRole('listitem').filter({ hasText: 'What runs' }).getByRole('link').click();
  await page.getByLabel('Copies').fill('3');
  await goOn(page, 'Review');
  await expect(page.getByText('These exist already')).toContainText(`Deployment/shop/${name}`);
  await expect(page.getByRole('region', { name: `Changes of Deployment/shop/${name}` })).toContainText('+  replicas: 3');
});
