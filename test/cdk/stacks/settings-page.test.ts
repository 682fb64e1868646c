import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '#cdk/dist.ts';
import { readSettings } from '#cdk/stacks/settings.ts';
import { describeSetting, SETTING_NAMES } from '#cdk/stacks/settings-schema.ts';

const defaults = (['dev', 'prod'] as const).map((stage) =>
  readSettings((name) => (name === 'stage' ? stage : undefined)),
);

function cell(value: unknown): string {
  if (value === undefined || value === '') return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
}

// After a change of the settings: npx vitest run test/cdk/stacks/settings-page.test.ts -u
it('the page of the settings says of each what it is for and its defaults', async () => {
  const rows = SETTING_NAMES.map((name) => {
    const [dev, prod] = defaults.map((settings) => cell(settings[name]));
    return `| \`${name}\` | ${dev} | ${prod} | ${describeSetting(name)} |`;
  });
  const page = [
    '# Settings of a deployment',
    '',
    'Given as `-c name=value` or in `cdk.json` under `context`; checked together before anything is made. Empty: none.',
    '',
    '| setting | dev | prod | what for |',
    '|---|---|---|---|',
    ...rows,
    '',
  ];
  await expect(page.join('\n')).toMatchFileSnapshot(join(ROOT, 'cdk/settings.md'));
});
