/** How far a long command is: a bar that is redrawn on a terminal, now and then a line elsewhere. */
import { durationText } from '../format.ts';

const REDRAW_EVERY_MS = 80;
const LINE_EVERY_MS = 5_000;
const BAR_WIDTH = 30;

export interface ProgressCounts {
  readonly done: number;
  readonly failed: number;
  readonly total: number;
}

/** Pure: the text of a moment. */
export function progressText({ done, failed, total }: ProgressCounts, elapsedMs: number): string {
  const share = total === 0 ? 1 : done / total;
  const full = Math.round(share * BAR_WIDTH);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
  const left = done > 0 && done < total ? `, ${durationText((elapsedMs / done) * (total - done))} left` : '';
  return `${bar} ${done} of ${total}${failed > 0 ? `, ${failed} failed` : ''}${left}`;
}

export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #isShown: boolean;
  readonly #startMs = performance.now();
  #shownAtMs = Number.NEGATIVE_INFINITY;

  constructor(stream: NodeJS.WriteStream, isShown: boolean) {
    this.#stream = stream;
    this.#isShown = isShown;
    if (!stream.isTTY) this.#shownAtMs = this.#startMs; // The first line only when it takes long.
  }

  show(counts: ProgressCounts): void {
    const nowMs = performance.now();
    const isTerminal = this.#stream.isTTY;
    const isDue = nowMs - this.#shownAtMs >= (isTerminal ? REDRAW_EVERY_MS : LINE_EVERY_MS);
    if (!this.#isShown || !(isDue || (isTerminal && counts.done === counts.total))) return;
    this.#shownAtMs = nowMs;
    const text = progressText(counts, nowMs - this.#startMs);
    this.#stream.write(
      isTerminal ? `\r\u001b[K${text}` : `${counts.done} of ${counts.total}, ${counts.failed} failed\n`,
    );
  }

  /** Leaves the terminal as it was. */
  end(): void {
    if (this.#isShown && this.#stream.isTTY) this.#stream.write('\r\u001b[K');
  }
}
