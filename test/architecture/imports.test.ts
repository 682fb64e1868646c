import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** What each layer may import, besides itself and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'lambdas/contract': [],
  'lambdas/core': ['lambdas/contract'],
  'lambdas/table': ['lambdas/core', 'lambdas/contract'],
  'lambdas/roles': ['lambdas/table', 'lambdas/core', 'lambdas/contract'],
  'lambdas/runtime': ['lambdas/core', 'lambdas/contract'],
  'lambdas/handlers': ['lambdas/roles', 'lambdas/table', 'lambdas/core', 'lambdas/contract', 'lambdas/runtime'],
  'edge-gateway/panel': [],
  'edge-gateway': ['lambdas/core', 'lambdas/contract'],
};
const LAYERS = Object.keys(MAY_IMPORT);

/** Node modules whose functions neither read the world nor change it. */
const PURE_MODULES: ReadonlySet<string> = new Set(['node:crypto', 'node:buffer', 'node:zlib']);
/** Packages that compute only. */
const PURE_PACKAGES: ReadonlySet<string> = new Set(['fast-xml-parser']);
/** Ways to reach clock, chance, environment, network or console. */
const IMPURE =
  /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|process\.|console\.|fetch\(|setTimeout|setInterval|randomBytes|randomUUID|randomInt)/;

const layerOf = (file: string): string | undefined => LAYERS.find((layer) => file.startsWith(`${layer}/`));

interface Source {
  readonly file: string;
  readonly layer: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function sources(): Source[] {
  return ['lambdas', 'edge-gateway'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => {
        const file = `${folder}/${name}`;
        const text = readFileSync(path.join(ROOT, file), 'utf8');
        const imports = [...text.matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm)];
        return {
          file,
          layer: layerOf(file) ?? '',
          text,
          imports: imports.map((match) => match[1] ?? match[2] ?? match[3] ?? ''),
        };
      }),
  );
}

const SUBPATHS = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).imports as Record<string, string>;

/** @returns the file that an import names; `undefined` for a package */
function targetOf(source: Source, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(source.file), specifier);
  if (!specifier.startsWith('#')) return undefined;
  const [prefix = '', ...rest] = specifier.split('/');
  return path.posix.join((SUBPATHS[`${prefix}/*`] ?? '').replace('*', ''), rest.join('/'));
}

const all = sources();

describe('imports point one way', () => {
  test('there is something to look at', () => {
    expect(all.length).toBeGreaterThan(50);
    expect(new Set(all.map(({ layer }) => layer))).toEqual(new Set(LAYERS));
  });

  test.each(LAYERS)('%s imports only what stands below it', (layer) => {
    const wrong = all
      .filter((source) => source.layer === layer)
      .flatMap((source) =>
        source.imports.flatMap((specifier) => {
          const target = targetOf(source, specifier);
          const to = target === undefined ? layer : (layerOf(target) ?? target);
          return to === layer || MAY_IMPORT[layer]?.includes(to) ? [] : [`${source.file} imports ${specifier}`];
        }),
      );
    expect(wrong).toEqual([]);
  });

  test('nothing of the product imports tests, the local stack or the deployment', () => {
    const wrong = all.filter(({ imports }) => imports.some((specifier) => /^#(test|cdk)\//.test(specifier)));
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });
});

describe('core is pure', () => {
  const core = all.filter(({ layer }) => layer === 'lambdas/core');

  test('it imports no module or package that reaches outside', () => {
    const wrong = core.flatMap((source) =>
      source.imports
        .filter((specifier) => targetOf(source, specifier) === undefined)
        .filter((specifier) => !PURE_MODULES.has(specifier) && !PURE_PACKAGES.has(specifier))
        .map((specifier) => `${source.file} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  test('it asks neither clock nor chance nor environment', () => {
    const wrong = core.flatMap(({ file, text }) => {
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      const match = IMPURE.exec(code);
      return match === null ? [] : [`${file}: ${match[0]}`];
    });
    expect(wrong).toEqual([]);
  });
});

test('the SDK is known only where its service is reached: table, functions, secrets', () => {
  const users = all.filter(({ imports }) => imports.some((specifier) => specifier.startsWith('@aws-sdk/client-')));
  const named = users.map(({ file }) => file).sort();
  expect(named).toEqual([
    'edge-gateway/backend.ts',
    'edge-gateway/instruction-keys.ts',
    'lambdas/runtime/function-client.ts',
    'lambdas/runtime/secret-rotation.ts',
    'lambdas/runtime/secret.ts',
    'lambdas/table/dynamodb.ts',
  ]);
});
