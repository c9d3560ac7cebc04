// A real control plane without nodes: etcd, kube-apiserver, kube-controller-manager.

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kube } from './kube.mjs';
import { freePort, until } from './processes.mjs';
import * as tools from './tools.mjs';

/** Starts the control plane; gives a client with all rights, and what a kubeconfig needs. */
export async function startControlPlane(processes, folder, onLost) {
  const bin = tools.controlPlane();
  const place = join(folder, 'kubernetes');
  mkdirSync(place);
  const [client, peer, secure] = [await freePort(), await freePort(), await freePort()];
  const etcd = `http://127.0.0.1:${client}`;
  processes.start('etcd', join(bin, 'etcd'), [
    '--data-dir', join(place, 'etcd'), '--listen-client-urls', etcd, '--advertise-client-urls', etcd,
    '--listen-peer-urls', `http://127.0.0.1:${peer}`, '--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`, '--initial-cluster', `default=http://127.0.0.1:${peer}`,
    '--unsafe-no-fsync', '--log-level', 'error',
  ], { onLost });

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
  const key = join(place, 'service-account.key');
  writeFileSync(key, privateKey, { mode: 0o600 });
  const token = randomBytes(16).toString('hex');
  const tokens = join(place, 'tokens.csv');
  writeFileSync(tokens, `${token},stack,stack,"system:masters"\n`, { mode: 0o600 });
  const auditPolicy = join(place, 'audit-policy.yaml');
  writeFileSync(auditPolicy, 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n  verbs: [create, patch, update, delete]\n- level: None\n');
  const server = `https://127.0.0.1:${secure}`;
  const auditLog = join(folder, 'kubernetes-audit.log');
  const apiServer = processes.start('kube-apiserver', join(bin, 'kube-apiserver'), [
    '--etcd-servers', etcd, '--secure-port', String(secure), '--bind-address', '127.0.0.1', '--cert-dir', join(place, 'certificates'),
    '--token-auth-file', tokens, '--authorization-mode', 'RBAC', '--service-cluster-ip-range', '10.0.0.0/24',
    '--service-account-key-file', key, '--service-account-signing-key-file', key, '--service-account-issuer', 'https://kubernetes.default.svc',
    '--audit-policy-file', auditPolicy, '--audit-log-path', auditLog,
    '--disable-admission-plugins', 'ServiceAccount', '--allow-privileged=true',
  ], { onLost });
  const certificate = join(place, 'certificates/apiserver.crt');
  const kube = await until('the API server', async () => {
    const kube = new Kube({ server, ca: readFileSync(certificate), token });
    return (await kube.get('/readyz')) === 'ok' && kube;
  });

  const config = join(place, 'admin.kubeconfig');
  writeFileSync(config, kubeconfig({ server, ca: readFileSync(certificate), token }), { mode: 0o600 });
  processes.start('kube-controller-manager', join(bin, 'kube-controller-manager'), [
    '--kubeconfig', config, '--service-account-private-key-file', key, '--use-service-account-credentials=false', '--leader-elect=false',
    '--controllers', '*,-nodeipam,-nodelifecycle,-cloud-node-lifecycle,-service,-route,-persistentvolume-binder,-attachdetach,-ttl,-bootstrapsigner,-tokencleaner',
    '--bind-address', '127.0.0.1', '--secure-port', String(await freePort()), ...insecurePort(bin),
  ], { onLost });
  // The built-in ClusterRoles are written after the server is ready.
  await until('the built-in roles', () => kube.get('/apis/rbac.authorization.k8s.io/v1/clusterroles/admin').then((role) => role.rules?.length > 0));
  return { kube, server, ca: readFileSync(certificate), adminConfig: config, auditLog, entry: apiServer };
}

/** Controller managers before 1.24 also open an insecure port, always the same, unless told not to. */
function insecurePort(bin) {
  const help = execFileSync(join(bin, 'kube-controller-manager'), ['--help'], { encoding: 'utf8' });
  return /^\s+--port int/m.test(help) ? ['--port', '0'] : [];
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

/** A token for the portal's own service account. */
export async function portalToken(kube) {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: ['https://kubernetes.default.svc'], expirationSeconds: 86_400 } };
  const answer = await kube.request('POST', '/api/v1/namespaces/fairway/serviceaccounts/fairway/token', request);
  return answer.status.token;
}
