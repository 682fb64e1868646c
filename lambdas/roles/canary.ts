/** The canary: a watcher of ours that goes the way of every lamp, so that we know before customers call. */
import type { MetricValues } from '#core/metric.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface CanaryPorts {
  readonly telemetry: RoleLog;
  readonly metrics: (values: MetricValues<'canary'>) => void;
  /** Puts tenant and account where the canary signs in. */
  readonly seed: () => Promise<void>;
  /**
   * Goes the way once.
   * @returns milliseconds from the PUBLISH to its NOTIFY
   */
  readonly probe: () => Promise<number>;
}

export type CanaryResult = { readonly isWell: true; readonly lampMs: number } | { readonly isWell: false };

/** Remembered between runs of one function instance. */
export interface CanaryMemory {
  isSeeded: boolean;
}

const HOP = 'canary';

/**
 * One run. The account is put in place by the first one, and by the one after a failure: its password may have changed.
 * Never throws: a failure is what the metric is for.
 */
export async function runCanary(memory: CanaryMemory, ports: CanaryPorts): Promise<CanaryResult> {
  const { metrics, telemetry } = ports;
  try {
    if (!memory.isSeeded) await ports.seed();
    memory.isSeeded = true;
    const lampMs = await ports.probe();
    metrics({ CanaryLampMs: lampMs, CanaryFailed: 0 });
    telemetry.log('info', HOP, { outcome: 'well', lampMs });
    return { isWell: true, lampMs };
  } catch (error) {
    memory.isSeeded = false;
    metrics({ CanaryFailed: 1 });
    telemetry.log('error', HOP, { outcome: 'failed', ...failureFields(error) });
    return { isWell: false };
  }
}
