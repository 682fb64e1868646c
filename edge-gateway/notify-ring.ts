/**
 * The last NOTIFYs of each subscription, for whoever asks why a watcher sees what it sees. Bounded: twelve bytes a NOTIFY
 * in slots of shared memory, few at first, twenty at most. CSeq and document version are counted back from the
 * subscription's own, so that they are not kept.
 */
import type { SentNotify } from '#contract/instruction.ts';

/** What the numbers of a ring are counted back from: where the subscription stands now. */
export interface Counted {
  /** Of the next NOTIFY. */
  readonly cseq: number;
  readonly documentVersion: number;
  /** A presentity version that is not older than any in the ring. */
  readonly presentityVersion: number;
}

/** Entries of a slot; a subscription begins in a small one. */
const ENTRIES = [4, 20] as const;
const LAST_CLASS = ENTRIES.length - 1;
/** Words of an entry: time of sending; low half of the presentity version; round trip, answer and flags. */
const ENTRY_WORDS = 3;
/** Before the entries: how many NOTIFYs were written. */
const HEAD_WORDS = 1;
const SLOTS_PER_SLAB = 1_024;

const HAS_VERSION = 1 << 31;
const IS_ANSWERED = 1 << 30;
const MAX_ROUND_TRIP_MS = 0xffff;
const MAX_ANSWER = 0x3fff;
const LOW_WORD = 2 ** 32;

/** Slots of one size, in slabs that are made as they are needed. */
class SlotPool {
  readonly entries: number;
  readonly #words: number;
  readonly #slabs: Uint32Array[] = [];
  readonly #free: number[] = [];
  #made = 0;

  constructor(entries: number) {
    this.entries = entries;
    this.#words = HEAD_WORDS + entries * ENTRY_WORDS;
  }

  take(): number {
    const slot = this.#free.pop() ?? this.#made++;
    const slabNumber = Math.floor(slot / SLOTS_PER_SLAB);
    this.#slabs[slabNumber] ??= new Uint32Array(SLOTS_PER_SLAB * this.#words);
    this.slab(slot)[this.at(slot)] = 0;
    return slot;
  }

  release(slot: number): void {
    this.#free.push(slot);
  }

  slab(slot: number): Uint32Array {
    const slab = this.#slabs[Math.floor(slot / SLOTS_PER_SLAB)];
    if (slab === undefined) throw new Error(`no slot ${slot}`);
    return slab;
  }

  at(slot: number): number {
    return (slot % SLOTS_PER_SLAB) * this.#words;
  }
}

/** A subscription's place in the rings: the number of its slot and its size, or -1 for none. */
export type RingPlace = number;
export const NO_RING: RingPlace = -1;

export class NotifyRings {
  readonly #startedAtMs: number;
  readonly #pools = ENTRIES.map((entries) => new SlotPool(entries));

  /** @param startedAtMs times are kept from here on, for seven weeks before they wrap */
  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  /** A NOTIFY was sent. @returns where the ring is from now on */
  sent(place: RingPlace, presentityVersion: number, hasVersion: boolean, nowMs: number): RingPlace {
    const kept = this.#withRoom(place);
    const { slab, head, entries } = this.#slotOf(kept);
    const written = slab[head] ?? 0;
    const at = head + HEAD_WORDS + (written % entries) * ENTRY_WORDS;
    slab[at] = nowMs - this.#startedAtMs;
    slab[at + 1] = presentityVersion;
    slab[at + 2] = hasVersion ? HAS_VERSION : 0;
    slab[head] = written + 1;
    return kept;
  }

  /** The last NOTIFY was answered. @param status 0 when its time ran out */
  answered(place: RingPlace, status: number, roundTripMs: number): void {
    if (place === NO_RING) return;
    const { slab, head, entries } = this.#slotOf(place);
    const at = head + HEAD_WORDS + (((slab[head] ?? 0) + entries - 1) % entries) * ENTRY_WORDS + 2;
    const roundTrip = Math.min(Math.max(0, Math.round(roundTripMs)), MAX_ROUND_TRIP_MS);
    slab[at] = ((slab[at] ?? 0) & HAS_VERSION) | IS_ANSWERED | (Math.min(status, MAX_ANSWER) << 16) | roundTrip;
  }

  /** The newest first. */
  read(place: RingPlace, counted: Counted): SentNotify[] {
    if (place === NO_RING) return [];
    const { slab, head, entries } = this.#slotOf(place);
    const written = slab[head] ?? 0;
    let { cseq, documentVersion } = counted;
    return Array.from({ length: Math.min(written, entries) }, (_, back): SentNotify => {
      const at = head + HEAD_WORDS + ((written - 1 - back) % entries) * ENTRY_WORDS;
      const [sent = 0, version = 0, rest = 0] = slab.subarray(at, at + ENTRY_WORDS);
      cseq -= 1;
      const hasVersion = (rest & HAS_VERSION) !== 0;
      if (hasVersion) documentVersion = (documentVersion - 1) >>> 0;
      return {
        cseq,
        ...(hasVersion && { documentVersion }),
        // 0 is no version counted from a clock: nothing was ever told then.
        presentityVersion:
          version === 0 ? 0 : counted.presentityVersion - ((counted.presentityVersion - version) % LOW_WORD),
        sentAtMs: this.#startedAtMs + sent,
        ...((rest & IS_ANSWERED) !== 0 && {
          answer: (rest >>> 16) & MAX_ANSWER,
          roundTripMs: rest & MAX_ROUND_TRIP_MS,
        }),
      };
    });
  }

  release(place: RingPlace): void {
    if (place !== NO_RING) this.#poolOf(place).release(Math.floor(place / ENTRIES.length));
  }

  /** A slot that is full moves into a larger one, if there is one. */
  #withRoom(place: RingPlace): RingPlace {
    if (place === NO_RING) return this.#take(0);
    const sizeClass = place % ENTRIES.length;
    const { slab, head, entries } = this.#slotOf(place);
    const written = slab[head] ?? 0;
    if (written < entries || sizeClass === LAST_CLASS) return place;
    const larger = this.#take(sizeClass + 1);
    const to = this.#slotOf(larger);
    to.slab.set(slab.subarray(head, head + HEAD_WORDS + entries * ENTRY_WORDS), to.head);
    this.release(place);
    return larger;
  }

  #take(sizeClass: number): RingPlace {
    return (this.#pools[sizeClass]?.take() ?? 0) * ENTRIES.length + sizeClass;
  }

  #poolOf(place: RingPlace): SlotPool {
    const pool = this.#pools[place % ENTRIES.length];
    if (pool === undefined) throw new Error(`no ring ${place}`);
    return pool;
  }

  #slotOf(place: RingPlace): { readonly slab: Uint32Array; readonly head: number; readonly entries: number } {
    const pool = this.#poolOf(place);
    const slot = Math.floor(place / ENTRIES.length);
    return { slab: pool.slab(slot), head: pool.at(slot), entries: pool.entries };
  }
}
