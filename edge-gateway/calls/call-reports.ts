/** How calls stand, told to the function `call-report`: the newest snapshot of each, until it was taken. */
import type { CallReport, CallSnapshot } from '#contract/call.ts';
import type { GatewayId } from '#contract/ids.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import type { Invoke } from '../backend.ts';
import type { Counts, Log } from '../telemetry.ts';

const BATCH = 100;
const RETRY_MS = 500;
const DEADLINE_MS = 10_000;

export interface CallReportsPorts {
  readonly gatewayId: GatewayId;
  /** Name of the function; undefined when nobody wants to know. */
  readonly functionName: string | undefined;
  readonly invoke: Invoke;
  readonly log: Log;
  readonly counts: Counts;
}

export class CallReports {
  readonly #ports: CallReportsPorts;
  readonly #waiting = new Map<string, CallSnapshot>();
  #sending: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: CallReportsPorts) {
    this.#ports = ports;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** A newer snapshot takes the place of one that waits. */
  put(snapshot: CallSnapshot): void {
    if (this.#ports.functionName === undefined) return;
    this.#waiting.set(snapshot.callKey, snapshot);
    this.#start();
  }

  #start(): void {
    if (this.#sending !== undefined || this.#timer !== undefined || this.#waiting.size === 0) return;
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
    });
    void this.#sending.then((taken) => {
      if (taken) this.#start();
      else this.#retryLater();
    });
  }

  #retryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, RETRY_MS);
  }

  /** @returns whether the function has taken it */
  async #send(): Promise<boolean> {
    const { gatewayId, functionName = '', invoke, log, counts } = this.#ports;
    await Promise.resolve(); // what changes in this turn of the event loop goes along
    const snapshots = [...this.#waiting.values()].slice(0, BATCH);
    for (const { callKey } of snapshots) this.#waiting.delete(callKey);
    try {
      const report: CallReport = { contractVersion: CONTRACT_VERSION, gatewayId, snapshots };
      counts.callReports++;
      await invoke(functionName, report, DEADLINE_MS);
      return true;
    } catch (error) {
      counts.callReportsFailed++;
      log.warn({ hop: 'call-report', err: String(error) }, 'call report not taken, kept for another try');
      for (const snapshot of snapshots)
        if (!this.#waiting.has(snapshot.callKey)) this.#waiting.set(snapshot.callKey, snapshot);
      return false;
    }
  }

  /** Sends what is left at the end of the process; gives up when it is not taken. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#sending;
    clearTimeout(this.#timer);
    while (this.#waiting.size > 0 && this.#ports.functionName !== undefined) if (!(await this.#send())) return;
  }
}
