import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayIdOf, subscriptionIdOf } from '#contract/ids.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import { LAMP_TYPE } from '#core/lamp-document.ts';
import { publish } from '#roles/compositor.ts';
import { type NotifierPorts, subscribe } from '#roles/notifier.ts';
import { createCache } from '#runtime/cache.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { watcherKey } from '#table/keys.ts';
import { loadTenant, tenantItem } from '#table/tenant-item.ts';
import { deleteHeldWatcher } from '#table/watcher-item.ts';
import {
  ALICE,
  BOB,
  dialogElement,
  dialogInfo,
  PBX,
  publishOf,
  subscribeOf,
  type TestSubscribe,
} from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';
import { queryWatchers } from '#test/support/watchers.ts';
import { createListFinder, createWatchRulesFinder } from '../../lambdas/handlers/request-ports.ts';

let started: TestTable;
let table: DynamoDbTable;
let ports: NotifierPorts;
let presentityCount = 0;
/** A presentity of its own for each test. */
let user: string;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  await table.put(tenantItem('demo.example', { minExpiresSeconds: 3 }));
  ports = {
    table,
    chance: () => 0,
    findList: createListFinder(table),
    findWatchRules: createWatchRulesFinder(table),
    ...TEST_SECRETS,
    loadUser: async () => undefined,
    loadTenant: createCache((domain) => loadTenant(table, domain), { keepMs: 60_000, maxEntries: 10 }),
  };
});

afterAll(async () => {
  table.close();
  await started.stop();
});

beforeEach(() => {
  presentityCount += 1;
  user = `30${presentityCount}`;
});

const aor = () => `sip:${user}@demo.example`;
const send = (request: TestSubscribe, nowMs = T0): Promise<OutcomeInput> =>
  subscribe(subscribeOf({ to: aor(), ...request }), ports, nowMs);
const watchers = (nowMs = T0) => queryWatchers(table, { domain: 'demo.example', user }, 'dialog', nowMs);
const bodyOf = ({ subscription }: OutcomeInput): string => subscription?.notification.body.join('0') ?? '';

describe('SUBSCRIBE, its life (RFC 6665 section 4.2)', () => {
  it('is one write and one read once the tenant is cached', async () => {
    await send({ toTag: 'warm' });
    const before = { ...table.requestCounts };
    await send({ toTag: 'a' });
    expect(table.requestCounts).toEqual({ ...before, PutItem: before.PutItem + 1, GetItem: before.GetItem + 1 });
    await send({ inDialog: 'a', cseq: 2 });
    await send({ inDialog: 'a', cseq: 3, expires: 0 });
    expect(table.requestCounts).toEqual({
      ...before,
      PutItem: before.PutItem + 1,
      UpdateItem: before.UpdateItem + 1,
      DeleteItem: before.DeleteItem + 1,
      GetItem: before.GetItem + 3,
    });
  });

  it('opens a subscription and tells the state, idle too', async () => {
    const outcome = await send({ expires: 600, event: 'dialog;id=7' });
    expect(outcome).toMatchObject({
      response: { status: 200, headers: [['Expires', '600']] },
      identity: ALICE,
      subscription: {
        ...{ kind: 'active', id: 'sub-1', presentity: aor(), event: 'dialog', eventId: '7' },
        ...{ createdAtMs: T0, expiresAtMs: T0 + 600_000 },
        notification: { presentityVersion: 0, contentType: 'application/dialog-info+xml' },
      },
    });
    expect(bodyOf(outcome)).toContain('version="0" state="full"');
    expect(bodyOf(outcome)).toContain(`entity="${aor()}">\n<dialog id="0000"><state>terminated</state></dialog>`);
    expect(await watchers()).toMatchObject([
      { id: 'sub-1', gatewayId: 'gateway-1', contentType: 'application/dialog-info+xml', rendering: '' },
    ]);
    expect(await watchers(T0 + 600_000)).toEqual([]);
  });

  it('tells what is published, by its version', async () => {
    const body = dialogInfo(dialogElement('1', 'early'));
    await publish(publishOf({ presentity: aor(), body }), { ...ports, randomBytes }, T0);
    const outcome = await send({});
    expect(outcome.subscription?.notification.presentityVersion).toBe(T0 + 1);
    expect(bodyOf(outcome)).toContain(
      'call-id="call-1" local-tag="l-1" remote-tag="r-1" direction="recipient"><state>early',
    );
  });

  it('refreshes from another flow and gateway: the subscription is taken over', async () => {
    await send({ expires: 60 });
    const outcome = await send(
      { inDialog: 'sub-1', cseq: 2, expires: 120, flowId: 'flow-9', gatewayId: 'gateway-2', presentity: aor() },
      T0 + 30_000,
    );
    expect(outcome.subscription).toMatchObject({
      kind: 'active',
      id: 'sub-1',
      createdAtMs: T0,
      expiresAtMs: T0 + 150_000,
      isTakenOver: true,
    });
    expect(await watchers()).toMatchObject([{ id: 'sub-1', gatewayId: 'gateway-2' }]);
    const refresh = { inDialog: 'sub-1', presentity: aor() };
    const again = await send({ ...refresh, cseq: 3, gatewayId: 'gateway-2' }, T0 + 40_000);
    expect(again.subscription?.isTakenOver).toBeUndefined();
    const back = await send({ ...refresh, cseq: 4, gatewayId: 'gateway-1', expires: 0 }, T0 + 50_000);
    expect(back.subscription).toMatchObject({ kind: 'ended', isTakenOver: true });
  });

  it('ends with Expires 0 by a last state, and is gone', async () => {
    await send({});
    const outcome = await send({ inDialog: 'sub-1', cseq: 2, expires: 0 }, T0 + 5_000);
    expect(outcome).toMatchObject({
      response: { status: 200, headers: [['Expires', '0']] },
      subscription: { kind: 'ended', reason: 'timeout', id: 'sub-1', createdAtMs: T0 },
    });
    expect(bodyOf(outcome)).toContain('<dialog ');
    expect(await watchers()).toEqual([]);
    expect((await send({ inDialog: 'sub-1', cseq: 3 })).response.status).toBe(481);
  });

  it('fetches with an initial Expires 0 without a write', async () => {
    await ports.findList({ domain: 'demo.example', user }); // known to be no list
    const before = { ...table.requestCounts };
    const outcome = await send({ expires: 0 });
    expect(outcome.subscription).toMatchObject({ kind: 'ended', reason: 'timeout' });
    expect(outcome.response).toMatchObject({ status: 200, headers: [['Expires', '0']] });
    expect(table.requestCounts).toEqual({ ...before, GetItem: before.GetItem + 1 });
  });

  it('keeps several subscriptions of one user to one presentity apart', async () => {
    await send({ toTag: 'a', event: 'dialog;id=1' });
    await send({ toTag: 'b', event: 'dialog;id=2', callId: 'call-2' });
    expect((await watchers()).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('spreads long grants', async () => {
    const outcome = await subscribe(subscribeOf({ to: aor(), expires: 3_600 }), { ...ports, chance: () => 1 }, T0);
    expect(outcome.response.headers).toEqual([['Expires', '3240']]);
  });

  it('is stored before the state is read, so that no change falls between', async () => {
    const order: string[] = [];
    const watched: NotifierPorts = {
      ...ports,
      table: {
        ...table,
        put: (...all) => table.put(...all).finally(() => order.push('put')),
        get: (...all) => {
          order.push('get');
          return table.get(...all);
        },
      },
    };
    await subscribe(subscribeOf({ to: aor() }), watched, T0);
    expect(order).toEqual(['put', 'get']);
  });
});

const DIALOG_INFO = 'application/dialog-info+xml';
const refused: [string, TestSubscribe, number, (readonly [string, string])[]?][] = [
  [
    'no Event',
    { event: '' },
    489,
    [['Allow-Events', 'dialog, presence, message-summary, reg, dialog.winfo, presence.winfo']],
  ],
  [
    'unknown Event',
    { event: 'conference' },
    489,
    [['Allow-Events', 'dialog, presence, message-summary, reg, dialog.winfo, presence.winfo']],
  ],
  [
    'other Accept',
    { headers: [['Accept', 'application/pidf+xml']] },
    406,
    [['Accept', `${DIALOG_INFO}, ${LAMP_TYPE}`]],
  ],
  ['a short time', { expires: 2 }, 423, [['Min-Expires', '3']]],
  ['a time that is none', { headers: [['Expires', '1h']] }, 400],
  ['another tenant', { to: 'sip:1002@acme.example' }, 403],
  ['another tenant in To', { requestUri: 'sip:1002@demo.example', to: 'sip:1002@acme.example' }, 403],
  ['no user', { to: 'sip:demo.example' }, 404],
  ['two Contacts', { headers: [['Contact', '<sip:b@client.invalid>']] }, 400],
  ['a dialog that is none', { inDialog: 'nobody', cseq: 2 }, 481],
  ['the end of a dialog that is none', { inDialog: 'nobody', cseq: 2, expires: 0 }, 481],
];

describe('SUBSCRIBE that is refused changes nothing', () => {
  it.each(refused)('%s', async (_what, request, status, headers = []) => {
    const outcome = await send(request);
    expect(outcome).toMatchObject({ response: { status, headers }, identity: ALICE });
    expect(outcome.subscription).toBeUndefined();
    expect(await watchers()).toEqual([]);
  });

  it.each([60, 0])(
    'another identity, dialog, Event or Event id with Expires %s: 481, whoever asks',
    async (expires) => {
      await send({ event: 'dialog;id=1' });
      const own: TestSubscribe = { inDialog: 'sub-1', cseq: 2, event: 'dialog;id=1', expires };
      const strangers: TestSubscribe[] = [
        { ...own, identity: BOB, from: 'sip:1002@demo.example' },
        { ...own, identity: PBX, from: 'sip:pbx@demo.example' },
        { ...own, callId: 'other' },
        { ...own, event: 'dialog' },
        { ...own, event: 'dialog;id=2' },
      ];
      for (const stranger of strangers) {
        expect((await send(stranger)).response).toMatchObject({ status: 481, reason: 'Subscription Does Not Exist' });
      }
      expect((await send(own, T0 + 7_200_000)).response.status).toBe(481);
      expect((await send(own)).response.status).toBe(200);
    },
  );

  it.each([60, 0])('a CSeq that is not higher, Expires %s: 500, and the subscription lives', async (expires) => {
    await send({ cseq: 5 });
    expect((await send({ inDialog: 'sub-1', cseq: 5, expires, flowId: 'f' })).response.status).toBe(500);
    expect((await send({ inDialog: 'sub-1', cseq: 4, expires, flowId: 'f' })).response.status).toBe(500);
    expect((await send({ inDialog: 'sub-1', cseq: 6, expires })).response.status).toBe(200);
  });
});

it('leaves a watcher that another gateway has taken over to that one', async () => {
  await send({ gatewayId: 'gateway-2' });
  const held = { id: subscriptionIdOf('sub-1'), gatewayId: gatewayIdOf('gateway-1') };
  await deleteHeldWatcher(table, { domain: 'demo.example', user }, 'dialog', held);
  expect(await watchers()).toHaveLength(1);
});

describe('Suppress-If-Match (RFC 5839)', () => {
  const tagOf = ({ subscription }: OutcomeInput): string => subscription?.notification.entityTag ?? '';
  const condition = (tag: string): TestSubscribe => ({ headers: [['Suppress-If-Match', tag]] });
  const ring = () =>
    publish(
      publishOf({ presentity: aor(), body: dialogInfo(dialogElement('1', 'early')) }),
      { ...ports, randomBytes },
      T0,
    );

  it('spares a watcher what it has: in its dialog the NOTIFY, in a first one the body', async () => {
    const tag = tagOf(await send({ expires: 300 }));
    const refreshed = await send({ inDialog: 'sub-1', cseq: 2, expires: 300, ...condition(tag) });
    expect(refreshed.response).toEqual({
      ...{ status: 204, reason: 'No Notification' },
      headers: [
        ['Expires', '300'],
        ['SIP-ETag', tag],
      ],
    });
    expect(refreshed.subscription?.suppressed).toBe('notification');
    const first = await send({ toTag: 'b', ...condition(tag) });
    expect([first.response.status, first.subscription?.suppressed]).toEqual([200, 'body']);
  });

  it('spares nothing once the state has changed, nor without the header', async () => {
    const tag = tagOf(await send({}));
    await ring();
    const changed = await send({ inDialog: 'sub-1', cseq: 2, ...condition(tag) });
    expect([changed.response.status, changed.subscription?.suppressed]).toEqual([200, undefined]);
    expect(tagOf(changed)).not.toBe(tag);
    const plain = await send({ inDialog: 'sub-1', cseq: 3 });
    expect([plain.response.status, tagOf(plain)]).toEqual([200, tagOf(changed)]);
  });

  it('with * ends or refreshes whatever the state is', async () => {
    await send({});
    await ring();
    expect((await send({ inDialog: 'sub-1', cseq: 2, ...condition('*') })).response.status).toBe(204);
    const ended = await send({ inDialog: 'sub-1', cseq: 3, expires: 0, ...condition('*') });
    expect([ended.response.status, ended.subscription?.suppressed]).toEqual([204, 'notification']);
    expect(await watchers()).toEqual([]);
  });
});

describe('one device, one subscription', () => {
  const on = (instance: string, more: TestSubscribe = {}): TestSubscribe => ({
    ...{
      callId: `call-${more.toTag}`,
      contact: `<sip:x@client.invalid>;+sip.instance="<urn:uuid:${instance}>"`,
      ...more,
    },
  });
  const ids = async () => (await watchers()).map(({ id }) => id).toSorted();

  it('ends the older one of the same device, on this gateway with a last word', async () => {
    expect((await send(on('1', { toTag: 'a' }))).instructions).toBeUndefined();
    expect((await send(on('1', { toTag: 'b' }))).instructions).toEqual([
      { kind: 'end', subscriptionIds: ['a'], reason: 'rejected' },
    ]);
    expect((await send(on('1', { toTag: 'c', gatewayId: 'gateway-2' }))).instructions).toBeUndefined();
    expect(await ids()).toEqual(['c']);
  });

  it('ends the older one by way of the stream when another gateway holds it, or has taken it over', async () => {
    const markOf = async (id: string) => (await table.get(watcherKey('demo.example', user, 'dialog', id)))?.replaced;
    await send(on('1', { toTag: 'a' }));
    const taken = { callId: 'call-a', gatewayId: 'gateway-2', cseq: 2 };
    await send(on('1', { ...taken, toTag: 'x', inDialog: 'a' }));
    expect((await send(on('1', { toTag: 'b' }))).instructions).toBeUndefined();
    expect([await ids(), await markOf('a')]).toEqual([['b'], true]);
    await expect(send(on('1', { ...taken, toTag: 'x', inDialog: 'a', cseq: 3 }))).resolves.toMatchObject({
      response: { status: 481 },
    });
    const before = { ...table.requestCounts };
    await send(on('1', { toTag: 'c', gatewayId: 'gateway-2' }));
    expect(table.requestCounts).toMatchObject({ UpdateItem: before.UpdateItem + 2, DeleteItem: before.DeleteItem });
    expect([await ids(), await markOf('b')]).toEqual([['c'], true]);
  });

  it('lives on when a SUBSCRIBE of its device comes late that was sent before it', async () => {
    await send(on('1', { toTag: 'newer', receivedAtMs: T0 + 1_000 }));
    const late = await send(on('1', { toTag: 'held up', receivedAtMs: T0 }));
    expect([late.response.status, late.instructions]).toEqual([200, undefined]);
    expect(await ids()).toEqual(['held up', 'newer']);
  });

  it('leaves those of other devices, users and Event ids, and those that name no instance', async () => {
    await send(on('1', { toTag: 'a' }));
    await send(on('2', { toTag: 'b' }));
    await send(on('1', { toTag: 'c', identity: BOB, from: 'sip:1002@demo.example' }));
    await send(on('1', { toTag: 'd', event: 'dialog;id=2' }));
    for (const toTag of ['e', 'f']) await send({ toTag, callId: toTag });
    expect(await ids()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('leaves one that the device refreshes, and one that it only fetches beside', async () => {
    await send(on('1', { toTag: 'a' }));
    await send(on('1', { callId: 'call-a', toTag: 'x', inDialog: 'a', cseq: 2 }));
    await send(on('1', { toTag: 'b', expires: 0 }));
    expect(await ids()).toEqual(['a']);
  });

  it('costs one write more, and a delete when it replaces', async () => {
    await send(on('1', { toTag: 'a' }));
    const before = { ...table.requestCounts };
    await send(on('1', { toTag: 'b' }));
    expect(table.requestCounts).toEqual({
      ...before,
      ...{ PutItem: before.PutItem + 1, UpdateItem: before.UpdateItem + 1, DeleteItem: before.DeleteItem + 1 },
      GetItem: before.GetItem + 1,
    });
  });
});
