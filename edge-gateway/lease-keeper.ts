/** Keeps this gateway's lease: while it is renewed, functions know where the gateway is and that it lives. */
import * as v from 'valibot';
import { type LeaseReport, leaseGrant } from '#contract/gateway-report.ts';
import type { GatewayId } from '#contract/ids.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import type { Invoke } from './backend.ts';
import type { Log } from './telemetry.ts';

export interface LeaseSettings {
  readonly gatewayId: GatewayId;
  readonly functionName: string;
  readonly leaseSeconds: number;
  readonly address: string;
}

export class LeaseKeeper {
  readonly #settings: LeaseSettings;
  readonly #invoke: Invoke;
  readonly #log: Log;
  readonly #load: () => { flows: number; subscriptions: number; draining: boolean };
  /** Told how many gateways there are. */
  readonly #takeGateways: (count: number) => void;
  #isSuperseded = false;
  readonly #nowMs: () => number;
  #renewedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    settings: LeaseSettings,
    ports: {
      invoke: Invoke;
      log: Log;
      nowMs: () => number;
      load: () => { flows: number; subscriptions: number; draining: boolean };
      takeGateways: (count: number) => void;
    },
  ) {
    this.#settings = settings;
    this.#invoke = ports.invoke;
    this.#log = ports.log;
    this.#load = ports.load;
    this.#takeGateways = ports.takeGateways;
    this.#nowMs = ports.nowMs;
  }

  /** True while the functions and the table behind them have answered within the lease. */
  get isHeld(): boolean {
    return this.#nowMs() - this.#renewedAtMs < this.#settings.leaseSeconds * 1000;
  }

  /** True while a newer generation of gateways is there. */
  get isSuperseded(): boolean {
    return this.#isSuperseded;
  }

  /** Renews now and then again and again: three times within a lease, quicker while it fails. */
  async keep(): Promise<void> {
    const renewed = await this.renew();
    const delayMs = renewed ? (this.#settings.leaseSeconds * 1000) / 3 : 500;
    this.#timer = setTimeout(() => void this.keep(), delayMs);
  }

  async renew(): Promise<boolean> {
    const { gatewayId, address, leaseSeconds, functionName } = this.#settings;
    const report: LeaseReport = {
      contractVersion: CONTRACT_VERSION,
      gatewayId,
      address,
      leaseSeconds,
      ...this.#load(),
    };
    try {
      const answer = await this.#invoke(functionName, report, Math.min(4_000, (leaseSeconds * 1000) / 3));
      const grant = v.safeParse(leaseGrant, answer);
      if (grant.success) {
        this.#takeGateways(grant.output.gateways);
        this.#isSuperseded = grant.output.superseded;
      }
      this.#renewedAtMs = this.#nowMs();
      return true;
    } catch (error) {
      this.#log.warn({ hop: 'lease', err: String(error) }, 'lease not renewed');
      return false;
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
