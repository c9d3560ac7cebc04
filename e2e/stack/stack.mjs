// The whole local stack: starts its parts in order, replaces those the environment names, stops them all.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startControlPlane } from './control-plane.mjs';
import { publishFeatures } from './features.mjs';
import { setUpPlatform } from './platform.mjs';
import { startPostgres } from './postgres.mjs';
import { freePort, Processes, requirePort, until } from './processes.mjs';
import { Refusal, say } from './say.mjs';

const root = join(import.meta.dirname, '../..');
const here = (name) => join(import.meta.dirname, name);

/**
 * Starts everything and the portal on `port`. `onLost` is called with a sentence if a part ends by
 * itself. `settings` are more environment for the portal.
 */
export async function startStack({ binary, site, port = 3000, hierarchy = true, settings = {}, onLost }) {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-'));
  chmodSync(folder, 0o711);
  const processes = new Processes(folder);
  const stop = async () => {
    await processes.stopAll();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await requirePort(port, 'the portal');
    const started = await startParts({ processes, folder, binary, site, port, hierarchy, settings, onLost });
    return { ...started, folder, processes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts({ processes, folder, binary, site, port, hierarchy, settings, onLost }) {
  const url = `http://localhost:${port}`;
  const database = await startDatabase(processes, folder, onLost);
  const provider = await startProvider(processes, url, onLost);
  const mailbox = await startMailbox(processes, onLost);
  const cluster = await startCluster(processes, folder, hierarchy, onLost);
  execFileSync(binary, ['migrate'], { env: { ...process.env, FAIRWAY_MIGRATE_DATABASE_URL: database.owner }, stdio: ['ignore', 'ignore', 'inherit'] });
  const env = {
    DATABASE_URL: database.portal, ...provider.env, ...mailbox.env, KUBECONFIG: cluster.config,
    FAIRWAY_LISTEN: `127.0.0.1:${port}`, FAIRWAY_PUBLIC_URL: url, FAIRWAY_SITE_ROOT: site, FAIRWAY_CONFIG: process.env.FAIRWAY_CONFIG ?? here('fairway.toml'),
    ...settings,
  };
  const startPortal = async (more = {}) => {
    const portal = processes.start('portal', binary, ['serve'], { env: { ...env, ...more }, onLost, cwd: root });
    await until('the portal', async () => (await fetch(`${url}/healthz`)).ok, 30);
    await until('the cluster behind the portal', async () => (await (await fetch(`${url}/readyz`)).json()).cluster === 'ready', 30);
    return portal;
  };
  const portal = await startPortal();
  // Where the parts are somebody's own, the catalogue is theirs too, and nobody here can sign in.
  if (database.psql && provider.issuer) await publishFeatures(url);
  return { url, database, provider, mailbox, cluster, env, portal, startPortal };
}

async function startDatabase(processes, folder, onLost) {
  if (process.env.DATABASE_URL) {
    return { owner: process.env.FAIRWAY_MIGRATE_DATABASE_URL ?? process.env.DATABASE_URL, portal: process.env.DATABASE_URL };
  }
  say('starting Postgres');
  return startPostgres(processes, folder, onLost);
}

async function startProvider(processes, portal, onLost) {
  if (process.env.OIDC_ISSUER_URL) return { env: {} };
  say('starting the identity provider');
  const port = await freePort();
  const entry = processes.start('provider', 'node', [here('provider.mjs'), String(port), portal], { onLost });
  await until('the identity provider', () => existsSync(entry.log) && readFileSync(entry.log, 'utf8').includes('provider ready'), 30);
  const issuer = `http://localhost:${port}`;
  return { issuer, entry, env: { OIDC_ISSUER_URL: issuer, OIDC_CLIENT_ID: 'fairway', OIDC_CLIENT_SECRET: 'demo-secret-of-the-local-stack' } };
}

async function startMailbox(processes, onLost) {
  if (process.env.FAIRWAY_SMTP_URL) return { env: {} };
  say('starting the mail server');
  const [smtp, web] = [await freePort(), await freePort()];
  const entry = processes.start('mailbox', 'node', [here('mailbox.mjs'), String(smtp), String(web)], { onLost });
  const url = `http://localhost:${web}`;
  await until('the mail server', async () => (await fetch(url)).ok, 30);
  return { url, smtp: `smtp://localhost:${smtp}`, entry, env: { FAIRWAY_SMTP_URL: `smtp://localhost:${smtp}`, FAIRWAY_MAIL_FROM: 'Fairway <fairway@example.com>' } };
}

async function startCluster(processes, folder, hierarchy, onLost) {
  if (process.env.KUBECONFIG) {
    if (!existsSync(process.env.KUBECONFIG)) throw new Refusal(`KUBECONFIG names ${process.env.KUBECONFIG}, which does not exist.`);
    return { config: process.env.KUBECONFIG };
  }
  say('starting the Kubernetes control plane');
  const plane = await startControlPlane(processes, folder, onLost);
  return { ...plane, config: await setUpPlatform(processes, folder, plane, { hierarchy, onLost }) };
}
