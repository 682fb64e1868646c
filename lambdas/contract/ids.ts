/** Branded identifiers that cross the wire between gateway and functions. */
declare const brand: unique symbol;
type Brand<Name extends string> = string & { readonly [brand]: Name };

/** One gateway process, made anew at each start. */
export type GatewayId = Brand<'GatewayId'>;
/** One WebSocket connection (RFC 5626 flow). */
export type FlowId = Brand<'FlowId'>;
/** The notifier's To tag of a subscription; made by the gateway before the function is invoked. */
export type SubscriptionId = Brand<'SubscriptionId'>;

export const gatewayIdOf = (text: string): GatewayId => text as GatewayId;
export const flowIdOf = (text: string): FlowId => text as FlowId;
export const subscriptionIdOf = (text: string): SubscriptionId => text as SubscriptionId;
