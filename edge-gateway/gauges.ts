/** What a gateway holds at this moment. */

import type { FunctionQueue } from './backend.ts';
import type { CallParts } from './calls/assemble-calls.ts';
import type { FlowGuard } from './flow-guard.ts';
import type { FlowTable } from './flow-table.ts';
import type { ForwardPath } from './forward-path.ts';
import type { NotifyPath } from './notify-path.ts';
import type { SubscriptionTable } from './subscription-table.ts';

export interface Gauges {
  readonly flows: () => number;
  readonly subscriptions: () => number;
  readonly parkedSubscriptions: () => number;
  readonly notifiesOutstanding: () => number;
  readonly forwardsUnderWay: () => number;
  readonly flowsHeldBack: () => number;
  /** Looks at every flow. */
  readonly sendBacklogBytes: () => number;
  readonly requestsWaiting: () => number;
  readonly calls: () => number;
  readonly callTransactions: () => number;
}

export interface GaugedParts {
  readonly flows: FlowTable;
  readonly subscriptions: SubscriptionTable;
  readonly notifyPath: NotifyPath;
  readonly forwardPath: ForwardPath;
  readonly functions: ReadonlyMap<string, FunctionQueue>;
  readonly guard: FlowGuard;
  readonly callParts: CallParts | undefined;
}

export function gaugesOf(parts: GaugedParts): Gauges {
  const { flows, subscriptions, notifyPath, forwardPath, functions, guard, callParts } = parts;
  return {
    flows: () => flows.size,
    subscriptions: () => subscriptions.size,
    parkedSubscriptions: () => subscriptions.parked,
    notifiesOutstanding: () => notifyPath.outstanding,
    forwardsUnderWay: () => forwardPath.underWay,
    flowsHeldBack: () => guard.heldBack,
    sendBacklogBytes: () => sum([...flows.values()].map(({ stream }) => stream.writableLength)),
    calls: () => callParts?.calls.live ?? 0,
    callTransactions: () => callParts?.transactions.size ?? 0,
    requestsWaiting: () => sum([...functions.values()].map(({ waiting }) => waiting)),
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
