// One of the demo people at the portal, without a browser.

import { Client } from './http.mjs';

/** Signs somebody in, and gives what sends forms in their name. `authority` is the file of the stack's authority. */
export async function signedIn(portal, person, authority) {
  const client = new Client(authority);
  let here = new URL('/sign-in', portal);
  for (let hops = 0; hops < 20; hops += 1) {
    const { status, location } = await client.send(here, here.pathname.startsWith('/choose/') ? { person } : undefined);
    if (!location) throw new Error(`${person} could not be signed in: ${here.origin}${here.pathname} answered ${status}`);
    const isBack = here.pathname === '/sign-in/callback';
    here = new URL(location, here);
    // A first sign-in may be sent to the provider once more.
    if (isBack && here.origin === new URL(portal).origin) {
      const at = (path) => new URL(path, portal);
      return { get: (path) => client.send(at(path)), post: (path, form) => client.send(at(path), form), cookie: () => client.cookie(at('/')) };
    }
  }
  throw new Error(`${person} could not be signed in: too many redirects`);
}
