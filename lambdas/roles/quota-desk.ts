/** Quota desk: what a tenant may use and what it does use, summed over all gateways. */
import { type GatewayId, gatewayIdOf } from '#contract/ids.ts';
import { GATEWAY_LIMITS, type GatewayLimit } from '#contract/schemas.ts';
import { listGateways } from '#table/lease-item.ts';
import type { Table } from '#table/table.ts';
import { loadCounts } from '#table/tenant-counts.ts';
import type { Tenant } from '#table/tenant-item.ts';
import type { TenantQuotas } from '#table/tenant-quotas.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';

export interface QuotaDeskPorts extends DeliveryPorts {
  readonly table: Table;
}

/** One limit of a tenant as it stands. */
export interface LimitState {
  readonly name: keyof TenantQuotas;
  readonly limit: number;
  readonly use: number;
  /** Of `limit`; 1 and more: the next one is refused. */
  readonly share: number;
  readonly state: 'normal' | 'near' | 'full';
  /** Refused by the gateways that answered, since the tenant came to them; of what they see to. */
  readonly refused?: number;
}

export interface Limits {
  readonly items: readonly LimitState[];
  /** Gateways that were asked, and those that answered: without an answer what they hold is missing here. */
  readonly gateways: number;
  readonly answered: number;
}

const NEAR_SHARE = 0.8;

/** One Query and a POST for each gateway, beside the counting of users, lists and webhooks. */
export async function showLimits({ domain, quotas }: Tenant, ports: QuotaDeskPorts, nowMs: number): Promise<Limits> {
  const gateways = await listGateways(ports.table);
  const [held, ...answers] = await Promise.all([
    loadCounts(ports.table, domain),
    ...gateways.map((id) => ask(gatewayIdOf(id), domain, ports, nowMs)),
  ]);
  const uses = answers.filter((each) => each !== undefined);
  const ofGateways = (name: GatewayLimit): LimitState => {
    const own = uses.flatMap((each) => each.filter(({ limit }) => limit === name));
    const sum = (part: 'used' | 'refused'): number => own.reduce((total, each) => total + each[part], 0);
    return { ...stateOf(name, quotas[name], sum('used')), refused: sum('refused') };
  };
  return {
    items: [
      ...GATEWAY_LIMITS.map(ofGateways),
      stateOf('users', quotas.users, held.users),
      stateOf('lists', quotas.lists, held.lists),
      stateOf('webhooks', quotas.webhooks, held.webhooks),
    ],
    gateways: gateways.length,
    answered: uses.length,
  };
}

async function ask(id: GatewayId, tenant: string, ports: QuotaDeskPorts, nowMs: number) {
  const delivery = await deliverTo(id, [{ kind: 'use', tenant }], ports, nowMs);
  return delivery.kind === 'delivered' ? delivery.uses?.[0] : undefined;
}

function stateOf(name: keyof TenantQuotas, limit: number, use: number): LimitState {
  const share = limit === 0 ? 1 : Math.round((use / limit) * 1_000) / 1_000;
  return { name, limit, use, share, state: share >= 1 ? 'full' : share >= NEAR_SHARE ? 'near' : 'normal' };
}
