// Browser tests run against a stack that is up already: see stack/test.mjs.

import { defineConfig } from '@playwright/test';
import { availableParallelism } from 'node:os';
import { chromium } from './stack/tools/programs.mjs';

const browser = { launchOptions: { executablePath: chromium(), args: ['--no-sandbox', '--disable-dev-shm-usage'] } };

export default defineConfig({
  testDir: 'tests',
  testMatch: process.env.FAIRWAY_CHECK === 'keycloak' ? 'keycloak.check.mjs' : '**/*.spec.mjs',
  outputDir: '../target/e2e/results',
  forbidOnly: Boolean(process.env.CI),
  workers: Math.max(2, availableParallelism()),
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: { ...browser, trace: 'retain-on-failure', timezoneId: 'Europe/Berlin', ignoreHTTPSErrors: true },
});
