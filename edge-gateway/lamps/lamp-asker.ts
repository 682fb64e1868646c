/** Asks for the subscriptions of a stream of lamps: some SUBSCRIBEs at a time, each with the proof that it needs. */
import type { Address } from '#core/identity.ts';
import type { Flow } from '../flow-table.ts';
import { composeSubscribe } from './lamp-sip.ts';
import type { LampWatch } from './lamp-watch.ts';

/** SUBSCRIBEs of one connection that are under way at once: it is not to crowd others out. */
const MAX_UNDER_WAY = 32;

interface Wish {
  readonly watch: LampWatch;
  /** 0 ends it; undefined for the usual time. */
  readonly expiresSeconds: number | undefined;
}

export class LampAsker {
  readonly #flow: Flow;
  readonly #speak: (text: string) => void;
  readonly #nowMs: () => number;
  readonly #queue: Wish[] = [];
  #underWay = 0;
  #self: Address | undefined;
  /** A fresh proof of the same identity, which the next SUBSCRIBE carries. */
  #token: string | undefined;

  constructor(flow: Flow, speak: (text: string) => void, nowMs: () => number) {
    this.#flow = flow;
    this.#speak = speak;
    this.#nowMs = nowMs;
  }

  /** Who the client is: its proof may end, but it never becomes another. */
  get self(): Address | undefined {
    this.#self ??= this.#flow.identity;
    return this.#self;
  }

  renew(token: string): void {
    this.#token = token;
  }

  /** True when this subscription has not tried the newest token yet. */
  hasNews(watch: LampWatch): boolean {
    return this.#token !== undefined && watch.triedToken !== this.#token;
  }

  ask(watch: LampWatch, expiresSeconds?: number): void {
    watch.dueAtMs = Number.POSITIVE_INFINITY;
    this.#queue.push({ watch, expiresSeconds });
    this.#pump();
  }

  /** A SUBSCRIBE has its final answer. */
  answered(): void {
    this.#underWay -= 1;
    this.#pump();
  }

  #pump(): void {
    while (this.#underWay < MAX_UNDER_WAY) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      // One that nobody wants any more need not be opened; one that stands is to be ended.
      const { watch, expiresSeconds } = next;
      if (watch.isWanted || watch.toTag !== undefined) this.#send(watch, expiresSeconds);
    }
  }

  #send(watch: LampWatch, expiresSeconds: number | undefined): void {
    const from = this.self;
    if (from === undefined) return;
    this.#underWay += 1;
    const { transport, identity } = this.#flow;
    // A connection that goes on with a dialog counts above what came before it (RFC 3261 section 8.1.1.5).
    const clock = Math.floor(this.#nowMs() / 1_000) % 2 ** 31;
    watch.cseq = Math.max(watch.cseq + 1, clock);
    const isProofWanted = identity === undefined || this.hasNews(watch);
    const token = isProofWanted ? this.#token : undefined;
    if (token !== undefined) watch.triedToken = token;
    const { entityTag } = watch;
    this.#speak(composeSubscribe(watch, { transport, from, expiresSeconds, entityTag, token }));
  }
}
