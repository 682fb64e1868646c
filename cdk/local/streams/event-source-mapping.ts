/** Lambda's event source mapping for a DynamoDB stream: reads its shards and delivers records to a function. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
  type _Record as StreamRecord,
  TrimmedDataAccessException,
} from '@aws-sdk/client-dynamodb-streams';
import type { GiveUpReason, InvocationReport, MappingPolicy } from './batch-rules.ts';
import type { Checkpoints } from './checkpoint-file.ts';
import { type FilterPattern, matchesFilter } from './filter-criteria.ts';
import { Lane } from './lane.ts';
import { ShardProgress } from './progress.ts';
import { readableShards } from './shard-order.ts';
import { eventOf, laneOf, type MappedRecord, mapRecord, sequenceNumberOf } from './stream-record.ts';

export interface MappingSettings extends MappingPolicy {
  readonly streamArn: string;
  /** Attribute whose equal values keep their records in order. */
  readonly partitionKeyName: string;
  readonly parallelizationFactor: number;
  readonly filterPattern: FilterPattern;
}

export interface MappingPorts {
  readonly streams: DynamoDBStreamsClient;
  readonly checkpoints: Checkpoints;
  invoke(records: readonly MappedRecord[]): Promise<InvocationReport>;
  giveUp(shardId: string, records: readonly MappedRecord[], reason: GiveUpReason): void;
  log(event: string, details: object): void;
}

const RECORDS_PER_READ = 1_000;
/** Reading pauses while so many records of a shard are not finished. */
const OPEN_RECORDS = 5_000;
const PAUSE_MS = { busy: 12, idle: 50, full: 5, fault: 200, shards: 1_000 } as const;
/** A shard counts as idle when nothing that the function takes came for so long: leases are renewed all the time. */
const BUSY_FOR_MS = 1_500;

/** Runs until the signal aborts; faults of the stream's endpoint are waited out. */
export async function runMapping(settings: MappingSettings, ports: MappingPorts, signal: AbortSignal): Promise<void> {
  const begun = new Set<string>();
  const finished = new Set<string>();
  const readers: Promise<void>[] = [];
  while (!signal.aborted) {
    const shards = await listShards(settings.streamArn, ports);
    for (const shardId of readableShards(shards, begun, finished)) {
      begun.add(shardId);
      readers.push(new ShardReader(shardId, settings, ports, signal).run().then(() => void finished.add(shardId)));
    }
    await pause(PAUSE_MS.shards, signal);
  }
  await Promise.all(readers);
}

async function listShards(StreamArn: string, ports: MappingPorts): Promise<Shard[]> {
  const shards: Shard[] = [];
  let ExclusiveStartShardId: string | undefined;
  try {
    do {
      const { StreamDescription } = await ports.streams.send(
        new DescribeStreamCommand({ StreamArn, ExclusiveStartShardId }),
      );
      shards.push(...(StreamDescription?.Shards ?? []));
      ExclusiveStartShardId = StreamDescription?.LastEvaluatedShardId;
    } while (ExclusiveStartShardId !== undefined);
  } catch (error) {
    ports.log('shards unknown', { error: String(error) });
  }
  return shards;
}

class ShardReader {
  readonly #shardId: string;
  readonly #settings: MappingSettings;
  readonly #ports: MappingPorts;
  readonly #signal: AbortSignal;
  readonly #progress: ShardProgress;
  readonly #lanes: readonly Lane[];
  #lastRead: string | undefined;
  #lastActivityMs = Date.now();

  constructor(shardId: string, settings: MappingSettings, ports: MappingPorts, signal: AbortSignal) {
    this.#shardId = shardId;
    this.#settings = settings;
    this.#ports = ports;
    this.#signal = signal;
    this.#lastRead = ports.checkpoints.get(shardId);
    this.#progress = new ShardProgress(this.#lastRead);
    const lanePorts = {
      invoke: ports.invoke,
      giveUp: (records: readonly MappedRecord[], reason: GiveUpReason) => ports.giveUp(shardId, records, reason),
      finish: (records: readonly MappedRecord[]) => this.#finish(records.map((record) => record.sequenceNumber)),
      wait: (ms: number) => pause(ms, signal),
    };
    this.#lanes = Array.from({ length: settings.parallelizationFactor }, () => new Lane(settings, lanePorts, signal));
  }

  /** Reads the shard to its end, if it has one, and until all of it is delivered. */
  async run(): Promise<void> {
    let iterator: string | undefined;
    let open = true;
    while (open && !this.#signal.aborted) {
      try {
        iterator ??= await this.#iterator();
        const { Records = [], NextShardIterator } = await this.#ports.streams.send(
          new GetRecordsCommand({ ShardIterator: iterator, Limit: RECORDS_PER_READ }),
        );
        this.#distribute(Records);
        iterator = NextShardIterator;
        open = NextShardIterator !== undefined;
        // Also after some: what comes in a storm is read together, and the database has time for others.
        if (Records.length < RECORDS_PER_READ && open) await this.#rest();
      } catch (error) {
        await this.#recover(error);
        iterator = undefined;
      }
      await this.#untilOpenRecordsAtMost(OPEN_RECORDS);
    }
    await this.#untilOpenRecordsAtMost(0);
  }

  async #iterator(): Promise<string> {
    const { ShardIterator } = await this.#ports.streams.send(
      new GetShardIteratorCommand({
        StreamArn: this.#settings.streamArn,
        ShardId: this.#shardId,
        ...(this.#lastRead === undefined
          ? { ShardIteratorType: 'TRIM_HORIZON' }
          : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: this.#lastRead }),
      }),
    );
    if (ShardIterator === undefined) throw new Error(`no iterator for shard ${this.#shardId}`);
    return ShardIterator;
  }

  #distribute(records: readonly StreamRecord[]): void {
    for (const record of records) {
      const sequenceNumber = sequenceNumberOf(record);
      this.#lastRead = sequenceNumber;
      this.#progress.read(sequenceNumber);
      const event = eventOf(record, this.#settings.streamArn);
      if (matchesFilter(this.#settings.filterPattern, event)) this.#enqueue(record, event);
      else this.#finish([sequenceNumber]);
    }
    for (const lane of this.#lanes) lane.start();
  }

  #enqueue(record: StreamRecord, event: object): void {
    this.#lastActivityMs = Date.now();
    const mapped = mapRecord(record, event, this.#settings.partitionKeyName, Date.now());
    this.#lanes[laneOf(mapped.partitionKey, this.#lanes.length)]?.push(mapped);
  }

  #finish(sequenceNumbers: readonly string[]): void {
    this.#progress.finish(sequenceNumbers);
    const { checkpoint } = this.#progress;
    if (checkpoint !== undefined) this.#ports.checkpoints.set(this.#shardId, checkpoint);
  }

  async #recover(error: unknown): Promise<void> {
    this.#ports.log('shard read failed', { shardId: this.#shardId, error: String(error) });
    // What stood after our place is gone after a day: go on with the oldest that is left.
    if (error instanceof TrimmedDataAccessException) this.#lastRead = undefined;
    await pause(PAUSE_MS.fault, this.#signal);
  }

  #rest(): Promise<void> {
    const busy = Date.now() - this.#lastActivityMs < BUSY_FOR_MS;
    return pause(busy ? PAUSE_MS.busy : PAUSE_MS.idle, this.#signal);
  }

  async #untilOpenRecordsAtMost(limit: number): Promise<void> {
    while (this.#progress.openRecords > limit && !this.#signal.aborted) await pause(PAUSE_MS.full, this.#signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
