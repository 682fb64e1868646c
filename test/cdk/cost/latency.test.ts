import { describe, expect, it } from 'vitest';
import { awsPath, latenciesOf, simulateLocal } from '#cdk/cost/latency.ts';
import { GATEWAY } from '#cdk/cost/measured.ts';
import { type StreamPath, simulateStream } from '#cdk/cost/stream-simulation.ts';
import { DEFAULT_WORKLOAD } from '#cdk/cost/workload.ts';

const PATH: StreamPath = {
  ...{ writeMs: 20, appearMs: 50, pollMs: 250, invocationMs: 20, changeMs: 2, spread: 0, gatewayMs: 1 },
};
const LOAD = { changesPerSecond: 20, shards: 1, seconds: 60, seed: 7 };

describe('simulation of the stream', () => {
  it('repeats with its seed, and differs with another one', () => {
    expect(simulateStream(PATH, LOAD)).toEqual(simulateStream(PATH, LOAD));
    expect(simulateStream(PATH, { ...LOAD, seed: 8 })).not.toEqual(simulateStream(PATH, LOAD));
  });

  it('takes what the parts take, and half a look at the shard in the middle', () => {
    const { changes, p50, max, lost } = simulateStream(PATH, LOAD);
    expect(changes).toBeGreaterThan(60 * 20 * 0.8);
    expect(p50).toBeGreaterThan(93 + 125 - 40);
    expect(p50).toBeLessThan(93 + 125 + 40);
    expect(max).toBeLessThan(93 + 250 + 60);
    expect(lost).toBe(0);
  });

  it('waits when the lanes of a shard are full, and not when there are more shards', () => {
    const slow = { ...PATH, changeMs: 60 };
    const busy = { ...LOAD, changesPerSecond: 400 };
    expect(simulateStream(slow, busy).p99).toBeGreaterThan(5_000);
    expect(simulateStream(slow, { ...busy, shards: 10 }).p99).toBeLessThan(1_500);
  });

  it('a throttled request is tried again: late, never lost', () => {
    const { lost, p99 } = simulateStream(PATH, LOAD, { throttledShare: 0.2 });
    expect(lost).toBe(0);
    expect(p99).toBeGreaterThan(simulateStream(PATH, LOAD).p99);
  });

  it('a silent gateway holds up the lanes of those who are watched there until its lease has lapsed', () => {
    const silent = { gateways: 4, watchersPerUser: 2 };
    const { p50, max, lost } = simulateStream(PATH, { ...LOAD, seconds: 120 }, { silent });
    // 18 s of the lease and the sweep, and the last two POSTs of 2 s that began before.
    expect(max).toBeGreaterThan(20_800);
    expect(max).toBeLessThan(30_000);
    expect(p50).toBeLessThan(400);
    expect(lost).toBe(0);
  });

  it('more than one attempt that fails ends in the failure queue only after all of them', () => {
    expect(simulateStream(PATH, LOAD, { throttledShare: 1 }).lost).toBeGreaterThan(0);
  });
});

describe('the simulation of the local stack', () => {
  it('is plausible beside what the bench has measured', () => {
    const { p50, p99 } = simulateLocal();
    const { localLampMs } = GATEWAY;
    expect(p50).toBeGreaterThan(localLampMs.p50 / 2);
    expect(p50).toBeLessThan(localLampMs.p50 * 2);
    expect(p99).toBeGreaterThan(localLampMs.p99 / 2.5);
    expect(p99).toBeLessThan(localLampMs.p99 * 2.5);
  });
});

describe('lamps on AWS', () => {
  it('keep the promise of 3 s in a busy hour of 100,000 users', () => {
    const { well, throttled } = latenciesOf({ ...DEFAULT_WORKLOAD, users: 100_000 }, { tasks: 2 });
    expect(well.p99).toBeLessThan(3_000);
    expect(throttled.p99).toBeLessThan(3_000);
  });

  it('take longer the more watchers the gateway has to tell', () => {
    const few = awsPath({ ...DEFAULT_WORKLOAD, watchersPerUser: 10 });
    expect(awsPath({ ...DEFAULT_WORKLOAD, watchersPerUser: 1_000 }).gatewayMs).toBe(few.gatewayMs * 100);
  });
});
