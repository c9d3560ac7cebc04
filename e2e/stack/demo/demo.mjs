// Fills the stack with two teams at work: objects through the API server, everything else through the portal's own
// forms, as the people who would send them. What they did in the last months is sent with the clock of the database set
// back, so that the record has a history.

import { publishFeatures } from '../features.mjs';
import { until } from '../processes.mjs';
import { say } from '../say.mjs';
import { signedIn } from '../sign-in.mjs';
import { done } from './forms.mjs';
import * as optIns from './opt-ins.mjs';
import { pay, platform, rollouts, shop, subnamespaces } from './world.mjs';
import * as workloads from './workloads.mjs';

const PEOPLE = ['dana', 'devin', 'lee', 'pia', 'ada', 'gus', 'alex'];

/** What happened how many days ago, the oldest first. Each gets the people, signed in on that day. */
const history = [
  [150, ({ url, authority }) => publishFeatures(url, authority)],
  [140, (stack, { dana }) => done(dana.post('/namespaces/new', { origin: 'shop', name: 'shop-experiments' }))],
  [121, (stack, people) => workloads.firstGiftCards(people)],
  [95, async (stack, people) => { stack.expiring = await optIns.effective(people); }],
  [62, (stack, people) => optIns.refusedAndWithdrawn(people)],
  [41, (stack, people) => optIns.revoked(people)],
  [20, async (stack, people) => { await workloads.reviewedByAnother(people); await noticed(stack); }],
  [9, (stack, people) => workloads.nextGiftCards(people)],
  [2, async (stack, people) => { await workloads.sentBack(people); await expired(stack); await optIns.takenBack(people, stack.expiring); }],
  [0, (stack, people) => Promise.all([workloads.waiting(people), optIns.waiting(people)])],
];

/** Fills a running stack. */
export async function fillDemo(stack) {
  say('filling the demo: workloads');
  await fillCluster(stack.cluster.kube);
  try {
    await writeHistory(stack);
  } finally {
    // Whatever happened, what people do from now on happens today.
    await stack.database.shiftClock(0);
  }
}

async function writeHistory(stack) {
  for (const [days, happen] of history) {
    say(days ? `filling the demo: ${days} days ago` : 'filling the demo: today');
    await stack.database.shiftClock(days);
    const people = Object.fromEntries(await Promise.all(PEOPLE.map(async (person) => [person, await signedIn(stack.url, person, stack.authority)])));
    await happen(stack, people);
    await settled(stack);
    if (days) await Promise.all(Object.values(people).map((person) => person.post('/sign-out', {})));
    else await lookedAt(people);
  }
}

/** An administrator has looked at what somebody may do. */
async function lookedAt({ ada }) {
  const { status } = await ada.post('/admin/view-as', { address: 'dana@example.com', groups: 'team-shop' });
  if (status >= 400) throw new Error(`the portal answered ${status} to a look at what somebody may do`);
}

/** Nothing ends without a notice on a day before. */
function noticed({ database, expiring }) {
  return until('the notice of what expires', () => database.psql(`select count(*) > 0 from notices where acceptance_id = '${expiring}'`).trim() === 't', 30);
}

function expired({ database, expiring }) {
  return until('the end of what expired', () => database.psql(`select 1 from opt_in_steps where acceptance_id = '${expiring}' and step = 'ending'`).trim() === '1', 30);
}

/** What was decided becomes effective on the day it was decided. */
function settled({ database }) {
  const due = `select count(*) from opt_ins join acceptances on id = acceptance_id
    where status in ('approved', 'ending') and feature_slug <> '${optIns.MANUAL}'`;
  return until('the effect of what was decided', () => database.psql(due).trim() === '0', 30);
}

async function fillCluster(kube) {
  for (const object of [...platform, ...subnamespaces]) await kube.apply(object, 'operators');
  await until('the namespaces of the teams', () => Promise.all(subnamespaces.map(async ({ metadata: { name } }) => {
    const found = await kube.get(`/api/v1/namespaces/${name}`);
    if (!found.metadata.labels['pod-security.kubernetes.io/enforce']) throw new Error(`${name} has no labels yet`);
  })));
  for (const object of shop) await kube.apply(object, 'team-shop');
  for (const object of pay) await kube.apply(object, 'team-pay');
  for (const rollout of rollouts) {
    const { name } = rollout.metadata;
    await until(`the pods of ${name}`, async () => (await kube.get(`/apis/apps/v1/namespaces/shop/deployments/${name}`)).status?.readyReplicas === rollout.spec.replicas);
    await kube.apply(rollout, 'team-shop');
  }
}
