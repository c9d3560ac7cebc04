// A real OpenID provider (npm oidc-provider, OpenID certified) with the demo people in it. Run as a
// process of its own: node provider.mjs PORT CLIENTS, where CLIENTS is JSON: [{ id, secret, redirect, signedOut }].
// Signing in is choosing a person.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { people as demoPeople } from './people.mjs';

const [port, clients] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;
const people = new Map(demoPeople.map((person) => [person.subject, structuredClone(person)]));

const signingKey = () => ({ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex') });

const provider = new Provider(issuer, {
  clients: JSON.parse(clients).map(({ id, secret, redirect, signedOut }) => ({
    client_id: id,
    client_secret: secret,
    redirect_uris: [redirect],
    post_logout_redirect_uris: signedOut ? [signedOut] : [],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  })),
  jwks: { keys: [signingKey()] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource: (ctx) => { ctx.body = 'Signed out.'; } } },
  // Dex's connector sends no challenge.
  pkce: { required: (ctx, client) => client.clientId !== 'dex' },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Session: 86_400, Grant: 86_400, RefreshToken: 86_400 },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (ctx, interaction) => `/choose/${interaction.uid}` },
  findAccount: async (ctx, subject) => {
    const person = people.get(subject);
    if (!person || person.disabled) return undefined;
    return { accountId: subject, claims: async () => ({ sub: subject, name: person.name, email: person.email, ...(person.noEmailVerified ? {} : { email_verified: person.emailVerified ?? true }), groups: person.groups }) };
  },
  // Consent is skipped: everyone who signs in grants what the portal asks for.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile email groups offline_access');
    await grant.save();
    return grant;
  },
});

/** Signing out at the provider asks nothing back: the portal has asked already. */
async function logoutSource(ctx, form) {
  const submit = `document.forms[0].submit()`;
  ctx.body = `<!DOCTYPE html><html lang="en"><title>Sign out</title><h1>Sign out</h1>${form.replace('</form>', '<input type="hidden" name="logout" value="yes"><button>Sign out</button></form>')}<script>${submit}</script></html>`;
}

const page = (uid) => `<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Choose a demo person</title>
<style>:root{color-scheme:light dark;font-family:system-ui}body{max-width:32rem;margin:3rem auto;padding:0 1rem}button{display:block;inline-size:100%;margin:.5rem 0;padding:.75rem;text-align:start;font:inherit}</style>
<h1>Choose a demo person</h1>
<form method="post" action="/choose/${uid}">
${[...people.values()].map(({ subject, name, says }) => `<button name="person" value="${subject}"><strong>${name}</strong><br>${says}</button>`).join('\n')}
</form></html>`;

async function body(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

async function choose(request, response) {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html').end(page(uid));
    return;
  }
  const subject = new URLSearchParams(await body(request)).get('person');
  if (!people.has(subject)) throw new Error('unknown person');
  await provider.interactionFinished(request, response, { login: { accountId: subject } }, { mergeWithLastSubmission: false });
}

/**
 * For tests: PUT /test/people/SUBJECT with {"groups": [...]} or {"disabled": true}; somebody new needs all that is known of
 * a person. Reached on the loopback address only.
 */
async function changePerson(request, response) {
  const subject = request.url.split('/').pop();
  const person = { subject, says: 'for tests', ...people.get(subject), ...JSON.parse(await body(request)) };
  if (!person.email) throw new Error('unknown person');
  people.set(subject, person);
  response.writeHead(204).end();
}

const callback = provider.callback();
// Go's clients keep idle connections for 90 seconds, and do not send a POST again that met one just being closed. Node would
// close them after 5.
const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  const handler = request.url.startsWith('/choose/') ? choose : request.url.startsWith('/test/people/') && request.method === 'PUT' ? changePerson : callback;
  Promise.resolve(handler(request, response)).catch((error) => {
    console.error(error);
    response.writeHead(400, { 'content-type': 'text/plain' }).end('This sign-in cannot go on. Go back to Fairway and begin again.\n');
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log(`provider ready at ${issuer}`));
process.on('SIGTERM', () => process.exit(0));
