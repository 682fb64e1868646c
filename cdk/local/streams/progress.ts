/** How far a shard is done when its records finish out of order. Pure but for its own state. */

/** Remembers the records that were read and not finished; the checkpoint stands before the oldest of them. */
export class ShardProgress {
  /** Sequence numbers in reading order, each with whether it is finished. */
  readonly #open = new Map<string, boolean>();
  #checkpoint: string | undefined;

  constructor(checkpoint?: string) {
    this.#checkpoint = checkpoint;
  }

  /** The last record before which (itself included) nothing is left to do. */
  get checkpoint(): string | undefined {
    return this.#checkpoint;
  }

  get openRecords(): number {
    return this.#open.size;
  }

  read(sequenceNumber: string): void {
    this.#open.set(sequenceNumber, false);
  }

  finish(sequenceNumbers: Iterable<string>): void {
    for (const sequenceNumber of sequenceNumbers) this.#open.set(sequenceNumber, true);
    for (const [sequenceNumber, finished] of this.#open) {
      if (!finished) return;
      this.#open.delete(sequenceNumber);
      this.#checkpoint = sequenceNumber;
    }
  }
}
