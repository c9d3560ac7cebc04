// A portal to measure: on a stack of its own, with the release build. And what a live review takes, and a step of the wizard transfers.

import { chromium } from '@playwright/test';
import { statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { buildBareHandler, buildPortal, buildSite, site } from './build.mjs';
import { endOnSignals, freePort } from './processes.mjs';
import { say } from './say.mjs';
import { startStack } from './stack.mjs';
import { chromium as chromiumProgram } from './tools/programs.mjs';

const POLICIES = 50;
const REVIEWS = 200;

/** Calls back with the stack, its binary, the bare handler's, and a function that gives a page where somebody is signed in. */
export async function withPortal(measure) {
  say('building the portal for measuring; usually 30 minutes on 2 cores');
  endOnSignals();
  const binary = await buildPortal({ release: true });
  const bareHandler = await buildBareHandler();
  await buildSite();
  const stack = await startStack({ binary, site, port: await freePort(), onLost: (sentence) => say(sentence) });
  const browser = await chromium.launch({ executablePath: chromiumProgram(), args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  const signedIn = async (name) => {
    const page = await (await browser.newContext({ baseURL: stack.url })).newPage();
    await page.goto('/access');
    await page.locator(`button[value="${name}"]`).click();
    await page.waitForURL('**/access');
    return page;
  };
  try {
    await measure({ stack, binary, bareHandler, signedIn });
  } finally {
    await browser.close();
    await stack.stop();
  }
}

/** Megabytes of the binary, milliseconds of the live review (median and the slowest twentieth), kilobytes of a step (first and again). */
export async function measureLiveReview({ stack, binary, signedIn }) {
  await fillNamespace(stack.cluster.kube);
  const page = await signedIn('dana');
  await page.goto('/workloads/new?namespace=shop');
  const transferred = await watchTransfer(page);
  await page.getByRole('button', { name: 'Start wizard' }).click();
  await page.waitForLoadState('networkidle');
  const first = transferred();
  await page.reload({ waitUntil: 'networkidle' });
  const again = transferred();
  const times = await liveReviews(page);
  return { size: statSync(binary).size / 1e6, first, again, median: times[Math.floor(times.length / 2)], slow: times[Math.floor(times.length * 0.95)] };
}

/** A namespace with as many workloads as policies, each policy for one of them. */
async function fillNamespace(kube) {
  for (let number = 0; number < POLICIES; number += 1) {
    const [name, labels] = [`app-${number}`, { app: `app-${number}` }];
    await kube.apply({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'shop' }, spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress', 'Egress'], ingress: [{ from: [{ podSelector: { matchLabels: { app: `app-${number + 1}` } } }], ports: [{ port: 8080 }] }], egress: [{ to: [{ ipBlock: { cidr: `10.${number}.0.0/16` } }] }] } });
    const container = { name: 'main', image: 'harbor.example.com/a:1', ports: [{ containerPort: 8080 }], resources: { requests: { cpu: '1m', memory: '4Mi' } } };
    await kube.apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop' }, spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [container] } } } });
  }
}

/** Gives a function that says how many kilobytes came over the wire since it was last asked. */
async function watchTransfer(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
  return () => {
    const kilobytes = bytes / 1000;
    bytes = 0;
    return kilobytes;
  };
}

/**
 * Asks for reviews as the island does, over one connection that stays open as a browser's does; milliseconds each until
 * the answer is there, sorted. The answers must be reviews.
 */
async function liveReviews(page) {
  const form = new URLSearchParams({ namespace: 'shop', name: 'web', kind: 'deployment', replicas: '2', image: 'harbor.example.com/shop/web:1', command: '', ports: '8080', service: 'yes' }).toString();
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const address = new URL(page.url().replace(/[^/]*$/, 'workload/live-review'));
  const times = [];
  for (let number = 0; number < REVIEWS; number += 1) {
    const began = performance.now();
    const { status, text } = await post(address, form, { agent, cookie });
    times.push(performance.now() - began);
    if (!text.includes('Ready: the rules find nothing to fix.')) throw new Error(`no review: ${status} ${text.slice(0, 200)}`);
  }
  agent.destroy();
  return times.sort((one, other) => one - other);
}

function post(address, body, { agent, cookie }) {
  return new Promise((resolve, reject) => {
    const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
    const sent = request(address, { agent, method: 'POST', headers }, async (response) => {
      const chunks = await response.toArray();
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
