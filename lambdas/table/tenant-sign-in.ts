/** How a tenant's users sign in besides passwords: a part of the tenant item. */
import * as v from 'valibot';

/** What a tenant may set. */
export const givenSignIn = v.object({});
export type GivenSignIn = v.InferOutput<typeof givenSignIn>;

/** How it stands, with the defaults. */
export type TenantSignIn = GivenSignIn;

export const DEFAULT_SIGN_IN: TenantSignIn = {};

/** What is set, over the defaults. */
export const completeSignIn = (given: GivenSignIn): TenantSignIn => ({ ...DEFAULT_SIGN_IN, ...given });

/** What is shown of it: no secrets. */
export const showSignIn = (given: GivenSignIn): GivenSignIn => given;
