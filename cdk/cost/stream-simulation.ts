/**
 * The way of a change from its PUBLISH to its NOTIFY, simulated: one shard of the stream, its lanes, batches and retries by
 * the rules of the event source mapping. Seeded and pure: the same settings give the same result.
 */
import {
  type Batch,
  type BatchRecord,
  batchLength,
  type InvocationReport,
  judgeBatch,
} from '#cdk/local/streams/batch-rules.ts';
import { STREAM_MAPPING } from '#cdk/system.ts';

export interface StreamPath {
  /** From the PUBLISH to the write that is durable. */
  readonly writeMs: number;
  /** From the write to the record in the stream. */
  readonly appearMs: number;
  /** Between two looks of the mapping at a shard. */
  readonly pollMs: number;
  /** Of one invocation: what it takes in any case, and what each change adds. */
  readonly invocationMs: number;
  readonly changeMs: number;
  /** Spread of both: standard deviation of the logarithm. */
  readonly spread: number;
  /** From the instruction to the last NOTIFY in its socket. */
  readonly gatewayMs: number;
}

export interface StreamLoad {
  readonly changesPerSecond: number;
  readonly shards: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface StreamFaults {
  /** Share of the requests to DynamoDB that are throttled; each is tried once more. */
  readonly throttledShare?: number;
  /** A gateway that takes connections and answers nothing, from a quarter of the time on. */
  readonly silent?: { readonly gateways: number; readonly watchersPerUser: number };
}

export interface LampLatency {
  readonly changes: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Changes that were given up: they are in the failure queue. */
  readonly lost: number;
}

/** Two POSTs of 2 s (runtime/gateway-client). */
const SILENCE_MS = 4_000;
/** Until the lease of a dead gateway has lapsed and the sweep has taken it away. */
const SILENT_FOR_MS = 18_000;
const THROTTLED_PAUSE_MS = 60;
const RECORD_BYTES = 1_500;

interface Change extends BatchRecord {
  readonly readyAtMs: number;
  /** Some of its watchers are on the gateway that may be silent. */
  readonly isExposed: boolean;
}

type Random = () => number;

/** Latency of lamps on gateways that live. */
export function simulateStream(path: StreamPath, load: StreamLoad, faults: StreamFaults = {}): LampLatency {
  const random = randomOf(load.seed);
  const lanes = Array.from({ length: STREAM_MAPPING.parallelizationFactor }, (): Change[] => []);
  for (const change of changesOf(path, load, faults, random)) lanes[Math.floor(random() * lanes.length)]?.push(change);
  const told = lanes.map((changes) => runLane(changes, path, load, faults, random));
  const latencies = told.flatMap((lane) => lane.latencies).sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0;
  const lost = told.reduce((total, lane) => total + lane.lost, 0);
  return { changes: latencies.length, p50: at(0.5), p99: at(0.99), max: at(1), lost };
}

function changesOf(path: StreamPath, load: StreamLoad, { silent }: StreamFaults, random: Random): Change[] {
  const perMs = load.changesPerSecond / load.shards / 1_000;
  const exposed = silent ? 1 - (1 - 1 / silent.gateways) ** silent.watchersPerUser : 0;
  const phaseMs = random() * path.pollMs;
  const changes: Change[] = [];
  for (let atMs = waitOf(perMs, random); atMs < load.seconds * 1_000; atMs += waitOf(perMs, random)) {
    const visibleAtMs = atMs + path.writeMs + path.appearMs;
    const readyAtMs = phaseMs + Math.ceil((visibleAtMs - phaseMs) / path.pollMs) * path.pollMs;
    const sequenceNumber = String(changes.length);
    changes.push({ sequenceNumber, createdAtMs: atMs, bytes: RECORD_BYTES, readyAtMs, isExposed: random() < exposed });
  }
  return changes;
}

function runLane(changes: readonly Change[], path: StreamPath, load: StreamLoad, faults: StreamFaults, random: Random) {
  const waiting = [...changes];
  const again: Batch<Change>[] = [];
  const toldAtMs = new Map<Change, number>();
  let [nowMs, lost, head] = [0, 0, 0];
  while (again.length > 0 || head < waiting.length) {
    nowMs = Math.max(nowMs, again.length > 0 ? nowMs : (waiting[head]?.readyAtMs ?? 0));
    const batch = again.shift() ?? takeBatch(waiting, head, nowMs);
    if (batch.failures === 0 && batch.records[0] === waiting[head]) head += batch.records.length;
    const { report, deliveredAtMs, endsAtMs } = invoke(batch, nowMs, path, load, faults, random);
    for (const [change, atMs] of deliveredAtMs) if (!toldAtMs.has(change)) toldAtMs.set(change, atMs);
    const verdict = judgeBatch(batch, report, STREAM_MAPPING);
    lost += verdict.givenUp.filter((change) => !toldAtMs.has(change)).length;
    again.unshift(...verdict.next);
    nowMs = endsAtMs + verdict.retryAfterMs;
  }
  const latencies = [...toldAtMs].map(([change, atMs]) => atMs + path.gatewayMs - change.createdAtMs);
  return { latencies, lost };
}

function takeBatch(waiting: readonly Change[], head: number, nowMs: number): Batch<Change> {
  const ready: Change[] = [];
  for (let at = head; ready.length < STREAM_MAPPING.batchSize; at += 1) {
    const change = waiting[at];
    if (change === undefined || change.readyAtMs > nowMs) break;
    ready.push(change);
  }
  return { records: ready.slice(0, batchLength(ready, STREAM_MAPPING.batchSize)), failures: 0 };
}

interface Invocation {
  readonly report: InvocationReport;
  readonly deliveredAtMs: readonly (readonly [Change, number])[];
  readonly endsAtMs: number;
}

/** Gateways that live are told at once; the silent one holds up the end of the invocation, and with it the lane. */
function invoke(
  batch: Batch<Change>,
  nowMs: number,
  path: StreamPath,
  load: StreamLoad,
  faults: StreamFaults,
  random: Random,
): Invocation {
  const { throttledShare = 0, silent } = faults;
  const throttled = batch.records.filter(() => random() < throttledShare);
  const unread = new Set(throttled.filter(() => random() < throttledShare));
  const workMs = (path.invocationMs + batch.records.length * path.changeMs) * Math.exp(path.spread * normal(random));
  const doneAtMs = nowMs + workMs + (throttled.length > 0 ? THROTTLED_PAUSE_MS * random() : 0);
  const silentFromMs = (load.seconds * 1_000) / 4;
  const isSilent = silent !== undefined && nowMs >= silentFromMs && nowMs < silentFromMs + SILENT_FOR_MS;
  const stuck = batch.records.filter(({ isExposed }) => isSilent && isExposed);
  const failed = batch.records.filter((change) => unread.has(change) || stuck.includes(change));
  return {
    report:
      failed.length === 0
        ? { kind: 'succeeded' }
        : { kind: 'partly', failedSequenceNumbers: failed.map((each) => each.sequenceNumber) },
    deliveredAtMs: batch.records.filter((change) => !unread.has(change)).map((change) => [change, doneAtMs] as const),
    endsAtMs: doneAtMs + (stuck.length > 0 ? SILENCE_MS : 0),
  };
}

/** Time to the next change of a Poisson process. */
const waitOf = (perMs: number, random: Random): number => -Math.log(1 - random()) / perMs;

const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Mulberry32. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
