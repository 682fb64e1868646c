import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GATEWAY_BUNDLE, ROOT } from '#cdk/dist.ts';

const NOWHERE = 'http://127.0.0.1:9';

/** Runs the CDK CLI as on a machine without account, credentials or network. */
function synth(...options: string[]) {
  const home = mkdtempSync(join(tmpdir(), 'lampfield-synth-'));
  const output = join(home, 'cdk.out');
  const env = {
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    HOME: home,
    HTTP_PROXY: NOWHERE,
    HTTPS_PROXY: NOWHERE,
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
  };
  const args = [join(ROOT, 'node_modules/aws-cdk/bin/cdk'), 'synth', '--quiet', '--output', output, ...options];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
  return { status, stderr, files: existsSync(output) ? readdirSync(output) : [] };
}

// `npm test` builds first.
describe.skipIf(!existsSync(GATEWAY_BUNDLE))('cdk synth', { timeout: 120_000 }, () => {
  it('makes every stack without a setting, an account or a network, and warns of nothing', () => {
    const { status, stderr, files } = synth('--strict');
    expect(stderr).not.toMatch(/warning/i);
    expect(status, stderr).toBe(0);
    const templates = files.filter((name) => name.endsWith('.template.json')).toSorted();
    expect(templates).toEqual(
      ['data', 'edge', 'functions', 'network', 'observability'].map((stack) => `lampfield-dev-${stack}.template.json`),
    );
  });

  it('stops at a wrong setting with its name and the reason', () => {
    const { status, stderr } = synth('--context', 'certificateArn=nonsense');
    expect(status).not.toBe(0);
    expect(stderr).toContain('certificateArn: must be the ARN of an ACM certificate');
  });
});
