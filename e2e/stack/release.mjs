// Lays out what goes into the image: node release.mjs FOLDER.

import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildPortal, buildSite, site } from './build.mjs';
import { runMain } from './say.mjs';

await runMain(async () => {
  const [folder] = process.argv.slice(2);
  const binary = await buildPortal({ release: true });
  await buildSite();
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  cpSync(binary, join(folder, 'usr/bin/fairway'));
  cpSync(site, join(folder, 'usr/share/fairway/site'), { recursive: true });
});
