import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { composeDialogs } from '#core/presentity.ts';
import { routeCall } from '#roles/call-router.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { loadSizes, loadStatistics } from '#table/call-counters.ts';
import { loadCalls } from '#table/call-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { bind, GATEWAY_ADDRESS, inviteOf, lease, routerPorts, seedTenant, snapshotOf } from '#test/support/calls.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { authorizationOf, T0 } from '#test/support/envelope.ts';

let started: TestTable;
let table: DynamoDbTable;
let ports: ReturnType<typeof routerPorts>;
let count = 0;
/** A tenant of its own for each test. */
let domain: string;

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
  domain = `t${++count}.example`;
});

const route = async (invite: Partial<Parameters<typeof inviteOf>[0]> = {}) => {
  const outcome = await routeCall(inviteOf({ domain, callId: `call-${count}`, ...invite }), ports, T0);
  return { ...outcome, status: outcome.response.status };
};
const dialogsOf = async (user: string, inDomain = domain) =>
  composeDialogs((await loadPresentity(table, { domain: inDomain, user })).publications, T0);
const calls = () => loadCalls(table, domain, `call-${count}`);

describe('an INVITE of a known flow', () => {
  it('is routed to all devices of the callee, with q and instance, and asserts the identity', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0, { id: 'a', params: [['q', '0.5']] });
    await bind(table, domain, '1002', T0 + 1, { id: 'b', params: [['+sip.instance', '<urn:uuid:1>']] });
    const { route: given } = await route();
    const at = { gatewayId: 'gateway-1', address: GATEWAY_ADDRESS };
    expect(given?.targets).toEqual([
      {
        ...{ kind: 'flow', flow: { ...at, flowId: 'flow-1002-b' }, contactUri: 'sip:1002-b@client.invalid', q: 1 },
        instance: '<urn:uuid:1>',
      },
      { kind: 'flow', flow: { ...at, flowId: 'flow-1002-a' }, contactUri: 'sip:1002-a@client.invalid', q: 0.5 },
    ]);
    expect(given).toMatchObject({
      ...{ domain, caller: `sip:1001@${domain}`, callee: `sip:1002@${domain}` },
      ...{ noAnswerMs: 60_000, noAnswerStatus: 408, maxDurationMs: 12 * 3_600_000 },
      headers: [['P-Asserted-Identity', `<sip:1001@${domain}>`]],
    });
  });

  it('is a call that stands from then on, and the caller is seen trying (RFC 4235)', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0);
    expect(await dialogsOf('1001')).toEqual([{ id: '0000', state: 'terminated' }]);
    expect(await loadStatistics(table, domain)).toEqual({ processed: 0, failed: 0, early: 0, active: 0 });
    const { route: given } = await route();
    expect((await calls()).map(({ snapshot, gatewayId }) => [snapshot.callKey, snapshot.state, gatewayId])).toEqual([
      [given?.callKey, 'trying', 'gateway-1'],
    ]);
    expect(await dialogsOf('1001')).toMatchObject([
      {
        ...{ state: 'trying', direction: 'initiator', callId: `call-${count}`, localTag: 'from-1' },
        local: { identity: { uri: `sip:1001@${domain}` } },
        remote: { identity: { uri: `sip:1002@${domain}` } },
      },
    ]);
    expect(await dialogsOf('1002')).toEqual([{ id: '0000', state: 'terminated' }]);
    expect(await loadStatistics(table, domain)).toEqual({ processed: 1, failed: 0, early: 1, active: 0 });
  });

  it('makes one call when it is handed over twice', async () => {
    await seedTenant(table, domain, { limits: [{ profile: 'user', limit: 1, status: 486 }] });
    await bind(table, domain, '1002', T0);
    const first = await route();
    const second = await route();
    expect(second.route).toEqual(first.route);
    expect(await calls()).toHaveLength(1);
    expect(await loadStatistics(table, domain)).toMatchObject({ processed: 1, early: 1 });
  });

  it.each([
    ['nobody has that name', '2001', 404],
    ['the user has no device', '1003', 480],
  ])('is refused when %s, and nothing is kept', async (_case, to, status) => {
    await seedTenant(table, domain);
    expect((await route({ to })).status).toBe(status);
    expect(await calls()).toEqual([]);
    expect(await dialogsOf('1001')).toEqual([{ id: '0000', state: 'terminated' }]);
  });

  it('reaches only the device that the URI names with gr (RFC 5627)', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0, { id: 'a', params: [['+sip.instance', '<urn:uuid:1>']] });
    await bind(table, domain, '1002', T0, { id: 'b', params: [['+sip.instance', '<urn:uuid:2>']] });
    const { route: given } = await route({ to: `sip:1002@${domain};gr=urn:uuid:2` });
    expect(given?.targets.map(({ flow }) => flow.flowId)).toEqual(['flow-1002-b']);
  });

  it('does not tell who calls when the caller asks for privacy (RFC 3323)', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0);
    expect((await route({ headers: [['Privacy', 'id']] })).route?.headers).toEqual([]);
  });
});

describe('who may call whom', () => {
  it('challenges with 407, and takes Proxy-Authorization (RFC 3261 section 22.3)', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0);
    const invite = { domain, callId: `call-${count}`, identity: undefined } as const;
    const refusal = await routeCall(inviteOf(invite), ports, T0).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      status: 407,
      headers: [['Proxy-Authenticate', expect.any(String)], expect.anything()],
    });
    const nonce = /nonce="([^"]+)"/.exec(JSON.stringify(refusal).replaceAll('\\"', '"'))?.[1] ?? '';
    const answer = { username: '1001', password: 'demo-1001', realm: domain, nonce, method: 'INVITE' };
    const value = authorizationOf({ ...answer, uri: `sip:1002@${domain}` });
    const contact: [string, string] = ['Contact', '<sip:x@client.invalid>'];
    const given = await route({ identity: undefined, headers: [contact, ['Proxy-Authorization', value]] });
    expect(given.identity).toMatchObject({ domain, user: '1001', role: 'user' });
    expect(given.route?.targets).toHaveLength(1);
    const wrong = routeCall(inviteOf({ ...invite, headers: [['Authorization', value]] }), ports, T0);
    await expect(wrong).rejects.toMatchObject({ status: 407 });
  });

  it('refuses a From that is someone else', async () => {
    await seedTenant(table, domain);
    const invite = inviteOf({ domain, identity: { domain, user: '1002', role: 'user' } });
    await expect(routeCall(invite, ports, T0)).rejects.toMatchObject({ status: 403 });
  });

  it('lets calls through to another tenant only when both allow it, and refuses alike whoever is meant', async () => {
    const other = `other-${domain}`;
    await seedTenant(table, domain, { federation: [other] });
    await seedTenant(table, other, { federation: ['*'] });
    await bind(table, other, '1002', T0);
    expect((await route({ to: `sip:1002@${other}` })).route?.callee).toBe(`sip:1002@${other}`);
    await seedTenant(table, other, { federation: ['elsewhere.example'] });
    const refusals = [`sip:1002@${other}`, `sip:nobody@${other}`, 'sip:1002@nowhere.example'].map(async (to) => {
      const { response, route: none } = await route({ to, callId: 'again' });
      return [response, none];
    });
    const same = [{ status: 403, reason: 'Forbidden', headers: [] }, undefined];
    expect(await Promise.all(refusals)).toEqual([same, same, same]);
    await seedTenant(table, domain, { federation: [] });
    await seedTenant(table, other, { federation: ['*'] });
    expect((await route({ to: `sip:1002@${other}`, callId: 'last' })).status).toBe(403);
  });
});

describe('classes, variables, profiles and limits', () => {
  it('counts a call by its class, its users and its account', async () => {
    await seedTenant(table, domain, {
      prefixes: [
        { prefix: '10', type: 'domestic' },
        { prefix: '1002', type: 'international' },
      ],
      variables: { fixed: { site: 'north', account: 'none' }, headers: [{ header: 'X-Account', name: 'account' }] },
    });
    await bind(table, domain, '1002', T0);
    await route({ headers: [['X-Account', 'a#7/ü']] });
    const [call] = await calls();
    expect(call).toMatchObject({ type: 'international', variables: { site: 'north', account: 'a#7/ü' } });
    expect(await loadSizes(table, domain)).toEqual(
      expect.arrayContaining([
        { profile: 'account', value: 'a#7/ü', size: 1 },
        { profile: 'type', value: 'international', size: 1 },
        { profile: 'user', value: '1001', size: 1 },
        { profile: 'user', value: '1002', size: 1 },
      ]),
    );
    expect(await loadSizes(table, domain, { profile: 'account', value: 'a#7/ü' })).toHaveLength(1);
  });

  it('refuses what would pass a limit as the policy says, keeps nothing of it, and lets the next one through', async () => {
    const limits = [
      { profile: 'user', limit: 1, status: 503 as const, reason: 'Too Many Calls' },
      { profile: 'user', value: '1002', limit: 2, status: 486 as const },
    ];
    await seedTenant(table, domain, { limits });
    await bind(table, domain, '1002', T0);
    const first = await route();
    expect(first.route).toBeDefined();
    const { response } = await route({ callId: 'second' });
    expect(response).toEqual({ status: 503, reason: 'Too Many Calls', headers: [['Retry-After', '10']] });
    expect(await loadCalls(table, domain, 'second')).toEqual([]);
    expect((await route({ callId: 'third', from: '1003' })).route).toBeDefined();
    expect((await route({ callId: 'fourth', from: '1004' })).response).toMatchObject({
      status: 486,
      reason: 'Busy Here',
    });
    if (!first.route) throw new Error('a route was expected');
    const call = { ...first.route, headers: [], callId: `call-${count}` };
    const more = { cause: 'cancelled' as const, endedAtMs: T0 + 5 };
    await reportCalls({ snapshots: [snapshotOf(call, T0, { sequence: 1, state: 'terminated', more })] }, ports, T0);
    expect((await route({ callId: 'fifth', from: '1001' })).route).toBeDefined();
  });

  it('never limits a call for help', async () => {
    const limits = [{ profile: 'total', limit: 0, status: 486 as const }];
    await seedTenant(table, domain, { limits, prefixes: [{ prefix: '1003', type: 'emergency', exact: true }] });
    await bind(table, domain, '1003', T0);
    await bind(table, domain, '1002', T0);
    expect((await route()).status).toBe(486);
    expect((await route({ to: '1003' })).route).toBeDefined();
    expect(await loadSizes(table, domain, { profile: 'emergency' })).toEqual([
      { profile: 'emergency', value: '', size: 1 },
    ]);
  });
});

describe('a dialog that is replaced (RFC 3891)', () => {
  it('is taken over where it is: at the device that is in it, by its tags', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0, { id: 'a' });
    await bind(table, domain, '1002', T0, { id: 'b' });
    await bind(table, domain, '1001', T0, { id: 'x', contactUri: 'sip:1001-x@client.invalid;transport=ws' });
    const { route: given } = await route();
    if (!given) throw new Error('a route was expected');
    const forks = [{ tag: 'to-b', state: 'early' as const, contactUri: 'sip:1002-b@client.invalid' }];
    const call = { ...given, callId: `call-${count}` };
    const more = { callee: { aor: given.callee, tag: 'to-b', contactUri: 'sip:1002-b@client.invalid' } };
    await reportCalls({ snapshots: [snapshotOf(call, T0, { sequence: 1, state: 'early', forks, more })] }, ports, T0);
    const pickUp = async (toTag: string, fromTag: string, to = '1002') => {
      const headers: [string, string][] = [['Replaces', `call-${count};to-tag=${toTag};from-tag=${fromTag}`]];
      const outcome = await route({ from: '1003', to, callId: `pick-${toTag}-${to}`, headers });
      return outcome.route ? outcome.route.targets.map(({ flow }) => flow.flowId) : outcome.status;
    };
    expect(await pickUp('from-1', 'to-b', '1001')).toEqual(['flow-1001-x']);
    // The target of the dialog-info is a Contact that no domain has.
    expect(await pickUp('from-1', 'to-b', 'sip:1001-x@client.invalid;transport=ws')).toEqual(['flow-1001-x']);
    expect(await pickUp('to-b', 'from-1')).toEqual(['flow-1002-b']);
    expect(await pickUp('from-1', 'other', 'sip:1001-x@client.invalid;transport=ws')).toBe(403);
  });

  it.each(['call-x;to-tag=a', ';to-tag=a;from-tag=b'])('is named in full, or refused with 400: %s', async (value) => {
    await seedTenant(table, domain);
    expect((await route({ headers: [['Replaces', value]] })).status).toBe(400);
  });
});

describe('a party whose flow is gone', () => {
  it('is found by its instance, else by its Contact, wherever it is now', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0, {
      id: 'a',
      params: [['+sip.instance', '<urn:uuid:1>']],
      contactUri: 'sip:new@x.invalid',
    });
    await bind(table, domain, '1002', T0, { id: 'b' });
    const find = async (party: { contactUri: string; instance?: string }) => {
      const envelope = { ...inviteOf({ domain, identity: undefined }), party: { aor: `sip:1002@${domain}`, ...party } };
      const { route: found, response } = await routeCall(envelope, ports, T0);
      return found ? found.targets.map(({ contactUri }) => contactUri) : response.status;
    };
    expect(await find({ contactUri: 'sip:old@x.invalid', instance: '<urn:uuid:1>' })).toEqual(['sip:new@x.invalid']);
    expect(await find({ contactUri: 'sip:1002-b@client.invalid' })).toEqual(['sip:1002-b@client.invalid']);
    expect(await find({ contactUri: 'sip:old@x.invalid' })).toBe(480);
  });
});

describe('a tenant that has all the calls that it may have', () => {
  it('is refused with 503 and Retry-After, and nothing of the call is kept', async () => {
    await seedTenant(table, domain);
    await bind(table, domain, '1002', T0);
    const { status, response, identity } = await route({ tenantFull: 'calls' });
    expect(status).toBe(503);
    expect(response).toMatchObject({ reason: 'Too Many Calls Of This Tenant', headers: [['Retry-After', '30']] });
    expect(identity?.domain).toBe(domain);
    expect(await calls()).toEqual([]);
  });

  it('may call for help', async () => {
    await seedTenant(table, domain, { prefixes: [{ prefix: '1002', type: 'emergency', exact: true }] });
    await bind(table, domain, '1002', T0);
    expect((await route({ tenantFull: 'calls' })).route).toBeDefined();
  });
});
