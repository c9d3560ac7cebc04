// `make run`: everything, until Ctrl-C.

import { buildPortal, buildSite, site } from './build.mjs';
import { people } from './people.mjs';
import { requirePort } from './processes.mjs';
import { Refusal, runMain, say } from './say.mjs';
import { startStack } from './stack.mjs';

const PORT = 3000;

await runMain(async () => {
  // Before the minutes of building, not after.
  await requirePort(PORT, 'the portal');
  const binary = buildPortal();
  buildSite();
  let stopping = false;
  let ask;
  const asked = new Promise((resolve) => (ask = () => resolve((stopping = true))));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => ask());
  let lost;
  const starting = startStack({ binary, site, port: PORT, onLost: (sentence) => { lost ??= sentence; ask(); } });
  const stack = await Promise.race([starting, asked.then(() => undefined)]) ?? (await starting.catch(() => undefined));
  if (!stack && lost) throw new Refusal(lost);
  if (!stack) return;
  if (!stopping) announce(stack);
  await asked;
  say(lost ?? 'stopping');
  await stack.stop();
  if (lost) process.exitCode = 1;
});

function announce({ url, provider, mailbox, folder }) {
  console.log(`\nFairway is ready: ${url}\n`);
  if (provider.issuer) {
    console.log('Sign in as:');
    for (const { name, says } of people) console.log(`  ${name.padEnd(18)} ${says}`);
  }
  if (mailbox.url) console.log(`\nMail is kept instead of being delivered: ${mailbox.url}`);
  console.log(`\nLogs: ${folder}\nCtrl-C stops everything.`);
}
