import { setTimeout as pause } from 'node:timers/promises';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { localClient } from '#cdk/local/dynamodb-local.ts';
import { TABLE_NAME } from '#cdk/local/processes.ts';
import { listItem } from '#table/list-item.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { type RlmiList, readRlmi } from '#test/support/rlmi.ts';
import {
  dialogInfo,
  dialogStates,
  type ReceivedMessage,
  SipClient,
  type SubscribeOptions,
} from '#test/support/sip-client.ts';

const LIST = 'sip:blf-all@demo.example';
const WITH_LISTS: SubscribeOptions = {
  headers: ['Supported: replaces, eventlist'],
  accept: 'application/dialog-info+xml, multipart/related, application/rlmi+xml',
};
const aor = (user: number): string => `sip:${user}@demo.example`;

let stack: LocalStack;
const clients: SipClient[] = [];

beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
}, 90_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => stack.stop());

async function connect(user: string, gateway = 0): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(gateway), user);
  clients.push(client);
  return client;
}

const rlmiOf = (notify: ReceivedMessage | undefined): RlmiList =>
  readRlmi(notify?.header('content-type') ?? '', notify?.body ?? '');
const urisOf = (notify: ReceivedMessage | undefined): string[] => rlmiOf(notify).resources.map(({ uri }) => uri);
const stateOf = (notify: ReceivedMessage | undefined, uri: string): string[] => {
  const body = rlmiOf(notify).resources.find((resource) => resource.uri === uri)?.body ?? '';
  return dialogStates({ body });
};

/** Publishes a dialog of a user as the PBX does; gives the entity-tag. */
async function publish(pbx: SipClient, user: number, state: string, expiresSeconds = 600): Promise<string> {
  const body = dialogInfo(aor(user), { id: `d${user}`, callId: `call-${user}`, state });
  const answer = await pbx.publish(String(user), body, { expiresSeconds });
  expect(answer.status).toBe(200);
  return answer.header('sip-etag');
}

const unpublish = (pbx: SipClient, user: number, etag: string) =>
  pbx.publish(String(user), undefined, { ifMatch: etag, expiresSeconds: 0 });

async function keepList(name: string, members: readonly string[]): Promise<void> {
  const client = localClient(stack.dynamoDbEndpoint);
  const Item = marshall(listItem({ domain: 'demo.example', user: name }, members));
  await client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }));
  client.destroy();
}

describe('the list of a company, over the wire (RFC 4662)', () => {
  test('full at first, partial after, full at refresh and end; versions count by one', async () => {
    const [watcher, pbx] = [await connect('1011'), await connect('pbx')];
    const subscription = await watcher.subscribe('blf-all', WITH_LISTS);
    expect(subscription.answer.status).toBe(200);
    expect(subscription.answer.header('require')).toBe('eventlist');
    const [first] = subscription.notifies();
    expect(first?.header('require')).toBe('eventlist');
    expect(first?.header('subscription-state')).toMatch(/^active;expires=\d+$/);
    expect(rlmiOf(first)).toMatchObject({ uri: LIST, version: 0, isFull: true });
    expect(urisOf(first)).toEqual(Array.from({ length: 10 }, (_, index) => aor(1001 + index)));
    expect(rlmiOf(first).resources[0]).toMatchObject({ name: 'User 1001', instance: { state: 'active' } });
    expect(stateOf(first, aor(1004))).toEqual(['terminated']);

    const changed = subscription.nextNotify('early');
    const etag = await publish(pbx, 1004, 'early');
    const second = await changed;
    expect(rlmiOf(second)).toMatchObject({ version: 1, isFull: false });
    expect(urisOf(second)).toEqual([aor(1004)]);
    expect(stateOf(second, aor(1004))).toEqual(['early']);
    expect(rlmiOf(second).resources[0]?.body).toContain('version="1"');

    const refreshed = subscription.nextNotify('fullState="true"');
    expect((await subscription.refresh(600)).header('require')).toBe('eventlist');
    const third = await refreshed;
    expect(rlmiOf(third)).toMatchObject({ version: 2, isFull: true });
    expect(stateOf(third, aor(1004))).toEqual(['early']);

    const idle = subscription.nextNotify('terminated');
    await unpublish(pbx, 1004, etag);
    expect(rlmiOf(await idle)).toMatchObject({ version: 3, isFull: false });

    const over = subscription.nextNotify('fullState="true"');
    expect((await subscription.refresh(0)).status).toBe(200);
    const last = await over;
    expect(last.header('subscription-state')).toBe('terminated;reason=timeout');
    expect(rlmiOf(last)).toMatchObject({ version: 4, isFull: true });
    const cseqs = subscription.notifies().map((notify) => Number(notify.header('cseq').split(' ')[0]));
    expect(cseqs.map((cseq) => cseq - (cseqs[0] ?? 0))).toEqual([0, 1, 2, 3, 4]);
  });

  test('changes of several members in a short time go in one NOTIFY', async () => {
    const [watcher, pbx] = [await connect('1012'), await connect('pbx')];
    await pbx.register();
    const subscription = await watcher.subscribe('blf-all', WITH_LISTS);
    const since = watcher.received.length;
    const users = [1001, 1002, 1003, 1005, 1006];
    const etags = await Promise.all(users.map((user) => publish(pbx, user, 'confirmed')));
    await pause(1_000);
    const notifies = watcher.received.slice(since).filter((message) => subscription.owns(message));
    expect(notifies.length).toBeLessThan(users.length);
    expect(new Set(notifies.flatMap(urisOf))).toEqual(new Set(users.map(aor)));
    await Promise.all(users.map((user, index) => unpublish(pbx, user, etags[index] ?? '')));
  });

  test('taken over by the other gateway, it goes on upwards; the old one is silent', async () => {
    const [watcher, pbx] = [await connect('1013'), await connect('pbx')];
    const subscription = await watcher.subscribe('blf-all', WITH_LISTS);
    const first = subscription.notifies()[0];
    watcher.cut();
    const again = await connect('1013', 1);
    const full = subscription.nextNotify('fullState="true"', { client: again });
    expect((await subscription.refresh(600, { client: again })).status).toBe(200);
    const resumed = await full;
    expect(rlmiOf(resumed).version).toBeGreaterThan(0);
    const cseqOf = (notify?: ReceivedMessage): number => Number(notify?.header('cseq').split(' ')[0]);
    expect(cseqOf(resumed)).toBeGreaterThan(cseqOf(first));
    const changed = subscription.nextNotify('early', { client: again });
    const etag = await publish(pbx, 1007, 'early');
    expect(urisOf(await changed)).toEqual([aor(1007)]);
    await unpublish(pbx, 1007, etag);
  });

  test('expires with a last full NOTIFY', async () => {
    const watcher = await connect('1014');
    const subscription = await watcher.subscribe('blf-all', { ...WITH_LISTS, expiresSeconds: 3 });
    const last = await subscription.nextNotify('terminated;reason=timeout', { timeoutMs: 20_000 });
    expect(rlmiOf(last)).toMatchObject({ version: 1, isFull: true });
    expect((await subscription.refresh(600)).status).toBe(481);
  });

  test('is fetched with Expires 0', async () => {
    const watcher = await connect('1015');
    const subscription = await watcher.subscribe('blf-all', { ...WITH_LISTS, expiresSeconds: 0 });
    const [only] = subscription.notifies();
    expect(only?.header('subscription-state')).toBe('terminated;reason=timeout');
    expect(rlmiOf(only)).toMatchObject({ version: 0, isFull: true });
    expect(rlmiOf(only).resources.filter(({ body }) => body !== undefined)).toHaveLength(10);
  });
});

describe('names and lists', () => {
  test('a list needs support for lists: 421', async () => {
    const watcher = await connect('1011');
    const { answer } = await watcher.subscribe('blf-all');
    expect(answer.status).toBe(421);
    expect(answer.header('require')).toBe('eventlist');
  });

  test('a user is a plain subscription, whatever the phone supports', async () => {
    const watcher = await connect('1011');
    const subscription = await watcher.subscribe('1016', WITH_LISTS);
    expect(subscription.answer.header('require')).toBe('');
    expect(subscription.notifies()[0]?.header('content-type')).toBe('application/dialog-info+xml');
  });

  test('a list is invisible to another tenant', async () => {
    const stranger = await SipClient.connect(stack.url(), '1001', 'acme.example');
    clients.push(stranger);
    const there = await stranger.subscribe('x', { ...WITH_LISTS, uri: LIST });
    const nowhere = await stranger.subscribe('x', { ...WITH_LISTS, uri: 'sip:nothing@demo.example' });
    expect([there.answer.status, nowhere.answer.status]).toEqual([403, 403]);
  });

  test('lists in lists, strangers and a hundred members', async () => {
    const hundred = Array.from({ length: 80 }, (_, index) => aor(5001 + index));
    await keepList('sales', [LIST, aor(1016), 'sip:1001@acme.example', aor(9999)]);
    await keepList('everybody', ['sip:sales@demo.example', 'sip:everybody@demo.example', ...hundred]);
    const [watcher, pbx] = [await connect('1017'), await connect('pbx')];
    const subscription = await watcher.subscribe('everybody', WITH_LISTS);
    const { resources } = rlmiOf(subscription.notifies()[0]);
    expect(resources).toHaveLength(93);
    const instanceOf = (uri: string) => resources.find((resource) => resource.uri === uri)?.instance;
    expect(instanceOf(aor(1016))).toMatchObject({ state: 'active' });
    for (const uri of ['sip:1001@acme.example', aor(9999), aor(5080)])
      expect(instanceOf(uri)).toMatchObject({ state: 'terminated', reason: 'noresource' });
    // A parking place has no account, but becomes a lamp as soon as somebody publishes it.
    const changed = subscription.nextNotify('confirmed');
    const etag = await publish(pbx, 9999, 'confirmed');
    expect(rlmiOf(await changed).resources[0]).toMatchObject({ uri: aor(9999), instance: { state: 'active' } });
    await unpublish(pbx, 9999, etag);
  });

  test('a list may come in the SUBSCRIBE itself (RFC 5367)', async () => {
    const [watcher, pbx] = [await connect('1018'), await connect('pbx')];
    const body = `<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="${aor(1019)}"/><entry uri="${aor(1020)}"/></list></resource-lists>`;
    const since = watcher.received.length;
    const answer = await watcher.request({
      method: 'SUBSCRIBE',
      uri: aor(1018),
      headers: [
        'Event: dialog',
        'Supported: eventlist',
        'Require: recipient-list-subscribe',
        'Content-Type: application/resource-lists+xml',
        'Content-Disposition: recipient-list',
        'Expires: 600',
        `Contact: ${watcher.contact}`,
      ],
      body,
    });
    expect([answer.status, answer.header('require')]).toEqual([200, 'eventlist']);
    const isNotify = (text: string) => (message: ReceivedMessage) =>
      message.method === 'NOTIFY' && message.body.includes(text);
    const first = await watcher.next(isNotify('fullState="true"'), { since });
    expect(urisOf(first)).toEqual([aor(1019), aor(1020)]);
    const changed = watcher.next(isNotify('fullState="false"'));
    const etag = await publish(pbx, 1020, 'early');
    expect(urisOf(await changed)).toEqual([aor(1020)]);
    await unpublish(pbx, 1020, etag);
  });
});
