// What the largest things that one person can send take: until there is an answer, and the slowest health check meanwhile.

const LINES = 4_500;

/** Milliseconds of each request by what was sent, and of the slowest health check. */
export async function measureSizes(stack, page) {
  const client = new Client(stack.url, await page.context().cookies());
  await stack.cluster.kube.apply(configMap('now'));
  const health = watchHealth(stack.url);
  try {
    const sent = await sendEach(client);
    return { sent, health: await health.stop() };
  } finally {
    await health.stop();
  }
}

async function sendEach(client) {
  const sent = {};
  const draft = await client.begin('/workloads/new', { namespace: 'shop' });
  sent['a step with 14,000 rows'] = await client.timed(`${draft}/sources`, rows(14_000), [413]);
  sent['a step with 14,000 volumes'] = await client.timed(`${draft}/workload`, volumes(14_000), [413]);
  sent['2,000 documents'] = await client.timed('/workloads/import', imported('---\n{apiVersion: v1, kind: Pod, metadata: {name: a}}\n'.repeat(2_000)), [422]);
  sent['an object of 20,000 lines'] = await client.timed('/workloads/import', imported(JSON.stringify(listOf(20_000))), [303, 422]);
  const changed = await client.begin('/workloads/import', Object.fromEntries(imported(JSON.stringify(configMap('then')))));
  sent[`a change of ${LINES.toLocaleString('en')} lines`] = await client.timed(`${changed}/review`, null, [200]);
  const containers = await client.begin('/workloads/import', Object.fromEntries(imported(JSON.stringify(pod(1_500)))));
  sent['a pod with 1,500 containers'] = await client.timed(`${containers}/review`, null, [200]);
  return sent;
}

const rows = (number) => new URLSearchParams([['version', '1'], ...Array.from({ length: number }, () => ['kind', 'pods'])]);
const volumes = (number) => new URLSearchParams([['version', '1'], ['image', 'a:1'], ...Array.from({ length: number }, () => ['volume_kind', 's'])]);
const imported = (text) => new URLSearchParams({ namespace: 'shop', into: '', text });
const configMap = (word) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'bench-lines', namespace: 'shop' }, data: Object.fromEntries(Array.from({ length: LINES }, (_, line) => [`k${line}`, `${word} ${line}`])) });
const listOf = (lines) => ({ apiVersion: 'example.com/v1', kind: 'List20', metadata: { name: 'a' }, spec: { list: Array.from({ length: lines }, (_, line) => line % 10) } });
const pod = (containers) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bench-containers' }, spec: { containers: Array.from({ length: containers }, (_, number) => ({ name: `c${number}`, image: 'a:latest', securityContext: { privileged: true } })) } });

/** Sends forms as the browser of a page would. */
class Client {
  constructor(url, cookies) {
    this.url = url;
    this.cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  send(path, form) {
    const headers = { cookie: this.cookie, 'sec-fetch-site': 'same-origin' };
    return fetch(`${this.url}${path}`, { method: form ? 'POST' : 'GET', body: form, headers, redirect: 'manual' });
  }

  /** The address of the draft that a form begins. */
  async begin(path, fields) {
    const answer = await this.send(path, new URLSearchParams(fields));
    const location = answer.headers.get('location');
    if (!location) throw new Error(`${path} began no draft: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
    return location.replace(/\/[^/]*$/, '');
  }

  async timed(path, form, expected) {
    const began = performance.now();
    const answer = await this.send(path, form);
    await answer.arrayBuffer();
    const time = performance.now() - began;
    if (!expected.includes(answer.status)) throw new Error(`${path} answered ${answer.status} and not ${expected.join(' or ')}`);
    return time;
  }
}

function watchHealth(url) {
  let slowest = 0;
  let stopped = false;
  const asking = (async () => {
    while (!stopped) {
      const began = performance.now();
      await (await fetch(`${url}/healthz`)).text();
      slowest = Math.max(slowest, performance.now() - began);
    }
  })();
  return { stop: async () => ((stopped = true), await asking, slowest) };
}
