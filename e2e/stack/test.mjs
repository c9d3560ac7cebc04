// `make test`: every check that CI runs, each with its own summary. With the name of a check, only that one;
// what follows goes to its runner: node stack/test.mjs browser -g wizard.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { buildPortal, buildSite, site } from './build.mjs';
import { freePort } from './processes.mjs';
import { Refusal, runMain, say } from './say.mjs';
import { startStack } from './stack.mjs';
import * as tools from './tools.mjs';

const root = join(import.meta.dirname, '../..');
const offline = { SQLX_OFFLINE: 'true' };
const failed = [];

async function check(name, command, args, { env = {}, cwd = root } = {}) {
  say(`${name}: ${[command, ...args].join(' ')}`);
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: 'inherit' });
  const [code] = await once(child, 'exit').catch((error) => Promise.reject(new Refusal(`${command} cannot be started (${error.message}).`)));
  if (code !== 0) failed.push(name);
}

/** Needs nothing but the compiler. */
const still = {
  format: async () => {
    await check('format', 'cargo', ['fmt', '--all', '--check']);
    // cargo does not see modules that a macro declares; rustfmt without --check mends them.
    await check('format of rules', 'sh', ['-c', 'rustfmt --check --edition 2024 review/src/rules/*.rs']);
  },
  lint: (more) => check('lint', 'cargo', ['clippy', '-q', '--all-targets', ...more, '--', '-D', 'warnings'], { env: offline }),
  docs: () => check('docs', 'cargo', ['doc', '-q', '--no-deps', '--document-private-items'], { env: offline }),
  layers: () => check('layers', 'node', [join(import.meta.dirname, 'layers.mjs')]),
};

/** Needs the stack. */
const moving = {
  queries: (more, stack) => check('queries', 'node', [join(import.meta.dirname, 'queries.mjs'), '--check'], { env: { DATABASE_URL: stack.database.owner } }),
  rust: (more, stack) =>
    check('rust', 'cargo', ['test', ...more], {
      env: { ...offline, DATABASE_URL: stack.database.owner, FAIRWAY_TEST_KUBECONFIG: stack.cluster.config, FAIRWAY_TEST_ADMIN_KUBECONFIG: stack.cluster.adminConfig, FAIRWAY_TEST_ISSUER: stack.provider.issuer, FAIRWAY_TEST_PORTAL: stack.url, FAIRWAY_TEST_SMTP: stack.mailbox.smtp, FAIRWAY_TEST_MAILBOX: stack.mailbox.url },
    }),
  browser: (more, stack) => {
    tools.chromium();
    const told = { url: stack.url, issuer: stack.provider.issuer, database: stack.database.owner, mailbox: stack.mailbox.url, kubeconfig: stack.cluster.adminConfig, clusterAudit: stack.cluster.auditLog, binary: stack.binary, site };
    return check('browser', 'node', ['node_modules/.bin/playwright', 'test', ...more], { cwd: join(root, 'e2e'), env: { FAIRWAY_STACK: JSON.stringify(told) } });
  },
};

await runMain(async () => {
  const [only, ...more] = process.argv.slice(2);
  if (only && !still[only] && !moving[only]) throw new Refusal(`there is no check named ${only}; there are ${Object.keys({ ...still, ...moving }).join(', ')}.`);
  for (const name of Object.keys(still)) if (!only || only === name) await still[name](more);
  const wanted = Object.keys(moving).filter((name) => !only || only === name);
  if (wanted.length) await onStack(async (stack) => {
    for (const name of wanted) await moving[name](more, stack);
  });
  if (failed.length) throw new Refusal(`failed: ${failed.join(', ')}`);
  say('all checks passed');
});

async function onStack(run) {
  const binary = buildPortal();
  buildSite();
  const stack = await startStack({ binary, site, port: await freePort(), onLost: (sentence) => say(sentence) });
  const interrupted = () => stack.stop().then(() => process.exit(130));
  // Not once: an impatient second signal would kill us and leave the stack behind.
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
  try {
    await run({ ...stack, binary });
  } finally {
    await stack.stop();
  }
}
