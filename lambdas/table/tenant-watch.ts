/** Who of a tenant may watch whom: a part of the tenant item. */
import * as v from 'valibot';

/** What a tenant may set. */
export const givenWatch = v.object({});
export type GivenWatch = v.InferOutput<typeof givenWatch>;

/** How it stands, with the defaults. */
export type TenantWatch = GivenWatch;

export const DEFAULT_WATCH: TenantWatch = {};

/** What is set, over the defaults. */
export const completeWatch = (given: GivenWatch): TenantWatch => ({ ...DEFAULT_WATCH, ...given });
