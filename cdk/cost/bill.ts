/** A month's bill of a workload on a deployment, part by part. Pure. */
import { EXPIRE_SCHEDULE, FUNCTION_NAMES, FUNCTIONS } from '#cdk/system.ts';
import { METRICS } from '#core/metric.ts';
import { type Demand, demandOf } from './demand.ts';
import type { Inventory } from './inventory.ts';
import { ASSUMED, ITEM_BYTES, type ItemKind } from './measured.ts';
import { HOURS_A_MONTH, type Prices } from './prices.ts';
import { busyCounts, type Counts, changesIn, monthlyCounts, morningCounts, sum, type Workload } from './workload.ts';

export interface Fleet {
  /** Gateways while people work, and at night. */
  readonly peak: number;
  readonly least: number;
  /** Cores that all gateways together use in a busy hour. */
  readonly busyCores: number;
}

export interface Bill {
  /** Dollars of each part. */
  readonly parts: Readonly<Record<string, number>>;
  readonly total: number;
  readonly fleet: Fleet;
  /** The same requests by provisioned capacity for the busiest hour; in place of the parts on demand. */
  readonly provisioned: number;
  readonly onDemand: number;
}

/** Limit of a gateway (`MAX_FLOWS`), and the share of its one core that a busy hour may take. */
export const FLOWS_PER_GATEWAY = 50_000;
const CORE_SHARE = 0.6;
/** Of provisioned capacity. */
const UTILIZATION = 0.7;
const GB = 1_024 ** 3;
const MILLION = 1_000_000;
/** Expired items stay some days until DynamoDB removes them, and each item has so many bytes besides. */
const LATE_REMOVAL_DAYS = 2;
const ITEM_OVERHEAD_BYTES = 100;
const POLLS_PER_SHARD_SECOND = 4;
const TRACE_SHARE = 0.05;

export function billOf(work: Workload, inventory: Inventory, prices: Prices): Bill {
  const fleet = fleetOf(work, inventory);
  const workHours = work.workDays * work.onlineHours;
  const gatewayHours = fleet.least * HOURS_A_MONTH + (fleet.peak - fleet.least) * workHours;
  const counts = monthlyCounts(work, gatewayHours / HOURS_A_MONTH);
  const demand = demandOf(counts, work);
  const onDemand = requestUnits(demand, prices);
  const parts = {
    'DynamoDB requests': onDemand,
    'DynamoDB storage and backup': storageGb(counts, work) * (prices.tableGb + prices.tableBackupGb),
    Lambda: lambda(demand, prices),
    'Lambda: loop of expire': loopOfExpire(prices),
    Fargate: gatewayHours * (inventory.taskVcpu * prices.vcpuHour + inventory.taskGb * prices.taskGbHour),
    'load balancer': loadBalancer(demand, work, inventory, fleet, prices),
    'VPC endpoints': endpoints(demand, inventory, prices),
    'data to clients': (clientBytes(demand, work) / GB) * prices.dataOutGb,
    'logs, metrics, traces': watching(demand, inventory, prices),
    'call records to the bus': callRecords(counts, fleet, prices),
    'secrets, keys, firewall': safety(inventory, prices),
  };
  return { parts, total: sum(Object.values(parts)), fleet, onDemand, provisioned: provisioned(work, demand, prices) };
}

/** Gateways for the flows and for the CPU of a busy hour or of the morning, never fewer than the deployment wants. */
export function fleetOf(work: Workload, { tasks }: Pick<Inventory, 'tasks'>): Fleet {
  const hours = [busyCounts(work), morningCounts(work)];
  const busyCores = Math.max(...hours.map((counts) => demandOf(counts, work).gatewayCpuMicros / MILLION));
  const flows = work.users * work.devicesPerUser;
  const peak = Math.max(tasks, Math.ceil(flows / FLOWS_PER_GATEWAY), Math.ceil(busyCores / CORE_SHARE));
  return { peak, least: tasks, busyCores };
}

const allWrites = ({ writeUnits, indexWriteUnits }: Demand): number => writeUnits + sum(Object.values(indexWriteUnits));

const requestUnits = (demand: Demand, { writeUnitsMillion, readUnitsMillion }: Prices): number =>
  (allWrites(demand) * writeUnitsMillion + demand.readUnits * readUnitsMillion) / MILLION;

/** Capacity follows the hours: what a busy hour needs for those, what the average needs else. */
function provisioned(work: Workload, month: Demand, { writeCapacityHour, readCapacityHour }: Prices): number {
  const busyHours = work.workDays * work.busyHours;
  const busy = demandOf(busyCounts(work), work);
  const capacity = (busyPerSecond: number, inMonth: number): number => {
    const rest = Math.max(0, inMonth - busyPerSecond * busyHours * 3_600);
    const restPerSecond = rest / ((HOURS_A_MONTH - busyHours) * 3_600);
    return (
      (Math.max(1, busyPerSecond) * busyHours + Math.max(1, restPerSecond) * (HOURS_A_MONTH - busyHours)) / UTILIZATION
    );
  };
  const writes = capacity(allWrites(busy), allWrites(month)) * writeCapacityHour;
  return writes + capacity(busy.readUnits, month.readUnits) * readCapacityHour;
}

function storageGb(counts: Counts, work: Workload): number {
  const flows = work.users * work.devicesPerUser;
  const callsADay = (counts.callInvite ?? 0) / work.workDays;
  const changesADay = changesIn(counts) / work.workDays;
  const historyDays = work.historyHours === 0 ? 0 : work.historyHours / 24 + LATE_REMOVAL_DAYS;
  const items: Readonly<Partial<Record<ItemKind, number>>> = {
    'USER PROFILE': work.users,
    'USER BINDING': flows,
    'PRESENTITY STATE': work.users,
    'PRESENTITY WATCHER': flows * work.watchersPerUser,
    'HISTORY CHANGE': changesADay * historyDays,
    'CALL CALL': callsADay * (1 + LATE_REMOVAL_DAYS),
    'RECORDS RECORD': (callsADay * work.workDays * (work.recordDays + LATE_REMOVAL_DAYS)) / 30,
  };
  const kinds = Object.entries(items) as [ItemKind, number][];
  return sum(kinds.map(([kind, number]) => number * (ITEM_BYTES[kind] + ITEM_OVERHEAD_BYTES))) / GB;
}

function lambda({ invocations, billedMs }: Demand, { lambdaRequestsMillion, lambdaGbSecond }: Prices): number {
  const each = FUNCTION_NAMES.map((name) => {
    const gbSeconds = (billedMs[name] / 1_000) * (FUNCTIONS[name].memoryMb / 1_024);
    return (invocations[name] / MILLION) * lambdaRequestsMillion + gbSeconds * lambdaGbSecond;
  });
  return sum(each);
}

/** It waits in its loop nearly all the time, and waiting is paid for. */
export function loopOfExpire({ lambdaGbSecond }: Prices): number {
  const { function: name, everySeconds, loopEverySeconds } = EXPIRE_SCHEDULE;
  const share = (everySeconds - loopEverySeconds) / everySeconds;
  return HOURS_A_MONTH * 3_600 * share * (FUNCTIONS[name].memoryMb / 1_024) * lambdaGbSecond;
}

const clientBytes = ({ notifies, invocations }: Demand, work: Workload): number => {
  const onlineHours = work.users * work.devicesPerUser * work.workDays * work.onlineHours;
  const asked = invocations.register + invocations.subscribe + invocations.publish + invocations.call * 10;
  return notifies * ASSUMED.notifyBytes + asked * ASSUMED.answerBytes + onlineHours * ASSUMED.pingBytesAnHour;
};

/** A TLS unit is 3,000 connections, 50 new ones a second or 1 GB an hour, whichever is most. */
function loadBalancer(demand: Demand, work: Workload, inventory: Inventory, fleet: Fleet, prices: Prices): number {
  const flows = work.users * work.devicesPerUser;
  const onlineHours = work.workDays * work.onlineHours;
  const gbAnHour = clientBytes(demand, work) / GB / onlineHours;
  const unitHours = Math.max(flows / 3_000, gbAnHour) * onlineHours;
  const morning = (flows / (work.morningMinutes * 60) / 50) * (work.morningMinutes / 60) * work.workDays;
  const addresses = inventory.zones + (inventory.hasPublicTasks ? fleet.least : 0);
  const fixed = inventory.loadBalancers * prices.loadBalancerHour + addresses * prices.publicAddressHour;
  return HOURS_A_MONTH * fixed + (unitHours + morning) * prices.loadBalancerUnitHour;
}

function endpoints({ invocations }: Demand, inventory: Inventory, prices: Prices): number {
  const { register, subscribe, publish, call } = invocations;
  const reports = invocations['call-report'] + invocations['flow-closed'] + invocations.lease;
  const bytes = inventory.hasPublicTasks
    ? 0
    : (register + subscribe + publish + call + reports) * ASSUMED.envelopeBytes;
  return inventory.endpointInterfaces * HOURS_A_MONTH * prices.endpointHour + (bytes / GB) * prices.endpointGb;
}

function watching({ invocations }: Demand, inventory: Inventory, prices: Prices): number {
  const all = sum(Object.values(invocations));
  const asked = all - invocations.notify - invocations.lease;
  const gb = (all * ASSUMED.logBytesPerInvocation + asked * ASSUMED.logBytesPerRequest) / GB;
  const traces = inventory.tracedFunctions > 0 ? (all * TRACE_SHARE) / MILLION : 0;
  const metrics = Object.keys(METRICS).length * prices.customMetric;
  const fixed = metrics + inventory.alarms * prices.alarm + inventory.dashboards * prices.dashboard;
  return fixed + gb * (prices.logIngestGb + prices.logStorageGb) + traces * prices.tracesMillion;
}

/** Each record passes the pipe, which reads all shards of the stream and is no Lambda function, and becomes an event. */
function callRecords({ callInvite = 0 }: Counts, fleet: Fleet, prices: Prices): number {
  const polls = POLLS_PER_SHARD_SECOND * HOURS_A_MONTH * 3_600 * Math.max(1, Math.ceil(fleet.busyCores / 4));
  const passed = (callInvite / MILLION) * (prices.pipeRequestsMillion + prices.busEventsMillion);
  return passed + (polls / MILLION) * prices.streamReadsMillion;
}

const safety = ({ secrets, keys, webAcls, webAclRules }: Inventory, prices: Prices): number =>
  secrets * prices.secret + keys * prices.key + webAcls * prices.webAcl + webAclRules * prices.webAclRule;

/** Nobody signs in, nobody calls. */
export const idle = (work: Workload): Workload => ({ ...work, users: 0 });
