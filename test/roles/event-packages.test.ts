import { randomBytes } from 'node:crypto';
import {
  type _Record,
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayIdOf, type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import { parsePidf } from '#core/pidf.ts';
import { NO_RULES } from '#core/watch-policy.ts';
import { publish } from '#roles/compositor.ts';
import { type FanOutPorts, fanOut } from '#roles/fan-out.ts';
import { closeFlows } from '#roles/flow-closer.ts';
import { subscribe } from '#roles/notifier.ts';
import { monitorRegistrations, type RegistrationMonitorPorts } from '#roles/registration-monitor.ts';
import { saveBinding } from '#table/binding-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { completeTenant } from '#table/tenant-item.ts';
import {
  ALICE,
  BOB,
  dialogElement,
  dialogInfo,
  PBX,
  publishOf,
  subscribeOf,
  type TestPublish,
} from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { activities, pidf, tupleElement } from '#test/support/presence.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';

const DAY_MS = 86_400_000;
let started: TestTable;
let table: DynamoDbTable;
let streams: DynamoDBStreamsClient;
let shardId: string | undefined;
let requestPorts: Parameters<typeof publish>[1] & Parameters<typeof subscribe>[1];
let ports: FanOutPorts & RegistrationMonitorPorts;
const seen = new Set<string | undefined>();
const sent: Instruction[] = [];
/** Subscriptions that the gateway says it does not hold. */
const unknown: SubscriptionId[] = [];
let presentityCount = 0;
/** A presentity of its own for each test. */
let user: string;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  const nothing = async () => undefined;
  requestPorts = {
    ...{ table, randomBytes, chance: () => 0, ...TEST_SECRETS },
    ...{
      loadUser: nothing,
      loadTenant: async (domain) => completeTenant(domain, {}),
      findList: nothing,
      findWatchRules: async () => NO_RULES,
    },
  };
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  streams = new DynamoDBStreamsClient({ endpoint: started.endpoint, region: 'local', credentials });
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn: started.streamArn }));
  shardId = StreamDescription?.Shards?.[0]?.ShardId;
  const lease = {
    gatewayId: 'gateway-1',
    address: 'http://gateway-1',
    grantedAtMs: 0,
    leaseEndsAtMs: Date.now() + DAY_MS,
  };
  ports = {
    table,
    telemetry: { log: () => undefined },
    isServed: async () => true,
    leases: { find: async () => ({ ...lease, flows: 0, subscriptions: 0, draining: false }), drop: () => undefined },
    gateways: {
      async deliver(_gatewayId, _address, instructions) {
        sent.push(...instructions);
        return { kind: 'delivered', unknown };
      },
    },
  };
});

afterAll(async () => {
  streams.destroy();
  table.close();
  await started.stop();
});

beforeEach(async () => {
  presentityCount += 1;
  user = `60${presentityCount}`;
  await newRecords();
  sent.length = 0;
  unknown.length = 0;
});

const address = () => ({ domain: 'demo.example', user });
const aor = () => `sip:${user}@demo.example`;
const own = () => ({ ...ALICE, user });

async function newRecords(): Promise<_Record[]> {
  const from = { StreamArn: started.streamArn, ShardId: shardId, ShardIteratorType: 'TRIM_HORIZON' as const };
  const { ShardIterator } = await streams.send(new GetShardIteratorCommand(from));
  const { Records = [] } = await streams.send(new GetRecordsCommand({ ShardIterator }));
  const fresh = Records.filter(({ dynamodb }) => !seen.has(dynamodb?.SequenceNumber));
  for (const { dynamodb } of fresh) seen.add(dynamodb?.SequenceNumber);
  return fresh;
}

/** Hands over what is new until nothing is, as the event source mapping does. */
async function flow(): Promise<void> {
  for (let records = await newRecords(); records.length > 0; records = await newRecords()) {
    expect(await monitorRegistrations(records, ports, Date.now())).toEqual([]);
    expect(await fanOut(records, ports, Date.now())).toEqual([]);
  }
}

const bodies = () => sent.map((each) => (each.kind === 'notify' ? each.notification.body.join('0') : ''));
const watch = (event: string, more: Partial<Parameters<typeof subscribeOf>[0]> = {}) =>
  subscribe(subscribeOf({ to: aor(), event, toTag: `${user}-${event}`, ...more }), requestPorts, Date.now());
const asOwner = () => ({ identity: own(), from: aor() });
const bodyOf = ({ subscription }: OutcomeInput) => subscription?.notification.body.join('0') ?? '';
const change = ({ headers = [], ...request }: TestPublish) =>
  publish(publishOf({ presentity: aor(), headers, ...request }), requestPorts, Date.now());
const PRESENCE = [
  ['Event', 'presence'],
  ['Content-Type', 'application/pidf+xml'],
] as const;
const register = (id = 'b1') =>
  saveBinding(table, address(), {
    ...{ id, contactUri: `sip:${id}@x.invalid`, params: [], gatewayId: 'gateway-1', flowId: 'f', callId: 'c', cseq: 1 },
    ...{ updatedAtMs: Date.now(), expiresAtMs: Date.now() + 60_000 },
  });

describe('presence in the table', () => {
  it('is read from the table and from its stream as it was published', async () => {
    const extras = '<rpid:class a="1">x<rpid:y/></rpid:class><note>n</note>';
    const document = pidf(`${tupleElement('t', 'open', extras)}${activities('busy')}<e xmlns="urn:e"/>`);
    await watch('presence');
    const { response } = await change({ headers: PRESENCE, body: document });
    expect(response.status).toBe(200);
    const { publications } = await loadPresentity(table, address());
    expect(publications[0]?.content).toEqual({ kind: 'presence', presence: parsePidf(document) });
    await flow();
    expect(parsePidf(bodies()[0] ?? '')).toEqual(parsePidf(document));
  });

  it('costs one UpdateItem for each of initial, modify, refresh and remove, and one NOTIFY for what changed', async () => {
    await watch('presence');
    await flow();
    const before = table.requestCounts.UpdateItem;
    const steps = [{ body: pidf(tupleElement('t', 'open')) }, { body: pidf(activities('away')) }, {}, { expires: 0 }];
    let ifMatch: string | undefined;
    for (const step of steps) {
      const { response } = await change({ headers: PRESENCE, ...(ifMatch && { ifMatch }), ...step });
      expect(response.status).toBe(200);
      ifMatch = response.headers.find(([name]) => name === 'SIP-ETag')?.[1];
      await flow();
    }
    expect(table.requestCounts.UpdateItem - before).toBe(4);
    expect(bodies().map((body) => /<basic>\w+|<rpid:away/.exec(body)?.[0])).toEqual([
      '<basic>open',
      '<rpid:away',
      '<basic>closed',
    ]);
  });

  it('does not take one package for another by its entity-tag', async () => {
    const { response } = await change({ headers: PRESENCE, body: pidf(tupleElement('t', 'open')) });
    const ifMatch = response.headers.find(([name]) => name === 'SIP-ETag')?.[1];
    const body = dialogInfo(dialogElement('1', 'early'));
    const other = await change({ headers: [['Event', 'dialog']], body, ...(ifMatch && { ifMatch }) });
    expect(other.response.status).toBe(412);
  });

  it.each<[string, TestPublish, number]>([
    ['a bad document', { headers: PRESENCE, body: '<presence/>' }, 400],
    [
      'an external entity',
      { headers: PRESENCE, body: `<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]>${pidf('&e;')}` },
      400,
    ],
    ['dialogs as presence', { headers: [['Event', 'presence']], body: dialogInfo('') }, 415],
    ['a package that nobody publishes', { headers: [['Event', 'reg']], body: 'x' }, 489],
    ['for somebody else', { headers: PRESENCE, identity: BOB, body: pidf('') }, 403],
  ])('refuses %s', async (_what, request, status) => {
    expect((await change(request)).response.status).toBe(status);
    expect((await loadPresentity(table, address())).version).toBe(0);
  });

  it('finds the watchers of dialog and presence with one Query when a call changes both', async () => {
    await watch('dialog');
    await watch('presence');
    await change({ headers: [['Event', 'dialog']], body: dialogInfo(dialogElement('1', 'confirmed')) });
    const before = table.requestCounts.Query;
    await flow();
    expect(table.requestCounts.Query - before).toBe(1);
    expect(bodies()).toEqual([expect.stringContaining('<state>confirmed'), expect.stringContaining('on-the-phone')]);
  });

  it('renders each kind of document once, for those who accept only it', async () => {
    const accept = (type: string) => ({ headers: [['Accept', type] as const], toTag: `${user}-${type}` });
    await watch('presence', accept('application/xpidf+xml'));
    await watch('presence', accept('application/cpim-pidf+xml, application/xpidf+xml;q=0.5'));
    await register();
    await flow();
    expect(sent.map((each) => each.kind === 'notify' && each.notification.contentType).sort()).toEqual([
      'application/cpim-pidf+xml',
      'application/xpidf+xml',
    ]);
    const refused = await watch('presence', accept('application/dialog-info+xml'));
    expect(refused.response.status).toBe(406);
  });
});

describe('reg', () => {
  it('shows the bindings as they are, and each change of them', async () => {
    const opened = await watch('reg', asOwner());
    expect(bodyOf(opened)).toContain('state="init"');
    await register('b1');
    await flow();
    await register('b2');
    await flow();
    expect(bodies().map((body) => [...body.matchAll(/<uri>sip:(\w+)@/g)].map(([, id]) => id))).toEqual([
      ['b1'],
      ['b1', 'b2'],
    ]);
  });

  it('costs nothing for a second binding that nobody watches', async () => {
    await register('b1');
    await flow();
    await register('b2');
    const records = await newRecords();
    const before = { ...table.requestCounts };
    await monitorRegistrations(records, ports, Date.now());
    expect(table.requestCounts).toEqual({ ...before, UpdateItem: before.UpdateItem + 1 });
    expect(await newRecords()).toEqual([]);
  });

  it('is for the user itself and for publishers', async () => {
    const statuses = [
      await watch('reg'),
      await watch('reg', { identity: PBX, from: 'sip:pbx@demo.example' }),
      await watch('presence.winfo'),
      await watch('dialog.winfo', asOwner()),
    ].map(({ response }) => response.status);
    expect(statuses).toEqual([403, 200, 403, 200]);
  });
});

describe('watcher information', () => {
  it('tells of watchers that come, unsubscribe, or are lost with their flow', async () => {
    const toTag = `${user}-lost`;
    await watch('dialog', { toTag });
    const opened = await watch('dialog.winfo', asOwner());
    expect(bodyOf(opened)).toContain('package="dialog"');
    expect(bodyOf(opened)).toContain('>sip:1001@demo.example</watcher>');
    expect(bodyOf(opened)).not.toContain(toTag);
    await watch('dialog', { toTag: `${user}-2` });
    await flow();
    await watch('dialog', { inDialog: `${user}-2`, presentity: aor(), expires: 0, cseq: 2 });
    await flow();
    const subscriptions = [{ id: toTag, presentity: aor(), event: 'dialog' }] as never[];
    const report = { contractVersion: 1 as const, gatewayId: gatewayIdOf('gateway-1'), flows: [], subscriptions };
    await closeFlows(report as Parameters<typeof closeFlows>[0], table, Date.now());
    await flow();
    expect(bodies().map((body) => body.split('<watcher ').length - 1)).toEqual([2, 1, 0]);
  });

  it('tells of a watcher that its gateway no longer holds', async () => {
    const toTag = `${user}-unknown`;
    await watch('dialog', { toTag });
    await watch('dialog.winfo', asOwner());
    unknown.push(subscriptionIdOf(toTag));
    await change({ headers: [['Event', 'dialog']], body: dialogInfo(dialogElement('1', 'early')) });
    await flow();
    expect(bodies()).toEqual([expect.stringContaining('early'), expect.not.stringContaining('<watcher ')]);
  });

  it('costs an unwatched SUBSCRIBE nothing', async () => {
    const before = { ...table.requestCounts };
    await watch('presence');
    expect(table.requestCounts).toEqual({ ...before, PutItem: before.PutItem + 1, GetItem: before.GetItem + 1 });
  });
});
