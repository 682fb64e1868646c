import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/patience.ts';

// What was compiled once is not compiled again by each worker, each stack and each command that tests start.
process.env.NODE_COMPILE_CACHE ??= path.join(import.meta.dirname, 'node_modules/.cache/lampfield-compiled');

/** Tests that run whole systems and foreign clients, which may leave timers and connections behind. */
const SYSTEM = ['bench', 'cdk/cli', 'cdk/local', 'e2e', 'flow', 'interop', 'suites'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);
const shared = {
  ...{ testTimeout: 90_000, hookTimeout: 90_000, maxWorkers: 2 },
  expect: { poll: { timeout: PATIENCE_MS } },
};

export default defineConfig({
  test: {
    ...shared,
    globalSetup: ['test/support/global-setup.ts'],
    projects: [
      { test: { ...shared, name: 'system', include: SYSTEM } },
      // These keep their modules, which saves a third of their CPU.
      { test: { ...shared, name: 'parts', include: ['test/**/*.test.ts'], exclude: SYSTEM, isolate: false } },
    ],
  },
});
