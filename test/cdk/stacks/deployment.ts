/** Synthesizes a deployment over placeholder bundles and gives its templates. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as v from 'valibot';
import { ROOT } from '#cdk/dist.ts';
import { deploy, type RegionStacks } from '#cdk/stacks/deployment.ts';
import { readSettings } from '#cdk/stacks/settings.ts';
import { FUNCTION_NAMES } from '#cdk/system.ts';

export interface Templates {
  readonly network: Template;
  readonly data: Template;
  readonly functions: Template;
  readonly edge: Template;
  readonly observability: Template;
}

const cdkJson = v.object({ app: v.string(), context: v.record(v.string(), v.unknown()) });

/** The feature flags and defaults that the CLI hands to the app. */
export function readCdkJson(): v.InferOutput<typeof cdkJson> {
  return v.parse(cdkJson, JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')));
}

/** A folder that looks like a built repository. */
export function placeholderRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'lampfield-stacks-'));
  for (const name of FUNCTION_NAMES) placeFile(root, `dist/functions/${name}/index.mjs`, `// ${name}\n`);
  placeFile(root, 'dist/gateway/gateway.mjs', '// gateway\n');
  placeFile(root, 'dist/gateway/panel/index.html', '<!doctype html>\n');
  placeFile(root, 'README.md', 'not for the image\n');
  for (const name of ['.dockerignore', 'edge-gateway/Dockerfile'])
    cpSync(join(ROOT, name), join(root, name), { recursive: true });
  return root;
}

/** Synthesizes without an account, region or network. */
export function synthesize(given: Readonly<Record<string, unknown>> = {}, root = placeholderRoot()): Templates {
  const app = new App({ context: readCdkJson().context, outdir: join(root, 'cdk.out'), analyticsReporting: false });
  const settings = readSettings((name) => given[name]);
  return templatesOf(deploy(app, settings, root));
}

/** Synthesizes several regions; the first one is the first of the setting. */
export function synthesizeRegions(given: Readonly<Record<string, unknown>>): Templates[] {
  const root = placeholderRoot();
  const app = new App({ context: readCdkJson().context, outdir: join(root, 'cdk.out'), analyticsReporting: false });
  const deployment = deploy(
    app,
    readSettings((name) => given[name]),
    root,
  );
  return [deployment, ...deployment.others].map(templatesOf);
}

function templatesOf({ network, data, functions, edge, observability }: RegionStacks): Templates {
  return {
    network: Template.fromStack(network),
    data: Template.fromStack(data),
    functions: Template.fromStack(functions),
    edge: Template.fromStack(edge),
    observability: Template.fromStack(observability),
  };
}

function placeFile(root: string, path: string, text: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
}
