/** The limits that a workload comes near to in its busiest second, and what the design does about each. Pure. */
import { FUNCTIONS, STREAM_MAPPING } from '#cdk/system.ts';
import { DUE_SHARDS } from '#table/keys.ts';
import { FLOWS_PER_GATEWAY, fleetOf } from './bill.ts';
import { type Demand, demandOf, notifyMs } from './demand.ts';
import type { Inventory } from './inventory.ts';
import { GATEWAY, ITEM_BYTES } from './measured.ts';
import { busyCounts, changesIn, morningCounts, sum, type Workload } from './workload.ts';

export interface Limit {
  readonly name: string;
  /** Of the busiest second. */
  readonly needed: number;
  readonly limit: number;
  /** True of a quota that AWS raises on request. */
  readonly canRise: boolean;
  readonly answer: string;
}

/** DynamoDB gives one partition so many units a second; a partition key lives in one until its items are split by sort key. */
const PARTITION = { write: 1_000, read: 3_000 } as const;
/** Quotas of an account, unless raised. */
const QUOTA = { tableUnits: 40_000, lambdaConcurrency: 1_000, fargateVcpu: 6 } as const;
const READERS_OF_A_SHARD = 2;

export function limitsOf(work: Workload, inventory: Pick<Inventory, 'tasks' | 'taskVcpu' | 'taskGb'>): Limit[] {
  const [busy, morning] = [demandOf(busyCounts(work), work), demandOf(morningCounts(work), work)];
  const most = (of: (demand: Demand) => number): number => Math.max(of(busy), of(morning));
  const fleet = fleetOf(work, inventory);
  const shards = shardsOf(
    most((demand) => demand.writeUnits),
    most((demand) => demand.readUnits),
  );
  const due = most(({ indexWriteUnits }) => indexWriteUnits.due ?? 0);
  const tenants = Math.max(1, work.users / work.tenantUsers);
  const flows = work.users * work.devicesPerUser;
  return [
    quota(
      'write units a second of the table',
      most((demand) => demand.writeUnits),
      QUOTA.tableUnits,
      WARM,
    ),
    quota(
      'read units a second of the table',
      most((demand) => demand.readUnits),
      QUOTA.tableUnits,
      WARM,
    ),
    hard('write units a second of index `due`', due, DUE_SHARDS.length * PARTITION.write, DUE),
    hard('write units a second in one tenant', busy.tenantWriteUnits / tenants, PARTITION.write, TENANT),
    hard('read units a second of one presentity', readsOfOne(work), PARTITION.read, PRESENTITY),
    hard(
      '`notify` at once',
      concurrency(changesIn(busyCounts(work)), notifyMs()),
      shards * STREAM_MAPPING.parallelizationFactor,
      SHARDS,
    ),
    hard('readers of a stream shard', 2, READERS_OF_A_SHARD, READERS),
    quota('functions at once', most(atOnce), QUOTA.lambdaConcurrency, LAMBDA),
    hard('flows of a gateway', flows / fleet.peak, FLOWS_PER_GATEWAY, FLOWS),
    hard('memory of a gateway, MiB', memoryMb(work, flows / fleet.peak), inventory.taskGb * 1_024, MEMORY),
    quota('vCPU of all gateways', fleet.peak * inventory.taskVcpu, QUOTA.fargateVcpu, FARGATE),
  ];
}

const WARM =
  'on demand grows by itself to twice the last peak within 30 minutes; warm throughput before a big start; 503 with Retry-After beyond';
const DUE = `${DUE_SHARDS.length} shards by hash; more of them is one constant, and a sweep asks each`;
const TENANT = 'counters of calls in 8 shards; DynamoDB splits the partition by sort key when it stays hot';
const PRESENTITY = 'one Query for all changes of a batch; a stream batch keeps only the newest state';
const SHARDS = "shards follow the table's partitions; each has 10 lanes; a batch of 100 records makes one invocation";
const READERS = '`notify` and the pipe of call records; a third reader must go behind one of them';
const LAMBDA = 'a gateway has at most 8 invocations of a function in flight and puts what waits into batches of 32';
const FLOWS = 'handshakes beyond it are refused with 503; the fleet grows before';
const MEMORY = 'measured per flow and subscription; the rest is the process itself, 120 MiB';
const FARGATE = 'the service grows by flows and CPU';

const hard = (name: string, needed: number, limit: number, answer: string): Limit => ({
  name,
  needed,
  limit,
  canRise: false,
  answer,
});
const quota = (name: string, needed: number, limit: number, answer: string): Limit => ({
  name,
  needed,
  limit,
  canRise: true,
  answer,
});

/** A shard of the stream for each partition of the table. */
export const shardsOf = (writes: number, reads: number): number =>
  Math.max(1, Math.ceil(Math.max(writes / PARTITION.write, reads / PARTITION.read)));

const concurrency = (perSecond: number, ms: number): number => (perSecond * ms) / 1_000;

const atOnce = ({ billedMs }: Demand): number =>
  sum(Object.values(billedMs)) / 1_000 + (FUNCTIONS.expire.timeoutSeconds > 0 ? 1 : 0);

/** Somebody whom the whole tenant watches, and whose state changes once a second. */
const readsOfOne = ({ tenantUsers }: Workload): number =>
  Math.ceil((tenantUsers * ITEM_BYTES['PRESENTITY WATCHER']) / 4_096) * 0.5;

const PROCESS_MB = 120;
function memoryMb({ watchersPerUser }: Workload, flows: number): number {
  const bytes = flows * (GATEWAY.bytesPerFlow + watchersPerUser * GATEWAY.bytesPerSubscription);
  return PROCESS_MB + bytes / 1_024 ** 2;
}
