/** Lamp latency of a workload, here and on AWS, by the simulation of the stream with measured times. Pure. */
import { fleetOf } from './bill.ts';
import { cpuMsOf, demandOf, waitMsOf } from './demand.ts';
import type { Inventory } from './inventory.ts';
import { shardsOf } from './limits.ts';
import { ASSUMED, CPU_MS, GATEWAY, OPERATIONS } from './measured.ts';
import { type LampLatency, type StreamPath, simulateStream } from './stream-simulation.ts';
import { busyCounts, changesIn, type Workload } from './workload.ts';

/** Lambda looks at a shard four times a second; what a record and an Invoke take is not published. */
const AWS = { pollMs: 250, appearMs: 50, invokeMs: 10 } as const;
/** The local mapping pauses 12 ms while there is something to do; Java, functions and gateway share two cores. */
const LOCAL = { pollMs: 12, appearMs: 4, invokeMs: 3, requestMs: 3 } as const;
const SPREAD = 0.35;
const SECONDS = 120;
const SEED = 1;

export function awsPath({ watchersPerUser, devicesPerUser }: Workload): StreamPath {
  return {
    ...{ appearMs: AWS.appearMs, pollMs: AWS.pollMs, spread: SPREAD },
    writeMs: AWS.invokeMs + cpuMsOf('publish') + waitMsOf(OPERATIONS.publishModify),
    invocationMs: AWS.invokeMs + waitMsOf(OPERATIONS.changeWatchedBy10.notify) + ASSUMED.instructionWaitMs,
    changeMs: cpuMsOf('notify'),
    gatewayMs: (watchersPerUser * devicesPerUser * GATEWAY.microsPerNotify) / 1_000,
  };
}

/** One watcher, as the bench has it. */
export function localPath(): StreamPath {
  return {
    ...{ appearMs: LOCAL.appearMs, pollMs: LOCAL.pollMs, spread: SPREAD, gatewayMs: 1 },
    writeMs: LOCAL.invokeMs + (CPU_MS.publish ?? 0) + LOCAL.requestMs,
    invocationMs: LOCAL.invokeMs + 2 * LOCAL.requestMs,
    changeMs: CPU_MS.notify ?? 0,
  };
}

export const simulateLocal = (): LampLatency =>
  simulateStream(localPath(), { changesPerSecond: 5, shards: 1, seconds: SECONDS, seed: SEED });

export interface LampLatencies {
  readonly changesPerSecond: number;
  readonly shards: number;
  readonly well: LampLatency;
  readonly silentGateway: LampLatency;
  readonly throttled: LampLatency;
}

/** In a busy hour; the silent gateway within two minutes of it. */
export function latenciesOf(work: Workload, inventory: Pick<Inventory, 'tasks'>): LampLatencies {
  const counts = busyCounts(work);
  const { writeUnits, readUnits } = demandOf(counts, work);
  const [changesPerSecond, shards] = [changesIn(counts), shardsOf(writeUnits, readUnits)];
  const load = { changesPerSecond, shards, seconds: SECONDS, seed: SEED };
  const path = awsPath(work);
  const silent = { gateways: fleetOf(work, inventory).peak, watchersPerUser: work.watchersPerUser };
  return {
    ...{ changesPerSecond, shards },
    well: simulateStream(path, load),
    silentGateway: simulateStream(path, load, { silent }),
    throttled: simulateStream(path, load, { throttledShare: 0.01 }),
  };
}
