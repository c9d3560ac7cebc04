// Official builds, where they can be downloaded: prebuilt.json pins addresses and checksums. A build without a pinned
// checksum is never used. FAIRWAY_DOWNLOADS replaces the addresses' origin, for networks with a mirror of their own.

import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal, say } from '../say.mjs';
import { cache, fillFolder } from './cache.mjs';

/** Milliseconds until an answer begins, and until it has ended. */
const PATIENCE = { head: 10_000, body: 600_000 };

/**
 * The folder with the official programs of a part, or undefined where none are pinned for this machine or the place
 * cannot be reached.
 */
export async function downloaded(name, pins = readPins(), origin = process.env.FAIRWAY_DOWNLOADS) {
  const build = pins[name]?.[`${process.platform}-${process.arch}`];
  const programs = Object.entries(build?.programs ?? {});
  if (programs.length === 0 || programs.some(([, { sha256 }]) => !sha256)) return undefined;
  const folder = join(cache, `${name}-${build.version}-official`);
  if (existsSync(folder)) return folder;
  say(`downloading ${name} ${build.version}`);
  try {
    await fillFolder(folder, async (staging) => {
      for (const [program, pin] of programs) await download(placed(pin.url, origin), pin.sha256, join(staging, program));
    });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    say(`${name} could not be downloaded (${error.cause?.message ?? error.message})`);
    return undefined;
  }
  return folder;
}

const pinsFile = join(import.meta.dirname, 'prebuilt.json');

export function readPins() {
  return JSON.parse(readFileSync(pinsFile, 'utf8'));
}

export function writePins(pins) {
  writeFileSync(pinsFile, `${JSON.stringify(pins, null, 2)}\n`);
}

/** The pins with the checksums that each program's own `.sha256` file says, as Kubernetes publishes them. */
export async function withChecksums(pins, origin = process.env.FAIRWAY_DOWNLOADS) {
  const filled = structuredClone(pins);
  const programs = Object.values(filled).flatMap((builds) => Object.values(builds)).flatMap((build) => Object.values(build.programs));
  for (const program of programs) {
    const response = await fetch(placed(`${program.url}.sha256`, origin), { signal: AbortSignal.timeout(PATIENCE.head) });
    const sha256 = response.ok ? (await response.text()).trim().split(/\s/)[0] : '';
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Refusal(`${program.url}.sha256 is no checksum, so nothing was pinned.`);
    program.sha256 = sha256;
  }
  return filled;
}

/** The same path at another origin. */
function placed(url, origin) {
  return origin ? new URL(new URL(url).pathname, origin) : new URL(url);
}

async function download(url, sha256, file) {
  const started = new AbortController();
  let timer = setTimeout(() => started.abort(new Error('no answer in time')), PATIENCE.head);
  const response = await fetch(url, { signal: started.signal });
  clearTimeout(timer);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  timer = setTimeout(() => started.abort(new Error('it did not end in time')), PATIENCE.body);
  const bytes = Buffer.from(await response.arrayBuffer());
  clearTimeout(timer);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw new Refusal(`${url} is not the file that is pinned: its SHA-256 is ${found}, not ${sha256}. It was not used.`);
  writeFileSync(file, bytes);
  chmodSync(file, 0o755);
}
