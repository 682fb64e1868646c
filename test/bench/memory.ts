/** Memory of the gateway's process: for each idle registered flow, and for each subscription on top. */
import type { LocalStack } from '#test/support/local-stack.ts';
import { gatewayPid, proportionalSetBytes } from './process-usage.ts';
import { WatcherFleet } from './watcher-fleet.ts';

export interface MemoryResult {
  readonly bytesPerIdleFlow: number;
  readonly bytesPerSubscription: number;
}

/** Longer than answers are kept for retransmissions, so that what is measured is what stays. */
const SETTLE_MS = 15_000;

export async function measureMemory(
  stack: LocalStack,
  users: number,
  flows: number,
  subscriptions: number,
): Promise<MemoryResult> {
  const pid = gatewayPid(stack);
  const fleet = new WatcherFleet(stack.url(), users);
  await fleet.open(50);
  const start = proportionalSetBytes(pid);
  await fleet.open(flows);
  await settle();
  const withFlows = proportionalSetBytes(pid);
  await fleet.subscribe(subscriptions, (index) => String(2000 + (index % 500)));
  await settle();
  const withSubscriptions = proportionalSetBytes(pid);
  fleet.close();
  return {
    bytesPerIdleFlow: (withFlows - start) / flows,
    bytesPerSubscription: (withSubscriptions - withFlows) / subscriptions,
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
