/** Delivers the records of one lane of a shard, one batch after the other. */
import {
  type Batch,
  batchLength,
  dropAged,
  type GiveUpReason,
  type InvocationReport,
  judgeBatch,
  type MappingPolicy,
} from './batch-rules.ts';
import type { MappedRecord } from './stream-record.ts';

export interface LanePorts {
  invoke(records: readonly MappedRecord[]): Promise<InvocationReport>;
  /** Keeps what is never delivered; must be safe on disk when it returns. */
  giveUp(records: readonly MappedRecord[], reason: GiveUpReason): void;
  finish(records: readonly MappedRecord[]): void;
  wait(ms: number): Promise<void>;
}

export class Lane {
  readonly #policy: MappingPolicy;
  readonly #ports: LanePorts;
  readonly #signal: AbortSignal;
  /** Batches that are tried again, before anything that waits. */
  readonly #again: Batch<MappedRecord>[] = [];
  readonly #waiting: MappedRecord[] = [];
  #running = false;

  constructor(policy: MappingPolicy, ports: LanePorts, signal: AbortSignal) {
    this.#policy = policy;
    this.#ports = ports;
    this.#signal = signal;
  }

  push(record: MappedRecord): void {
    this.#waiting.push(record);
  }

  /** Starts to deliver what waits, unless that is under way. */
  start(): void {
    if (!this.#running) void this.#deliverAll();
  }

  async #deliverAll(): Promise<void> {
    this.#running = true;
    for (let batch = this.#take(); batch !== undefined && !this.#signal.aborted; batch = this.#take()) {
      const { batch: fresh, aged } = dropAged(batch, this.#policy, Date.now());
      if (aged.length > 0) this.#ports.giveUp(aged, 'RecordAgeExceeded');
      this.#ports.finish(aged);
      if (fresh !== undefined) await this.#deliver(fresh);
    }
    this.#running = false;
  }

  async #deliver(batch: Batch<MappedRecord>): Promise<void> {
    const report = await this.#ports.invoke(batch.records);
    const verdict = judgeBatch(batch, report, this.#policy);
    if (verdict.givenUp.length > 0) this.#ports.giveUp(verdict.givenUp, 'RetryAttemptsExhausted');
    this.#ports.finish([...verdict.done, ...verdict.givenUp]);
    this.#again.unshift(...verdict.next);
    if (verdict.retryAfterMs > 0) await this.#ports.wait(verdict.retryAfterMs);
  }

  #take(): Batch<MappedRecord> | undefined {
    const again = this.#again.shift();
    if (again !== undefined) return again;
    const records = this.#waiting.splice(0, batchLength(this.#waiting, this.#policy.batchSize));
    return records.length === 0 ? undefined : { records, failures: 0 };
  }
}
