// One of the demo people at the portal, without a browser.

/** Signs somebody in, and gives what sends forms in their name. */
export async function signedIn(portal, person) {
  const cookies = new Map();
  const send = async (url, form) => {
    const jar = cookies.get(url.origin) ?? new Map();
    cookies.set(url.origin, jar);
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    const body = form && new URLSearchParams(form);
    const answer = await fetch(url, { method: form ? 'POST' : 'GET', headers: { cookie, origin: url.origin }, body, redirect: 'manual' });
    for (const set of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      jar.set(name, value);
    }
    return answer;
  };
  let here = new URL('/sign-in', portal);
  for (let hops = 0; hops < 20; hops += 1) {
    const answer = await send(here, here.pathname.startsWith('/choose/') ? { person } : undefined);
    const next = answer.headers.get('location');
    if (!next) throw new Error(`nobody could be signed in: ${here.origin}${here.pathname} answered ${answer.status}`);
    const came = here.pathname === '/sign-in/callback';
    here = new URL(next, here);
    if (came) return { post: (path, form) => send(new URL(path, portal), form) };
  }
  throw new Error('nobody could be signed in: too many redirects');
}
