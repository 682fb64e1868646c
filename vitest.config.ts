import path from 'node:path';
import { defineConfig } from 'vitest/config';

// What was compiled once is not compiled again by each worker, each stack and each command that tests start.
process.env.NODE_COMPILE_CACHE ??= path.join(import.meta.dirname, 'node_modules/.cache/lampfield-compiled');

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    maxWorkers: 3,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
