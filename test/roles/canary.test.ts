import { beforeEach, describe, expect, it } from 'vitest';
import type { MetricValues } from '#core/metric.ts';
import { type CanaryMemory, type CanaryPorts, runCanary } from '#roles/canary.ts';

let done: string[];
let told: MetricValues<'canary'>[];
let logged: [string, unknown][];
let memory: CanaryMemory;

const ports = (probe: () => Promise<number>): CanaryPorts => ({
  telemetry: { log: (level, _hop, fields) => logged.push([level, fields]) },
  metrics: (values) => told.push(values),
  seed: async () => {
    done.push('seed');
  },
  probe: () => {
    done.push('probe');
    return probe();
  },
});

beforeEach(() => {
  [done, told, logged] = [[], [], []];
  memory = { isSeeded: false };
});

describe('the canary', () => {
  it('puts its account in place once, and says how long its lamp took', async () => {
    const well = ports(async () => 42.5);
    expect(await runCanary(memory, well)).toEqual({ isWell: true, lampMs: 42.5 });
    await runCanary(memory, well);
    expect(done).toEqual(['seed', 'probe', 'probe']);
    expect(told).toEqual(Array(2).fill({ CanaryLampMs: 42.5, CanaryFailed: 0 }));
    expect(logged[0]).toEqual(['info', { outcome: 'well', lampMs: 42.5 }]);
  });

  it('counts a failure, says why, and puts its account in place again before the next run', async () => {
    memory.isSeeded = true;
    const refused = ports(() => Promise.reject(new Error('401 Unauthorized')));
    expect(await runCanary(memory, refused)).toEqual({ isWell: false });
    expect(told).toEqual([{ CanaryFailed: 1 }]);
    expect(logged).toEqual([['error', { outcome: 'failed', error: 'Error', message: '401 Unauthorized' }]]);
    await runCanary(
      memory,
      ports(async () => 7),
    );
    expect(done).toEqual(['probe', 'seed', 'probe']);
  });

  it('fails when its account cannot be put in place, and goes no way', async () => {
    const noTable = { ...ports(async () => 7), seed: () => Promise.reject(new Error('no table')) };
    expect(await runCanary(memory, noTable)).toEqual({ isWell: false });
    expect([done, told]).toEqual([[], [{ CanaryFailed: 1 }]]);
  });
});
