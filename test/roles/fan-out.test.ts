import { randomBytes } from 'node:crypto';
import {
  type _Record,
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { publish } from '#roles/compositor.ts';
import { type FanOutPorts, fanOut } from '#roles/fan-out.ts';
import { subscribe } from '#roles/notifier.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { leaseKey, watcherKey } from '#table/keys.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import { completeTenant } from '#table/tenant-item.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf, type TestPublish } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { type FakeGateway, INSTRUCTION_SECRET, startFakeGateway } from '#test/support/fake-gateway.ts';
import { PATIENCE_MS } from '#test/support/patience.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';
import { queryWatchers } from '#test/support/watchers.ts';
import { createListFinder, createWatchRulesFinder } from '../../lambdas/handlers/request-ports.ts';

let started: TestTable;
let table: DynamoDbTable;
let streams: DynamoDBStreamsClient;
let shardId: string | undefined;
const seen = new Set<string | undefined>();
let requestPorts: Parameters<typeof publish>[1] & Parameters<typeof subscribe>[1];
let ports: FanOutPorts;
let client: ReturnType<typeof createGatewayClient>;
let one: FakeGateway;
let two: FakeGateway;
const logged: unknown[][] = [];
let presentityCount = 0;
/** A presentity of its own for each test. */
let user: string;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  requestPorts = {
    table,
    randomBytes,
    chance: () => 0,
    findList: createListFinder(table),
    findWatchRules: createWatchRulesFinder(table),
    ...TEST_SECRETS,
    loadUser: async () => undefined,
    loadTenant: async (domain) => completeTenant(domain, {}),
  };
  client = createGatewayClient(async () => [INSTRUCTION_SECRET]);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  streams = new DynamoDBStreamsClient({ endpoint: started.endpoint, region: 'local', credentials });
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn: started.streamArn }));
  shardId = StreamDescription?.Shards?.[0]?.ShardId;
});

afterAll(async () => {
  client.close();
  streams.destroy();
  table.close();
  await started.stop();
});

beforeEach(async () => {
  presentityCount += 1;
  user = `40${presentityCount}`;
  logged.length = 0;
  [one, two] = await Promise.all([startFakeGateway(), startFakeGateway()]);
  await lease('gateway-1', one.address);
  await lease('gateway-2', two.address);
  const telemetry = { log: (...all: unknown[]) => logged.push(all) };
  ports = { table, telemetry, gateways: client, leases: openLeaseBook(table) };
});

afterEach(async () => {
  await Promise.all([one.stop(), two.stop()]);
});

const lease = (gatewayId: string, address: string, leaseEndsAtMs = Date.now() + 60_000) =>
  saveLease(table, {
    ...{ gatewayId, address, leaseEndsAtMs, grantedAtMs: Date.now() },
    ...{ flows: 1, subscriptions: 1, draining: false },
  });
const presentity = () => ({ domain: 'demo.example', user });
const aor = (name = user) => `sip:${name}@demo.example`;
const watch = (id: string, gatewayId = 'gateway-1', name = user) =>
  subscribe(subscribeOf({ to: aor(name), toTag: id, gatewayId }), requestPorts, Date.now());
const watchers = () => queryWatchers(table, presentity(), 'dialog', Date.now());

async function change(request: TestPublish, name = user): Promise<string> {
  const { response } = await publish(publishOf({ presentity: aor(name), ...request }), requestPorts, Date.now());
  return response.headers.find(([header]) => header === 'SIP-ETag')?.[1] ?? '';
}
const ringing = () => change({ body: dialogInfo(dialogElement('1', 'early')) });
const notified = (gateway: FakeGateway) => gateway.batches.flatMap(({ instructions }) => instructions);

/** Records of presentities since the last call, as Lambda hands them over after the mapping's filter. */
async function newRecords(): Promise<_Record[]> {
  const from = { StreamArn: started.streamArn, ShardId: shardId, ShardIteratorType: 'TRIM_HORIZON' as const };
  const { ShardIterator } = await streams.send(new GetShardIteratorCommand(from));
  const { Records = [] } = await streams.send(new GetRecordsCommand({ ShardIterator }));
  const fresh = Records.filter(({ dynamodb }) => !seen.has(dynamodb?.SequenceNumber));
  for (const { dynamodb } of fresh) seen.add(dynamodb?.SequenceNumber);
  return fresh.filter(({ dynamodb }) => dynamodb?.Keys?.SK?.S === 'STATE');
}
const run = async (records?: _Record[]) => fanOut(records ?? (await newRecords()), ports, Date.now());
const sequenceNumbers = (records: readonly _Record[]) => records.map(({ dynamodb }) => dynamodb?.SequenceNumber);

describe('fan-out', () => {
  it('is one Query and one POST a gateway, with the body rendered once', async () => {
    for (const id of ['a', 'b']) await watch(id);
    await watch('c', 'gateway-2');
    await ringing();
    const records = await newRecords();
    const before = { ...table.requestCounts };
    expect(await run(records)).toEqual([]);
    expect(table.requestCounts).toEqual({ ...before, Query: before.Query + 1, GetItem: before.GetItem + 2 });
    expect(notified(one)).toMatchObject([
      { kind: 'notify', subscriptionIds: ['a', 'b'], notification: { contentType: 'application/dialog-info+xml' } },
    ]);
    expect(notified(two)).toMatchObject([{ subscriptionIds: ['c'] }]);
    const [instruction] = notified(one);
    const body = instruction?.kind === 'notify' ? instruction.notification.body.join('7') : '';
    expect(body).toContain('version="7" state="full"');
    expect(body).toContain(`entity="${aor()}"`);
    expect(body).toContain('<state>early</state>');
  });

  it('tells when the state changed and by which request, and what of it was taken', async () => {
    const taken: number[] = [];
    ports = { ...ports, accepted: (changedAtMs) => taken.push(changedAtMs) };
    await watch('a');
    const beforeMs = Date.now();
    const tag = await change({ body: dialogInfo(dialogElement('1', 'early')), callId: 'first@pbx' });
    await change({ body: dialogInfo(dialogElement('1', 'confirmed')), ifMatch: tag, callId: 'second@pbx' });
    await run();
    const [instruction] = notified(one);
    const { changedAtMs = 0, causedBy } = (instruction?.kind === 'notify' && instruction.notification) || {};
    expect(changedAtMs).toBeGreaterThanOrEqual(beforeMs);
    expect([causedBy, taken]).toEqual(['second@pbx', [changedAtMs]]);
    const line = { tenant: 'demo.example', presentity: user, callId: 'second@pbx', changes: 2, subscriptions: 1 };
    expect(logged).toEqual([['info', 'notify', expect.objectContaining(line)]]);
  });

  it('tells nothing of a change that a gateway did not take', async () => {
    const taken: number[] = [];
    ports = { ...ports, accepted: (changedAtMs) => taken.push(changedAtMs) };
    await watch('a');
    one.behaviour = { status: 500 };
    await ringing();
    expect(await run()).toHaveLength(1);
    expect(taken).toEqual([]);
  });

  it('knows where the gateways are for 30 s, over the same connection', async () => {
    await watch('a');
    const first = await ringing();
    await run();
    const before = { ...table.requestCounts };
    await change({ body: dialogInfo(dialogElement('1', 'confirmed')), ifMatch: first });
    const records = await newRecords();
    const { UpdateItem } = table.requestCounts;
    await run(records);
    expect(table.requestCounts).toEqual({ ...before, UpdateItem, Query: before.Query + 1 });
    expect([one.batches.length, one.connections()]).toEqual([2, 1]);
  });

  it('sends nothing for a refresh, without a Query', async () => {
    await watch('a');
    const tag = await ringing();
    await run();
    await change({ ifMatch: tag });
    const records = await newRecords();
    const before = { ...table.requestCounts };
    expect([records.length, await run(records)]).toEqual([1, []]);
    expect(table.requestCounts).toEqual(before);
    expect(one.batches).toHaveLength(1);
  });

  it('sends of a batch only the newest state of each presentity, in one POST for all of them', async () => {
    const other = `${user}-other`;
    await watch('a');
    await watch('b', 'gateway-1', other);
    const tag = await ringing();
    await change({ body: dialogInfo(dialogElement('1', 'confirmed')), ifMatch: tag });
    await change({ body: dialogInfo(dialogElement('2', 'trying')) }, other);
    await run();
    expect(one.batches).toHaveLength(1);
    const bodies = notified(one).map((each) => (each.kind === 'notify' ? each.notification.body.join('') : ''));
    expect(bodies).toEqual([expect.stringContaining('confirmed'), expect.stringContaining('trying')]);
  });

  it('does not let a tenant with much of a batch hold up the others', async () => {
    const away = { domain: 'acme.example', user };
    await watch('a');
    const identity = { ...away, role: 'user' as const };
    const from = `sip:${user}@acme.example`;
    await subscribe(subscribeOf({ from, to: from, toTag: 'b', identity }), requestPorts, Date.now());
    await ringing();
    const body = dialogInfo(dialogElement('1', 'early'));
    await publish(publishOf({ presentity: from, identity, body }), requestPorts, Date.now());
    const records = await newRecords();
    const goOn = Promise.withResolvers<void>();
    const query: typeof table.query = async (asked) => {
      if (JSON.stringify(asked.values).includes('#acme.example#')) await goOn.promise;
      return table.query(asked);
    };
    const done = fanOut(records, { ...ports, table: { ...table, query } }, Date.now());
    await vi.waitFor(() => expect(notified(one)).toMatchObject([{ subscriptionIds: ['a'] }]), PATIENCE_MS);
    goOn.resolve();
    expect(await done).toEqual([]);
    expect(notified(one)).toMatchObject([{ subscriptionIds: ['a'] }, { subscriptionIds: ['b'] }]);
  });

  it('sends the state also when a batch ends where it began: a step of it may have been sent before', async () => {
    await watch('a');
    const tag = await ringing();
    await run();
    const next = await change({ body: dialogInfo(dialogElement('1', 'confirmed')), ifMatch: tag });
    await change({ body: dialogInfo(dialogElement('1', 'early')), ifMatch: next });
    await run();
    expect(notified(one)).toHaveLength(2);
  });

  it('removes watchers that the gateway does not know, but none that another gateway has taken over', async () => {
    await watch('a');
    await watch('b');
    await ringing();
    one.behaviour = { unknown: ['a'] };
    expect(await run()).toEqual([]);
    expect((await watchers()).map(({ id }) => id)).toEqual(['b']);
  });

  it('leaves a gateway out that is gone: no lease, nobody there, another one there', async () => {
    await watch('a', 'gateway-nowhere');
    await watch('b', 'gateway-3');
    await watch('c', 'gateway-2');
    await watch('d');
    await lease('gateway-3', 'http://127.0.0.1:9');
    two.behaviour = { status: 421 };
    await ringing();
    expect(await run()).toEqual([]);
    expect(notified(one)).toMatchObject([{ subscriptionIds: ['d'] }]);
    expect(two.batches).toHaveLength(1);
    expect(logged.map(([level]) => level).toSorted()).toEqual(['info', 'warn', 'warn', 'warn']);
  });

  it('tries once more, then gives the first record of the presentity back', async () => {
    await watch('a');
    one.behaviour = { status: 500 };
    const tag = await ringing();
    await change({ ifMatch: tag });
    const records = await newRecords();
    expect(await run(records)).toEqual([sequenceNumbers(records)[0]]);
    expect(one.batches).toHaveLength(2);
    one.behaviour = {};
    expect(await run(records)).toEqual([]);
  });

  it('does not wait for a silent gateway whose lease has lapsed', async () => {
    await watch('a');
    await lease('gateway-1', one.address, Date.now() - 1);
    one.behaviour = { isSilent: true };
    await ringing();
    expect(await run()).toEqual([]);
    expect(logged).toHaveLength(1);
  });

  it('gives records back when the table is away, and goes on with the others', async () => {
    await watch('a');
    await ringing();
    const away = { ...ports, table: { ...table, query: () => Promise.reject(new Error('away')) } };
    const records = await newRecords();
    expect(await fanOut(records, away, Date.now())).toEqual(sequenceNumbers(records));
  });

  it('passes over a record that it cannot read', async () => {
    await watch('a');
    await ringing();
    const broken = { eventName: 'MODIFY', dynamodb: { SequenceNumber: '1', Keys: {} } };
    expect(await fanOut([broken, ...(await newRecords())], ports, Date.now())).toEqual([]);
    expect(notified(one)).toHaveLength(1);
  });

  it('sends nothing to a subscription that has expired', async () => {
    await subscribe(subscribeOf({ to: aor(), toTag: 'a', expires: 60 }), requestPorts, Date.now() - 60_000);
    await ringing();
    expect(await run()).toEqual([]);
    expect(one.batches).toEqual([]);
  });

  it('names at most 5,000 subscriptions in one POST', async () => {
    const many = Array.from({ length: 5_001 }, (_, n) => ({
      ...{ PK: 'x', SK: `WATCHER#dialog#s${n}`, gatewayId: 'gateway-1' },
      ...{ contentType: 'application/dialog-info+xml', expiresAtMs: Date.now() + 60_000 },
    }));
    await ringing();
    const records = await newRecords();
    await fanOut(records, { ...ports, table: { ...table, query: async () => many } }, Date.now());
    const sizes = one.batches.map(({ instructions }) =>
      instructions.map((each) => (each.kind === 'notify' ? each.subscriptionIds.length : 0)),
    );
    expect(sizes).toEqual([[5_000], [1]]);
  });
});

it('has a lease to look at for each gateway', async () => {
  expect(await table.get(leaseKey('gateway-1'))).toMatchObject({ gatewayId: 'gateway-1' });
});

describe('rendering profiles', () => {
  const PARTIAL = 'documents=partial';
  const set = async (id: string, rendering: string) => {
    const key = watcherKey('demo.example', user, 'dialog', id);
    await table.update(key, { update: 'SET rendering = :r', values: { ':r': rendering } });
  };
  const sentTo = (id: string) =>
    notified(one).flatMap((each) =>
      each.kind === 'notify' && each.subscriptionIds.includes(id as never) ? [each] : [],
    );

  it('are rendered once each, however many watchers share one', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await watch(id);
    await Promise.all([set('b', 'ringing=proceeding'), set('c', 'ringing=proceeding')]);
    await ringing();
    await run();
    const bodies = notified(one).map(
      (each) => each.kind === 'notify' && [each.subscriptionIds, each.notification.body.join('')],
    );
    expect(bodies).toHaveLength(2);
    expect(bodies).toContainEqual([['a', 'd'], expect.stringContaining('<state>early</state>')]);
    expect(bodies).toContainEqual([['b', 'c'], expect.stringContaining('<state>proceeding</state>')]);
  });

  it('tell a watcher nothing that its profile does not show', async () => {
    for (const id of ['a', 'b']) await watch(id);
    await set('b', 'identities=withheld');
    const ifMatch = await change({ body: dialogInfo(dialogElement('1', 'early')) });
    await run();
    const named = '<remote><identity>sip:boss@demo.example</identity></remote>';
    await change({ ifMatch, body: dialogInfo(dialogElement('1', 'early', named)) });
    await run();
    expect(sentTo('a')).toHaveLength(2);
    expect(sentTo('b')).toHaveLength(1);
    expect(sentTo('b')[0]?.notification.body.join('')).not.toMatch(/call-id|tag=/);
  });

  it('carry the difference to the state before, named by its entity-tag', async () => {
    await watch('a');
    await set('a', PARTIAL);
    const ifMatch = await change({ body: dialogInfo(dialogElement('1', 'early')) });
    await run();
    await change({ ifMatch, body: dialogInfo(dialogElement('1', 'early') + dialogElement('2', 'confirmed')) });
    await run();
    const [first, second] = sentTo('a').map(({ notification }) => notification);
    expect(second?.partial?.base).toBe(first?.entityTag);
    expect(second?.partial?.body.join('')).toMatch(/state="partial".*id="2"/s);
    expect(second?.partial?.body.join('')).not.toContain('id="1"');
    expect(second?.body.join('')).toContain('id="1"');
  });
});
