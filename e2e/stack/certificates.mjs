// A certificate authority for one stack: the parts that need TLS trust it, and it goes with the stack.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, onPath } from './tools/debian.mjs';

export class Authority {
  #folder;

  /** Makes a new authority whose files are kept in `folder`. */
  constructor(folder) {
    if (!onPath('openssl')) installPackages('openssl');
    this.#folder = folder;
    mkdirSync(folder, { mode: 0o700 });
    const usage = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=Fairway local stack', ...usage, '-keyout', this.#path('ca.key'), '-out', this.certificate);
  }

  #path(name) {
    return join(this.#folder, name);
  }

  /** The file with the authority's own certificate. */
  get certificate() {
    return this.#path('ca.crt');
  }

  /** The authority's certificate as webhook configurations and kubeconfigs want it. */
  get bundle() {
    return readFileSync(this.certificate).toString('base64');
  }

  /** A certificate for this machine, in a folder of its own: `tls.crt` and `tls.key`. */
  issue(name) {
    const folder = this.#path(name);
    mkdirSync(folder, { mode: 0o700 });
    const file = (end) => join(folder, end);
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, '-keyout', file('tls.key'), '-out', file('request.pem'));
    writeFileSync(file('extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
    openssl('x509', '-req', '-in', file('request.pem'), '-CA', this.certificate, '-CAkey', this.#path('ca.key'), '-CAcreateserial', '-days', '30', '-extfile', file('extensions'), '-out', file('tls.crt'));
    return { folder, certificate: file('tls.crt'), key: file('tls.key') };
  }
}

function openssl(...args) {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
