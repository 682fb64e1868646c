import path from 'node:path';
import { build } from 'esbuild';
import { beforeAll, expect, it } from 'vitest';
import { FUNCTION_BUNDLE } from '#cdk/build.ts';
import { ROOT } from '#cdk/dist.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '#cdk/system.ts';

/** Bytes that a package, or our own sources (''), has in the bundle of each function. */
const bundles = new Map<string, Map<string, number>>();

beforeAll(async () => {
  const entries = FUNCTION_NAMES.map((name) => [name, path.join(ROOT, FUNCTIONS[name].entry)]);
  const { metafile } = await build({
    ...FUNCTION_BUNDLE,
    ...{ absWorkingDir: ROOT, outdir: 'dist', entryPoints: Object.fromEntries(entries), write: false, metafile: true },
  });
  for (const { entryPoint, inputs } of Object.values(metafile.outputs)) {
    const name = FUNCTION_NAMES.find((each) => FUNCTIONS[each].entry === entryPoint);
    if (name === undefined) continue;
    const bytes = new Map<string, number>();
    for (const [file, { bytesInOutput }] of Object.entries(inputs))
      bytes.set(packageOf(file), (bytes.get(packageOf(file)) ?? 0) + bytesInOutput);
    bundles.set(name, bytes);
  }
}, 60_000);

const packageOf = (file: string): string => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? '';
const isSdk = (name: string): boolean => /^(@aws-sdk|@smithy|@aws)\//.test(name);
const functionsWith = (name: string): string[] =>
  [...bundles].filter(([, bytes]) => (bytes.get(name) ?? 0) > 0).map(([each]) => each);

it('every function is bundled', () => {
  expect([...bundles.keys()].toSorted()).toEqual(FUNCTION_NAMES.toSorted());
});

it.each(FUNCTION_NAMES)('%s has less than 300 KB beside the SDK', (name) => {
  const own = [...(bundles.get(name) ?? [])].filter(([each]) => !isSdk(each));
  const bytes = own.reduce((sum, [, each]) => sum + each, 0);
  expect(bytes).toBeGreaterThan(5_000);
  expect(bytes).toBeLessThan(300_000);
});

it('only who reads documents carries the XML parser', () => {
  expect(functionsWith('fast-xml-parser').toSorted()).toEqual(['publish', 'subscribe']);
});

it('no function carries ways to credentials that Lambda does not use', () => {
  for (const name of [
    '@aws-sdk/credential-provider-node',
    '@aws-sdk/nested-clients',
    '@aws-sdk/credential-provider-ini',
  ])
    expect(functionsWith(name)).toEqual([]);
});
