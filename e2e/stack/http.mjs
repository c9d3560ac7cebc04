// Requests as a browser without pages makes them: cookies are kept, redirects are shown, one authority may be trusted.

import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';

export class Client {
  #ca;
  #cookies = new Map();

  /** `authority` is the file of a certificate authority that is trusted on top of the machine's own. */
  constructor(authority) {
    this.#ca = authority && readFileSync(authority);
  }

  /** Sends a request; `form` makes it a POST. Gives `status`, `location` and `body`. */
  async send(url, form) {
    const jar = this.#cookies.get(url.host) ?? new Map();
    this.#cookies.set(url.host, jar);
    const body = form && new URLSearchParams(form).toString();
    const headers = {
      cookie: this.cookie(url), origin: url.origin,
      ...(form && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }),
    };
    const response = await this.#open(url, { method: form ? 'POST' : 'GET', headers }, body);
    for (const set of response.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      jar.set(name, value);
    }
    return { status: response.statusCode, location: response.headers.location, body: await text(response) };
  }

  /** The header that carries the cookies of a host. */
  cookie({ host }) {
    return [...this.#cookies.get(host) ?? []].map((pair) => pair.join('=')).join('; ');
  }

  #open(url, options, body) {
    const [request, tls] = url.protocol === 'https:' ? [httpsRequest, { ca: this.#ca }] : [httpRequest, {}];
    return new Promise((resolve, reject) => request(url, { ...options, ...tls }, resolve).once('error', reject).end(body));
  }
}
