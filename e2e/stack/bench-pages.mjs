// How many requests a second the pages of a busy namespace serve, as parts of what a bare axum handler with the same
// session query serves in the same run. On a stack that runs already.

import { spawnSync } from 'node:child_process';
import { accept } from './demo/opt-ins.mjs';
import { done, hidden } from './demo/forms.mjs';
import { draft } from './demo/workloads.mjs';
import { freePort, until } from './processes.mjs';
import { Refusal, say } from './say.mjs';
import { signedIn } from './sign-in.mjs';

const [DRAFTS, WORKLOADS, ACCEPTANCES] = [200, 500, 200];
const SECONDS = 3;
/** The cluster has its own work beside, more at one moment than at another: what counts is the middle one. */
const ROUNDS = 5;

/** Every page that people come back to. What they come to first must be the fastest. */
const pages = [
  ['/access', 0.6], ['/namespaces', 0.6], ['/namespaces/shop', 0.4], ['/workloads', 0.4], ['/workloads/new', 0.4],
  ['/preview-features', 0.4], ['/preview-features/bench-1', 0.4], ['/faq', 0.4],
];

/** For each page its path, its part of the bare handler's throughput in the same round, and its target. */
export async function measurePages(stack, bareHandler) {
  requireWrk();
  say('filling a namespace with drafts, workloads and acceptances; usually 3 minutes');
  const people = Object.fromEntries(await Promise.all(['dana', 'ada'].map(async (name) => [name, await signedIn(stack.url, name, stack.authority)])));
  await fill(stack, people);
  const bare = await startBare(stack, bareHandler);
  const cookie = people.dana.cookie();
  const rate = (address) => requestsPerSecond(address, cookie);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const limit = rate(bare.url);
    return { limit, parts: pages.map(([path]) => rate(new URL(path, stack.url)) / limit) };
  });
  await stack.processes.stop(bare.entry);
  const measured = pages.map(([path, target], page) => ({ path, target, part: middle(rounds.map(({ parts }) => parts[page])) }));
  return { limit: middle(rounds.map(({ limit }) => limit)), pages: measured };
}

const middle = (figures) => figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)];

async function fill({ cluster: { kube } }, { dana, ada }) {
  for (let number = 0; number < WORKLOADS; number += 1) await kube.apply(workload(`bench-${number}`));
  for (let number = 0; number < DRAFTS; number += 1) await draft(dana, 'shop', { name: `bench-${number}`, image: 'harbor.example.com/shop/web:1' });
  for (let number = 0; number < ACCEPTANCES; number += 1) {
    await publish(ada, `bench-${number}`);
    await accept(dana, `bench-${number}`, { why: 'Measuring.' });
  }
}

const workload = (name) => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop' },
  spec: { replicas: 0, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'harbor.example.com/a:1', resources: { requests: { cpu: '1m', memory: '4Mi' } } }] } } },
});

async function publish(administrator, slug) {
  const seen = hidden((await administrator.get('/admin/features/new')).body, 'seen');
  await done(administrator.post('/admin/features/new', {
    slug, name: slug, purpose: 'Measuring', owner: 'platform', documentation_url: '', stage: 'preview', body: 'Risky.', points: 'We know.', scopes: 'namespace',
    validity_months: '12', approvals: '1', effect: 'manual', labels: '', annotations: '', cluster_role: '', changes: '', renewal_days: '', retire: '', seen,
  }));
}

async function startBare({ processes, database }, program) {
  const listen = `127.0.0.1:${await freePort()}`;
  const entry = processes.start('bare-handler', program, [], { env: { DATABASE_URL: database.portal, FAIRWAY_LISTEN: listen } });
  const url = new URL(`http://${listen}/`);
  await until('the bare handler', async () => (await fetch(url)).status === 403, 30);
  return { entry, url };
}

function requireWrk() {
  if (spawnSync('wrk', ['--version']).error) throw new Refusal('wrk is missing, which sends the requests: install it (apt-get install wrk).');
}

/** Of sixteen connections that ask as fast as they get answers. Every answer must be a page. */
function requestsPerSecond(address, cookie) {
  const { stdout } = spawnSync('wrk', ['-t1', '-c16', `-d${SECONDS}s`, '-H', `Cookie: ${cookie}`, String(address)], { encoding: 'utf8' });
  const rate = Number(/^Requests\/sec:\s+([\d.]+)/m.exec(stdout)?.[1]);
  if (!rate || stdout.includes('Non-2xx')) throw new Error(`${address} did not answer with pages:\n${stdout}`);
  return rate;
}
