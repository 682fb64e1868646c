/** Closes what this gateway holds of one tenant: calls, subscriptions, flows. */
import { addressOfAor } from '#core/identity.ts';
import type { Flow, FlowTable } from './flow-table.ts';
import type { NotifyPath } from './notify-path.ts';
import type { Subscription, SubscriptionTable } from './subscription-table.ts';

/** WebSocket close code: it is not welcome any more (RFC 6455 section 7.4.1). */
const POLICY_VIOLATION = 1008;

export interface TenantCloserPorts {
  readonly flows: FlowTable;
  readonly subscriptions: SubscriptionTable;
  readonly notifyPath: NotifyPath;
  readonly endCallsOf: (flow: Flow) => void;
  readonly reportEnded: (subscription: Subscription) => void;
  readonly closeFlow: (flow: Flow, code: number, reason: string) => void;
}

/**
 * Ends the calls of the tenant's flows, tells their watchers that the subscription is over (nothing is left to watch), and
 * closes the flows; parked subscriptions to the tenant's presentities go as well. The functions are told, as ever.
 */
export function closeTenant(domain: string, ports: TenantCloserPorts): void {
  for (const flow of [...ports.flows.values()].filter(({ identity }) => identity?.domain === domain)) {
    ports.endCallsOf(flow);
    for (const subscription of [...flow.subscriptions]) end(subscription, ports);
    ports.closeFlow(flow, POLICY_VIOLATION, 'tenant removed');
  }
  for (const subscription of [...ports.subscriptions.values()])
    if (addressOfAor(subscription.resource.presentity)?.domain === domain) end(subscription, ports);
}

function end(subscription: Subscription, { notifyPath, reportEnded }: TenantCloserPorts): void {
  notifyPath.terminate(subscription, 'noresource');
  reportEnded(subscription);
}
