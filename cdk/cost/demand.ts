/** What a number of operations asks of DynamoDB, Lambda and the gateways. Pure. */
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '#cdk/system.ts';
import { ASSUMED, type Consumption, CPU_MS, GATEWAY, ITEM_BYTES, OPERATIONS, type OperationName } from './measured.ts';
import { type Counts, changesIn, notifiesIn, sum, type Workload } from './workload.ts';

export interface Demand {
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly tenantWriteUnits: number;
  readonly indexWriteUnits: Readonly<Record<string, number>>;
  readonly streamRecords: number;
  readonly invocations: Readonly<Record<FunctionName, number>>;
  /** Milliseconds that the invocations are paid for. */
  readonly billedMs: Readonly<Record<FunctionName, number>>;
  readonly gatewayCpuMicros: number;
  readonly notifies: number;
}

/** Lambda gives CPU in proportion to memory: a whole vCPU at so much. */
export const MB_PER_VCPU = 1_769;
const READ_UNIT_BYTES = 4_096;
/** Eventually consistent. */
const READ_UNITS_PER_PAGE = 0.5;
const ENDS_WITH_FLOW: readonly OperationName[] = ['unsubscribe'];
const WITHIN_LOOP: readonly OperationName[] = ['expirePass', 'publicationExpires', 'callSwept'];
const CALLS: readonly OperationName[] = ['callInvite', 'callRings', 'callAnswered', 'callEnds'];

/** @param counts operations, of a month or of a second */
export function demandOf(counts: Counts, work: Workload): Demand {
  const names = Object.keys(OPERATIONS) as OperationName[];
  const used = names.flatMap((name) => (counts[name] ? [{ name, count: counts[name], ...OPERATIONS[name] }] : []));
  const total = (of: (part: Consumption) => number): number =>
    sum(used.map(({ count, notify, ...own }) => count * (of(own) + of(notify))));
  const indexes = new Set(
    used.flatMap((one) => Object.keys({ ...one.indexWriteUnits, ...one.notify.indexWriteUnits })),
  );
  const notifies = notifiesIn(counts, work);
  return {
    readUnits: total((part) => part.readUnits) + changesIn(counts) * readsOfWatchers(work),
    writeUnits: total((part) => part.writeUnits),
    tenantWriteUnits: total((part) => part.tenantWriteUnits),
    indexWriteUnits: Object.fromEntries(
      [...indexes].map((name) => [name, total((part) => part.indexWriteUnits[name] ?? 0)]),
    ),
    streamRecords: sum(used.map(({ count, records, notify }) => count * (records + notify.records))),
    ...invocationsOf(counts),
    gatewayCpuMicros: gatewayMicros(counts, notifies),
    notifies,
  };
}

/** The Query of the watchers reads them all, and the lease of their gateway once. */
function readsOfWatchers({ watchersPerUser, devicesPerUser }: Workload): number {
  const bytes = watchersPerUser * devicesPerUser * ITEM_BYTES['PRESENTITY WATCHER'];
  return Math.ceil(bytes / READ_UNIT_BYTES) * READ_UNITS_PER_PAGE + READ_UNITS_PER_PAGE;
}

function invocationsOf(counts: Counts): Pick<Demand, 'invocations' | 'billedMs'> {
  const invocations = noneOfEach();
  const billedMs = noneOfEach();
  const add = (name: FunctionName, count: number, waitMs: number): void => {
    invocations[name] += count;
    billedMs[name] += count * (cpuMsOf(name) + waitMs);
  };
  for (const [name, one] of Object.entries(OPERATIONS) as [OperationName, (typeof OPERATIONS)[OperationName]][]) {
    const count = counts[name] ?? 0;
    if (!ENDS_WITH_FLOW.includes(name) && !WITHIN_LOOP.includes(name)) add(one.function, count, waitMsOf(one));
    const { invocations: notified } = one.notify;
    if (notified > 0) add('notify', count * notified, waitMsOf(one.notify) / notified + ASSUMED.instructionWaitMs);
  }
  return { invocations, billedMs };
}

const noneOfEach = () => Object.fromEntries(FUNCTION_NAMES.map((name) => [name, 0])) as Record<FunctionName, number>;

/** Milliseconds that the CPU of one invocation takes at so much memory: the function's own, unless another is given. */
export const cpuMsOf = (name: FunctionName, memoryMb: number = FUNCTIONS[name].memoryMb): number =>
  (CPU_MS[name] ?? 0) * Math.max(1, MB_PER_VCPU / memoryMb);

/** As if each request waited for the one before. */
export function waitMsOf({ requests }: Pick<Consumption, 'requests'>): number {
  const { waitMs, transactionWaitMs, batchWriteWaitMs } = ASSUMED;
  const each = { ...waitMs, TransactWriteItems: transactionWaitMs, BatchWriteItem: batchWriteWaitMs };
  return sum(Object.entries(each).map(([operation, ms]) => (requests[operation] ?? 0) * ms));
}

/** Milliseconds of one invocation of `notify` for one change with watchers. */
export const notifyMs = (): number =>
  cpuMsOf('notify') + waitMsOf(OPERATIONS.changeWatchedBy10.notify) + ASSUMED.instructionWaitMs;

function gatewayMicros(counts: Counts, notifies: number): number {
  const requests = sum(
    (Object.keys(OPERATIONS) as OperationName[]).map((name) => {
      const isAsked = FUNCTIONS[OPERATIONS[name].function].trigger.kind === 'gateway' && !CALLS.includes(name);
      return isAsked ? (counts[name] ?? 0) : 0;
    }),
  );
  const { microsPerNotify, microsPerRequest, microsPerCall } = GATEWAY;
  return notifies * microsPerNotify + requests * microsPerRequest + (counts.callInvite ?? 0) * microsPerCall;
}
