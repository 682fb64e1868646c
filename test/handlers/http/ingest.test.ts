import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Caller, KeyPermission } from '#core/api-key.ts';
import { ApiRates } from '#core/api-rate.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { composePresence } from '#core/presence.ts';
import { composeDialogs } from '#core/presentity.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import type { Table } from '#table/table.ts';
import { loadTenant, tenantItem } from '#table/tenant-item.ts';
import { userItem } from '#table/user-item.ts';
import { apiEventOf } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';
import type { ApiPorts } from '../../../lambdas/handlers/http/ports.ts';
import { readRequest, refusal } from '../../../lambdas/handlers/http/request.ts';
import { answerApi } from '../../../lambdas/handlers/http/router.ts';

const DOMAIN = 'demo.example';
let table: Table;

let rates: ApiRates;
beforeEach(async () => {
  rates = new ApiRates('changes');
  table = openMemoryTable();
  await table.put(tenantItem(DOMAIN, {}));
  for (const user of ['1001', '1002'])
    await table.put(userItem({ domain: DOMAIN, user, role: 'user', sealedHa1: 'x' }));
});

async function ask(method: string, path: string, body?: unknown, caller: Partial<Caller> = {}, over: Table = table) {
  const url = `/v1/tenants/${DOMAIN}${path}`;
  const event = {
    ...apiEventOf(method, url, { 'content-type': 'application/json' }),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
  const loadOne = (domain: string) => loadTenant(table, domain);
  const takeChanges: ApiPorts['takeChanges'] = ({ domain, quotas }, count, nowMs) => {
    rates.take(domain, quotas.publicationsPerSecond, nowMs, count);
  };
  const ports = { table: over, loadTenant: loadOne, random: randomBytes, takeRequest: async () => ({}), takeChanges };
  const identify = async (): Promise<Caller> => ({ key: 'k', permission: 'ingest', tenant: DOMAIN, ...caller });
  const response = await Promise.resolve()
    // The routes of ingest use no other ports.
    .then(() => answerApi(readRequest(event), ports as unknown as ApiPorts, T0, identify))
    .catch(refusal);
  return { status: response.statusCode, body: response.body === '' ? undefined : JSON.parse(response.body) };
}

const DIALOG = '/presentities/1001/dialogs/call-7';
const talk = (sequence: number, more: object = {}) => ({ state: 'confirmed', sequence, leaseSeconds: 60, ...more });
const stateOf = (user: string) => loadPresentity(table, { domain: DOMAIN, user });
const dialogs = async (user: string) => composeDialogs((await stateOf(user)).publications, T0);
const lamps = async (user: string) => (await dialogs(user)).map(({ id, state }) => `${id} ${state}`);

describe('the rate of changes', () => {
  it('counts each word, however they come, and refuses all of a request with 429', async () => {
    await table.put(tenantItem(DOMAIN, {}, { quotas: { publicationsPerSecond: 2 } }));
    const event = (sequence: number) => ({ type: 'dialog', user: '1001', id: 'call-7', ...talk(sequence) });
    const events = Array.from({ length: 7 }, (_, index) => event(index + 1));
    expect((await ask('POST', '/sources/api/events', { events })).status).toBe(200);
    const refused = await ask('POST', '/sources/api/events', { events: [8, 9, 10, 11].map(event) });
    expect([refused.status, refused.body.title]).toEqual([429, 'Too Many Requests']);
    expect((await ask('PUT', DIALOG, talk(12))).status).toBe(200);
    const dialogs = ['a', 'b', 'c'].map((id) => ({ user: '1002', id, state: 'confirmed' }));
    const snapshot = { sequence: 20, leaseSeconds: 60, dialogs };
    expect((await ask('PUT', '/sources/pbx/snapshot', snapshot)).status).toBe(429);
    expect(await lamps('1002')).toEqual(['0000 terminated']);
    const two = { ...snapshot, dialogs: dialogs.slice(0, 2) };
    expect((await ask('PUT', '/sources/pbx/snapshot', two)).status).toBe(200);
  });
});

describe('a dialog', () => {
  it('is put and ended, and what comes late changes nothing', async () => {
    expect(await ask('PUT', DIALOG, talk(5))).toEqual({ status: 200, body: { applied: true, sequence: 5 } });
    expect(await lamps('1001')).toEqual(['call-7 confirmed']);
    expect(await ask('PUT', DIALOG, talk(4, { state: 'early' }))).toEqual({
      ...{ status: 200, body: { applied: false, sequence: 5 } },
    });
    expect(await ask('DELETE', `${DIALOG}?sequence=3`)).toEqual({ status: 200, body: { applied: false, sequence: 5 } });
    expect(await lamps('1001')).toEqual(['call-7 confirmed']);
    expect(await ask('DELETE', `${DIALOG}?sequence=6`)).toEqual({ status: 200, body: { applied: true, sequence: 6 } });
    expect(await lamps('1001')).toEqual(['call-7 terminated']);
  });

  it('shows who talks to whom', async () => {
    const remote = { uri: 'sip:+4930123@example.com', displayName: 'Ann', target: 'sip:gw.example.com' };
    const more = { direction: 'recipient', remote, callId: 'c1', tags: { local: 'a', remote: 'b' } };
    await ask('PUT', DIALOG, talk(5, more));
    expect(await dialogs('1001')).toEqual([
      {
        ...{ id: 'call-7', state: 'confirmed', direction: 'recipient', callId: 'c1', localTag: 'a', remoteTag: 'b' },
        remote: {
          identity: { uri: 'sip:+4930123@example.com', displayName: 'Ann' },
          target: { uri: 'sip:gw.example.com', params: [] },
        },
      },
    ]);
  });

  it('of another source is another one', async () => {
    await ask('PUT', DIALOG, talk(5, { source: 'crm' }));
    await ask('DELETE', `${DIALOG}?sequence=9`);
    expect((await lamps('1001'))[0]).toMatch(/confirmed/);
    await ask('DELETE', `${DIALOG}?sequence=9&source=crm`);
    expect((await lamps('1001')).join()).not.toMatch(/confirmed/);
  });

  it.each([
    ['no state', { sequence: 1, leaseSeconds: 5 }, '#/state'],
    ['no number', { state: 'early', leaseSeconds: 5 }, '#/sequence'],
    ['a negative number', talk(-1), '#/sequence'],
    ['a number that is not whole', talk(1.5), '#/sequence'],
    ['no lease', { state: 'early', sequence: 1 }, '#/leaseSeconds'],
    ['a lease without end', talk(1, { leaseSeconds: 1e9 }), '#/leaseSeconds'],
    ['a member that nobody knows', talk(1, { colour: 'red' }), '#/colour'],
    ['a party without a URI', talk(1, { remote: { uri: 'javascript:alert(1)' } }), '#/remote/uri'],
  ])('with %s is refused with a pointer', async (_name, body, pointer) => {
    const answer = await ask('PUT', DIALOG, body);
    expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, pointer]);
    expect((await stateOf('1001')).version).toBe(0);
  });

  it('needs a key that may say what happens, a user who exists, and a number', async () => {
    const permission: KeyPermission = 'read';
    expect((await ask('PUT', DIALOG, talk(5), { permission })).status).toBe(403);
    expect((await ask('PUT', DIALOG, talk(5), { tenant: 'acme.example' })).status).toBe(404);
    expect((await ask('PUT', '/presentities/9999/dialogs/a', talk(5))).status).toBe(404);
    expect((await ask('DELETE', DIALOG)).status).toBe(400);
    expect((await ask('DELETE', `${DIALOG}?sequence=x`)).status).toBe(400);
    expect((await ask('PUT', DIALOG, talk(5, { source: '../x' }))).status).toBe(400);
    expect((await stateOf('1001')).version).toBe(0);
  });

  it('that cannot be written now is answered 503', async () => {
    const away: Table = { ...table, update: () => Promise.reject(new DependencyUnavailable('away')) };
    expect((await ask('PUT', DIALOG, talk(5), {}, away)).status).toBe(503);
  });
});

describe('presence', () => {
  it('is put and taken back', async () => {
    const path = '/presentities/1001/presence/calendar';
    const body = { basic: 'open', activities: ['meeting'], note: 'Until three', sequence: 1, leaseSeconds: 60 };
    expect(await ask('PUT', path, body)).toEqual({ status: 200, body: { applied: true, sequence: 1 } });
    const { activities, tuples } = composePresence(await stateOf('1001'), T0);
    expect([activities[0]?.name, tuples[0]?.basic, tuples[0]?.notes]).toEqual(['meeting', 'open', ['Until three']]);
    expect((await ask('PUT', path, { ...body, activities: ['flying'], sequence: 2 })).status).toBe(400);
    expect((await ask('DELETE', `${path}?sequence=2`)).body).toEqual({ applied: true, sequence: 2 });
    expect(composePresence(await stateOf('1001'), T0).activities).toEqual([]);
  });
});

describe('events', () => {
  it('have a result each, in their order', async () => {
    const events = [
      { type: 'dialog', user: '1001', id: 'a', ...talk(1, { state: 'early' }) },
      { type: 'dialog', user: '1001', id: 'a', ...talk(2) },
      { type: 'dialog', user: '1002', id: 'b', ...talk(3), colour: 'red' },
      { type: 'presence', user: '1002', basic: 'closed', sequence: 4, leaseSeconds: 60 },
      { type: 'dialogEnd', user: 'nobody', id: 'c', sequence: 5 },
      { type: 'dialogEnd', user: '1001', id: 'a', sequence: 1 },
      { type: 'presenceEnd', user: '1002', sequence: 6 },
      'what',
    ];
    const { status, body } = await ask('POST', '/sources/pbx/events', { events });
    expect(status).toBe(200);
    expect(body.results).toEqual([
      { status: 200, applied: true, sequence: 1 },
      { status: 200, applied: true, sequence: 2 },
      { status: 400, detail: expect.stringContaining('colour') },
      { status: 200, applied: true, sequence: 4 },
      { status: 404, detail: expect.any(String) },
      { status: 200, applied: false, sequence: 2 },
      { status: 200, applied: true, sequence: 6 },
      { status: 400, detail: expect.any(String) },
    ]);
    expect(await lamps('1001')).toEqual(['a confirmed']);
  });

  it('are 500 at most', async () => {
    const events = Array.from({ length: 501 }, () => ({}));
    expect((await ask('POST', '/sources/pbx/events', { events })).status).toBe(400);
    expect((await ask('POST', '/sources/pbx/events', { events: [] })).status).toBe(400);
    expect((await ask('POST', '/sources/pbx/events', { events: events.slice(1) })).body.results).toHaveLength(500);
  });
});

describe('a snapshot', () => {
  it('ends what it lacks, and says so', async () => {
    await ask('PUT', DIALOG, talk(5, { source: 'pbx' }));
    const dialog = { user: '1002', id: 'b', state: 'confirmed' };
    const whole = { sequence: 9, leaseSeconds: 60, dialogs: [dialog, { ...dialog, user: 'nobody' }] };
    expect(await ask('PUT', '/sources/pbx/snapshot', whole)).toEqual({
      status: 200,
      body: { applied: true, sequence: 9, set: 1, ended: 1, unknownUsers: ['nobody'], fullUsers: [] },
    });
    expect([await lamps('1001'), await lamps('1002')]).toEqual([['call-7 terminated'], ['b confirmed']]);
    const older = await ask('PUT', '/sources/pbx/snapshot', { ...whole, sequence: 8, dialogs: [] });
    expect(older.body).toMatchObject({ applied: false, sequence: 9, ended: 0 });
    expect(await lamps('1002')).toEqual(['b confirmed']);
  });

  it('has no more dialogs of one user than a phone can have', async () => {
    const dialogs = Array.from({ length: 65 }, (_, n) => ({ user: '1001', id: `d${n}`, state: 'early' }));
    expect((await ask('PUT', '/sources/pbx/snapshot', { sequence: 1, leaseSeconds: 9, dialogs })).status).toBe(400);
  });
});
