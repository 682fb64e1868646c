/** What a tenant may use: a part of the tenant item. */
import * as v from 'valibot';
import type { GatewayQuotas } from '#contract/schemas.ts';

const amount = (maximum: number, description: string) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maximum), v.description(description)));

const MANY = 10_000_000;
const FAST = 100_000;
/** Each change of a state is one write for each of them. */
const MAX_WEBHOOKS = 50;

/** What a tenant may be given. */
export const givenQuotas = v.object({
  flows: amount(MANY, 'Connections that have proven an identity, at once'),
  subscriptions: amount(MANY, 'Subscriptions, those of lists as one each'),
  calls: amount(MANY, 'Calls at once; emergency calls are never refused'),
  requestsPerSecond: amount(
    FAST,
    'SIP requests of all methods but those of calls; five seconds of it may come at once',
  ),
  publicationsPerSecond: amount(
    FAST,
    'PUBLISH requests, and as many words over HTTP; five seconds of it may come at once',
  ),
  messagesPerSecond: amount(FAST, 'MESSAGE requests; five seconds of it may come at once'),
  apiRequestsPerSecond: amount(
    FAST,
    "Requests of the tenant's own keys to the HTTP API; five seconds of it may come at once",
  ),
  users: amount(MANY, 'Users and publishers'),
  lists: amount(MANY, 'Lists'),
  webhooks: amount(MAX_WEBHOOKS, 'Webhooks'),
});
export type GivenQuotas = v.InferOutput<typeof givenQuotas>;

/** How it stands, with the defaults. */
export type TenantQuotas = Readonly<Record<keyof GivenQuotas, number>>;

/** Far more than a company of thousands needs, far less than what a deployment has. */
export const DEFAULT_QUOTAS: TenantQuotas = {
  flows: 20_000,
  subscriptions: 200_000,
  calls: 5_000,
  requestsPerSecond: 2_000,
  publicationsPerSecond: 500,
  messagesPerSecond: 200,
  apiRequestsPerSecond: 100,
  users: 20_000,
  lists: 1_000,
  webhooks: 10,
};

/** What is set, over the defaults. */
export const completeQuotas = (given: GivenQuotas): TenantQuotas => ({ ...DEFAULT_QUOTAS, ...given });

/** What gateways see to. */
export function gatewayQuotasOf(quotas: TenantQuotas): GatewayQuotas {
  const { flows, subscriptions, calls, requestsPerSecond, publicationsPerSecond, messagesPerSecond } = quotas;
  return { flows, subscriptions, calls, requestsPerSecond, publicationsPerSecond, messagesPerSecond };
}
