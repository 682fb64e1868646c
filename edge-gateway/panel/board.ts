/** The board's state: who is on it, in what order, and what is known of each. Tells a listener what changed. */
import { parseDialogInfo } from '#gateway/panel/dialog-info.ts';
import { LAMP_STATES, type LampState, lampOf } from '#gateway/panel/lamp.ts';
import {
  applyDocument,
  localPartyOf,
  type Presentity,
  refused,
  resubscribed,
  suspended,
  unknownPresentity,
} from '#gateway/panel/presentity.ts';

export interface BoardListener {
  onChange(presentity: Presentity, before: Presentity): void;
  onNames(names: ReadonlyMap<string, string>): void;
}

export class Board {
  readonly #listener: BoardListener;
  readonly #names: Map<string, string>;
  #presentities = new Map<string, Presentity>();

  constructor(names: Map<string, string>, listener: BoardListener) {
    this.#names = names;
    this.#listener = listener;
  }

  get extensions(): string[] {
    return [...this.#presentities.keys()];
  }

  readonly nameOf = (extension: string): string => this.#names.get(extension) ?? '';

  get(extension: string): Presentity {
    return this.#presentities.get(extension) ?? unknownPresentity(extension);
  }

  /** Puts exactly these on the board, in this order; who stays keeps what is known. */
  setExtensions(extensions: readonly string[]): void {
    this.#presentities = new Map(extensions.map((extension) => [extension, this.get(extension)]));
  }

  /** How many lamps are in each state. */
  counts(): ReadonlyMap<LampState, number> {
    const counts = new Map<LampState, number>(LAMP_STATES.map((state) => [state, 0]));
    for (const presentity of this.#presentities.values()) {
      const { state } = lampOf(presentity);
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    return counts;
  }

  /** Takes a NOTIFY's body in. @returns false when the full state must be asked for */
  receive(extension: string, xml: string, nowMs: number): boolean {
    const document = parseDialogInfo(xml);
    if (document === undefined) return false;
    const applied = applyDocument(this.get(extension), document, nowMs);
    if (applied.kind === 'applied') this.#put(applied.presentity);
    return applied.kind !== 'gap';
  }

  started(extension: string): void {
    this.#put(resubscribed(this.get(extension)));
  }

  lost(extension: string): void {
    this.#put(suspended(this.get(extension)));
  }

  refused(extension: string, reason: string): void {
    this.#put(refused(this.get(extension), reason));
  }

  /** The line is down: no lamp can be trusted. */
  lostAll(): void {
    for (const extension of this.extensions) this.lost(extension);
  }

  #put(presentity: Presentity): void {
    const before = this.#presentities.get(presentity.extension);
    if (before === undefined) return;
    this.#presentities.set(presentity.extension, presentity);
    this.#learnName(presentity);
    this.#listener.onChange(presentity, before);
  }

  #learnName(presentity: Presentity): void {
    const name = localPartyOf(presentity)?.displayName;
    if (name === undefined || name === this.nameOf(presentity.extension)) return;
    this.#names.set(presentity.extension, name);
    this.#listener.onNames(this.#names);
  }
}
