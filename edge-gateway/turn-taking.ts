/** Requests with one Call-ID on one flow are handled one after the other. */
import type { Flow } from './flow-table.ts';

/** Does the work when all work of this Call-ID that came before it is done. */
export function takeTurn(flow: Flow, callId: string, work: () => Promise<void>): void {
  flow.busyCallIds ??= new Map();
  const waiting = flow.busyCallIds.get(callId);
  const run = (): void => {
    void work().finally(() => nextTurn(flow, callId));
  };
  if (waiting !== undefined) waiting.push(run);
  else {
    flow.busyCallIds.set(callId, []);
    run();
  }
}

function nextTurn(flow: Flow, callId: string): void {
  const waiting = flow.busyCallIds?.get(callId);
  const run = waiting?.shift();
  if (run !== undefined) {
    run();
    return;
  }
  flow.busyCallIds?.delete(callId);
  if (flow.busyCallIds?.size === 0) flow.busyCallIds = undefined;
}
