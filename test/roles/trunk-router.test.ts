import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { CallPolicy } from '#core/call-policy.ts';
import { ha1Of } from '#core/digest.ts';
import type { Trunk } from '#core/trunk.ts';
import { routeCall } from '#roles/call-router.ts';
import { loadSizes } from '#table/call-counters.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { stateKey } from '#table/keys.ts';
import { trunkItem } from '#table/trunk-item.ts';
import { bind, inviteOf, lease, routerPorts, seedTenant } from '#test/support/calls.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';

let started: TestTable;
let table: DynamoDbTable;
let ports: ReturnType<typeof routerPorts>;
let count = 0;
let domain: string;

const TRUNK: Trunk = {
  ...{ transport: 'TCP', host: 'sip.provider.example', port: 5060, addresses: ['192.0.2.7'] },
  callerId: { prefix: '+4930' },
  account: {
    ...{ username: 'acme', realm: 'provider.example' },
    ha1: {
      md5: ha1Of('MD5', 'acme', 'provider.example', 'secret'),
      sha256: ha1Of('SHA-256', 'acme', 'provider.example', 'secret'),
    },
  },
};

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  ports = routerPorts(table);
  await lease(table, T0);
});
afterAll(async () => {
  table.close();
  await started.stop();
});
beforeEach(() => {
  domain = `trunk${++count}.example`;
});

async function tenant(calls: Partial<CallPolicy> = {}): Promise<void> {
  await seedTenant(table, domain, calls);
  await table.put(trunkItem(domain, TRUNK, TEST_VAULT));
}

const route = async (invite: Partial<Parameters<typeof inviteOf>[0]> = {}) => {
  const outcome = await routeCall(inviteOf({ domain, callId: `call-${count}-${Math.random()}`, ...invite }), ports, T0);
  return { ...outcome, status: outcome.response.status };
};
const dial = (number: string) => route({ to: `sip:${number}@${domain}` });
const fromTrunk = async (invite: Partial<Parameters<typeof inviteOf>[0]>, source: Partial<RequestEnvelope> = {}) => {
  const { identity: _, ...envelope } = inviteOf({ domain, callId: 'out', from: '1002', ...invite });
  const sent = { ...envelope, transport: 'TCP' as const, sourceAddress: '192.0.2.7', ...source };
  const outcome = await routeCall(sent, ports, T0);
  return { ...outcome, status: outcome.response.status };
};

describe('a number that no user has', () => {
  it('goes to the trunk under the number that the tenant shows; nothing secret goes to the gateway', async () => {
    await tenant();
    const { route: given } = await dial('030-1234');
    expect(given).toMatchObject({
      ...{ outside: 'callee', trunkUri: 'sip:0301234@sip.provider.example:5060;transport=tcp', targets: [] },
      trunk: { transport: 'TCP', host: 'sip.provider.example', port: 5060, addresses: ['192.0.2.7'] },
      headers: [['P-Asserted-Identity', '<sip:+49301001@sip.provider.example>']],
      callee: `sip:030-1234@${domain}`,
    });
    expect(JSON.stringify(given)).not.toMatch(/acme|secret|ha1/);
  });

  it('is no presentity, and counts as no user', async () => {
    await tenant();
    await dial('0301234');
    expect(await table.get(stateKey(domain, '0301234'))).toBeUndefined();
    expect(await table.get(stateKey(domain, '1001'))).toBeDefined();
    expect((await loadSizes(table, domain, { profile: 'user' })).map(({ value }) => value)).toEqual(['1001']);
  });

  it('keeps within the limits of its class; an emergency call has none', async () => {
    await tenant({
      prefixes: [
        { prefix: '0', type: 'domestic' },
        { prefix: '112', type: 'emergency', exact: true },
      ],
      limits: [
        { profile: 'type', value: 'domestic', limit: 0, status: 503 },
        { profile: 'type', value: 'emergency', limit: 0, status: 503 },
      ],
    });
    expect((await dial('0301234')).status).toBe(503);
    expect((await dial('112')).route?.outside).toBe('callee');
  });

  it('is not found without a trunk, nor is a name', async () => {
    await seedTenant(table, domain);
    expect((await dial('0301234')).status).toBe(404);
    await tenant();
    expect((await dial('nobody')).status).toBe(404);
  });

  it('a user who is away is not looked for outside: 480', async () => {
    await tenant();
    expect((await dial('1002')).status).toBe(480);
  });
});

describe('an INVITE of the trunk', () => {
  it('goes to the user, and passes on what the trunk asserts; its From makes nobody a user', async () => {
    await tenant();
    await bind(table, domain, '1003', T0);
    const headers: [string, string][] = [['P-Asserted-Identity', '<sip:+49301@provider.example>']];
    const { route: given, identity } = await fromTrunk({ to: '1003', headers });
    expect(given).toMatchObject({ outside: 'caller', headers, caller: `sip:1002@${domain}` });
    expect(given?.targets).toHaveLength(1);
    expect(identity).toBeUndefined();
    expect(await table.get(stateKey(domain, '1002'))).toBeUndefined();
    expect((await loadSizes(table, domain, { profile: 'user' })).map(({ value }) => value)).toEqual(['1003']);
  });

  it.each([
    ['from another address', {}, { sourceAddress: '192.0.2.8' }],
    ['over another transport', {}, { transport: 'TLS' as const }],
    ['for another tenant', { to: 'sip:1003@demo.example' }, {}],
    ['as another request', { method: 'MESSAGE' }, {}],
  ])('is refused %s: 403', async (_, invite, source) => {
    await tenant();
    await bind(table, domain, '1003', T0);
    await expect(fromTrunk({ to: '1003', ...invite }, source)).rejects.toMatchObject({ status: 403 });
  });

  it('does not go back to the trunk: 404', async () => {
    await tenant();
    expect((await fromTrunk({ to: '0301234' })).status).toBe(404);
  });
});

describe('a challenge of the trunk', () => {
  const meet = async (realm: string) => {
    const value = `Digest realm="${realm}", nonce="n", qop="auth"`;
    const challenge = { domain, challenges: [{ field: 'Proxy-Authenticate', value, count: 3 }] };
    return (await routeCall({ ...inviteOf({ domain, callId: 'c' }), challenge }, ports, T0)).response.headers;
  };

  it('is met with the account of the tenant', async () => {
    await tenant();
    const [[name, value] = ['', '']] = await meet('provider.example');
    expect(name).toBe('Proxy-Authorization');
    expect(value).toContain('username="acme"');
    expect(value).toContain('nc=00000003');
    expect(value).not.toContain(TRUNK.account?.ha1.md5);
  });

  it('is not met for another realm', async () => {
    await tenant();
    expect(await meet('elsewhere.example')).toEqual([]);
  });
});
