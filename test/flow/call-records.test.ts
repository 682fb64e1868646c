/** Calls through the whole local stack as operators see them: API, records, limits' counters, and the lamps beside. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { Phone } from '#test/support/phone.ts';
import { SipClient } from '#test/support/sip-client.ts';

const KEY = 'the-key-of-this-test';
/** The first call waits for functions that have never run. */
const PATIENCE_MS = 20_000;
const AUTHORIZED = { authorization: `Bearer ${KEY}` };
let stack: LocalStack;
let data: string;
let caller: Phone;
let callee: Phone;
let watcher: SipClient;

beforeAll(async () => {
  data = mkdtempSync(path.join(tmpdir(), 'lampfield-calls-'));
  stack = await startStack({ gateways: 2, args: ['--data', data], env: { ADMIN_KEY: KEY } });
  watcher = await SipClient.connect(stack.url(0), '1003');
  await Promise.all(['1001', '1002'].map((user) => watcher.subscribe(user)));
});
afterAll(async () => {
  await stack.stop();
  rmSync(data, { recursive: true });
});

async function phonesOn(callerAt: number, calleeAt: number): Promise<void> {
  caller = await Phone.connect(stack.url(callerAt), '1001');
  callee = await Phone.connect(stack.url(calleeAt), '1002');
  for (const phone of [caller, callee]) expect((await phone.client.register()).status).toBe(200);
}

/** Calls, rings and talks. @returns the Call-ID, and both dialogs */
async function talk() {
  const outgoing = caller.invite('1002', { headers: ['X-Account: a-1'] });
  const invite = await callee.next(({ method }) => method === 'INVITE', 0, PATIENCE_MS);
  callee.answer(invite, 180);
  await caller.response(180, 'INVITE', outgoing.since);
  callee.answer(invite, 200);
  const dialog = caller.dialogOf(await caller.response(200, 'INVITE', outgoing.since));
  caller.sendIn(dialog, 'ACK');
  return { callId: outgoing.callId, dialog, calleeDialog: callee.calleeDialogOf(invite) };
}

/** States that the watcher was told of this call, by presentity. */
function lampsOf(callId: string, user: string): string[] {
  const own = watcher.received.filter(
    ({ method, body }) => method === 'NOTIFY' && body.includes(`sip:${user}@demo.example">`),
  );
  return own.flatMap(({ body }) => {
    const dialog = new RegExp(`<dialog [^>]*call-id="${callId}"[\\s\\S]*?</dialog>`).exec(body)?.[0] ?? '';
    const state = /<state([^>]*)>([a-z]+)</.exec(dialog);
    return state ? [`${state[2]}${state[1]}`] : [];
  });
}
const api = async (url: string, method = 'GET', headers: Record<string, string> = AUTHORIZED) => {
  const response = await fetch(`${stack.apiUrl}${url}`, { method, headers });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: text === '' ? '' : JSON.parse(text),
  };
};
const recordsOf = (callId: string): Record<string, unknown>[] =>
  readFileSync(path.join(data, 'records.jsonl'), 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    .filter((record) => record.callId === callId);
const eventually = <T>(check: () => T | Promise<T>, timeout = PATIENCE_MS) =>
  vi.waitFor(check, { timeout, interval: 50 });
/** Waits until the watcher has been told this of both parties. */
const lampsToBe = (callId: string, state: RegExp) =>
  eventually(() => {
    for (const user of ['1001', '1002']) expect(lampsOf(callId, user).at(-1)).toMatch(state);
  });
const CALLS = '/tenants/demo.example/calls';

describe.each([
  ['one gateway', 0],
  ['two gateways', 1],
] as const)('a call over %s', (_name, calleeAt) => {
  it('is seen by watchers, shown and counted while it lives, and leaves one record', async () => {
    await phonesOn(0, calleeAt);
    const { callId, dialog } = await talk();
    await lampsToBe(callId, /^confirmed$/);
    await eventually(async () => expect((await api(`${CALLS}/${callId}`)).body.state).toBe('confirmed'));
    const { body } = await api(`${CALLS}/${callId}`);
    expect(body).toMatchObject({
      ...{ from: 'sip:1001@demo.example', to: 'sip:1002@demo.example', variables: { account: 'a-1' } },
      ...{ caller: { tag: expect.any(String) }, callee: { tag: callee.tag, flow: expect.any(String) } },
    });
    expect((await api(CALLS)).body.items.map((call: { callId: string }) => call.callId)).toContain(callId);
    expect((await api('/tenants/demo.example/profiles/user/1002')).body).toMatchObject({ size: 1 });
    expect((await api('/tenants/demo.example/profiles/account/a-1')).body).toMatchObject({ size: 1 });
    expect((await api('/tenants/demo.example/statistics')).body).toMatchObject({ early: 0, active: 1 });

    const bye = caller.sendIn(dialog, 'BYE');
    callee.answer(await callee.request('BYE'), 200);
    expect((await caller.finalAnswer(bye)).status).toBe(200);
    await lampsToBe(callId, /^terminated/);
    await eventually(() =>
      expect(recordsOf(callId)).toMatchObject([{ cause: 'bye', endedBy: 'caller', variables: { account: 'a-1' } }]),
    );
    expect((await api('/tenants/demo.example/records')).body.items[0]).toEqual(recordsOf(callId)[0]);
    expect((await api('/tenants/demo.example/statistics')).body).toMatchObject({ early: 0, active: 0 });
    expect((await api('/tenants/demo.example/profiles/user/1002')).body).toMatchObject({ size: 0 });
    await Promise.all([caller.client.close(), callee.client.close()]);
  });

  it('is ended by an operator: both sides get a BYE', async () => {
    await phonesOn(0, calleeAt);
    const { callId } = await talk();
    await eventually(async () => expect((await api(`${CALLS}/${callId}`)).body.state).toBe('confirmed'));
    expect((await api(`${CALLS}/${callId}`, 'DELETE')).status).toBe(204);
    for (const phone of [caller, callee]) phone.answer(await phone.request('BYE'), 200);
    await eventually(() => expect(recordsOf(callId)).toMatchObject([{ cause: 'admin' }]));
    expect((await api(`${CALLS}/${callId}`, 'DELETE')).status).toBe(409);
    await Promise.all([caller.client.close(), callee.client.close()]);
  });
});

describe('the HTTP API', () => {
  it('wants the admin key, and says in problem details what is wrong', async () => {
    expect(await api(CALLS, 'GET', {})).toMatchObject({ status: 401, type: 'application/problem+json' });
    expect(await api(CALLS, 'GET', { authorization: 'Bearer local-admin-key' })).toMatchObject({ status: 401 });
    expect(await api(`${CALLS}?limit=none`)).toMatchObject({ status: 400, body: { status: 400 } });
    expect(await api(CALLS, 'PUT')).toMatchObject({ status: 405 });
  });
});

describe('a call whose home gateway is killed', () => {
  it('ends when the lease lapses: the lamps, the counters, the record', async () => {
    await phonesOn(1, 0);
    const { callId } = await talk();
    await lampsToBe(callId, /^confirmed$/);
    stack.kill('gateway-2');
    await eventually(() => expect(recordsOf(callId)).toMatchObject([{ cause: 'gatewayLost' }]), 40_000);
    await lampsToBe(callId, /^terminated/);
    expect((await api('/tenants/demo.example/statistics')).body).toMatchObject({ early: 0, active: 0 });
    expect((await api(`${CALLS}/${callId}`)).body).toMatchObject({ state: 'terminated', cause: 'gatewayLost' });
  });
});
