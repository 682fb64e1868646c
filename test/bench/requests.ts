/** DynamoDB requests of each operation, counted at the table port while the roles work on the real table. */
import { randomBytes } from 'node:crypto';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { Identity } from '#contract/schemas.ts';
import { publish } from '#roles/compositor.ts';
import { fanOut } from '#roles/fan-out.ts';
import { subscribe } from '#roles/notifier.ts';
import { register } from '#roles/registrar.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { loadUser } from '#table/user-item.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf } from '#test/support/dialogs.ts';
import { envelopeOf } from '#test/support/envelope.ts';
import { INSTRUCTION_SECRET, startFakeGateway } from '#test/support/fake-gateway.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';
import { createListFinder, createWatchRulesFinder } from '../../lambdas/handlers/request-ports.ts';
import { measureCall } from './call-requests.ts';

const TABLE_NAME = 'lampfield';
const PRESENTITY = 'sip:1017@demo.example';
const KEY = { PK: { S: 'PRESENTITY#demo.example#1017' }, SK: { S: 'STATE' } };
const USER: Identity = { domain: 'demo.example', user: '1001', role: 'user' };

/** @returns what each operation costs, in words, in the order in which they ran */
export async function measureRequests(endpoint: string): Promise<Record<string, string>> {
  const table = openDynamoDbTable({ tableName: TABLE_NAME, endpoint });
  const client = createGatewayClient(async () => [INSTRUCTION_SECRET]);
  const gateway = await startFakeGateway();
  const ports = requestPortsOf(table);
  const now = Date.now();
  const lease = { gatewayId: 'gateway-1', address: gateway.address, leaseEndsAtMs: now + 60_000, grantedAtMs: now };
  await saveLease(table, { ...lease, flows: 1, subscriptions: 1, draining: false });
  await ports.loadTenant();
  await ports.findList({ domain: 'demo.example', user: '1017' });

  const costs: Record<string, string> = {};
  const count = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const before = { ...table.requestCounts };
    const result = await work();
    costs[operation] = describeCounts(before, table.requestCounts);
    return result;
  };
  const watch = (id: string) => subscribeOf({ to: PRESENTITY, toTag: id, gatewayId: 'gateway-1' });
  const change = (state: string, ifMatch?: string) =>
    publishOf({ presentity: PRESENTITY, body: dialogInfo(dialogElement('1', state)), ...(ifMatch && { ifMatch }) });

  await count('REGISTER, one contact, identified flow', () => register(registerOf(), ports, Date.now()));
  await count('SUBSCRIBE, initial', () => subscribe(watch('a'), ports, Date.now()));
  await subscribe(watch('b'), ports, Date.now());
  const first = await count('PUBLISH, initial', () => publish(change('early'), ports, Date.now()));
  const before = await imageOf(endpoint);
  const etag = first.response.headers.find(([name]) => name === 'SIP-ETag')?.[1] ?? '';
  await count('PUBLISH, modify', () => publish(change('confirmed', etag), ports, Date.now()));
  const record = recordOf(before, await imageOf(endpoint));
  const telemetry = { log: () => undefined };
  const fanOutPorts = { table, telemetry, gateways: client, leases: openLeaseBook(table) };
  await count('change, two watchers, gateway not yet known', () => fanOut([record], fanOutPorts, Date.now()));
  await count('change, two watchers', () => fanOut([record], fanOutPorts, Date.now()));
  costs['change, two watchers: POSTs to gateways'] = String(gateway.batches.length / 2);
  await measureCall(table, count);
  client.close();
  table.close();
  await gateway.stop();
  return costs;
}

function requestPortsOf(table: DynamoDbTable) {
  const tenant = loadTenant(table, 'demo.example');
  return {
    table,
    randomBytes,
    chance: () => 0,
    findList: createListFinder(table),
    findWatchRules: createWatchRulesFinder(table),
    ...TEST_SECRETS,
    loadUser: (domain: string, user: string) => loadUser(table, domain, user),
    loadTenant: () => tenant,
  };
}

const registerOf = () =>
  envelopeOf({
    method: 'REGISTER',
    requestUri: 'sip:demo.example',
    from: 'sip:1001@demo.example',
    to: 'sip:1001@demo.example',
    identity: USER,
    headers: [['Contact', '<sip:1001@bench.invalid;transport=ws>']],
  });

async function imageOf(endpoint: string) {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint, region: 'local', credentials });
  const { Item } = await client.send(new GetItemCommand({ TableName: TABLE_NAME, Key: KEY, ConsistentRead: true }));
  client.destroy();
  return Item;
}

const recordOf = (OldImage: unknown, NewImage: unknown): unknown => ({
  eventName: 'MODIFY',
  dynamodb: { SequenceNumber: '1', Keys: KEY, OldImage, NewImage },
});

type Counts = DynamoDbTable['requestCounts'];

/** The requests between two counts, in words. */
export function describeCounts(before: Counts, after: Counts): string {
  const used = Object.entries(after).flatMap(([name, value]) => {
    const requests = value - (Object.entries(before).find(([other]) => other === name)?.[1] ?? 0);
    return requests > 0 ? [`${requests} ${name}`] : [];
  });
  return used.join(' + ') || 'none';
}
