// A webhook of the cluster that fails, in one of the ways in which they do.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '../stack/certificates.mjs';
import { freePort } from '../stack/processes.mjs';
import { unique } from './portal.mjs';

export const NAME = 'broken.example.com';

export const rule = (group, version, resource, operations = ['CREATE', 'UPDATE']) => ({ apiGroups: [group], apiVersions: [version], resources: [resource], operations });

/** A server behind webhooks that fail; `register` gives a function that takes one out of the cluster again. */
export async function brokenWebhooks(kube) {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-webhook-'));
  const authority = new Authority(join(folder, 'certificates'));
  const { certificate, key } = authority.issue('webhook');
  const [closed, port] = [await freePort(), await freePort()];
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key), keepAliveTimeout: 120_000 }, (request, response) => {
    if (request.url.startsWith('/nonsense')) response.end('<html>not a decision</html>');
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const configurations = [];

  /** For the objects that a rule and a condition (CEL) say; `how` is closed, silent or nonsense. */
  async function register(how, { rule, condition, timeoutSeconds = 1 }) {
    const name = unique('broken');
    configurations.push(name);
    const url = how === 'closed' ? `https://127.0.0.1:${closed}/` : `https://127.0.0.1:${port}/${how}`;
    await kube.apply({
      apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { name },
      webhooks: [{
        name: NAME, admissionReviewVersions: ['v1'], sideEffects: 'None', failurePolicy: 'Fail', timeoutSeconds, rules: [rule],
        clientConfig: { url, caBundle: authority.bundle }, matchConditions: [{ name: 'only-these', expression: condition }],
      }],
    });
    return () => remove(name);
  }

  const remove = (name) => kube.request('DELETE', `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${name}`);

  async function end() {
    for (const name of configurations) await remove(name).catch(() => undefined);
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
  return { register, end };
}
