// Keycloak as Maven publishes it, and a Java that runs it. Only the check `keycloak` needs it.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal, say } from '../say.mjs';
import { cache, fillFolder, runLong } from './cache.mjs';
import { installPackages, onPath } from './debian.mjs';

const VERSION = '26.7.3';
const JAVA = 21;

/** The folder of Keycloak, and `java`, the folder of a JDK that is new enough. */
export async function keycloak() {
  const java = newEnoughJava();
  const folder = join(cache, `keycloak-${VERSION}`);
  if (!existsSync(folder)) await fillFolder(folder, (staging) => download(staging, java));
  return { folder: join(folder, `keycloak-${VERSION}`), java };
}

async function download(staging, java) {
  for (const program of ['mvn', 'unzip']) if (!onPath(program)) installPackages({ mvn: 'maven', unzip: 'unzip' }[program]);
  say(`fetching Keycloak ${VERSION}, once: 180 MB`);
  await runLong('fetch Keycloak', 'mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=org.keycloak:keycloak-quarkus-dist:${VERSION}:zip`, `-DoutputDirectory=${staging}`], { env: { ...process.env, JAVA_HOME: java }, cwd: staging });
  execFileSync('unzip', ['-q', join(staging, `keycloak-quarkus-dist-${VERSION}.zip`), '-d', staging]);
}

function newEnoughJava() {
  const machines = '/usr/lib/jvm';
  const candidates = [process.env.JAVA_HOME, ...(existsSync(machines) ? readdirSync(machines).map((name) => join(machines, name)) : [])].filter(Boolean);
  const version = (home) => Number(/version "(\d+)/.exec(spawnSync(join(home, 'bin/java'), ['-version'], { encoding: 'utf8' }).stderr ?? '')?.[1] ?? 0);
  const found = candidates.find((home) => version(home) >= JAVA);
  if (!found) throw new Refusal(`Keycloak needs Java ${JAVA} or newer, and none was found in JAVA_HOME or ${machines}. Install one, for example Debian's openjdk-21-jre-headless, or set JAVA_HOME.`);
  return found;
}
