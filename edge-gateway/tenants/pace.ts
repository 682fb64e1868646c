/**
 * How many requests may be with one function at once: as many as it takes without growing slow. What is more waits here,
 * where tenants take turns, and not there, where they do not. PURE: times come in as arguments.
 */

/** To begin with, and kept whatever happens, so that a function that is slow by nature still serves some at once. */
const LEAST = 2;
/** Slow is the multiple of the fastest invocation of late, and so much more. */
const SLOW_FACTOR = 2;
const SLOW_MARGIN_MS = 10;
/** When even the fastest of so many is slow, it is not the requests but their number. The first so many show what is fast. */
const RUN = 8;
const CUT = 0.7;
/** For so long, and up to twice as long, the fastest invocation is remembered: the machine may have changed since. */
const WINDOW_MS = 30_000;

export class Pace {
  readonly #most: number;
  #limit: number;
  readonly #floors = { startedAtMs: 0, before: Number.POSITIVE_INFINITY, now: Number.POSITIVE_INFINITY };
  /** Of the run under way: its fastest, and how many it has. */
  #fastestMs = Number.POSITIVE_INFINITY;
  #landed = 0;
  #isMeasured = false;
  #wasCut = false;

  constructor(most: number) {
    this.#most = most;
    this.#limit = Math.min(LEAST, most);
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** An invocation has ended, or run out of time. @param underWay requests with the function then, its own too */
  landed(durationMs: number, underWay: number, nowMs: number): void {
    const slowMs = this.#noteFloor(durationMs, nowMs) * SLOW_FACTOR + SLOW_MARGIN_MS;
    this.#fastestMs = Math.min(this.#fastestMs, durationMs);
    // Who does not use its room learns nothing about it.
    const mayGrow = this.#isMeasured && underWay * 2 >= this.#limit;
    if (mayGrow && durationMs <= slowMs) this.#limit = Math.min(this.#most, this.#limit + 1);
    if (++this.#landed < RUN) return;
    if (this.#fastestMs > slowMs) this.#cutTo(this.#limit * CUT);
    this.#isMeasured = true;
    this.#landed = 0;
    this.#fastestMs = Number.POSITIVE_INFINITY;
  }

  #cutTo(limit: number): void {
    this.#limit = Math.max(Math.min(LEAST, this.#most), limit);
    this.#wasCut = true;
  }

  /** @returns the shortest time of one to two windows */
  #noteFloor(durationMs: number, nowMs: number): number {
    const floors = this.#floors;
    if (nowMs - floors.startedAtMs >= WINDOW_MS) {
      floors.before = floors.now;
      floors.now = Number.POSITIVE_INFINITY;
      floors.startedAtMs = nowMs;
      // A storm that lasts is not what shows how fast the function can be.
      if (this.#wasCut) this.#cutTo(LEAST);
      this.#wasCut = false;
    }
    floors.now = Math.min(floors.now, durationMs);
    return Math.min(floors.now, floors.before);
  }
}
