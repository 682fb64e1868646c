/** Scale-in protection (ECS): a gateway with many flows asks that another one be stopped when there are too many. */
import * as v from 'valibot';
import type { Log } from './telemetry.ts';

export interface TaskProtectionSettings {
  /** Base URL of the ECS agent; undefined outside of ECS. */
  readonly agentUri: string | undefined;
  /** Flows from which on the gateway is protected; 0 turns protection off. */
  readonly protectedFlows: number;
}

export interface TaskProtectionPorts {
  readonly flows: () => number;
  /** A newer version of gateways is being deployed: those who hold on to their flows would hold it up. */
  readonly isSuperseded: () => boolean;
  readonly log: Log;
}

/** Protection lapses by itself after this, if the gateway can no longer say that it is over. */
const EXPIRES_MINUTES = 10;
const RENEW_MS = 5 * 60_000;
/** ECS takes no more often than this from one task. */
const LOOK_MS = 30_000;
const TIMEOUT_MS = 3_000;
/** A protected gateway stays so until it is this much emptier, so that the answer does not flutter. */
const RELEASE_SHARE = 0.8;

const answer = v.object({ protection: v.object({ ProtectionEnabled: v.boolean() }) });

export class TaskProtection {
  readonly #settings: TaskProtectionSettings;
  readonly #ports: TaskProtectionPorts;
  #isProtected = false;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(settings: TaskProtectionSettings, ports: TaskProtectionPorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  /** Once a second. */
  async advance(nowMs: number): Promise<void> {
    const { agentUri, protectedFlows } = this.#settings;
    if (agentUri === undefined || protectedFlows === 0 || nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    const isWanted = this.#isWanted(protectedFlows);
    const isKnown = isWanted === this.#isProtected && (!isWanted || nowMs - this.#saidAtMs < RENEW_MS);
    if (!isKnown) await this.#say(agentUri, isWanted, nowMs);
  }

  #isWanted(protectedFlows: number): boolean {
    if (this.#ports.isSuperseded()) return false;
    return this.#ports.flows() >= protectedFlows * (this.#isProtected ? RELEASE_SHARE : 1);
  }

  async #say(agentUri: string, isWanted: boolean, nowMs: number): Promise<void> {
    const wish = isWanted
      ? { ProtectionEnabled: true, ExpiresInMinutes: EXPIRES_MINUTES }
      : { ProtectionEnabled: false };
    const flows = this.#ports.flows();
    try {
      const response = await fetch(`${agentUri}/task-protection/v1/state`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(wish),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await response.text();
      const given = v.safeParse(v.pipe(v.string(), v.parseJson(), answer), text);
      if (!given.success) throw new Error(`status ${response.status}: ${text.slice(0, 300)}`);
      this.#isProtected = given.output.protection.ProtectionEnabled;
      this.#saidAtMs = nowMs;
      this.#ports.log.info({ hop: 'protection', isProtected: this.#isProtected, flows }, 'scale-in protection');
    } catch (error) {
      this.#ports.log.warn({ hop: 'protection', err: String(error) }, 'scale-in protection not changed');
    }
  }
}
