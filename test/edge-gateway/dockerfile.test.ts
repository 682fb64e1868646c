import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GATEWAY_NODE_OPTIONS, ROOT } from '#cdk/dist.ts';

/** Instructions of the Dockerfile as [name, arguments], continued lines joined, comments left out. */
function readInstructions(): [string, string][] {
  const text = readFileSync(join(ROOT, 'edge-gateway/Dockerfile'), 'utf8');
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean);
  return lines.map((line) => {
    const [name = '', ...rest] = line.split(/\s+/);
    return [name, rest.join(' ')];
  });
}

const instructions = readInstructions();
const argumentsOf = (name: string) => instructions.filter(([found]) => found === name).map(([, rest]) => rest);

describe('the Dockerfile', () => {
  it('takes Node 24 on a small base that can be chosen', () => {
    expect(argumentsOf('ARG')).toEqual(['BASE_IMAGE=node:24-slim']);
    expect(argumentsOf('FROM')).toEqual([`\${BASE_IMAGE}`]);
  });

  it('runs nothing while building, so that any machine builds it for arm64', () => {
    expect(argumentsOf('RUN')).toEqual([]);
  });

  it('copies the build of the gateway and nothing else', () => {
    expect([...argumentsOf('COPY'), ...argumentsOf('ADD')]).toEqual(['dist/gateway/ ./']);
  });

  it('runs as a user other than root, given by number, and cannot write its own code', () => {
    expect(argumentsOf('USER')).toEqual(['1000:1000']);
    const names = instructions.map(([name]) => name);
    expect(names.indexOf('USER')).toBeGreaterThan(names.indexOf('COPY'));
    expect(argumentsOf('COPY').join()).not.toContain('--chown');
  });

  it('makes node the first process, which gets SIGTERM without a shell between', () => {
    expect(argumentsOf('STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(JSON.parse(argumentsOf('ENTRYPOINT').join())).toEqual([
      'node',
      '--enable-source-maps',
      ...GATEWAY_NODE_OPTIONS,
      '/app/gateway.mjs',
    ]);
  });

  it('asks its own health with node, the one tool that it has', () => {
    const [, command = ''] = argumentsOf('HEALTHCHECK').join().split(' CMD ');
    const [program, flag, script]: string[] = JSON.parse(command);
    expect([program, flag]).toEqual(['node', '-e']);
    expect(() => new Function(script ?? '')).not.toThrow();
    expect(script).toContain('/healthz');
  });

  it('holds no secret', () => {
    expect(argumentsOf('ENV').join()).not.toMatch(/SECRET|KEY|PASSWORD/);
  });
});
