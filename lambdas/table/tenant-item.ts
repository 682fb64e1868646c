/** Tenant item: policy of one SIP domain. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { tenantKey } from './keys.ts';
import type { Item, Table } from './table.ts';

/** Policy of a tenant; seconds are for REGISTER, SUBSCRIBE and PUBLISH alike. */
export interface TenantPolicy {
  /** Shorter requests are refused with 423 and Min-Expires. */
  readonly minExpiresSeconds: number;
  /** Granted when the request names no time. */
  readonly defaultExpiresSeconds: number;
  /** Longer requests are granted this. */
  readonly maxExpiresSeconds: number;
}

/** Stands for what a tenant does not set. */
export const DEFAULT_POLICY: TenantPolicy = {
  minExpiresSeconds: 60,
  defaultExpiresSeconds: 3_600,
  maxExpiresSeconds: 7_200,
};

export interface Tenant {
  readonly domain: string;
  readonly policy: TenantPolicy;
}

const seconds = v.optional(v.pipe(v.number(), v.minValue(1)));
const tenantAttributes = v.object({
  policy: v.optional(
    v.object({ minExpiresSeconds: seconds, defaultExpiresSeconds: seconds, maxExpiresSeconds: seconds }),
    {},
  ),
});

/** One GetItem. @returns undefined when there is no such tenant */
export async function loadTenant(table: Table, domain: string): Promise<Tenant | undefined> {
  const item = await table.get(tenantKey(domain));
  return item && { domain, policy: decodePolicy(item) };
}

/** @throws {ContractError} when the item is not a tenant */
function decodePolicy(item: Item): TenantPolicy {
  const result = v.safeParse(tenantAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  const { policy } = result.output;
  return {
    minExpiresSeconds: policy.minExpiresSeconds ?? DEFAULT_POLICY.minExpiresSeconds,
    defaultExpiresSeconds: policy.defaultExpiresSeconds ?? DEFAULT_POLICY.defaultExpiresSeconds,
    maxExpiresSeconds: policy.maxExpiresSeconds ?? DEFAULT_POLICY.maxExpiresSeconds,
  };
}

export function tenantItem(domain: string, policy: Partial<TenantPolicy>): Item {
  return { ...tenantKey(domain), policy };
}
