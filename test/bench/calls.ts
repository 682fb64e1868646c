/** Calls through the whole local stack: how many a second, what the gateway spends on one, how much later it rings. */
import { routeCall } from '#roles/call-router.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { bind, inviteOf, lease, routerPorts, seedTenant, snapshotOf } from '#test/support/calls.ts';
import type { LocalStack } from '#test/support/local-stack.ts';
import { Phone, SDP } from '#test/support/phone.ts';
import type { ReceivedMessage } from '#test/support/sip-client.ts';
import { cpuMicros, gatewayPid, type Quantiles, quantiles } from './process-usage.ts';
import { describeCounts } from './requests.ts';

const FIRST_CALLER = 1001;
const FIRST_CALLEE = 2001;
/** People who call each other in turn: nobody makes a hundred calls a minute. */
const PAIRS = 60;
const WARM_UP = 20;

export interface CallsMeasured {
  readonly callsPerSecond: number;
  readonly gatewayMicrosPerCall: number;
  /** From the caller's INVITE to the callee's. */
  readonly inviteMs: Quantiles;
  /** Calls that the system refused. */
  readonly refused: number;
}

interface Pair {
  readonly caller: Phone;
  readonly callee: Phone;
}

/** So many calls, so many at once: INVITE, 180, 200, ACK, BYE. */
export async function measureCalls(stack: LocalStack, atOnce: number, calls: number): Promise<CallsMeasured> {
  const pairs: Pair[] = [];
  for (let i = 0; i < PAIRS; i++) pairs.push(await openPair(stack, i));
  await callAll(pairs, atOnce, WARM_UP);
  const [beganMs, cpuBefore] = [performance.now(), cpuMicros(gatewayPid(stack))];
  const samples = await callAll(pairs, atOnce, calls);
  const seconds = (performance.now() - beganMs) / 1_000;
  const gatewayMicrosPerCall = (cpuMicros(gatewayPid(stack)) - cpuBefore) / calls;
  await Promise.all(pairs.flatMap(({ caller, callee }) => [caller.client.close(), callee.client.close()]));
  const refused = calls - samples.length;
  return { callsPerSecond: samples.length / seconds, gatewayMicrosPerCall, inviteMs: quantiles(samples), refused };
}

async function openPair(stack: LocalStack, index: number): Promise<Pair> {
  const caller = await Phone.connect(stack.url(), String(FIRST_CALLER + index));
  const callee = await Phone.connect(stack.url(), String(FIRST_CALLEE + index));
  for (const { client } of [caller, callee]) {
    const { status } = await client.register();
    if (status !== 200) throw new Error(`REGISTER was answered ${status}`);
  }
  return { caller, callee };
}

/** @returns milliseconds from INVITE to INVITE, of the calls that were not refused */
async function callAll(pairs: readonly Pair[], atOnce: number, calls: number): Promise<number[]> {
  const samples: number[] = [];
  const idle = [...pairs];
  let left = calls;
  const work = async (): Promise<void> => {
    for (; left > 0; ) {
      left--;
      const pair = idle.shift();
      if (pair === undefined) throw new Error('more calls at once than pairs');
      const ms = await callOnce(pair);
      if (ms !== undefined) samples.push(ms);
      idle.push(pair);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return samples;
}

const isFinal = ({ status, header }: ReceivedMessage): boolean => status >= 200 && header('cseq').endsWith('INVITE');

async function callOnce({ caller, callee }: Pair): Promise<number | undefined> {
  const [sent, received] = [caller.client.received.length, callee.client.received.length];
  const beganMs = performance.now();
  const outgoing = caller.invite(callee.client.user);
  const invited = next(callee, received, ({ method }) => method === 'INVITE');
  const first = await Promise.race([invited, next(caller, sent, isFinal)]);
  if (first.method !== 'INVITE') {
    invited.catch(() => {});
    caller.hopByHop('ACK', outgoing, first.header('to'));
    return undefined;
  }
  const inviteMs = performance.now() - beganMs;
  callee.answer(first, 180);
  callee.answer(first, 200, { body: SDP, headers: ['Content-Type: application/sdp'] });
  const dialog = caller.dialogOf(await next(caller, sent, isFinal));
  caller.sendIn(dialog, 'ACK');
  const bye = caller.sendIn(dialog, 'BYE');
  callee.answer(await next(callee, received, ({ method }) => method === 'BYE'), 200);
  await next(caller, sent, ({ status, header }) => status === 200 && header('cseq') === bye);
  return inviteMs;
}

const next = (phone: Phone, since: number, matches: (message: ReceivedMessage) => boolean) =>
  phone.next(matches, since, 30_000);

/** DynamoDB requests of the steps of one call, counted at the table port. */
export async function measureCallRequests(endpoint: string): Promise<Record<string, string>> {
  const table = openDynamoDbTable({ tableName: 'lampfield', endpoint });
  const nowMs = Date.now();
  const ports = routerPorts(table);
  await lease(table, nowMs);
  await seedTenant(table, 'bench.example');
  await bind(table, 'bench.example', '1002', nowMs);
  const tenant = await ports.loadTenant('bench.example');
  const costs: Record<string, string> = {};
  const count = async <T>(step: string, work: () => Promise<T>): Promise<T> => {
    const before = { ...table.requestCounts };
    const result = await work();
    costs[step] = describeCounts(before, table.requestCounts);
    return result;
  };
  const envelope = inviteOf({ domain: 'bench.example', callId: 'bench' });
  const cached = { ...ports, loadTenant: async () => tenant };
  await routeCall(inviteOf({ domain: 'bench.example', callId: 'first' }), cached, nowMs); // the lease is known from then on
  const { route } = await count('INVITE of an identified flow', () => routeCall(envelope, cached, nowMs));
  if (route === undefined) throw new Error('no route');
  const call = { ...route, headers: [], callId: 'bench' };
  const tell = (step: string, state: 'early' | 'confirmed' | 'terminated', sequence: number) => {
    const forks = [{ tag: 'to-1', state }];
    const more = state === 'terminated' ? { cause: 'bye' as const, endedAtMs: nowMs, answeredAtMs: nowMs } : {};
    const snapshot = snapshotOf(call, nowMs, { sequence, state, forks, more });
    return count(step, () => reportCalls({ snapshots: [snapshot] }, ports, nowMs));
  };
  await tell('it rings (early)', 'early', 1);
  await tell('it is answered (confirmed)', 'confirmed', 2);
  await tell('it ends (terminated)', 'terminated', 3);
  table.close();
  return costs;
}
