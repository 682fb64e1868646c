/** What a tenant may use: a part of the tenant item. */
import * as v from 'valibot';

/** What a tenant may set. */
export const givenQuotas = v.object({});
export type GivenQuotas = v.InferOutput<typeof givenQuotas>;

/** How it stands, with the defaults. */
export type TenantQuotas = GivenQuotas;

export const DEFAULT_QUOTAS: TenantQuotas = {};

/** What is set, over the defaults. */
export const completeQuotas = (given: GivenQuotas): TenantQuotas => ({ ...DEFAULT_QUOTAS, ...given });
