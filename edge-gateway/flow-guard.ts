/** Looks after open flows by the clock: pings, dead peers, sockets that do not drain. */
import type { Flow, FlowTable } from './flow-table.ts';
import type { Telemetry } from './telemetry.ts';

export interface FlowGuardSettings {
  readonly pingSeconds: number;
  readonly stalledSeconds: number;
  readonly strangerSeconds: number;
  readonly maxFlows: number;
}

/** From this part of its flows on, a gateway has no room for who proves nothing. */
const CROWDED = 0.5;
const POLICY_VIOLATION = 1008;

export class FlowGuard {
  readonly #settings: FlowGuardSettings;
  readonly #flows: FlowTable;
  readonly #telemetry: Telemetry;
  #round: IterableIterator<Flow> | undefined;
  readonly #heldBack = new Set<Flow>();

  constructor(settings: FlowGuardSettings, flows: FlowTable, telemetry: Telemetry) {
    this.#settings = settings;
    this.#flows = flows;
    this.#telemetry = telemetry;
  }

  get heldBack(): number {
    return this.#heldBack.size;
  }

  /** Once a second: a part of the flows is pinged, so that each has its turn once in `pingSeconds`. */
  advance(nowMs: number): void {
    let share = Math.ceil(this.#flows.size / this.#settings.pingSeconds);
    this.#heldBack.clear();
    while (share-- > 0) {
      this.#round ??= this.#flows.values();
      const { value: flow, done } = this.#round.next();
      if (done) this.#round = undefined;
      else this.#ping(flow);
    }
    for (const flow of this.#flows.values()) if (flow.heldBackSinceMs !== 0) this.#guardStalled(flow, nowMs);
    if (this.#flows.size >= this.#settings.maxFlows * CROWDED) this.#closeStrangers(nowMs);
  }

  /** Who holds a place and proves nothing may be out to take it from others. A trunk is known by its address. */
  #closeStrangers(nowMs: number): void {
    const latestMs = nowMs - this.#settings.strangerSeconds * 1000;
    for (const flow of this.#flows.values()) {
      const isKnown = flow.identity !== undefined || flow.lapsed !== undefined || flow.isUnframed;
      if (isKnown || flow.openedAtMs > latestMs) continue;
      this.#telemetry.counts.strangersClosed++;
      flow.socket.close(POLICY_VIOLATION, 'nothing proven');
    }
  }

  /** A peer that neither spoke nor answered the last ping is dead. */
  #ping(flow: Flow): void {
    if (!flow.heardSincePing) {
      this.#telemetry.counts.flowsDead++;
      flow.socket.terminate();
      return;
    }
    flow.heardSincePing = false;
    flow.socket.ping();
  }

  #guardStalled(flow: Flow, nowMs: number): void {
    this.#heldBack.add(flow);
    if (nowMs - flow.heldBackSinceMs < this.#settings.stalledSeconds * 1000) return;
    this.#telemetry.counts.flowsStalled++;
    this.#telemetry.log.warn({ hop: 'flow', flow: flow.id, waitingBytes: flow.stream.writableLength }, 'stalled');
    flow.socket.terminate();
  }
}
