/**
 * What each operation consumes: the deployed handlers with empty caches against DynamoDB Local, each request's units as
 * DynamoDB tells them, each stream record that follows, and what `notify` makes of it. The cost model rests on it.
 */
import { randomUUID } from 'node:crypto';
import { DeleteTableCommand, type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { itemBytes } from '#cdk/cost/item-size.ts';
import type { Consumption, MeasuredOperation } from '#cdk/cost/measured.ts';
import { ensureTable, localClient } from '#cdk/local/dynamodb-local.ts';
import type { FunctionName } from '#cdk/system.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { sweep } from '#roles/sweeper.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { saveLease } from '#table/lease-item.ts';
import { seedItems } from '#table/seed-items.ts';
import { subscribeOf } from '#test/support/dialogs.ts';
import { authorizationOf } from '#test/support/envelope.ts';
import { type FakeGateway, startFakeGateway } from '#test/support/fake-gateway.ts';
import { type MeteredDynamoDb, startMeteredDynamoDb } from '#test/support/metered-dynamodb.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import { loadFunction } from './deployed-functions.ts';
import {
  aorOf,
  callReportOf,
  changeOf,
  DOMAIN,
  entityTagOf,
  identityOf,
  inviteOfCall,
  outcomesOf,
  registerOf,
  requestBatchOf,
  routedCallOf,
} from './operations.ts';
import { openStateStream, type StateStream } from './state-stream.ts';

const WATCHERS = 10;
/** What is left of a call stands half a minute, a publication of these here a minute. */
const SWEPT_AFTER_MS = 31_000;
const EXPIRED_AFTER_MS = 90_000;

export interface Units {
  readonly operations: Readonly<Record<string, MeasuredOperation>>;
  /** Mean bytes of an item by its kind. */
  readonly itemBytes: Readonly<Record<string, number>>;
}

/** Whatever is done in a tenant of 20 users. @param endpoint of DynamoDB Local */
export async function measureUnits(endpoint: string): Promise<Units> {
  const world = await openWorld(endpoint);
  try {
    await measureRegistrations(world);
    await measureSubscriptions(world);
    await measurePublications(world);
    await measureFanOut(world);
    await measureCall(world);
    await measureHouseKeeping(world);
    return { operations: world.operations, itemBytes: await measureItems(world) };
  } finally {
    await world.close();
  }
}

interface World {
  readonly operations: Record<string, MeasuredOperation>;
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly meter: MeteredDynamoDb;
  readonly stream: StateStream;
  readonly gateway: FakeGateway;
  /** Invokes a function and notes under this name what it and its stream records consume. */
  operation(name: string, functionName: FunctionName, event: unknown): Promise<unknown>;
  /** The same for what a function does in the course of a longer run. */
  work(name: string, functionName: FunctionName, work: () => Promise<unknown>): Promise<unknown>;
  close(): Promise<void>;
}

async function openWorld(endpoint: string): Promise<World> {
  const tableName = `units-${randomUUID()}`;
  const client = localClient(endpoint);
  const { streamArn } = await ensureTable(client, tableName);
  await seed(endpoint, tableName);
  const stream = await openStateStream(client, tableName, streamArn, endpoint);
  const [meter, gateway] = await Promise.all([startMeteredDynamoDb(endpoint), startFakeGateway()]);
  const operations: Record<string, MeasuredOperation> = {};

  async function invoke(name: FunctionName, event: unknown) {
    const handler = await loadFunction(name, meter.endpoint, tableName);
    meter.take();
    const result = await handler(event);
    return { result, consumption: meter.take(), ...(await stream.read()) };
  }

  /** Each delivered record in an invocation of its own, and so on until none follows. */
  async function notifyAll(delivered: readonly object[]) {
    const parts: Consumption[] = [];
    let records = 0;
    for (let left = delivered; left.length > 0; ) {
      const next: object[] = [];
      for (const record of left) {
        const part = await invoke('notify', { Records: [record] });
        parts.push(part.consumption);
        records += part.records;
        next.push(...part.delivered);
      }
      left = next;
    }
    return { invocations: parts.length, records, ...add(parts) };
  }

  async function work(name: string, functionName: FunctionName, what: () => Promise<unknown>): Promise<unknown> {
    await stream.read();
    meter.take();
    const result = await what();
    const consumption = meter.take();
    const { records, delivered } = await stream.read();
    operations[name] = { function: functionName, ...consumption, records, notify: await notifyAll(delivered) };
    return result;
  }

  return {
    ...{ operations, client, tableName, meter, stream, gateway, work },
    async operation(name, functionName, event) {
      const handler = await loadFunction(functionName, meter.endpoint, tableName);
      return work(name, functionName, () => handler(event));
    },
    async close() {
      stream.close();
      await Promise.all([meter.stop(), gateway.stop()]);
      await client.send(new DeleteTableCommand({ TableName: tableName }));
      client.destroy();
    },
  };
}

async function seed(endpoint: string, tableName: string): Promise<void> {
  const table = openDynamoDbTable({ tableName, endpoint });
  const tenant = { domain: DOMAIN, passwordPrefix: 'demo', users: 20, publishers: ['pbx'], policy: {} };
  await table.writeBatch({ put: seedItems(tenant, TEST_VAULT), delete: [] });
  table.close();
}

async function measureRegistrations({ operation }: World): Promise<void> {
  const challenged = await operation('challenge', 'register', requestBatchOf(registerOf('1001', 1)));
  const challenge = outcomesOf(challenged)[0]?.response.headers.find(([name]) => name === 'WWW-Authenticate')?.[1];
  const nonce = /nonce="([^"]+)"/.exec(challenge ?? '')?.[1] ?? '';
  const uri = `sip:${DOMAIN}`;
  const answer = { username: '1001', password: 'demo-1001', realm: DOMAIN, nonce, method: 'REGISTER', uri };
  const first = registerOf('1001', 2, authorizationOf(answer));
  const registered = await operation('register', 'register', requestBatchOf(first));
  const status = outcomesOf(registered)[0]?.response.status;
  if (status !== 200) throw new Error(`REGISTER was answered ${status}`);
  await operation('registerRefresh', 'register', requestBatchOf(registerOf('1001', 3)));
}

async function measureSubscriptions({ operation }: World): Promise<void> {
  const to = aorOf('1010');
  const initial = subscribeOf({ to, toTag: 'sub-0', expires: 3_600, receivedAtMs: Date.now() });
  await operation('subscribe', 'subscribe', requestBatchOf(initial));
  const again = { to, inDialog: 'sub-0', presentity: to };
  const refresh = subscribeOf({ ...again, cseq: 2, expires: 3_600 });
  await operation('subscribeRefresh', 'subscribe', requestBatchOf(refresh));
  await operation('unsubscribe', 'subscribe', requestBatchOf(subscribeOf({ ...again, cseq: 3, expires: 0 })));
}

async function measurePublications(world: World): Promise<void> {
  const { operation } = world;
  const publish = async (name: string, state: string, ifMatch?: string, expires = 60): Promise<string> => {
    const published = await operation(name, 'publish', changeOf('1011', state, ifMatch, expires));
    return entityTagOf(published);
  };
  const first = await publish('publish', 'early');
  const second = await publish('publishModify', 'confirmed', first);
  const third = await publish('publishRefresh', '', second);
  await publish('publishRemove', '', third, 0);
  await publish('publish again', 'early');
  delete world.operations['publish again'];
  await sweepLater(world, 'publicationExpires', EXPIRED_AFTER_MS);
}

/** The same change with nobody who watches, and with watchers on one gateway. */
async function measureFanOut(world: World): Promise<void> {
  const { operation, operations, gateway, meter, tableName } = world;
  const table = openDynamoDbTable({ tableName, endpoint: meter.endpoint });
  const nowMs = Date.now();
  const lease = { gatewayId: 'gateway-1', address: gateway.address, leaseEndsAtMs: nowMs + 600_000 };
  await saveLease(table, { ...lease, grantedAtMs: nowMs, flows: 1, subscriptions: 1, draining: false });
  table.close();
  const presentity = aorOf('1012');
  const first = entityTagOf(await operation('publish to be watched', 'publish', changeOf('1012', 'early')));
  const second = entityTagOf(await operation('changeUnwatched', 'publish', changeOf('1012', 'confirmed', first)));
  const subscribe = await loadFunction('subscribe', meter.endpoint, tableName);
  for (let watcher = 0; watcher < WATCHERS; watcher += 1) {
    const callId = `${randomUUID()}@client.invalid`;
    await subscribe(
      requestBatchOf(subscribeOf({ to: presentity, toTag: `w-${randomUUID()}`, callId, expires: 3_600 })),
    );
  }
  await operation('changeWatchedBy10', 'publish', changeOf('1012', 'early', second));
  delete operations['publish to be watched'];
}

async function measureCall(world: World): Promise<void> {
  const { operation } = world;
  const nowMs = Date.now();
  await operation('callee', 'register', requestBatchOf(registerOf('1014', 3)));
  delete world.operations.callee;
  const invite = inviteOfCall('1013', '1014', nowMs);
  const call = routedCallOf(await operation('callInvite', 'call', requestBatchOf(invite)), invite);
  await operation('callRings', 'call-report', callReportOf(call, 'early', nowMs));
  await operation('callAnswered', 'call-report', callReportOf(call, 'confirmed', nowMs));
  await operation('callEnds', 'call-report', callReportOf(call, 'terminated', nowMs));
  await sweepLater(world, 'callSwept', SWEPT_AFTER_MS);
}

/** What the gateway and the clock ask for, with nothing to do. */
async function measureHouseKeeping({ operation, work, meter, tableName }: World): Promise<void> {
  const gatewayId = 'gateway-1';
  const lease = { gatewayId, address: 'http://10.20.1.7:9090', leaseSeconds: 15, flows: 9, subscriptions: 90 };
  await operation('lease', 'lease', { contractVersion: CONTRACT_VERSION, ...lease, draining: false });
  const subscriptions = [{ id: 'sub-none', presentity: aorOf('1010'), event: 'dialog' }];
  const flows = [{ flowId: 'flow-1', identity: identityOf('1001') }];
  const report = { contractVersion: CONTRACT_VERSION, gatewayId, flows, subscriptions };
  await operation('flowClosed', 'flow-closed', report);
  const table = openDynamoDbTable({ tableName, endpoint: meter.endpoint });
  await work('expirePass', 'expire', () => sweep({ table, ...QUIET }, 0));
  table.close();
}

const QUIET = { telemetry: { log: () => undefined }, startWebhook: async () => undefined };

async function sweepLater({ work, meter, tableName }: World, name: string, afterMs: number): Promise<void> {
  const table = openDynamoDbTable({ tableName, endpoint: meter.endpoint });
  await work(name, 'expire', () => sweep({ table, ...QUIET }, Date.now() + afterMs));
  table.close();
}

async function measureItems({ client, tableName }: World): Promise<Record<string, number>> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName }));
  const kinds = Map.groupBy(Items, ({ PK, SK }) => `${kindOf(PK?.S)} ${kindOf(SK?.S)}`);
  const means = [...kinds].map(([kind, items]): [string, number] => {
    const bytes = items.map(itemBytes);
    return [kind, Math.round(bytes.reduce((sum, each) => sum + each, 0) / bytes.length)];
  });
  return Object.fromEntries(means.filter(([kind]) => !kind.startsWith('MARK')).sort());
}

const kindOf = (key = ''): string => key.split('#', 1)[0] ?? '';

function add(parts: readonly Consumption[]): Consumption {
  const sumOf = (of: (part: Consumption) => number): number => parts.reduce((sum, part) => sum + of(part), 0);
  const sumBy = (of: (part: Consumption) => Readonly<Record<string, number>>): Record<string, number> => {
    const sums: Record<string, number> = {};
    for (const [name, value] of parts.flatMap((part) => Object.entries(of(part))))
      sums[name] = (sums[name] ?? 0) + value;
    return sums;
  };
  return {
    requests: sumBy((part) => part.requests),
    readUnits: sumOf((part) => part.readUnits),
    writeUnits: sumOf((part) => part.writeUnits),
    tenantWriteUnits: sumOf((part) => part.tenantWriteUnits),
    indexWriteUnits: sumBy((part) => part.indexWriteUnits),
  };
}
