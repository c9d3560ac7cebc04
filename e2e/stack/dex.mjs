// Dex, as the platform runs it: it keeps no people of its own and asks the demo provider for them (connector `oidc`).

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from './http.mjs';
import { until } from './processes.mjs';
import { dex } from './tools/programs.mjs';

/** The client that `kubectl oidc-login` signs in as: the only address it may come back to is port 8000. */
export const KUBECTL_CLIENT = { id: 'kubernetes', secret: 'kubectl-secret-of-the-local-stack', redirect: 'http://localhost:8000' };

/**
 * Starts Dex on `port`; `upstream` is the demo provider, `tls` a certificate to serve https with. Gives the issuer and
 * the settings of the portal.
 */
export async function startDex(processes, folder, { port, portal, upstream, client, tls, authority }, onLost) {
  const bin = await dex();
  const issuer = issuerOf(port, tls);
  const address = `127.0.0.1:${port}`;
  const config = {
    issuer,
    storage: { type: 'memory' },
    web: tls ? { https: address, tlsCert: tls.certificate, tlsKey: tls.key } : { http: address },
    frontend: { dir: join(bin, 'web'), issuer: 'the demo platform' },
    oauth2: { skipApprovalScreen: true, responseTypes: ['code'] },
    expiry: { idTokens: '24h', signingKeys: '6h' },
    logger: { level: 'warn' },
    staticClients: [
      { id: client.id, secret: client.secret, name: 'Fairway', redirectURIs: [`${portal}/sign-in/callback`] },
      { id: KUBECTL_CLIENT.id, secret: KUBECTL_CLIENT.secret, name: 'kubectl', redirectURIs: [KUBECTL_CLIENT.redirect] },
    ],
    connectors: [{
      type: 'oidc', id: 'people', name: 'Demo people',
      config: {
        issuer: upstream.issuer, clientID: upstream.client.id, clientSecret: upstream.client.secret, redirectURI: `${issuer}/callback`,
        scopes: ['profile', 'email', 'groups', 'offline_access'], getUserInfo: true, insecureEnableGroups: true,
        // Choosing a person is signing in: asked each time, as Dex keeps no session of its own.
        promptType: 'login',
      },
    }],
  };
  const file = join(folder, 'dex.json');
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  const entry = processes.start('dex', join(bin, 'dex'), ['serve', file], { onLost });
  const http = new Client(authority?.certificate);
  await until('Dex', async () => (await http.send(new URL(`${issuer}/.well-known/openid-configuration`))).status === 200, 30);
  return { issuer, entry };
}

/** Known before it runs: the demo provider and the API server are told of it first. */
export const issuerOf = (port, tls) => `${tls ? 'https' : 'http'}://localhost:${port}/dex`;
