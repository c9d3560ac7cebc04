// Browser tests run against a stack that is up already: see stack/test.mjs.

import { defineConfig } from '@playwright/test';
import { chromium } from './stack/tools.mjs';

const browser = { launchOptions: { executablePath: chromium(), args: ['--no-sandbox', '--disable-dev-shm-usage'] } };

export default defineConfig({
  testDir: 'tests',
  outputDir: '../target/e2e/results',
  snapshotPathTemplate: 'tests/snapshots/{arg}{ext}',
  forbidOnly: Boolean(process.env.CI),
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: { ...browser, trace: 'retain-on-failure', timezoneId: 'Europe/Berlin' },
});
