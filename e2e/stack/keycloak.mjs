// Keycloak with the demo people and groups, as somebody sets it up by its defaults: a client of its own, and a mapper
// for the groups. It has no scope `groups`.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { people } from './people.mjs';
import { freePort, until } from './processes.mjs';
import { keycloak } from './tools/keycloak.mjs';

const REALM = 'demo';
export const PASSWORD = 'demo';

/** Starts Keycloak; gives its issuer, and the settings of a portal at `portal`. */
export async function startKeycloak(processes, folder, { portal, client, offlineAccess = true }, onLost) {
  const { folder: home, java } = await keycloak();
  // It writes beside its programs, so each run has a copy.
  const own = join(folder, 'keycloak');
  cpSync(home, own, { recursive: true });
  mkdirSync(join(own, 'data/import'), { recursive: true });
  writeFileSync(join(own, 'data/import/demo-realm.json'), JSON.stringify(realm(portal, client, offlineAccess)));
  const port = await freePort();
  const entry = processes.start('keycloak', 'bash', [join(own, 'bin/kc.sh'), 'start-dev', `--http-port=${port}`, '--http-host=127.0.0.1', '--import-realm'], {
    onLost, env: { JAVA_HOME: java, KC_BOOTSTRAP_ADMIN_USERNAME: 'admin', KC_BOOTSTRAP_ADMIN_PASSWORD: PASSWORD },
  });
  const issuer = `http://localhost:${port}/realms/${REALM}`;
  await until('Keycloak', async () => (await fetch(`${issuer}/.well-known/openid-configuration`)).ok, 180);
  const admin = new Administration(`http://localhost:${port}`);
  return { issuer, entry, admin, env: { OIDC_ISSUER_URL: issuer, OIDC_CLIENT_ID: client.id, OIDC_CLIENT_SECRET: client.secret } };
}

function realm(portal, client, offlineAccess) {
  const groups = [...new Set(people.flatMap((person) => person.groups))];
  return {
    realm: REALM, enabled: true, sslRequired: 'none',
    groups: groups.map((name) => ({ name })),
    roles: { realm: [{ name: 'default-roles-demo', composite: true, composites: { realm: offlineAccess ? ['offline_access', 'uma_authorization'] : ['uma_authorization'] } }, { name: 'offline_access' }, { name: 'uma_authorization' }] },
    users: people.map(({ subject, name, email, groups }) => ({ username: subject, email, emailVerified: true, enabled: true, firstName: name.split(' ')[0], lastName: name.split(' ').slice(1).join(' '), groups: groups.map((group) => `/${group}`), credentials: [{ type: 'password', value: PASSWORD, temporary: false }], realmRoles: ['default-roles-demo'] })),
    clients: [{
      clientId: client.id, secret: client.secret, enabled: true, protocol: 'openid-connect', publicClient: false, standardFlowEnabled: true,
      redirectUris: [`${portal}/sign-in/callback`], attributes: { 'post.logout.redirect.uris': `${portal}/` },
      protocolMappers: [{ name: 'groups', protocol: 'openid-connect', protocolMapper: 'oidc-group-membership-mapper', config: { 'claim.name': 'groups', 'full.path': 'false', 'id.token.claim': 'true', 'access.token.claim': 'true', 'userinfo.token.claim': 'true' } }],
    }],
  };
}

/** What an administrator of Keycloak changes. */
class Administration {
  #origin;

  constructor(origin) {
    this.#origin = origin;
  }

  async #send(method, path, body) {
    const form = new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', username: 'admin', password: PASSWORD });
    const { access_token: token } = await (await fetch(`${this.#origin}/realms/master/protocol/openid-connect/token`, { method: 'POST', body: form })).json();
    const answer = await fetch(`${this.#origin}/admin/realms/${REALM}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`Keycloak answered ${answer.status}: ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  /** Takes somebody out of a group. */
  async leave(username, group) {
    const [user] = await this.#send('GET', `/users?username=${username}&exact=true`);
    const found = (await this.#send('GET', `/users/${user.id}/groups`)).find(({ name }) => name === group);
    await this.#send('DELETE', `/users/${user.id}/groups/${found.id}`);
  }

  /** Closes somebody's account. */
  async disable(username) {
    const [user] = await this.#send('GET', `/users?username=${username}&exact=true`);
    await this.#send('PUT', `/users/${user.id}`, { ...user, enabled: false });
  }
}
