/** The drain of a gateway: its flows are closed in waves, so that their clients come back elsewhere one after the other. */
import type { CallPath } from './calls/call-path.ts';
import type { Flow, FlowTable } from './flow-table.ts';
import type { Outbox } from './outbox.ts';
import type { Telemetry } from './telemetry.ts';
import { closeFlow } from './websocket-server.ts';

const SERVICE_RESTART = 1012; // WebSocket close code: come back, elsewhere or later
const STEPS_PER_SECOND = 10;

interface DrainPorts {
  readonly flows: FlowTable;
  readonly outbox: Outbox;
  readonly telemetry: Telemetry;
  readonly callPath: CallPath | undefined;
}

/** Closes flows evenly over the drain window; those with calls are the last. */
export async function drainFlows({ flows, outbox, telemetry, callPath }: DrainPorts, seconds: number): Promise<void> {
  const rank = (flow: Flow): number => Number(callPath?.carriesCall(flow) ?? false);
  const all = [...flows.values()].sort((one, other) => rank(one) - rank(other));
  telemetry.log.info({ hop: 'drain', flows: all.length, seconds }, 'draining');
  const steps = Math.max(1, Math.min(all.length, seconds * STEPS_PER_SECOND));
  for (let step = 0; step < steps; step++) {
    const from = Math.floor((step * all.length) / steps);
    const to = Math.floor(((step + 1) * all.length) / steps);
    for (const flow of all.slice(from, to)) {
      callPath?.endCallsOf(flow);
      closeFlow(flow, outbox, SERVICE_RESTART, 'gateway restarts');
    }
    await pause(step + 1 < steps ? 1_000 / STEPS_PER_SECOND : Math.min(all.length, 1) * 200);
  }
  for (const flow of flows.values()) flow.socket.terminate();
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
