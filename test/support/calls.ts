/** Calls for tests of the functions' side: a tenant with users, INVITEs, and what a gateway would tell. */

import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { type CallSnapshot, callSnapshot } from '#contract/call.ts';
import { gatewayIdOf } from '#contract/ids.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { CallRouterPorts } from '#roles/call-router.ts';
import { saveBinding } from '#table/binding-item.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import { seedItems } from '#table/seed-items.ts';
import type { Table } from '#table/table.ts';
import { type GivenPolicy, loadTenant } from '#table/tenant-item.ts';
import { loadTrunk } from '#table/trunk-item.ts';
import { loadUser } from '#table/user-item.ts';
import { envelopeOf, type TestRequest } from './envelope.ts';
import { TEST_SECRETS, TEST_VAULT } from './secrets.ts';

export const GATEWAY = 'gateway-1';
export const GATEWAY_ADDRESS = 'http://127.0.0.1:1';

/** A tenant with users 1001 to 1004. */
export async function seedTenant(table: Table, domain: string, calls: GivenPolicy['calls'] = {}): Promise<void> {
  const policy = { calls };
  const items = seedItems({ domain, passwordPrefix: 'demo', users: 4, publishers: ['pbx'], policy }, TEST_VAULT);
  await table.writeBatch({ put: items, delete: [] });
}

export const lease = (table: Table, nowMs: number, gatewayId = GATEWAY, address = GATEWAY_ADDRESS) =>
  saveLease(table, {
    ...{ gatewayId, address, grantedAtMs: nowMs, leaseEndsAtMs: nowMs + 3_600_000 },
    ...{ flows: 1, subscriptions: 0, draining: false },
  });

export interface TestBinding {
  readonly id?: string;
  readonly gatewayId?: string;
  readonly params?: readonly (readonly [string, string])[];
  readonly contactUri?: string;
}

/** Registers a device of `user`; its flow is `flow-<user>-<id>`. */
export function bind(table: Table, domain: string, user: string, nowMs: number, more: TestBinding = {}) {
  const { id = 'a', gatewayId = GATEWAY, params = [], contactUri = `sip:${user}-${id}@client.invalid` } = more;
  return saveBinding(
    table,
    { domain, user },
    {
      ...{ id: `${user}${id}`, contactUri, params, gatewayId, flowId: `flow-${user}-${id}` },
      ...{ callId: `register-${user}-${id}`, cseq: 1, updatedAtMs: nowMs, expiresAtMs: nowMs + 3_600_000 },
    },
  );
}

/** Ports over the table; tenants are read anew each time. */
export const routerPorts = (table: Table): CallRouterPorts => ({
  table,
  ...TEST_SECRETS,
  loadUser: (domain, user) => loadUser(table, domain, user),
  loadTenant: (domain) => loadTenant(table, domain),
  leases: openLeaseBook(table),
  telemetry: { log: () => undefined },
  loadTrunk: (domain) => loadTrunk(table, TEST_SECRETS.vault, domain),
  randomBytes,
});

export interface TestInvite extends Partial<TestRequest> {
  readonly domain: string;
  readonly from?: string;
  readonly to?: string;
}

/** An INVITE of an identified flow; `from` and `to` are users of the domain, or AORs. */
export function inviteOf({ domain, from = '1001', to = '1002', headers = [], ...more }: TestInvite) {
  const aor = (name: string): string => (name.startsWith('sip:') ? name : `sip:${name}@${domain}`);
  return envelopeOf({
    ...{ method: 'INVITE', requestUri: aor(to), from: aor(from), to: aor(to), gatewayId: GATEWAY },
    identity: { domain, user: from, role: 'user' },
    headers: [['Contact', `<sip:${from}-x@client.invalid;transport=ws>`], ...headers],
    ...more,
  });
}

export type TestCall = NonNullable<OutcomeInput['route']> & { readonly callId: string };

export interface Told {
  readonly sequence: number;
  readonly state: CallSnapshot['state'];
  readonly forks?: CallSnapshot['forks'];
  readonly more?: Partial<CallSnapshot>;
}

/** What the home gateway tells of a routed call. */
export function snapshotOf(
  call: TestCall,
  nowMs: number,
  { sequence, state, forks = [], more = {} }: Told,
): CallSnapshot {
  return v.parse(callSnapshot, {
    ...{ domain: call.domain, callId: call.callId, callKey: call.callKey, sequence, state, forks },
    caller: { aor: call.caller, tag: 'from-1', contactUri: 'sip:1001-x@client.invalid;transport=ws' },
    callee: { aor: call.callee },
    startedAtMs: nowMs,
    expiresAtMs: nowMs + 3_600_000,
    ...more,
  });
}

export const HOME = gatewayIdOf(GATEWAY);
