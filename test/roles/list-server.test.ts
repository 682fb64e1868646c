import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayIdOf, subscriptionIdOf } from '#contract/ids.ts';
import type { ListState, OutcomeInput } from '#contract/outcome.ts';
import { publish } from '#roles/compositor.ts';
import { closeFlows } from '#roles/flow-closer.ts';
import { type NotifierPorts, subscribe } from '#roles/notifier.ts';
import { type DynamoDbTable, openDynamoDbTable, type TableOperation } from '#table/dynamodb.ts';
import { watcherKey } from '#table/keys.ts';
import { listItem, loadList } from '#table/list-item.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { completeTenant, tenantItem } from '#table/tenant-item.ts';
import { loadUser, userItem } from '#table/user-item.ts';
import { loadWatchRules } from '#table/watch-rules.ts';
import { ALICE, dialogElement, dialogInfo, publishOf, subscribeOf, type TestSubscribe } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';
import { queryWatchers } from '#test/support/watchers.ts';

const DOMAIN = 'demo.example';
const LIST_TYPES = 'application/dialog-info+xml, multipart/related, application/rlmi+xml';

let started: TestTable;
let table: DynamoDbTable;
let ports: NotifierPorts;
let listCount = 0;
/** A list of its own for each test. */
let list: string;

const account = (user: string) =>
  userItem({ domain: DOMAIN, user, role: 'user', displayName: `User ${user}`, sealedHa1: 'of no use here' });
const aor = (user: string): string => `sip:${user}@${DOMAIN}`;
const users = (count: number, from = 2001): string[] => Array.from({ length: count }, (_, at) => String(from + at));

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  await table.put(tenantItem(DOMAIN, { minExpiresSeconds: 3 }));
  await table.writeBatch({ put: users(110).map(account), delete: [] });
  const policy = { minExpiresSeconds: 3, defaultExpiresSeconds: 600, maxExpiresSeconds: 600 };
  const tenant = completeTenant(DOMAIN, { policy });
  ports = {
    table,
    chance: () => 0,
    ...TEST_SECRETS,
    findList: (address) => loadList(table, address),
    loadUser: (domain, user) => loadUser(table, domain, user),
    loadTenant: async () => tenant,
    findWatchRules: (address) => loadWatchRules(table, address),
  };
});

afterAll(async () => {
  table.close();
  await started.stop();
});

beforeEach(() => {
  listCount += 1;
  list = `list-${listCount}`;
});

const keep = (name: string, members: Parameters<typeof listItem>[1]) =>
  table.put(listItem({ domain: DOMAIN, user: name }, members));
const eventlist: [string, string][] = [
  ['Supported', 'replaces, eventlist'],
  ['Accept', LIST_TYPES],
];
const send = (request: TestSubscribe, nowMs = T0): Promise<OutcomeInput> =>
  subscribe(subscribeOf({ to: aor(list), headers: eventlist, toTag: `tag-${list}`, ...request }), ports, nowMs);
const plain = (request: TestSubscribe) => send({ headers: [], ...request });
const watchersOf = async (user: string, nowMs = T0) => {
  const found = await queryWatchers(table, { domain: DOMAIN, user }, 'dialog', nowMs);
  return found.map(({ id }) => id).filter((id) => id === `tag-${list}`);
};
const listOf = (outcome: OutcomeInput): ListState => {
  const state = outcome.subscription?.list;
  if (!state) throw new Error(`no list in ${JSON.stringify(outcome.response)}`);
  return state;
};
const shown = (outcome: OutcomeInput) =>
  listOf(outcome).members.map(({ uri, state, reason }) => [uri, reason === undefined ? state : `${state} ${reason}`]);

async function countedRequests(action: () => Promise<unknown>): Promise<Partial<Record<TableOperation, number>>> {
  const before = { ...table.requestCounts };
  await action();
  const after = Object.entries(table.requestCounts) as [TableOperation, number][];
  return Object.fromEntries(after.map(([name, count]) => [name, count - before[name]]).filter(([, count]) => count));
}

describe('SUBSCRIBE to an event list (RFC 4662)', () => {
  it('of 100 members is a few requests, refreshed and ended too', async () => {
    await keep(list, users(100).map(aor));
    expect(await countedRequests(() => send({ expires: 600 }))).toEqual({
      GetItem: 2, // is it a list (cached in a function), and what is in it now
      BatchGetItem: 3, // two for names, one for states
      PutItem: 1,
      BatchWriteItem: 4,
    });
    expect(await countedRequests(() => send({ inDialog: `tag-${list}`, cseq: 2 }))).toEqual({
      UpdateItem: 1,
      GetItem: 1,
      BatchGetItem: 3,
      BatchWriteItem: 4,
    });
    expect(await watchersOf('2100')).toHaveLength(1);
    expect(await countedRequests(() => send({ inDialog: `tag-${list}`, cseq: 3, expires: 0 }))).toEqual({
      DeleteItem: 1,
      GetItem: 1,
      BatchGetItem: 3,
      BatchWriteItem: 4,
    });
    for (const user of [list, '2001', '2100']) expect(await watchersOf(user)).toEqual([]);
  });

  it('answers Require: eventlist and tells every member, idle or not, in the order of the list', async () => {
    await keep(list, [aor('2002'), { uri: aor('2001'), displayName: 'Front desk' }]);
    await publish(
      publishOf({ presentity: aor('2001'), body: dialogInfo(dialogElement('a', 'early')), expires: 600 }),
      { ...ports, randomBytes: (size) => Buffer.alloc(size, 7) },
      T0,
    );
    const outcome = await send({ expires: 600, event: 'dialog;id=7' });
    expect(outcome.response).toMatchObject({
      status: 200,
      headers: [
        ['Expires', '600'],
        ['Require', 'eventlist'],
      ],
    });
    expect(outcome.subscription).toMatchObject({
      kind: 'active',
      presentity: aor(list),
      event: 'dialog',
      eventId: '7',
    });
    expect(listOf(outcome)).toMatchObject({
      uri: aor(list),
      members: [
        { uri: aor('2002'), name: 'User 2002', state: 'active', notification: { presentityVersion: 0 } },
        {
          uri: aor('2001'),
          name: 'Front desk',
          state: 'active',
          notification: { presentityVersion: expect.any(Number) },
        },
      ],
    });
    const [idle, early] = listOf(outcome).members.map(({ notification }) => notification?.body.join('0') ?? '');
    expect(idle).toContain('<dialog id="0000"><state>terminated</state></dialog>');
    expect(early).toContain('<state>early</state>');
    expect(await watchersOf('2001')).toEqual([`tag-${list}`]);
    const held = await queryWatchers(table, { domain: DOMAIN, user: '2001' }, 'dialog', T0);
    expect(held.find(({ id }) => id === `tag-${list}`)).toMatchObject({
      gatewayId: 'gateway-1',
      contentType: 'application/dialog-info+xml',
    });
  });

  it('follows lists in lists, cuts circles, names nobody twice', async () => {
    await keep(list, [aor('2001'), aor(`${list}-b`), aor('2001'), 'sip:2002@DEMO.example;transport=ws', aor('2003')]);
    await keep(`${list}-b`, [aor('2003'), aor(list), aor(`${list}-c`), aor('2004')]);
    await keep(`${list}-c`, [aor(`${list}-b`), aor('2005'), aor(`${list}-c`)]);
    expect(shown(await send({})).map(([uri]) => uri)).toEqual(['2001', '2003', '2005', '2004', '2002'].map(aor));
  });

  it('shows what is not there, or not in this tenant, as terminated;noresource', async () => {
    const strangers = [aor('nobody'), 'sip:1001@acme.example', 'tel:+15550100', 'not a uri'];
    await keep(list, [aor('2001'), ...strangers]);
    expect(shown(await send({}))).toEqual([
      [aor('2001'), 'active'],
      ...strangers.map((uri) => [uri, 'terminated noresource']),
    ]);
    // What somebody publishes for it later reaches the list.
    expect(await watchersOf('nobody')).toHaveLength(1);
  });

  it('takes the list as it is at a refresh; who is gone is watched no more', async () => {
    await keep(list, users(3).map(aor));
    await send({});
    await keep(list, [aor('2003'), aor('2004')]);
    const outcome = await send({ inDialog: `tag-${list}`, cseq: 2, headers: [], gatewayId: 'gateway-2' });
    expect(shown(outcome).map(([uri]) => uri)).toEqual([aor('2003'), aor('2004')]);
    for (const user of ['2001', '2002']) expect(await watchersOf(user)).toEqual([]);
    const held = await queryWatchers(table, { domain: DOMAIN, user: '2003' }, 'dialog', T0);
    expect(held.find(({ id }) => id === `tag-${list}`)?.gatewayId).toBe('gateway-2');
    await send({ inDialog: `tag-${list}`, cseq: 3, expires: 0 });
    for (const user of ['2003', '2004']) expect(await watchersOf(user)).toEqual([]);
  });

  it('fetches without a write', async () => {
    await keep(list, users(2).map(aor));
    const requests = await countedRequests(async () => {
      const outcome = await send({ expires: 0 });
      expect(outcome.subscription).toMatchObject({ kind: 'ended', reason: 'timeout' });
      expect(listOf(outcome).members).toHaveLength(2);
    });
    expect(requests).toEqual({ GetItem: 2, BatchGetItem: 2 });
  });

  it('has a member that is the list itself, and keeps its own watcher', async () => {
    await table.put(account(list));
    await keep(list, [aor('2001'), aor(list)]);
    // The name is a user too: within the list it is the user.
    expect(shown(await send({})).map(([uri]) => uri)).toEqual([aor('2001'), aor(list)]);
    expect(await watchersOf(list)).toHaveLength(1);
    await send({ inDialog: `tag-${list}`, cseq: 2 });
    expect((await send({ inDialog: `tag-${list}`, cseq: 3, expires: 0 })).response.status).toBe(200);
    for (const user of [list, '2001']) expect(await watchersOf(user)).toEqual([]);
  });

  it('cannot be refreshed through one of its members', async () => {
    await keep(list, [aor('2001')]);
    await send({});
    const stray = { to: aor('2001'), inDialog: `tag-${list}`, cseq: 5 };
    expect((await send(stray)).response.status).toBe(481);
    expect((await send({ ...stray, expires: 0 })).response.status).toBe(481);
    expect(await watchersOf('2001')).toHaveLength(1);
  });

  it('is refused when it is too long, before anything is written', async () => {
    await keep(list, users(201).map(aor));
    expect((await send({})).response).toMatchObject({ status: 413, reason: 'Resource List Too Large' });
    expect(await watchersOf(list)).toEqual([]);
  });

  it('ends with a report of its gateway, members too; one that was taken over stays', async () => {
    await keep(list, users(2).map(aor));
    await send({});
    const report = (gatewayId: string) => ({
      ...{ contractVersion: 1 as const, gatewayId, flows: [] },
      subscriptions: [{ id: `tag-${list}`, presentity: aor(list), event: 'dialog' }],
    });
    await closeFlows(report('gateway-9'), table, T0);
    for (const user of [list, '2001', '2002']) expect(await watchersOf(user)).toHaveLength(1);
    await closeFlows(report('gateway-1'), table, T0);
    for (const user of [list, '2001', '2002']) expect(await watchersOf(user)).toEqual([]);
  });
});

describe('a name that is a list, a user or both', () => {
  it('is refused with 421 without support for lists, and nothing stays behind', async () => {
    await keep(list, [aor('2001')]);
    expect((await plain({})).response).toEqual({
      status: 421,
      reason: 'Extension Required',
      headers: [['Require', 'eventlist']],
    });
    expect(await watchersOf(list)).toEqual([]);
    expect((await plain({ expires: 0 })).response.status).toBe(421);
  });

  it('goes by support for lists when it is both', async () => {
    await table.put(account(list));
    await keep(list, [aor('2001')]);
    expect((await plain({})).subscription).toMatchObject({
      notification: { contentType: 'application/dialog-info+xml' },
    });
    expect((await plain({ toTag: `tag-${list}-2` })).subscription?.list).toBeUndefined();
    expect(listOf(await send({ toTag: `tag-${list}-3` })).members).toHaveLength(1);
  });

  it('is a plain subscription to a user, whatever the phone supports (Grandstream)', async () => {
    const outcome = await send({ to: aor('2001'), toTag: 'grandstream' });
    expect(outcome.subscription?.list).toBeUndefined();
    expect(outcome.response.headers).toEqual([['Expires', '600']]);
  });
});

const resourceLists = (entries: string): string =>
  `<?xml version="1.0"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${entries}</list></resource-lists>`;
const contained = (body: string, extra: readonly [string, string][] = []): TestSubscribe => ({
  body,
  headers: [
    ...eventlist,
    ['Require', 'recipient-list-subscribe'],
    ['Content-Disposition', 'recipient-list'],
    ['Content-Type', 'application/resource-lists+xml'],
    ...extra,
  ],
});

describe('a list in the SUBSCRIBE (RFC 5367)', () => {
  const two = `<entry uri="${aor('2001')}"><display-name>One</display-name></entry><list><entry uri="${aor('2002')}"/></list>`;

  it('is what is subscribed to, for as long as the subscription lives', async () => {
    const outcome = await send(contained(resourceLists(two)));
    expect(listOf(outcome).members.map(({ uri, name }) => [uri, name])).toEqual([
      [aor('2001'), 'One'],
      [aor('2002'), 'User 2002'],
    ]);
    const refreshed = await send({ inDialog: `tag-${list}`, cseq: 2 });
    expect(listOf(refreshed).members.map(({ uri }) => uri)).toEqual([aor('2001'), aor('2002')]);
    await send({ inDialog: `tag-${list}`, cseq: 3, expires: 0 });
    for (const user of [list, '2001', '2002']) expect(await watchersOf(user)).toEqual([]);
  });

  it.each([
    ['another type', contained(resourceLists(two).replace('resource-lists', 'x')), 400],
    ['no XML', contained('hello'), 400],
    ['nobody', contained(resourceLists('')), 400],
    ['an entry without URI', contained(resourceLists('<entry/>')), 400],
    ['a document type', contained(`<!DOCTYPE a>${resourceLists(two)}`), 400],
    ['more than the limit', contained(resourceLists(two.repeat(101))), 413],
    ['a body that is not compressed as it says', contained(resourceLists(two), [['Content-Encoding', 'deflate']]), 400],
    ['an unknown coding', contained(resourceLists(two), [['Content-Encoding', 'br']]), 415],
  ])('is refused with %s', async (_what, request, status) => {
    expect((await send(request)).response.status).toBe(status);
    expect(await watchersOf(list)).toEqual([]);
  });

  it('is refused with 415 and the type that is meant, and with 421 without support for lists', async () => {
    const wrongType = contained('x').headers?.map(([name, value]): [string, string] => [
      name,
      name === 'Content-Type' ? 'text/plain' : value,
    ]);
    expect((await send({ body: 'x', headers: wrongType ?? [] })).response).toMatchObject({
      status: 415,
      headers: [['Accept', 'application/resource-lists+xml']],
    });
    const unsupporting = contained(resourceLists(two)).headers?.filter(([name]) => name !== 'Supported');
    expect((await send({ body: resourceLists(two), headers: unsupporting ?? [] })).response.status).toBe(421);
  });
});

describe('the watcher item of a list', () => {
  it('names the members that hold one for it', async () => {
    await keep(list, [aor('2001'), 'tel:1', aor('2002')]);
    await send({});
    const item = await table.get(watcherKey(DOMAIN, list, 'dialog', subscriptionIdOf(`tag-${list}`)));
    expect(item).toMatchObject({
      gatewayId: gatewayIdOf('gateway-1'),
      watcher: aor(ALICE.user),
      list: { members: [aor('2001'), aor('2002')] },
    });
    const member = await table.get(watcherKey(DOMAIN, '2001', 'dialog', subscriptionIdOf(`tag-${list}`)));
    expect(member).toMatchObject({ memberOf: aor(list), presentity: `2001@${DOMAIN}`, expiresAtMs: item?.expiresAtMs });
  });
});

describe('lists beside other event packages', () => {
  const PUBLISHER: [string, string][] = [['Supported', 'eventlist']];

  it('are refused for packages that are not made of the members themselves', async () => {
    const request = contained(resourceLists(`<entry uri="${aor('2001')}"/>`));
    const headers = request.headers?.filter(([name]) => name !== 'Accept') ?? [];
    expect((await send({ ...request, headers, event: 'reg', to: aor('1001') })).response).toEqual({
      status: 489,
      reason: 'Bad Event',
      headers: [['Allow-Events', 'dialog, presence, message-summary']],
    });
    await keep('1001', [aor('2001')]);
    for (const headers of [PUBLISHER, []]) {
      const { response } = await send({ event: 'reg', to: aor('1001'), headers });
      expect([response.status, response.headers]).toEqual([
        489,
        [['Allow-Events', 'dialog, presence, message-summary']],
      ]);
    }
    // A name that is both is the user to whoever may watch it.
    await table.put(account('1001'));
    const plainOne = await send({ event: 'reg', to: aor('1001'), headers: PUBLISHER });
    expect([plainOne.response.status, plainOne.subscription?.list]).toEqual([200, undefined]);
  });

  it('tell presence of all members', async () => {
    await keep(list, [aor('2001'), aor('2002')]);
    const headers: [string, string][] = [
      ['Supported', 'eventlist'],
      ['Accept', 'application/pidf+xml, multipart/related, application/rlmi+xml'],
    ];
    const members = listOf(await send({ event: 'presence', headers })).members;
    expect(members.map(({ notification }) => notification?.contentType)).toEqual(Array(2).fill('application/pidf+xml'));
  });

  it('tell who watches the watchers of a member', async () => {
    await keep(list, [aor('2090'), aor('2091')]);
    const winfo = { event: 'dialog.winfo', headers: [] as [string, string][] };
    const asUser = (user: string): TestSubscribe => ({
      ...{ to: aor(user), from: aor(user), toTag: `winfo-${user}` },
      identity: { domain: DOMAIN, user, role: 'user' },
    });
    expect((await send({ ...winfo, ...asUser('2090') })).response.status).toBe(200);
    const versionOf = async () =>
      (await loadPresentity(table, { domain: DOMAIN, user: '2090' })).changes?.['dialog.winfo'];
    expect(await versionOf()).toBeUndefined();
    await send({});
    expect(await versionOf()).toBe(1);
    await send({ inDialog: `tag-${list}`, cseq: 2 });
    expect(await versionOf()).toBe(1);
    await send({ inDialog: `tag-${list}`, cseq: 3, expires: 0 });
    expect(await versionOf()).toBe(2);
    await send({ cseq: 9 });
    await closeFlows(
      {
        ...{ contractVersion: 1 as const, gatewayId: 'gateway-1', flows: [] },
        subscriptions: [{ id: `tag-${list}`, presentity: aor(list), event: 'dialog' }],
      },
      table,
      T0,
    );
    expect(await versionOf()).toBe(4);
  });
});
