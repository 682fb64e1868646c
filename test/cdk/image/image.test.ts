import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ROOT } from '#cdk/dist.ts';
import { type ConfinedGateway, confinementProblem, LONELY_ENVIRONMENT, runConfined } from '#cdk/image/confined-run.ts';
import { composeRoot, filesOf, GATEWAY_FILES } from '#cdk/image/root-file-system.ts';
import { freePort } from '#test/support/ports.ts';

describe('what goes into the image', () => {
  const files = filesOf(GATEWAY_FILES);

  it('is one bundle with its map, and the pages, styles and pictures of the panel', () => {
    const others = [...files.keys()].filter((name) => !name.startsWith('panel/'));
    expect(others).toEqual(['gateway.mjs', 'gateway.mjs.map']);
    const odd = [...files.keys()].filter((name) => !/\.(html|css|svg|js|mjs|map)$/.test(name));
    expect(odd).toEqual([]);
    expect([...files.values()].reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(4 * 1_024 ** 2);
  });

  it('is all that the build may read: the rest of the repository is ignored', () => {
    const lines = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');
    expect(lines).toEqual(['*', '!dist/gateway', '!edge-gateway/Dockerfile']);
  });
});

const problem = confinementProblem();

describe.skipIf(problem !== undefined)(`the image's files, run as an engine runs them ${problem ?? ''}`, () => {
  let root: string;
  let port: number;
  let gateway: ConfinedGateway;
  const stateOf = (file: string): string => readFileSync(`/proc/${gateway.pid}/${file}`, 'utf8');
  const fieldOf = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(stateOf('status'))?.[1];

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), 'lampfield-root-'));
    composeRoot(root);
    port = await freePort();
    gateway = await runConfined(root, { ...LONELY_ENVIRONMENT, PORT: String(port), MAX_FLOWS: '10' });
  });
  afterAll(() => {
    if (gateway?.child.exitCode === null) process.kill(gateway.pid, 'SIGKILL');
    rmSync(root, { recursive: true, force: true });
  });

  it('starts within a second of CPU', () => {
    expect(gateway.startCpuMs).toBeGreaterThan(0);
    expect(gateway.startCpuMs).toBeLessThan(1_000);
  });

  it('is uid 1000 without a capability, and can gain none', () => {
    expect([fieldOf('Uid'), fieldOf('Gid'), fieldOf('CapEff'), fieldOf('CapPrm'), fieldOf('NoNewPrivs')]).toEqual([
      ...['1000', '1000', '0000000000000000', '0000000000000000', '1'],
    ]);
  });

  it('has a root file system that is read-only, and is the only one beside /proc', () => {
    const mounts = stateOf('mountinfo')
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const places = mounts.map(([, , , , place, options]) => [place, options?.split(',')[0]]);
    expect(places).toEqual([
      ['/', 'ro'],
      ['/proc', 'rw'],
    ]);
  });

  it('serves the panel from there', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  });

  it('drains on SIGTERM: flows are closed with 1012, and it ends with 0', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, 'sip');
    await new Promise((resolve) => socket.once('open', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const stopped = gateway.stop();
    expect(await closed).toBe(1012);
    expect((await stopped).code).toBe(0);
  });
});
