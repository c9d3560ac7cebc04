// kubectl as people use it: signing in with the plugin, the commands of the FAQ, and the ones to take away.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KUBECTL_CLIENT } from '../stack/dex.mjs';
import { until } from '../stack/processes.mjs';
import { expect, stack, test as base, unique } from './portal.mjs';
import { kube } from './db.mjs';
import { drafted, submitted } from './wizard.mjs';

const root = join(import.meta.dirname, '../..');

const test = base.extend({
  /** A folder with kubectl and, where a test wants it, the plugin on its PATH. */
  place: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-kubectl-'));
    symlinkSync(stack.kubectl, join(folder, 'kubectl'));
    await use(folder);
    rmSync(folder, { recursive: true });
  },
});

/** The real plugin where KUBELOGIN names it, or else the tests' own. */
function installPlugin(place) {
  const plugin = join(place, 'kubectl-oidc_login');
  if (process.env.KUBELOGIN) symlinkSync(process.env.KUBELOGIN, plugin);
  else writeFileSync(plugin, `#!/bin/sh\nexec ${process.execPath} ${join(root, 'e2e/stack/kubectl/oidc-login.mjs')} "$@"\n`);
  if (!process.env.KUBELOGIN) chmodSync(plugin, 0o755);
}

const environment = (place, config) => ({ PATH: `${place}:/usr/bin:/bin`, HOME: place, KUBECONFIG: config });
const cluster = () => JSON.parse(readFileSync(stack.kubeconfig, 'utf8')).clusters[0].cluster;

/** A kubeconfig as the platform hands it out; pinned, the plugin may only come back to port 8000. */
function personal(place, { pinned = true } = {}) {
  const args = [
    'oidc-login', 'get-token', `--oidc-issuer-url=${stack.issuer}`, `--oidc-client-id=${KUBECTL_CLIENT.id}`, `--oidc-client-secret=${KUBECTL_CLIENT.secret}`,
    '--oidc-extra-scope=email', '--oidc-extra-scope=groups', `--certificate-authority=${stack.authority}`, '--skip-open-browser', `--token-cache-dir=${join(place, 'tokens')}`,
    ...(pinned ? ['--listen-address=127.0.0.1:8000'] : []),
  ];
  const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command: 'kubectl', args, interactiveMode: 'Never' } };
  return config(place, user);
}

/** Acts as somebody without signing in. */
const acting = (place, person, groups) => config(place, { token: JSON.parse(readFileSync(stack.kubeconfig, 'utf8')).users[0].user.token, as: person, 'as-groups': groups });

function config(place, user) {
  const file = join(place, `${unique('config')}.json`);
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'c', clusters: [{ name: 'c', cluster: cluster() }], users: [{ name: 'u', user }], contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'shop' } }] }), { mode: 0o600 });
  return file;
}

/** Starts kubectl; gives what it prints so far, and a promise of its end. */
function start(place, config, ...args) {
  // A group of its own, so that the plugin ends with it.
  const child = spawn('kubectl', args, { env: environment(place, config), cwd: place, detached: true });
  const said = { out: '', error: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.error += chunk));
  return { said, ended: new Promise((resolve) => child.once('exit', resolve)), stop: () => process.kill(-child.pid) };
}

const address = (said) => until('the address to visit', () => /http:\/\/localhost:\d+\/?/.exec(said.error)?.[0], 20);

/** Holds port 8000 as another program of the person would. */
async function holding(use) {
  const server = createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(8000, '127.0.0.1', resolve));
  try {
    await use();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

// They share port 8000.
test.describe.configure({ mode: 'serial' });

test('somebody signs in with the plugin in a browser, and the API server knows them with their groups', async ({ open, place }) => {
  installPlugin(place);
  const { said, ended } = start(place, personal(place), 'auth', 'whoami', '-o', 'json');
  const page = await open(null);
  await page.goto(await address(said));
  await page.locator('button[value="lee"]').click();
  expect(await ended, said.error).toBe(0);
  const { username, groups } = JSON.parse(said.out).status.userInfo;
  expect(username).toBe('lee@example.com');
  expect(groups).toEqual(['team-shop', 'team-shop-leads', 'system:authenticated']);
});

test('with port 8000 taken and not pinned, the provider refuses the address that the plugin falls back to', async ({ open, place }) => {
  installPlugin(place);
  await holding(async () => {
    const { said, stop } = start(place, personal(place, { pinned: false }), 'auth', 'whoami');
    const page = await open(null);
    await page.goto(await address(said));
    await expect(page.locator('body')).toContainText('Unregistered redirect_uri ("http://localhost:18000")');
    stop();
    await page.goto(`${stack.url}/faq?message=${encodeURIComponent(await page.locator('body').innerText())}`);
    await expect(page.locator('main')).toContainText('Unregistered redirect_uri');
  });
});

test('with port 8000 taken and pinned, the plugin says that it cannot listen', async ({ place }) => {
  installPlugin(place);
  await holding(async () => {
    const { said, ended } = start(place, personal(place), 'auth', 'whoami');
    expect(await ended).not.toBe(0);
    expect(said.error).toMatch(/could not listen: listen tcp 127\.0\.0\.1:8000: bind: address already in use/);
  });
});

test('without the plugin kubectl says what the FAQ explains', async ({ place }) => {
  const { said, ended } = start(place, personal(place), 'auth', 'whoami');
  expect(await ended).not.toBe(0);
  expect(said.error).toContain('unknown command "oidc-login" for "kubectl"');
});

/** What each kubectl command of the FAQ does when a developer of the team shop runs it. */
const faq = {
  'kubectl run': { args: ['run', 'bare', '--image=harbor.example.com/shop/web:1'], refuses: /has no resource requests/ },
  'kubectl run NAME': { args: ['run', 'named', '--image=harbor.example.com/shop/web:1', '--dry-run=client', '-o', 'yaml'], says: /run: named/ },
  'kubectl apply': { args: ({ file }) => ['apply', '-f', file, '--dry-run=server'], says: /networkpolicy.networking.k8s.io\/closed created \(server dry run\)/ },
  'kubectl create secret generic db --from-env-file=db.env': { args: ({ variables }) => ['create', 'secret', 'generic', unique('db'), `--from-env-file=${variables}`, '--dry-run=server'], says: /^secret\/.+ created \(server dry run\)/m },
  'kubectl describe limitrange': { args: ['describe', 'limitrange'], says: /^Name:/m },
  'kubectl describe quota': { args: ['describe', 'quota'], says: /^Name:/m },
  'kubectl logs --previous POD': { args: ({ pod }) => ['logs', '--previous', pod], says: /read-only file system/ },
  'kubectl delete namespace': { args: ({ namespace }) => ['delete', 'namespace', namespace, '--wait=false'], refuses: /cannot delete resource "namespaces"/ },
  'kubectl get configmap fairway-record -n fairway -o json | fairway audit verify --heads -': { asAdministrator: true, args: ['get', 'configmap', 'fairway-record', '-n', 'fairway', '-o', 'json'], says: /"kind": "ConfigMap"/ },
};

/** The commands of the articles: code in the text, and lines of blocks. Versions of the program itself are none. */
function commandsOfFaq() {
  const articles = join(root, 'app/src/faq/articles');
  const texts = readdirSync(articles).map((file) => readFileSync(join(articles, file), 'utf8'));
  const inText = texts.flatMap((text) => [...text.matchAll(/`(kubectl [^`\n]+)`/g)].map(([, command]) => command));
  const inBlocks = texts.flatMap((text) => [...text.matchAll(/^(kubectl .+)$/gm)].map(([, command]) => command));
  return [...new Set([...inText, ...inBlocks])].sort();
}

test('every kubectl command of the FAQ does what its article says', async ({ open, place }) => {
  expect(commandsOfFaq()).toEqual(Object.keys(faq).sort());
  const page = await open('dana');
  const name = unique('logged');
  await submitted(page, { name });
  const labels = encodeURIComponent(`app.kubernetes.io/name=${name}`);
  const pod = await until('a pod', async () => (await kube.get(`/api/v1/namespaces/shop/pods?labelSelector=${labels}`)).items.find(({ status }) => status.phase === 'Running')?.metadata.name);
  await kube.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: unique('quota'), namespace: 'shop' }, spec: { hard: { 'count/secrets': '100' } } });
  await kube.apply({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: unique('volumes'), namespace: 'shop' }, spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '1Ti' } }] } });
  const dana = acting(place, 'dana@example.com', ['team-shop']);
  const file = join(place, 'policy.json');
  writeFileSync(file, JSON.stringify({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'closed' }, spec: { podSelector: {} } }));
  const variables = join(place, 'db.env');
  writeFileSync(variables, 'password=hunter2\n');
  for (const [command, { args, says, refuses, asAdministrator }] of Object.entries(faq)) {
    const words = typeof args === 'function' ? args({ pod, file, variables, namespace: 'shop' }) : args;
    const { stdout, stderr } = spawnSync('kubectl', words, { env: environment(place, asAdministrator ? stack.kubeconfig : dana), encoding: 'utf8' });
    expect(says ? stdout + stderr : stderr, command).toMatch(says ?? refuses);
  }
});

test('the commands to take away make what was reviewed', async ({ open, place }) => {
  const page = await open('dana');
  const dana = acting(place, 'dana@example.com', ['team-shop']);
  for (const kind of ['deployment', 'pod']) {
    const name = unique('taken');
    const draft = await drafted(page, { kind, name });
    writeFileSync(join(place, `${name}.yaml`), await (await page.request.get(`${draft}/manifest.yaml`)).text());
    await page.goto(`${draft}/review`);
    await page.getByText('Do the same with kubectl').click();
    const commands = await page.getByRole('region', { name: 'Commands' }).innerText();
    // The second way makes the pod that the first has made already.
    const [byFile, byRun] = commands.split('# Or without the file');
    execFileSync('sh', ['-e', '-c', byFile], { env: environment(place, dana), cwd: place });
    expect((await kube.get(`/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/${name}`)).metadata.managedFields.map(({ manager }) => manager)).toContain('fairway');
    if (kind === 'deployment') continue;
    const made = await kube.get(`/api/v1/namespaces/shop/pods/${name}`);
    await kube.request('DELETE', `/api/v1/namespaces/shop/pods/${name}?gracePeriodSeconds=0`);
    await until('the pod to go', async () => !(await kube.find(`/api/v1/namespaces/shop/pods/${name}`)));
    execFileSync('sh', ['-e', '-c', `# Or without the file${byRun}`], { env: environment(place, dana), cwd: place });
    const again = await kube.get(`/api/v1/namespaces/shop/pods/${name}`);
    expect(again.spec.containers[0].image).toBe(made.spec.containers[0].image);
    expect(again.spec.securityContext).toEqual(made.spec.securityContext);
  }
});
