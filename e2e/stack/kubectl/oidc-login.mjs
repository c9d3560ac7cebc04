// Does what the kubectl plugin oidc-login (kubelogin) does: `get-token` signs in at an OpenID provider with the
// authorization code flow and PKCE, and prints an ExecCredential. Only the flags that the platform's kubeconfig uses.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { json } from 'node:stream/consumers';

const PORTS = [8000, 18000];

const flags = new Map();
for (const argument of process.argv.slice(3)) {
  const [, name, value = 'true'] = /^--([a-z-]+)(?:=(.*))?$/.exec(argument) ?? [];
  if (name) flags.set(name, [...(flags.get(name) ?? []), value]);
}
const flag = (name) => flags.get(name)?.[0];
const fail = (words) => {
  console.error(`error: get-token: ${words}`);
  process.exit(1);
};
if (process.argv[2] !== 'get-token') fail(`unknown command ${process.argv[2]}`);

const secret = () => randomBytes(32).toString('base64url');
const ca = flag('certificate-authority') && readFileSync(flag('certificate-authority'));

function send(url, form) {
  const [request, tls] = url.protocol === 'https:' ? [httpsRequest, { ca }] : [httpRequest, {}];
  const body = form && new URLSearchParams(form).toString();
  return new Promise((resolve, reject) => {
    const headers = body ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } : {};
    request(url, { method: body ? 'POST' : 'GET', headers, ...tls }, async (response) => resolve(await json(response))).once('error', reject).end(body);
  });
}

/** Listens on the first of the addresses that is free. */
async function listen(handler) {
  const addresses = flags.get('listen-address') ?? PORTS.map((port) => `127.0.0.1:${port}`);
  const refusals = [];
  for (const address of addresses) {
    const [host, port] = address.split(':');
    const server = createServer(handler);
    const error = await new Promise((resolve) => server.once('error', resolve).listen(Number(port), host, () => resolve(undefined)));
    if (!error) return { server, redirect: `http://localhost:${port}` };
    refusals.push(`could not listen: listen tcp ${address}: bind: address already in use`);
  }
  return fail(`authentication error: authcode-browser error: authentication error: authorization code flow error: oauth2 error: authorization error: could not start a local server: no available port: ${refusals.join('; ')}`);
}

const metadata = await send(new URL(`${flag('oidc-issuer-url')}/.well-known/openid-configuration`)).catch((error) => fail(`authentication error: oidc error: oidc discovery error: Get "${flag('oidc-issuer-url')}/.well-known/openid-configuration": ${error.message}`));
const [state, nonce, verifier] = [secret(), secret(), secret()];
let redirect;
const code = await new Promise((resolve) => {
  const handler = (request, response) => {
    const query = new URL(request.url, redirect).searchParams;
    if (query.get('state') === state && query.get('code')) {
      response.setHeader('content-type', 'text/html').end('<h1>Authenticated</h1><p>You have logged in to the cluster. You can close this window.</p>');
      return resolve(query.get('code'));
    }
    if (query.has('error')) return response.writeHead(500).end(query.get('error'));
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const scope = ['openid', ...(flags.get('oidc-extra-scope') ?? [])].join(' ');
    const address = new URL(metadata.authorization_endpoint);
    address.search = new URLSearchParams({ client_id: flag('oidc-client-id'), response_type: 'code', redirect_uri: redirect, scope, state, nonce, code_challenge: challenge, code_challenge_method: 'S256' });
    return response.writeHead(302, { location: address.href }).end();
  };
  listen(handler).then((listening) => {
    redirect = listening.redirect;
    console.error(`Please visit the following URL in your browser: ${redirect}/`);
  });
});
const tokens = await send(new URL(metadata.token_endpoint), { grant_type: 'authorization_code', code, redirect_uri: redirect, code_verifier: verifier, client_id: flag('oidc-client-id'), client_secret: flag('oidc-client-secret') ?? '' });
if (!tokens.id_token) fail(`authentication error: authcode-browser error: authentication error: authorization code flow error: oauth2 error: could not exchange the code and token: oauth2: "${tokens.error}" "${tokens.error_description}"`);
const claims = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'));
if (claims.nonce !== nonce) fail('authentication error: nonce did not match');
console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1beta1', spec: { interactive: false }, status: { expirationTimestamp: new Date(claims.exp * 1000).toISOString(), token: tokens.id_token } }));
process.exit(0);
