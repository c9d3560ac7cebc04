// Pins the official builds by the checksums that their publisher says: node pin.mjs. Whoever commits them has checked that
// they are those of the release.

import { runMain, say } from '../say.mjs';
import { readPins, withChecksums, writePins } from './prebuilt.mjs';

await runMain(async () => {
  writePins(await withChecksums(readPins()));
  say('prebuilt.json pins every official build now; compare it with what the release says before you commit it');
});
