/** Adds to the outcomes of a request function what their tenants may use: gateways have no other way to know. */
import type { GatewayQuotas } from '#contract/schemas.ts';
import type { RequestPorts } from '#roles/request-ports.ts';
import { gatewayQuotasOf } from '#table/tenant-quotas.ts';
import type { EncodedOutcomes } from './request-handler.ts';

type Handler = (event: unknown) => Promise<EncodedOutcomes>;
export type OutcomesWithQuotas = EncodedOutcomes & { readonly quotas?: Readonly<Record<string, GatewayQuotas>> };

/** The tenants are cached: a role has read them a moment ago. One that cannot be read now is left out. */
export function withQuotas(handler: Handler, { loadTenant }: Pick<RequestPorts, 'loadTenant'>) {
  return async (event: unknown): Promise<OutcomesWithQuotas> => {
    const batch = await handler(event);
    const domains = new Set(batch.outcomes.flatMap(({ identity }) => identity?.domain ?? []));
    if (domains.size === 0) return batch;
    const tenants = await Promise.all([...domains].map((domain) => loadTenant(domain).catch(() => undefined)));
    const quotas = tenants.flatMap((tenant) => (tenant ? [[tenant.domain, gatewayQuotasOf(tenant.quotas)]] : []));
    return { ...batch, quotas: Object.fromEntries(quotas) };
  };
}
