// `make run`: everything, until Ctrl-C.

import { buildPortal, buildSite, site } from './build.mjs';
import { fillDemo } from './demo/demo.mjs';
import { chosenParts } from './parts.mjs';
import { people } from './people.mjs';
import { requirePort } from './processes.mjs';
import { Refusal, runMain, say } from './say.mjs';
import { startStack } from './stack.mjs';

const PORT = 3000;

await runMain(async () => {
  // Before the minutes of building, not after.
  await requirePort(PORT, 'the portal');
  const binary = await buildPortal();
  await buildSite();
  let stopping = false;
  let ask;
  const asked = new Promise((resolve) => (ask = () => resolve((stopping = true))));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => ask());
  let lost;
  const parts = chosenParts({ demo: true, tokens: process.env.TOKENS === 'yes' });
  const starting = startStack({ binary, site, port: PORT, parts, onLost: (sentence) => { lost ??= sentence; ask(); } });
  const stack = await Promise.race([starting, asked.then(() => undefined)]) ?? (await starting.catch(() => undefined));
  if (!stack && lost) throw new Refusal(lost);
  if (!stack) return;
  if (!stopping) announce(stack);
  if (!stopping && stack.takesDemo) await Promise.race([fill(stack, () => stopping), asked]);
  await asked;
  say(lost ?? 'stopping');
  await stack.stop();
  if (lost) process.exitCode = 1;
});

/** The portal can be looked at meanwhile. Where a part is somebody's own, nothing is put into it. */
async function fill(stack, isStopping) {
  say('the demo is being written, which takes about a minute; sign in again when it is complete');
  try {
    await fillDemo(stack);
    say('the demo is complete');
  } catch (error) {
    if (!isStopping()) say(`the demo could not be completed, and the portal goes on without the rest: ${error.message}`);
  }
}

function announce({ url, provider, mailbox, folder }) {
  console.log(`\nFairway is ready: ${url}\n`);
  if (provider.issuer) {
    console.log('Sign in as:');
    for (const { name, says } of people) console.log(`  ${name.padEnd(18)} ${says}`);
  }
  if (mailbox.url) console.log(`\nMail is kept instead of being delivered: ${mailbox.url}`);
  console.log(`\nLogs: ${folder}\nCtrl-C stops everything.`);
}
