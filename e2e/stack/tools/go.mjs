// Builds the programs of a part from its published Go modules: versions and checksums are pinned by the go.mod and
// go.sum in the folder of that part. A build is kept under the hash of what went into it.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal, say } from '../say.mjs';
import { cache, duration, fillFolder, runLong } from './cache.mjs';
import { installPackages, onPath } from './debian.mjs';

/**
 * The folder with the programs of `part`, built if it is not in the cache.
 *
 * `part`: `name` (its folder here), `title`, `usually` (time on 2 cores, for the person who waits), `programs` (file name ->
 * package), `flags` for the linker, `cgo`, and `files(moduleFolder, target)` for what else is needed of the modules.
 */
export async function goPrograms(part) {
  const folder = builtFolder(part);
  if (existsSync(folder)) return folder;
  requireGo(part);
  if (part.cgo && !onPath('cc')) installPackages('gcc', 'libc6-dev');
  say(`building ${part.title} from its Go modules, once: usually ${part.usually} on 2 cores`);
  const took = await build(part, folder);
  say(`built ${part.title} in ${duration(took)}`);
  return folder;
}

/** Where the build of a part is, or will be. */
export function builtFolder(part) {
  const module = join(import.meta.dirname, part.name);
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(module, file)));
  hash.update(JSON.stringify([part.programs, part.flags, part.cgo, part.revision]));
  return join(cache, `${part.name}-${hash.digest('hex').slice(0, 12)}`);
}

async function build(part, folder) {
  const cwd = join(import.meta.dirname, part.name);
  const env = { ...process.env, CGO_ENABLED: part.cgo ? '1' : '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' };
  const started = Date.now();
  await fillFolder(folder, async (staging) => {
    try {
      for (const [program, path] of Object.entries(part.programs)) {
        const flags = ['-trimpath', '-ldflags', `-s -w ${part.flags ?? ''}`.trim()];
        await runLong(`build ${program}`, 'go', ['build', ...flags, '-o', join(staging, program), path], { cwd, env });
      }
    } catch (error) {
      throw explained(part, error);
    }
    part.files?.((module) => execFileSync('go', ['list', '-m', '-f', '{{.Dir}}', module], { cwd, env, encoding: 'utf8' }).trim(), staging);
  });
  return Date.now() - started;
}

/** Since 1.21, Go fetches the version that a go.mod names, as a module like any other. */
const FETCHES_ITSELF = { major: 1, minor: 21 };

/** The Go that is needed is the one that the part's go.mod names, or one that can fetch it. */
function requireGo(part) {
  const wanted = /^go (\d+)\.(\d+)/m.exec(readFileSync(join(import.meta.dirname, part.name, 'go.mod'), 'utf8'));
  const instead = part.instead ? ` Or ${part.instead}.` : '';
  const advice = `Install Go ${wanted[1]}.${wanted[2]} or newer (go.dev/dl) and start again.${instead}`;
  const version = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8', env: { ...process.env, GOTOOLCHAIN: 'local' } });
  if (version.error || version.status !== 0) throw new Refusal(`${part.title} is built from its Go modules, and there is no Go on this machine. ${advice}`);
  const found = /go(\d+)\.(\d+)/.exec(version.stdout);
  const isOld = !found || found[1] * 1000 + Number(found[2]) < FETCHES_ITSELF.major * 1000 + FETCHES_ITSELF.minor;
  if (isOld) throw new Refusal(`${part.title} is built from its Go modules, and the Go on this machine is too old (${version.stdout.trim()}, ${onPath('go')}). ${advice}`);
}

/** A module that could not be fetched is the network's fault, not the build's: say so. */
function explained(part, error) {
  const lost = /^.*(dial tcp|no such host|i\/o timeout|connection refused|proxyconnect|410 Gone|404 Not Found|502 Bad Gateway|503 Service|module lookup disabled).*$/m.exec(error.output ?? '');
  if (lost) return new Refusal(`${part.title} could not be built, because a Go module could not be fetched:\n  ${lost[0].trim()}\nCheck the network and GOPROXY (now ${goproxy()}), and start again; what was fetched is kept.`);
  const changed = /^.*(checksum mismatch|SECURITY ERROR).*$/m.exec(error.output ?? '');
  if (changed) return new Refusal(`${part.title} was not built, because a Go module is not the one that is pinned:\n  ${changed[0].trim()}\nThe proxy gives another one: use another GOPROXY (now ${goproxy()}).`);
  return error;
}

function goproxy() {
  return spawnSync('go', ['env', 'GOPROXY'], { encoding: 'utf8' }).stdout?.trim() || 'not set';
}
