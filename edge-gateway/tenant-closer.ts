/** Closes what this gateway holds of one tenant or user: calls, subscriptions, flows. */
import { type Address, addressOfAor, isSameAddress } from '#core/identity.ts';
import type { Flow, FlowTable } from './flow-table.ts';
import { SIGNED_OUT } from './identity-keeper.ts';
import type { NotifyPath } from './notify-path.ts';
import { isMeant, type SignOut, type SignOuts } from './sign-outs.ts';
import type { Subscription, SubscriptionTable } from './subscription-table.ts';

/** WebSocket close code: it is not welcome any more (RFC 6455 section 7.4.1). */
const POLICY_VIOLATION = 1008;

export interface TenantCloserPorts {
  readonly flows: FlowTable;
  readonly subscriptions: SubscriptionTable;
  readonly notifyPath: NotifyPath;
  readonly signOuts: SignOuts;
  readonly nowMs: () => number;
  readonly endCallsOf: (flow: Flow) => void;
  readonly reportEnded: (subscription: Subscription) => void;
  readonly closeFlow: (flow: Flow, code: number, reason: string) => void;
}

export interface Closers {
  /** Of a tenant that is removed. */
  readonly closeTenant: (domain: string) => void;
  /** Of a user that is removed. */
  readonly closeUser: (user: Address) => void;
  /** Flows of which what they have proven was taken back: their clients may come back with something better. */
  readonly signOut: (order: SignOut) => void;
}

/** @param portsNow asked each time, once the gateway is put together */
export const closersOf = (portsNow: () => TenantCloserPorts): Closers => ({
  closeTenant: (domain) => closeAll((address) => address?.domain === domain, 'tenant removed', portsNow()),
  closeUser: (user) =>
    closeAll((address) => address !== undefined && isSameAddress(address, user), 'user removed', portsNow()),
  signOut: (order) => closeSignedOut(order, portsNow()),
});

function closeSignedOut(order: SignOut, ports: TenantCloserPorts): void {
  ports.signOuts.add(order, ports.nowMs());
  for (const flow of [...ports.flows.values()]) {
    const identity = flow.identity ?? flow.lapsed?.identity;
    if (identity === undefined || !isMeant(order, identity)) continue;
    for (const subscription of [...flow.subscriptions]) end(subscription, 'deactivated', ports);
    ports.closeFlow(flow, SIGNED_OUT.code, SIGNED_OUT.reason);
  }
}

/**
 * Ends the calls of the flows that have proven to be somebody who goes, tells their watchers that the subscription is over
 * (nothing is left to watch), and closes the flows; subscriptions to whoever goes end as well, parked ones too. The functions
 * are told, as ever.
 */
function closeAll(goes: (address: Address | undefined) => boolean, reason: string, ports: TenantCloserPorts): void {
  for (const flow of [...ports.flows.values()].filter(({ identity }) => goes(identity))) {
    ports.endCallsOf(flow);
    for (const subscription of [...flow.subscriptions]) end(subscription, 'noresource', ports);
    ports.closeFlow(flow, POLICY_VIOLATION, reason);
  }
  for (const subscription of [...ports.subscriptions.values()])
    if (goes(addressOfAor(subscription.resource.presentity))) end(subscription, 'noresource', ports);
}

function end(
  subscription: Subscription,
  reason: 'noresource' | 'deactivated',
  { notifyPath, reportEnded }: TenantCloserPorts,
): void {
  notifyPath.terminate(subscription, reason);
  reportEnded(subscription);
}
