// How the programs of the stack are found, downloaded and built, and what a person is told where that fails. Nothing here
// needs the network. Run by `make test CHECK=tools`.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'fairway-tools-'));
process.env.FAIRWAY_CACHE = join(folder, 'cache');
const { goPrograms } = await import('./go.mjs');
const { controlPlane } = await import('./programs.mjs');
const { downloaded, withChecksums } = await import('./prebuilt.mjs');
const { Processes, requirePort } = await import('../processes.mjs');
const { chosenParts } = await import('../parts.mjs');
const path = process.env.PATH;

after(() => rmSync(folder, { recursive: true }));

const part = { name: 'etcd', title: 'etcd', usually: '1 minute', instead: 'set KUBECONFIG', programs: { etcd: 'go.etcd.io/etcd/server/v3' } };

/** A program with this name that prints something and ends so. */
function program(place, name, script) {
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(place, name), 0o755);
}

/** Runs something with only these folders on PATH, and what a shell needs. */
async function withPath(folders, run) {
  process.env.PATH = [...folders, '/usr/bin', '/bin'].join(delimiter);
  try {
    return await run();
  } finally {
    process.env.PATH = path;
  }
}

const refusal = (run) => Promise.resolve().then(run).then(() => assert.fail('it went on'), ({ message }) => message);

test('without Go a person is told which part needs it, where it is, and what to do instead', async (t) => {
  if (existsSync('/usr/bin/go')) return t.skip('this machine has Go in /usr/bin');
  const message = await withPath([], () => refusal(() => goPrograms(part)));
  assert.match(message, /^etcd is built from its Go modules, and there is no Go on this machine\. Install Go 1\.26 or newer \(go\.dev\/dl\) and start again\. Or set KUBECONFIG\.$/);
});

test('a Go that is too old is named with its version and place', async () => {
  const place = join(folder, 'old');
  program(place, 'go', 'echo go1.19.8');
  const message = await withPath([place], () => refusal(() => goPrograms(part)));
  assert.match(message, /too old \(go1\.19\.8, .*old\/go\)\. Install Go 1\.26 or newer/);
});

test('a module that cannot be fetched is the network\'s fault, and what to check is named', async () => {
  const place = join(folder, 'offline');
  program(place, 'go', 'case "$1 $2" in "env GOVERSION") echo go1.26.8;; "env GOPROXY") echo https://proxy.example.com;; *) echo "go: go.etcd.io/etcd@v3: Get \\"https://proxy.example.com/x\\": dial tcp: lookup proxy.example.com: no such host" >&2; exit 1;; esac');
  const message = await withPath([place], () => refusal(() => goPrograms(part)));
  assert.match(message, /^etcd could not be built, because a Go module could not be fetched:\n {2}.*no such host\nCheck the network and GOPROXY \(now https:\/\/proxy\.example\.com\), and start again/);
  assert.deepEqual(readdirSync(process.env.FAIRWAY_CACHE).filter((name) => name.startsWith('etcd')), []);
});

test('a module that is not the pinned one is refused', async () => {
  const place = join(folder, 'changed');
  program(place, 'go', 'case "$1 $2" in "env GOVERSION") echo go1.26.8;; "env GOPROXY") echo direct;; *) echo "verifying go.etcd.io/etcd@v3: checksum mismatch" >&2; exit 1;; esac');
  assert.match(await withPath([place], () => refusal(() => goPrograms(part))), /is not the one that is pinned:\n {2}.*checksum mismatch/);
});

test('a build that fails shows the end of its log', async () => {
  const place = join(folder, 'broken');
  program(place, 'go', '[ "$1" = env ] && { echo go1.26.8; exit; }; echo "main.go:1: syntax error" >&2; exit 2');
  assert.match(await withPath([place], () => refusal(() => goPrograms(part))), /^build etcd failed \(go build -trimpath -ldflags\)\. The end of .*build-etcd\.log:\nmain\.go:1: syntax error$/);
});

test('KUBEBUILDER_ASSETS without what is needed names what it lacks', async () => {
  process.env.KUBEBUILDER_ASSETS = join(folder, 'assets');
  program(process.env.KUBEBUILDER_ASSETS, 'etcd', '');
  try {
    assert.match(await refusal(controlPlane), /lacks kube-apiserver and kube-controller-manager\.$/);
  } finally {
    delete process.env.KUBEBUILDER_ASSETS;
  }
});

/** Pins for a program that a server of this test has, and the origin of that server. */
async function served(content, sha256, run) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    content === undefined ? response.writeHead(404).end() : response.end(content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const programs = { tool: { url: 'https://downloads.example.com/v1/tool', sha256 } };
  const pins = { thing: { [`${process.platform}-${process.arch}`]: { version: `v${Math.random()}`, programs } } };
  try {
    return await run(pins, `http://127.0.0.1:${server.address().port}`, asked);
  } finally {
    server.close();
  }
}
const digest = (text) => createHash('sha256').update(text).digest('hex');

test('an official build with the pinned checksum is downloaded once, from the place that replaces the origin', () => served('program', digest('program'), async (pins, origin, asked) => {
  const found = await downloaded('thing', pins, origin);
  assert.equal(readFileSync(join(found, 'tool'), 'utf8'), 'program');
  assert.equal(await downloaded('thing', pins, origin), found);
  assert.deepEqual(asked, ['/v1/tool']);
}));

test('a download that is not the pinned one is refused and not kept', () => served('somebody else\'s', digest('program'), async (pins, origin, asked) => {
  assert.match(await refusal(() => downloaded('thing', pins, origin)), /is not the file that is pinned: its SHA-256 is .* It was not used\.$/);
  await refusal(() => downloaded('thing', pins, origin));
  assert.equal(asked.length, 2);
}));

test('where nothing can be downloaded, or no checksum is pinned, the build goes on without', async () => {
  await served(undefined, digest('x'), async (pins, origin) => assert.equal(await downloaded('thing', pins, origin), undefined));
  await served('program', null, async (pins, origin, asked) => {
    assert.equal(await downloaded('thing', pins, origin), undefined);
    assert.deepEqual(asked, []);
  });
});

test('checksums are pinned as the publisher says them, or not at all', async () => {
  await served(`${digest('program')}  tool\n`, null, async (pins, origin, asked) => {
    const [build] = Object.values((await withChecksums(pins, origin)).thing);
    assert.equal(build.programs.tool.sha256, digest('program'));
    assert.deepEqual(asked, ['/v1/tool.sha256']);
  });
  await served('<html>not found</html>', null, async (pins, origin) => {
    assert.match(await refusal(() => withChecksums(pins, origin)), /tool\.sha256 is no checksum, so nothing was pinned\.$/);
  });
});

test('a port in use is named, with the command that finds who uses it', async () => {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  assert.equal(await refusal(() => requirePort(port, 'the portal')), `port ${port}, which the portal needs, is in use. Find out by what with: ss -ltnp 'sport = :${port}'`);
  server.close();
});

test('a part that dies is named with how it ended and the end of its log, and the others are stopped', async () => {
  const processes = new Processes(folder);
  const other = processes.start('other', 'sleep', ['60']);
  const sentence = await new Promise((resolve) => processes.start('gatekeeper', 'sh', ['-c', 'echo no space left; exit 3'], { onLost: resolve }));
  assert.match(sentence, /^gatekeeper ended by itself \(exit code 3\)\. The end of .*gatekeeper\.log:\nno space left$/);
  await processes.stopAll();
  assert.equal(other.ended, true);
});

test('PARTS names a set of parts that exists', async () => {
  process.env.PARTS = 'some';
  try {
    assert.equal(await refusal(() => chosenParts()), 'PARTS is some; it may be full or minimal.');
    process.env.PARTS = 'minimal';
    const { identity, ...parts } = chosenParts({ demo: true });
    assert.equal(identity, 'impersonation');
    assert.ok(Object.values(parts).every((part) => part === false));
  } finally {
    delete process.env.PARTS;
  }
});
