// `make test`: every check that CI runs, each with its own summary. With the name of a check, only that one;
// what follows goes to its runner: node stack/test.mjs browser -g wizard.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { buildPortal, buildSite, site } from './build.mjs';
import { endOnSignals, freePort } from './processes.mjs';
import { partsWith } from './parts.mjs';
import { Refusal, runMain, say } from './say.mjs';
import { startStack } from './stack.mjs';
import { chromium } from './tools/programs.mjs';

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
    // cargo does not see modules that a macro declares; rustfmt without --check fixes them.
    await check('format of rules', 'sh', ['-c', 'rustfmt --check --edition 2024 review/src/rules/*.rs']);
  },
  lint: (more) => check('lint', 'cargo', ['clippy', '-q', '--all-targets', ...more, '--', '-D', 'warnings'], { env: offline }),
  docs: () => check('docs', 'cargo', ['doc', '-q', '--no-deps', '--document-private-items'], { env: { ...offline, RUSTDOCFLAGS: '-D warnings' } }),
  tools: (more) => check('tools', 'node', ['--test', ...more, join(import.meta.dirname, 'tools/tools.test.mjs')]),
  layers: () => check('layers', 'node', [join(import.meta.dirname, 'layers.mjs')]),
};

/** Needs the stack. */
const moving = {
  queries: (more, stack) => check('queries', 'node', [join(import.meta.dirname, 'queries.mjs'), '--check'], { env: { DATABASE_URL: stack.database.owner } }),
  rust: (more, stack) =>
    check('rust', 'cargo', ['test', '--no-fail-fast', ...more], {
      env: { ...offline, DATABASE_URL: stack.database.owner, FAIRWAY_TEST_KUBECONFIG: stack.cluster.config, FAIRWAY_TEST_ADMIN_KUBECONFIG: stack.cluster.adminConfig, FAIRWAY_TEST_ISSUER: stack.provider.demo, FAIRWAY_TEST_DEX: stack.provider.issuer, FAIRWAY_TEST_AUTHORITY: stack.authority, FAIRWAY_TEST_PORTAL: stack.url, FAIRWAY_TEST_SMTP: stack.mailbox.smtp, FAIRWAY_TEST_MAILBOX: stack.mailbox.url },
    }),
  hnc: (more, stack) => check('hnc', 'node', ['--test', '--test-concurrency=4', ...more, join(import.meta.dirname, 'hnc/hnc.test.mjs')], { env: { FAIRWAY_TEST_ADMIN_KUBECONFIG: stack.cluster.adminConfig } }),
  browser: (more, stack, env = {}) => {
    chromium();
    const told = { url: stack.url, issuer: stack.provider.issuer, demo: stack.provider.demo, authority: stack.authority, database: stack.database.owner, mailbox: stack.mailbox.url, kubeconfig: stack.cluster.adminConfig, clusterAudit: stack.cluster.auditLog, portalLog: stack.portal.log, kubectl: stack.cluster.kubectl, binary: stack.binary, site };
    return check('browser', 'node', ['node_modules/.bin/playwright', 'test', ...more], { cwd: join(root, 'e2e'), env: { ...env, FAIRWAY_STACK: JSON.stringify(told) } });
  },
};

/** Only on request, as they need what is not everywhere: a checkout of Gatekeeper's library, or Java. */
const onRequest = {
  library: async (more) => {
    if (!process.env.GATEKEEPER_LIBRARY) throw new Refusal('GATEKEEPER_LIBRARY does not name a checkout of the library.');
    await check('answers for the library', 'node', [join(import.meta.dirname, 'gatekeeper/answers.mjs')]);
    await check('library', 'cargo', ['test', '-p', 'fairway-review', '--test', 'gatekeeper_library', '--', '--ignored', '--nocapture', ...more], { env: { ...offline, FAIRWAY_LIBRARY_ANSWERS: join(root, 'target/gatekeeper-library.jsonl') } });
  },
  keycloak: (more) => onStack((stack) => moving.browser(more, stack, { FAIRWAY_CHECK: 'keycloak' })),
};

await runMain(async () => {
  const [only, ...more] = process.argv.slice(2);
  const names = Object.keys({ ...still, ...moving, ...onRequest });
  if (only && !names.includes(only)) throw new Refusal(`there is no check named ${only}; there are ${names.join(', ')}.`);
  for (const name of Object.keys(still)) if (!only || only === name) await still[name](more);
  const wanted = Object.keys(moving).filter((name) => !only || only === name);
  if (wanted.length) await onStack(async (stack) => {
    for (const name of wanted) await moving[name](more, stack);
  });
  if (onRequest[only]) await onRequest[only](more);
  if (failed.length) throw new Refusal(`failed: ${failed.join(', ')}`);
  say('all checks passed');
});

async function onStack(run) {
  endOnSignals();
  const binary = await buildPortal();
  await buildSite();
  const stack = await startStack({ binary, site, port: await freePort(), parts: partsWith({ tokens: true }), onLost: (sentence) => say(sentence) });
  endOnSignals(() => stack.stop().then(() => process.exit(130)));
  try {
    await run({ ...stack, binary });
  } finally {
    await stack.stop();
  }
}
