/**
 * What the HTTP API answers: the types of the schemas that describe it. `--json` gives whatever came, these members and
 * what a newer deployment may add.
 */
import type { InferOutput } from 'valibot';
import type { auditResource } from '../../lambdas/handlers/http/audit.ts';
import type { callResource } from '../../lambdas/handlers/http/call-resources.ts';
import type { connectionResource } from '../../lambdas/handlers/http/connections.ts';
import type { keyResource } from '../../lambdas/handlers/http/keys.ts';
import type { listResource } from '../../lambdas/handlers/http/lists.ts';
import type {
  changeResource,
  lampResource,
  notifiedResource,
  presentityResource,
  resetResource,
} from '../../lambdas/handlers/http/live-resources.ts';
import type { tenantResource } from '../../lambdas/handlers/http/tenants.ts';
import type { secretResource } from '../../lambdas/handlers/http/tokens.ts';
import type { userResource } from '../../lambdas/handlers/http/users.ts';
import type { webhookResource } from '../../lambdas/handlers/http/webhooks.ts';
import type { issuerResource } from '../../lambdas/table/tenant-sign-in.ts';

/** `state` while it is being deleted. */
export type Tenant = InferOutput<typeof tenantResource> & { readonly state?: string };
export type Account = InferOutput<typeof userResource>;
export type List = InferOutput<typeof listResource>;
/** `key` when it has just been made. */
export type Key = InferOutput<typeof keyResource> & { readonly key?: string };
/** `secret` when it has just been made. */
export type Webhook = InferOutput<typeof webhookResource> & { readonly secret?: string };
export type LampState = InferOutput<typeof lampResource>;
export type Presentity = InferOutput<typeof presentityResource>;
export type HistoryChange = InferOutput<typeof changeResource>;
export type ChangeSource = HistoryChange['sources'][number];
export type NotifiedWatcher = InferOutput<typeof notifiedResource>;
export type Connection = InferOutput<typeof connectionResource>;
export type SharedSecret = InferOutput<typeof secretResource>;
export type Issuer = InferOutput<typeof issuerResource>;
export type Reset = InferOutput<typeof resetResource>;
export type Call = InferOutput<typeof callResource>;
export type AuditLine = InferOutput<typeof auditResource>;

export interface HistoryPage {
  readonly items: readonly HistoryChange[];
  readonly next?: string;
  readonly presentity: LampState;
  readonly subscriptions: readonly NotifiedWatcher[];
  readonly moreSubscriptions?: boolean;
}

export interface Limit {
  readonly name: string;
  readonly limit: number;
  readonly use: number;
  readonly share: number;
  readonly state: string;
  readonly refused?: number;
}
