// Nodes without machines: kwok keeps them ready and plays the kubelet, the real scheduler places pods on them.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, until } from '../processes.mjs';
import { kwok } from '../tools/programs.mjs';

const NODES = 3;
const file = (name) => join(import.meta.dirname, name);

/** Starts kwok and waits until its nodes are ready. */
export async function startNodes(processes, folder, { kube, adminConfig }, authority, onLost) {
  const bin = await kwok();
  const config = join(folder, 'kwok.yaml');
  writeFileSync(config, [...[join(bin, 'node-stages.yaml'), file('pod-stages.yaml')].map((stage) => readFileSync(stage, 'utf8')), JSON.stringify(logs)].join('\n---\n'));
  // The API server asks a node for logs over TLS.
  const tls = authority.issue('kwok');
  const port = await freePort();
  processes.start('kwok', join(bin, 'kwok'), [
    '--kubeconfig', adminConfig, '--config', config, '--manage-all-nodes=true', '--node-lease-duration-seconds=40',
    '--node-ip=127.0.0.1', `--node-port=${port}`, `--server-address=127.0.0.1:${port}`, `--tls-cert-file=${tls.certificate}`, `--tls-private-key-file=${tls.key}`,
  ], { onLost });
  for (let number = 1; number <= NODES; number += 1) await kube.apply(node(`node-${number}`));
  const isReady = ({ status, spec }) => status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') && !spec.taints?.length;
  await until('the nodes', async () => (await kube.get('/api/v1/nodes')).items.filter(isReady).length === NODES);
}

/** What `kubectl logs` shows of any container. */
const logs = {
  apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'ClusterLogs', metadata: { name: 'logs' },
  spec: { logs: [{ logsFile: file('container.log'), previousLogsFile: file('container.log') }] },
};

function node(name) {
  const capacity = { cpu: '8', memory: '32Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', 'node-role.kubernetes.io/worker': '' };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels, annotations: { 'kwok.x-k8s.io/node': 'fake' } }, status: { capacity, allocatable: capacity } };
}
