/** Builds dist/: one bundle per function, the gateway, the worker of local functions, the panel with its console, and the command line. What runs locally is what is deployed, byte for byte. */
import { chmod, cp, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { CLI_BUNDLE, DIST, PANEL_FOLDER, ROOT } from '#cdk/dist.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '#cdk/system.ts';

const PANEL_SOURCE = path.join(ROOT, 'edge-gateway/panel');

const COMMON = {
  bundle: true,
  minify: true,
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
} as const satisfies BuildOptions;

/** Options for a bundle that runs in Node as an ES module, CommonJS dependencies included. */
export const NODE_BUNDLE = {
  ...COMMON,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  mainFields: ['module', 'main'],
  outExtension: { '.js': '.mjs' },
  external: ['bufferutil', 'utf-8-validate'],
  banner: {
    js: [
      "import{createRequire as __createRequire}from'node:module';",
      'const require=__createRequire(import.meta.url),__filename=import.meta.filename,__dirname=import.meta.dirname;',
    ].join(''),
  },
} as const satisfies BuildOptions;

/** A function finds its credentials in its environment alone; a container does not. */
export const FUNCTION_BUNDLE = {
  ...NODE_BUNDLE,
  alias: {
    '@aws-sdk/credential-provider-node': path.join(ROOT, 'lambdas/runtime/environment-credentials.ts'),
  },
} as const satisfies BuildOptions;

export async function buildAll(): Promise<void> {
  await Promise.all([buildNode(), buildPanel(), buildCli()]);
  await removeStaleFunctions();
}

async function buildNode(): Promise<void> {
  const functions = FUNCTION_NAMES.map((name) => [`functions/${name}/index`, path.join(ROOT, FUNCTIONS[name].entry)]);
  const processes = {
    'gateway/gateway': path.join(ROOT, 'edge-gateway/main.ts'),
    'local/worker': path.join(ROOT, 'cdk/local/functions/worker.ts'),
  };
  await Promise.all([
    build({ ...FUNCTION_BUNDLE, outdir: DIST, entryPoints: Object.fromEntries(functions) }),
    build({ ...NODE_BUNDLE, outdir: DIST, entryPoints: processes }),
  ]);
}

async function buildPanel(): Promise<void> {
  // All of the folder goes into the image: nothing may be left there from a build of yesterday.
  await rm(PANEL_FOLDER, { recursive: true, force: true });
  await mkdir(PANEL_FOLDER, { recursive: true });
  await build({
    ...COMMON,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    outdir: PANEL_FOLDER,
    entryPoints: {
      panel: path.join(PANEL_SOURCE, 'panel.ts'),
      'admin/admin': path.join(PANEL_SOURCE, 'admin/admin.ts'),
    },
  });
  await Promise.all(['', 'admin'].map(copyAsIs));
}

/** Pages, styles and pictures of the panel. */
async function copyAsIs(folder: string): Promise<void> {
  const [from, to] = [path.join(PANEL_SOURCE, folder), path.join(PANEL_FOLDER, folder)];
  const files = await readdir(from, { withFileTypes: true });
  const asIs = files.filter((file) => file.isFile() && !/\.(ts|md)$|^screenshot/.test(file.name));
  await Promise.all(asIs.map(({ name }) => cp(path.join(from, name), path.join(to, name))));
}

/** Runs on whatever Node the person has. */
async function buildCli(): Promise<void> {
  await build({
    ...NODE_BUNDLE,
    target: 'node20',
    sourcemap: false,
    outfile: CLI_BUNDLE,
    entryPoints: [path.join(ROOT, 'cdk/cli/main.ts')],
  });
  await chmod(CLI_BUNDLE, 0o755);
}

/** A function that was renamed must not be deployed from yesterday's bundle. */
async function removeStaleFunctions(): Promise<void> {
  const known = new Set<string>(FUNCTION_NAMES);
  const stale = (await readdir(path.join(DIST, 'functions'))).filter((name) => !known.has(name));
  await Promise.all(stale.map((name) => rm(path.join(DIST, 'functions', name), { recursive: true })));
}

if (import.meta.main) await buildAll();
