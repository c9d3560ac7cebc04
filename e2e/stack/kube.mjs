// The least client the stack needs: requests, server-side apply of YAML files, and watching by looking again.

import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { parseAllDocuments } from 'yaml';

const PLURALS = { Namespace: 'namespaces', NetworkPolicy: 'networkpolicies', MutatingWebhookConfiguration: 'mutatingwebhookconfigurations' };
const NAMESPACED = new Set(['ServiceAccount', 'RoleBinding', 'NetworkPolicy', 'Role', 'Pod', 'Deployment', 'ConfigMap', 'ResourceQuota']);

export class Kube {
  #server;
  #ca;
  #token;

  constructor({ server, ca, token }) {
    [this.#server, this.#ca, this.#token] = [server, ca, token];
  }

  /** The account that a kubeconfig of `control-plane.mjs` names. */
  static fromConfig(file) {
    const config = JSON.parse(readFileSync(file, 'utf8'));
    const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
    return new Kube({ server, ca: Buffer.from(ca, 'base64'), token: config.users[0].user.token });
  }

  /** Sends a request; throws what the API server answers unless it is 2xx. */
  request(method, path, body, contentType = 'application/json') {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#token}`, 'content-type': contentType };
      const sent = httpsRequest(this.#server + path, { method, ca: this.#ca, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.on('end', () => {
          const answer = text.startsWith('{') ? JSON.parse(text) : text;
          if (response.statusCode < 300) resolve(answer);
          else reject(Object.assign(new Error(answer.message ?? `${response.statusCode} ${text}`), { status: response.statusCode }));
        });
      });
      sent.once('error', reject);
      sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  get(path) {
    return this.request('GET', path);
  }

  /** Applies one object, forcing: the stack owns what it sets up. */
  apply(object) {
    return this.request('PATCH', `${pathOf(object)}?fieldManager=stack&force=true`, object, 'application/apply-patch+yaml');
  }

  /** Applies every document of a file in order. */
  async applyFile(file) {
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) await this.apply(document.toJS());
  }
}

export function pathOf({ apiVersion, kind, metadata: { name, namespace } }) {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  // Gatekeeper serves constraints under their kind as it is.
  if (apiVersion.startsWith('constraints.gatekeeper.sh/')) return `${root}/${kind.toLowerCase()}/${name}`;
  const place = NAMESPACED.has(kind) ? `/namespaces/${namespace}` : '';
  return `${root}${place}/${PLURALS[kind] ?? `${kind.toLowerCase().replace(/y$/, 'ie')}s`}/${name}`;
}
