/** DynamoDB requests of one call between two users, from its INVITE until nothing is left of it in their states. */
import { routeCall } from '#roles/call-router.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import type { DynamoDbTable } from '#table/dynamodb.ts';
import { sweepPresentity } from '#table/presentity-sweep.ts';
import { bind, inviteOf, lease, routerPorts, snapshotOf, type TestCall, type Told } from '#test/support/calls.ts';
import { token } from '#test/support/sip-client.ts';

const domain = 'demo.example';
/** What is left of a call stands half a minute. */
const SWEPT_AFTER_MS = 31_000;
const telemetry = { log: () => undefined };

/**
 * @param count runs an operation and notes its requests under this name
 */
export async function measureCall(
  table: DynamoDbTable,
  count: <T>(operation: string, work: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const nowMs = Date.now();
  await lease(table, nowMs);
  await bind(table, domain, '1012', nowMs);
  const ports = routerPorts(table);
  await ports.leases.find('gateway-1', nowMs);
  const policy = await ports.loadTenant(domain);
  const cached = { ...ports, loadTenant: async () => policy };
  const invite = { ...inviteOf({ domain, from: '1011', to: '1012', callId: token() }), receivedAtMs: nowMs };
  const { route } = await count('INVITE, routed to one contact', () => routeCall(invite, cached, nowMs));
  if (!route) throw new Error('the bench has no route');
  const callId = invite.request.headers.find(([name]) => name === 'Call-ID')?.[1] ?? '';
  const call: TestCall = { ...route, headers: [], callId };
  const callee = { aor: route.callee, tag: 'to-0' };
  const expiresAtMs = invite.receivedAtMs + route.maxDurationMs;
  const told: readonly (readonly [string, Told])[] = [
    ['call rings', { sequence: 1, state: 'early' }],
    ['call is answered', { sequence: 2, state: 'confirmed', more: { callee, answeredAtMs: nowMs } }],
    ['call ends', { sequence: 3, state: 'terminated', more: { callee, answeredAtMs: nowMs, endedAtMs: nowMs } }],
  ];
  for (const [operation, one] of told) {
    const forks = [{ tag: 'to-0', state: one.state }];
    const snapshots = [snapshotOf(call, nowMs, { ...one, forks, more: { ...one.more, expiresAtMs } })];
    await count(`${operation}, both parties told`, () => reportCalls({ snapshots }, { table, telemetry }, nowMs));
  }
  const parties = ['1011', '1012'].map((user) => ({ domain, user }));
  const sweepAll = (): Promise<number[]> =>
    Promise.all(parties.map((party) => sweepPresentity(table, party, nowMs + SWEPT_AFTER_MS)));
  await count('what is left of it is swept later', sweepAll);
}
