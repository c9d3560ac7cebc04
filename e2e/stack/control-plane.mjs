// A real control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler.

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kube } from './kube.mjs';
import { freePort, until } from './processes.mjs';
import { controlPlane } from './tools/programs.mjs';

/**
 * Starts the control plane; gives a client with all rights, and what a kubeconfig needs. `trusted` is an OpenID
 * provider whose ID tokens the API server accepts: `issuer` (https), `audiences`, and `ca`, a file. Without nodes
 * there is nothing to schedule.
 */
export async function startControlPlane(processes, folder, { trusted, scheduler = true, onLost } = {}) {
  const programs = await controlPlane(scheduler ? ['kube-scheduler', 'kubectl'] : []);
  const place = join(folder, 'kubernetes');
  mkdirSync(place);
  const etcd = await startEtcd(processes, programs, place, onLost);

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
  const key = join(place, 'service-account.key');
  writeFileSync(key, privateKey, { mode: 0o600 });
  const token = randomBytes(16).toString('hex');
  const secure = await freePort();
  const server = `https://127.0.0.1:${secure}`;
  const auditLog = join(folder, 'kubernetes-audit.log');
  const entry = processes.start('kube-apiserver', programs['kube-apiserver'], [
    '--etcd-servers', etcd, '--secure-port', String(secure), '--bind-address', '127.0.0.1', '--cert-dir', join(place, 'certificates'),
    '--token-auth-file', written(place, 'tokens.csv', `${token},stack,stack,"system:masters"\n`), '--authorization-mode', 'RBAC',
    '--service-cluster-ip-range', '10.0.0.0/24', '--service-account-key-file', key, '--service-account-signing-key-file', key,
    '--service-account-issuer', 'https://kubernetes.default.svc', '--audit-policy-file', written(place, 'audit-policy.yaml', auditPolicy), '--audit-log-path', auditLog,
    ...(trusted ? ['--authentication-config', written(place, 'authentication.yaml', JSON.stringify(authentication(trusted)))] : []),
    '--disable-admission-plugins', 'ServiceAccount', '--allow-privileged=true',
  ], { onLost });
  const certificate = join(place, 'certificates/apiserver.crt');
  const kube = await until('the API server', async () => {
    const kube = new Kube({ server, ca: readFileSync(certificate), token });
    return (await kube.get('/readyz')) === 'ok' && kube;
  });

  const ca = readFileSync(certificate);
  const adminConfig = written(place, 'admin.kubeconfig', kubeconfig({ server, ca, token }));
  processes.start('kube-controller-manager', programs['kube-controller-manager'], [
    '--kubeconfig', adminConfig, '--service-account-private-key-file', key, '--use-service-account-credentials=false', '--leader-elect=false',
    '--controllers', controllers(programs['kube-controller-manager']), '--bind-address', '127.0.0.1', '--secure-port', String(await freePort()),
  ], { onLost });
  if (scheduler) processes.start('kube-scheduler', programs['kube-scheduler'], ['--kubeconfig', adminConfig, '--leader-elect=false', '--bind-address', '127.0.0.1', '--secure-port', String(await freePort())], { onLost });
  // The built-in ClusterRoles are written after the server is ready.
  await until('the built-in roles', () => kube.get('/apis/rbac.authorization.k8s.io/v1/clusterroles/admin').then((role) => role.rules?.length > 0));
  return { kube, server, ca, adminConfig, auditLog, entry, kubectl: programs.kubectl };
}

async function startEtcd(processes, programs, place, onLost) {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  processes.start('etcd', programs.etcd, [
    '--data-dir', join(place, 'etcd'), '--listen-client-urls', client, '--advertise-client-urls', client,
    '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`,
    '--unsafe-no-fsync', '--log-level', 'error',
  ], { onLost });
  return client;
}

function written(place, name, text) {
  const file = join(place, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const auditPolicy = 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n  verbs: [create, patch, update, delete]\n- level: None\n';

/** Who a person is to the cluster, as the portal's impersonation says it: the e-mail address, and groups as they are. */
function authentication({ issuer, audiences, ca }) {
  return {
    apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration',
    jwt: [{
      issuer: { url: issuer, audiences, certificateAuthority: readFileSync(ca, 'utf8'), ...(audiences.length > 1 && { audienceMatchPolicy: 'MatchAny' }) },
      claimMappings: { username: { claim: 'email', prefix: '' }, groups: { claim: 'groups', prefix: '' } },
    }],
  };
}

/** Controllers that only make sense beside real machines and clouds, under their names before 1.28 and since. */
const ofMachines = [
  'nodeipam', 'node-ipam-controller', 'attachdetach', 'persistentvolume-attach-detach-controller', 'cloud-node-lifecycle', 'cloud-node-lifecycle-controller',
  'service', 'service-lb-controller', 'route', 'node-route-controller', 'bootstrapsigner', 'tokencleaner',
];

/** Naming a controller that this version does not have is an error, so it is asked what it has. */
function controllers(program) {
  const help = execFileSync(program, ['--help'], { encoding: 'utf8', maxBuffer: 2 ** 24 });
  const known = new Set(/All controllers: ([^\n]*)/.exec(help)?.[1].split(/,\s*/) ?? []);
  return ['*', ...ofMachines.filter((name) => known.has(name)).map((name) => `-${name}`)].join(',');
}

/** A kubeconfig for one account. */
export function kubeconfig({ server, ca, token }) {
  return JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': 'stack',
    clusters: [{ name: 'stack', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'account', user: { token } }],
    contexts: [{ name: 'stack', context: { cluster: 'stack', user: 'account' } }],
  });
}

/** A token for a service account. */
export async function accountToken(kube, namespace, name) {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: ['https://kubernetes.default.svc'], expirationSeconds: 86_400 } };
  const answer = await kube.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, request);
  return answer.status.token;
}
