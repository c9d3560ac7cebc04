// The whole local stack: starts its parts, replaces those the environment names, stops them all.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from './certificates.mjs';
import { startControlPlane } from './control-plane.mjs';
import { issuerOf, KUBECTL_CLIENT, startDex } from './dex.mjs';
import { publishFeatures } from './features.mjs';
import { startGatekeeper } from './gatekeeper/gatekeeper.mjs';
import { startHnc } from './hnc/hnc.mjs';
import { startNodes } from './nodes/nodes.mjs';
import { chosenParts } from './parts.mjs';
import { labelTeams, setUpPlatform } from './platform.mjs';
import { startPostgres } from './postgres.mjs';
import { freePort, Processes, requirePort, until } from './processes.mjs';
import { Refusal, say } from './say.mjs';

const root = join(import.meta.dirname, '../..');
const here = (name) => join(import.meta.dirname, name);

/** The portal, as the providers know it. */
const PORTAL_CLIENT = { id: 'fairway', secret: 'demo-secret-of-the-local-stack' };
const DEX_CLIENT = { id: 'dex', secret: 'dex-secret-of-the-local-stack' };

/**
 * Starts the parts and the portal on `port`. `onLost` is called with a sentence if a part ends by itself. `settings`
 * are more environment for the portal.
 */
export async function startStack({ binary, site, port = 3000, parts = chosenParts(), settings = {}, onLost }) {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-'));
  chmodSync(folder, 0o711);
  const processes = new Processes(folder);
  const stop = async () => {
    await processes.stopAll();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await requirePort(port, 'the portal');
    const started = await startParts({ processes, folder, binary, site, port, parts, settings, onLost });
    return { ...started, folder, processes, parts, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts({ processes, folder, binary, site, port, parts, settings, onLost }) {
  const url = `http://localhost:${port}`;
  const authority = new Authority(join(folder, 'certificates'));
  const dex = await planDex(parts, authority);
  // What fails first is told; the others are then ended with everything else.
  const [database, provider, mailbox, cluster] = await Promise.all([
    startDatabase(processes, folder, parts, onLost),
    startProvider(processes, folder, { portal: url, dex, authority }, onLost),
    startMailbox(processes, parts, onLost),
    startCluster(processes, folder, { parts, authority, trusted: trustedBy(parts, dex, authority) }, onLost),
  ]);
  execFileSync(binary, ['migrate'], { env: { ...process.env, FAIRWAY_MIGRATE_DATABASE_URL: database.owner }, stdio: ['ignore', 'ignore', 'inherit'] });
  const env = {
    DATABASE_URL: database.portal, ...provider.env, ...mailbox.env, KUBECONFIG: cluster.config,
    // The demo people are shared by all tests that run at once, and everybody has one address.
    FAIRWAY_SIGN_INS_PER_MINUTE: '6000', FAIRWAY_WRITES_PER_MINUTE: '6000', FAIRWAY_LIVE_REVIEWS_PER_MINUTE: '60000',
    FAIRWAY_LISTEN: `127.0.0.1:${port}`, FAIRWAY_PUBLIC_URL: url, FAIRWAY_SITE_ROOT: site, FAIRWAY_CONFIG: process.env.FAIRWAY_CONFIG ?? settingsFile(folder, parts),
    ...settings,
  };
  const startPortal = async (more = {}) => {
    const portal = processes.start('portal', binary, ['serve'], { env: { ...env, ...more }, onLost, cwd: root });
    await until('the portal', async () => (await fetch(`${url}/healthz`)).ok, 30);
    await until('the cluster behind the portal', async () => (await (await fetch(`${url}/readyz`)).json()).cluster === 'ready', 30);
    return portal;
  };
  say('starting the portal');
  const portal = await startPortal();
  // Where the parts are somebody's own, the catalogue is theirs too, and nobody here can sign in. The demo publishes it in
  // its own time.
  const isOurs = database.psql && provider.issuer;
  const takesDemo = Boolean(parts.demo && isOurs && cluster.kube);
  if (isOurs && !takesDemo) await publishFeatures(url, authority.certificate);
  return { url, database, provider, mailbox, cluster, env, portal, startPortal, takesDemo, authority: authority.certificate };
}

/** The settings file of the stack, changed where a part says so. */
function settingsFile(folder, { identity }) {
  const file = join(folder, 'fairway.toml');
  writeFileSync(file, `identity = "${identity}"\n${readFileSync(here('fairway.toml'), 'utf8')}`);
  return file;
}

async function startDatabase(processes, folder, parts, onLost) {
  if (process.env.DATABASE_URL) {
    return { owner: process.env.FAIRWAY_MIGRATE_DATABASE_URL ?? process.env.DATABASE_URL, portal: process.env.DATABASE_URL };
  }
  say('starting Postgres');
  return startPostgres(processes, folder, { shiftable: parts.demo, onLost });
}

/** Where Dex will be: the API server and the demo provider are told before it runs. */
async function planDex(parts, authority) {
  if (!parts.dex || process.env.OIDC_ISSUER_URL) return undefined;
  const tls = parts.tokens ? authority.issue('dex') : undefined;
  const port = await freePort();
  return { port, tls, issuer: issuerOf(port, tls) };
}

/** The provider whose ID tokens the API server accepts. It takes https issuers only. */
function trustedBy(parts, dex, authority) {
  return parts.tokens && dex ? { issuer: dex.issuer, audiences: [KUBECTL_CLIENT.id, PORTAL_CLIENT.id], ca: authority.certificate } : undefined;
}

/**
 * The identity provider: Dex where it is wanted, which asks the demo provider for the people. `issuer` is what the
 * portal talks to, `demo` where people are chosen and changed.
 */
async function startProvider(processes, folder, { portal, dex, authority }, onLost) {
  if (process.env.OIDC_ISSUER_URL) return { env: {} };
  say('starting the identity provider');
  const port = await freePort();
  const own = { ...PORTAL_CLIENT, redirect: `${portal}/sign-in/callback`, signedOut: `${portal}/` };
  const clients = [own, ...(dex ? [{ ...DEX_CLIENT, redirect: `${dex.issuer}/callback` }] : [])];
  const entry = processes.start('provider', 'node', [here('provider.mjs'), String(port), JSON.stringify(clients)], { onLost });
  await until('the identity provider', () => existsSync(entry.log) && readFileSync(entry.log, 'utf8').includes('provider ready'), 30);
  const demo = `http://localhost:${port}`;
  const env = { OIDC_CLIENT_ID: PORTAL_CLIENT.id, OIDC_CLIENT_SECRET: PORTAL_CLIENT.secret };
  if (!dex) return { issuer: demo, demo, entry, env: { ...env, OIDC_ISSUER_URL: demo } };
  const upstream = { issuer: demo, client: DEX_CLIENT };
  const started = await startDex(processes, folder, { ...dex, portal, upstream, client: PORTAL_CLIENT, authority }, onLost);
  return { issuer: started.issuer, demo, entry: started.entry, env: { ...env, OIDC_ISSUER_URL: started.issuer, ...(dex.tls && { OIDC_CA_FILE: authority.certificate }) } };
}

async function startMailbox(processes, parts, onLost) {
  if (process.env.FAIRWAY_SMTP_URL || !parts.mailbox) return { env: {} };
  say('starting the mail server');
  const [smtp, web] = [await freePort(), await freePort()];
  const entry = processes.start('mailbox', 'node', [here('mailbox.mjs'), String(smtp), String(web)], { onLost });
  const url = `http://localhost:${web}`;
  await until('the mail server', async () => (await fetch(url)).ok, 30);
  return { url, smtp: `smtp://localhost:${smtp}`, entry, env: { FAIRWAY_SMTP_URL: `smtp://localhost:${smtp}`, FAIRWAY_MAIL_FROM: 'Fairway <fairway@example.com>' } };
}

async function startCluster(processes, folder, { parts, authority, trusted }, onLost) {
  if (process.env.KUBECONFIG) {
    if (!existsSync(process.env.KUBECONFIG)) throw new Refusal(`KUBECONFIG names ${process.env.KUBECONFIG}, which does not exist.`);
    return { config: process.env.KUBECONFIG };
  }
  say('starting the Kubernetes control plane');
  const plane = await startControlPlane(processes, folder, { trusted, scheduler: parts.nodes, onLost });
  const config = await setUpPlatform(folder, plane, parts);
  const wanted = ['hnc', 'gatekeeper', 'nodes'].filter((part) => parts[part]);
  if (wanted.length) say(`starting ${wanted.map((part) => names[part]).join(', ')}`);
  // HNC first: it labels the namespaces that Gatekeeper's mutations look at.
  const hnc = parts.hnc && (await startHnc(processes, folder, plane, authority, { managedLabels: ['pod-security\\.kubernetes\\.io/.*'], onLost }));
  await labelTeams(plane.kube, parts);
  const [gatekeeper] = await Promise.all([
    parts.gatekeeper && startGatekeeper(processes, folder, plane, authority, onLost),
    parts.nodes && startNodes(processes, folder, plane, authority, onLost),
  ]);
  return { ...plane, config, hnc, gatekeeper };
}

const names = { hnc: 'HNC', gatekeeper: 'Gatekeeper', nodes: 'the nodes' };
