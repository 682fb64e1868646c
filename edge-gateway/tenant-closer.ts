/** Closes what this gateway holds of one tenant or user: calls, subscriptions, flows. */
import { type Address, addressOfAor, isSameAddress } from '#core/identity.ts';
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

/** Of a tenant that is removed. */
export const closeTenant = (domain: string, ports: TenantCloserPorts): void =>
  closeAll((address) => address?.domain === domain, 'tenant removed', ports);

/** Of a user that is removed. */
export const closeUser = (user: Address, ports: TenantCloserPorts): void =>
  closeAll((address) => address !== undefined && isSameAddress(address, user), 'user removed', ports);

/**
 * Ends the calls of the flows that have proven to be somebody who goes, tells their watchers that the subscription is over
 * (nothing is left to watch), and closes the flows; subscriptions to whoever goes end as well, parked ones too. The functions
 * are told, as ever.
 */
function closeAll(goes: (address: Address | undefined) => boolean, reason: string, ports: TenantCloserPorts): void {
  for (const flow of [...ports.flows.values()].filter(({ identity }) => goes(identity))) {
    ports.endCallsOf(flow);
    for (const subscription of [...flow.subscriptions]) end(subscription, ports);
    ports.closeFlow(flow, POLICY_VIOLATION, reason);
  }
  for (const subscription of [...ports.subscriptions.values()])
    if (goes(addressOfAor(subscription.resource.presentity))) end(subscription, ports);
}

function end(subscription: Subscription, { notifyPath, reportEnded }: TenantCloserPorts): void {
  notifyPath.terminate(subscription, 'noresource');
  reportEnded(subscription);
}
