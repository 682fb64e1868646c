/** Where the build puts what. */
import path from 'node:path';
import type { FunctionName } from '#cdk/system.ts';

export const ROOT = path.resolve(import.meta.dirname, '..');
export const DIST = path.join(ROOT, 'dist');
export const GATEWAY_BUNDLE = path.join(DIST, 'gateway/gateway.mjs');
/** Runs one function in a thread; each thread that starts from sources would strip their types anew. */
export const WORKER_BUNDLE = path.join(DIST, 'local/worker.mjs');
export const CLI_BUNDLE = path.join(DIST, 'cli/lampfield.mjs');
/**
 * Small young generation, early collection of the old one: idle flows stay small, and a fan-out, measured, pays nothing.
 * The Dockerfile has them too.
 */
export const GATEWAY_NODE_OPTIONS = ['--max-semi-space-size=2', '--heap-growing-percent=20'] as const;
export const PANEL_FOLDER = path.join(DIST, 'gateway/panel');
/** Folder with the one file `index.mjs` (and its source map) of a function. */
export const functionFolder = (name: FunctionName): string => path.join(DIST, 'functions', name);
