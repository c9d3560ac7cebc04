// A small client of the API server: requests, server-side apply of objects and YAML files, and watches.

import { readFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { parseAllDocuments } from 'yaml';

export class Kube {
  #server;
  #token;
  #agent;
  /** What each group and version serves, by kind: asked once, and again where a kind is missing. */
  #served = new Map();

  constructor({ server, ca, token }) {
    [this.#server, this.#token] = [server, token];
    this.#agent = new Agent({ ca, keepAlive: true, maxSockets: 16 });
  }

  /** The account that a kubeconfig of `control-plane.mjs` names. */
  static fromConfig(file) {
    const config = JSON.parse(readFileSync(file, 'utf8'));
    const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
    return new Kube({ server, ca: Buffer.from(ca, 'base64'), token: config.users[0].user.token });
  }

  /** Sends a request; throws what the API server answers unless it is 2xx. */
  async request(method, path, body, contentType = 'application/json') {
    const response = await this.#open(method, path, body, contentType);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    const answer = text.startsWith('{') ? JSON.parse(text) : text;
    if (response.statusCode < 300) return answer;
    throw Object.assign(new Error(answer.message ?? `${response.statusCode} ${text}`), { status: response.statusCode, answer });
  }

  #open(method, path, body, contentType) {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#token}`, 'content-type': contentType };
      const sent = httpsRequest(this.#server + path, { method, agent: this.#agent, headers }, resolve);
      sent.once('error', reject);
      sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  get(path) {
    return this.request('GET', path);
  }

  /** As `get`; undefined where there is none. */
  async find(path) {
    return this.get(path).catch((error) => (error.status === 404 ? undefined : Promise.reject(error)));
  }

  /** Applies one object, forcing: the stack owns what it sets up. */
  async apply(object, manager = 'stack') {
    return this.request('PATCH', `${await this.pathOf(object)}?fieldManager=${manager}&force=true`, object, 'application/apply-patch+yaml');
  }

  /** Applies every document of a file in order. */
  async applyFile(file) {
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) if (document.contents) await this.apply(document.toJS());
  }

  /** The address of an object, from what the API server serves. */
  async pathOf({ apiVersion, kind, metadata: { name, namespace } }) {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const resource = await this.#resource(root, kind);
    return `${root}${resource.namespaced ? `/namespaces/${namespace}` : ''}/${resource.name}/${name}`;
  }

  async #resource(root, kind) {
    const found = () => this.#served.get(root)?.find((resource) => resource.kind === kind && !resource.name.includes('/'));
    if (!found()) this.#served.set(root, (await this.get(root)).resources);
    if (!found()) throw new Error(`the API server does not serve the kind ${kind} under ${root}`);
    return found();
  }

  /**
   * Lists and watches a collection until the process ends. `onChange` gets a map from "namespace/name" to object after
   * the list and after every change. Begins again where a watch is cut.
   */
  async watch(path, onChange) {
    const objects = new Map();
    const key = ({ metadata: { namespace = '', name } }) => `${namespace}/${name}`;
    for (;;) {
      try {
        const { items, metadata } = await this.get(path);
        objects.clear();
        for (const item of items) objects.set(key(item), item);
        onChange(objects);
        const response = await this.#open('GET', `${path}?watch=1&resourceVersion=${metadata.resourceVersion}`);
        for await (const line of createInterface({ input: response })) {
          const { type, object } = JSON.parse(line);
          if (type === 'ERROR') break;
          if (type === 'DELETED') objects.delete(key(object));
          else objects.set(key(object), object);
          onChange(objects);
        }
      } catch (error) {
        console.error(`watch of ${path} interrupted: ${error.message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}
