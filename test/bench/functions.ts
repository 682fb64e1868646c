/** CPU of one warm invocation of each function, SDK and DynamoDB client included: what its memory must pay for. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { ensureTable, localClient } from '#cdk/local/dynamodb-local.ts';
import type { FunctionName } from '#cdk/system.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { saveLease } from '#table/lease-item.ts';
import { seedItems } from '#table/seed-items.ts';
import { subscribeOf } from '#test/support/dialogs.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import { type Handler, loadFunction } from './deployed-functions.ts';
import {
  aorOf,
  callReportOf,
  changeOf,
  DOMAIN,
  entityTagOf,
  identityOf,
  inviteOfCall,
  registerOf,
  requestBatchOf,
  routedCallOf,
} from './operations.ts';
import { openStateStream } from './state-stream.ts';

const WARM_UP = 50;
const ROUNDS = 200;
const WATCHERS = 10;

/** Who calls whom: nobody more calls than one may have. */
const PAIRS = [
  ['1013', '1014'],
  ['1015', '1016'],
] as const;

export interface FunctionCpu {
  /** Milliseconds of CPU of one invocation with one request, report or record. */
  readonly cpuMs: Readonly<Partial<Record<FunctionName, number>>>;
}

/** @param endpoint of DynamoDB Local, which runs in a process of its own */
export async function measureFunctions(endpoint: string): Promise<FunctionCpu> {
  const tableName = `functions-${randomUUID()}`;
  const client = localClient(endpoint);
  const { streamArn } = await ensureTable(client, tableName);
  const address = await prepare(endpoint, tableName);
  const load = (name: FunctionName): Promise<Handler> => loadFunction(name, endpoint, tableName);
  const stream = await openStateStream(client, tableName, streamArn, endpoint);
  const cpuMs: Partial<Record<FunctionName, number>> = {};

  const register = await load('register');
  cpuMs.register = await cpuOf((round) => register(requestBatchOf(registerOf('1001', 3 + round))));
  const subscribe = await load('subscribe');
  cpuMs.subscribe = await cpuOf(() => subscribe(requestBatchOf(newSubscription('1010'))));
  const publish = await load('publish');
  for (let watcher = 0; watcher < WATCHERS; watcher += 1) await subscribe(requestBatchOf(newSubscription('1012')));
  let tag: string | undefined;
  cpuMs.publish = await cpuOf(async (round) => {
    tag = entityTagOf(await publish(changeOf('1012', round % 2 === 0 ? 'early' : 'confirmed', tag)));
  });
  const { delivered } = await stream.read();
  const notify = await load('notify');
  cpuMs.notify = await cpuOf((round) => notify({ Records: delivered.slice(round, round + 1) }));
  for (const [, callee] of PAIRS) await register(requestBatchOf(registerOf(callee, 3)));
  Object.assign(cpuMs, await measureCalls(await load('call'), await load('call-report')));
  Object.assign(cpuMs, await measureReports(await load('lease'), await load('flow-closed'), address));
  const expire = await load('expire');
  cpuMs.expire = await cpuOf(() => expire({ loopSeconds: 0 }));
  stream.close();
  await client.send(new DeleteTableCommand({ TableName: tableName }));
  client.destroy();
  return { cpuMs };
}

const newSubscription = (user: string) =>
  subscribeOf({
    ...{ to: aorOf(user), toTag: `w-${randomUUID()}`, callId: `${randomUUID()}@client.invalid`, expires: 3_600 },
    receivedAtMs: Date.now(),
  });

/** One report of a call: it rings, is answered, ends, a third each. */
async function measureCalls(call: Handler, callReport: Handler): Promise<FunctionCpu['cpuMs']> {
  const nowMs = Date.now();
  const invites = Array.from({ length: WARM_UP + ROUNDS }, (_, round) => {
    const [caller, callee] = PAIRS[round % PAIRS.length] ?? PAIRS[0];
    return inviteOfCall(caller, callee, nowMs);
  });
  const calls: ReturnType<typeof routedCallOf>[] = [];
  const routed = await cpuOf(async (round) => {
    const invite = invites[round];
    if (invite) calls.push(routedCallOf(await call(requestBatchOf(invite)), invite));
  });
  const states = ['early', 'confirmed', 'terminated'] as const;
  const reported = await cpuOf(async (round) => {
    const [one, state] = [calls[Math.floor(round / states.length)], states[round % states.length]];
    if (one && state) await callReport(callReportOf(one, state, nowMs));
  });
  return { call: routed, 'call-report': reported };
}

async function measureReports(lease: Handler, flowClosed: Handler, address: string): Promise<FunctionCpu['cpuMs']> {
  const from = { contractVersion: CONTRACT_VERSION, gatewayId: 'gateway-1' };
  const flows = [{ flowId: 'flow-none', identity: identityOf('1001') }];
  const subscriptions = [{ id: 'sub-none', presentity: aorOf('1010'), event: 'dialog' }];
  const load = { leaseSeconds: 600, flows: 9, subscriptions: 90, draining: false };
  return {
    lease: await cpuOf(() => lease({ ...from, address, ...load })),
    'flow-closed': await cpuOf(() => flowClosed({ ...from, flows, subscriptions })),
  };
}

/** @returns milliseconds of CPU a round, after a warm-up */
async function cpuOf(work: (round: number) => Promise<unknown>): Promise<number> {
  for (let round = 0; round < WARM_UP; round += 1) await work(round);
  const before = process.cpuUsage();
  for (let round = WARM_UP; round < WARM_UP + ROUNDS; round += 1) await work(round);
  const { user, system } = process.cpuUsage(before);
  return Number(((user + system) / 1_000 / ROUNDS).toFixed(2));
}

/** A tenant of 20 users, and a gateway that takes everything. @returns where it is */
async function prepare(endpoint: string, tableName: string): Promise<string> {
  const table = openDynamoDbTable({ tableName, endpoint });
  const tenant = { domain: DOMAIN, passwordPrefix: 'demo', users: 20, publishers: ['pbx'], policy: {} };
  await table.writeBatch({ put: seedItems(tenant, TEST_VAULT), delete: [] });
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('{"unknown":[],"forwarded":[]}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const nowMs = Date.now();
  const lease = { gatewayId: 'gateway-1', address, grantedAtMs: nowMs, leaseEndsAtMs: nowMs + 600_000 };
  await saveLease(table, { ...lease, flows: 1, subscriptions: 1, draining: false });
  table.close();
  return address;
}
