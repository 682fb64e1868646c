import { beforeEach, describe, expect, it } from 'vitest';
import type { Connection, Instruction } from '#contract/instruction.ts';
import { listAudit } from '#table/audit-item.ts';
import { saveLease } from '#table/lease-item.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';

const T = '/v1/tenants/a.example';
const CONNECTIONS = `${T}/connections`;
let rig: ApiRig;
let held: Record<string, Connection[]>;
let closed: Instruction[];
let silent: string;

const connectionOf = (flowId: string, domain = 'a.example'): Connection => ({
  ...{ flowId: flowId as never, protocol: 'sip', transport: 'WSS', sourceAddress: '192.0.2.7', openedAtMs: T0 },
  ...{ userAgent: 'a phone', subscriptions: 3, isRegistered: true },
  identity: { domain, user: '1001', role: 'user', expiresAtMs: T0 + 60_000, proof: { way: 'token', tokenId: 'one' } },
});

beforeEach(async () => {
  [held, closed, silent] = [{}, [], ''];
  rig = openApiRig({
    gateways: {
      async deliver(gatewayId, _address, [instruction]) {
        if (gatewayId === silent) return { kind: 'failed', reason: 'test' };
        if (instruction?.kind === 'close') closed.push(instruction);
        if (instruction?.kind !== 'connections') return { kind: 'delivered', unknown: [] };
        const { after, limit, tenant, flowId } = instruction;
        const found = (held[gatewayId] ?? [])
          .filter((each) => each.identity.domain === tenant && each.flowId > after)
          .filter((each) => flowId === undefined || each.flowId === flowId);
        return { kind: 'delivered', unknown: [], connections: [found.slice(0, limit)] };
      },
    },
  });
  for (const domain of ['a.example', 'b.example']) await rig.table.put(tenantItem(domain, {}));
  for (const gatewayId of ['host.one-1', 'host.one-2', 'host.one-3']) {
    const lease = { gatewayId, address: 'http://x', grantedAtMs: T0, leaseEndsAtMs: T0 + 60_000 };
    await saveLease(rig.table, { ...lease, flows: 0, subscriptions: 0, draining: false });
  }
  held['host.one-1'] = ['f1', 'f2', 'f3'].map((id) => connectionOf(id));
  held['host.one-3'] = [connectionOf('f0'), connectionOf('f9', 'b.example')];
});

async function pages(limit: number): Promise<string[][]> {
  const all: string[][] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const { body } = await rig.ask('GET', `${CONNECTIONS}?limit=${limit}${next === '' ? '' : `&cursor=${next}`}`);
    all.push(body.items.map(({ id }: { id: string }) => id));
    expect(all.length).toBeLessThan(9);
    next = body.next;
  }
  return all;
}

describe('connections of a tenant', () => {
  it('say who, since when, from where, with what, and how it has signed in', async () => {
    const { status, body } = await rig.ask('GET', CONNECTIONS);
    expect([status, body.items.length, body.next, body.silent]).toEqual([200, 4, undefined, undefined]);
    expect(body.items[0]).toEqual({
      ...{ id: 'host.one-1.f1', user: '1001', role: 'user', gateway: 'host.one-1', flow: 'f1', protocol: 'sip' },
      ...{ transport: 'WSS', address: '192.0.2.7', since: new Date(T0).toISOString(), userAgent: 'a phone' },
      ...{ subscriptions: 3, registered: true, signedInBy: 'token', proof: 'one' },
      expiresAt: new Date(T0 + 60_000).toISOString(),
    });
  });

  it.each([1, 2, 3, 4])('come in pages of %d over all gateways, each once', async (limit) => {
    const all = ['host.one-1.f1', 'host.one-1.f2', 'host.one-1.f3', 'host.one-3.f0'];
    const expected = Array.from({ length: Math.ceil(all.length / limit) }, (_, n) =>
      all.slice(n * limit, (n + 1) * limit),
    );
    expect(await pages(limit)).toEqual(expected);
  });

  it('are told without those of a gateway that does not answer, which is named', async () => {
    silent = 'host.one-1';
    expect((await rig.ask('GET', CONNECTIONS)).body).toMatchObject({
      ...{ items: [{ id: 'host.one-3.f0' }], silent: ['host.one-1'] },
    });
  });
});

describe('the end of a connection', () => {
  it('is an instruction to its gateway, with a line in the audit trail', async () => {
    expect((await rig.ask('DELETE', `${CONNECTIONS}/host.one-1.f2`)).status).toBe(204);
    expect(closed).toEqual([{ kind: 'close', flowId: 'f2', code: 4403, reason: 'ended by an operator' }]);
    expect(JSON.stringify(await listAudit(rig.table, 'a.example', { limit: 5 }))).toContain('end connection');
  });

  it('is refused for one that is not there, or of another tenant: the same answer', async () => {
    const answers = [];
    for (const id of ['host.one-1.f7', 'host.one-3.f9', 'nobody.f1', 'nothing'])
      answers.push(await rig.ask('DELETE', `${CONNECTIONS}/${id}`));
    expect(answers.map(({ status, body }) => [status, body.detail])).toEqual(
      Array(4).fill([404, 'a.example has no such connection.']),
    );
    expect(closed).toEqual([]);
  });

  it('is 503 while its gateway is silent', async () => {
    silent = 'host.one-1';
    expect((await rig.ask('DELETE', `${CONNECTIONS}/host.one-1.f2`)).status).toBe(503);
  });
});
