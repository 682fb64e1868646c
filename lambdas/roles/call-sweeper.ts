/** Call sweeper: ends calls that nobody ends any more: those of dead gateways, and those whose time is over. */
import type { CallSnapshot } from '#contract/call.ts';
import { type Call, decodeCall, endCallAsRead, forgetDue } from '#table/call-item.ts';
import type { Key } from '#table/keys.ts';
import type { Item } from '#table/table.ts';
import { type DialogMonitorPorts, showCall } from './dialog-monitor.ts';

/** After any word of a gateway: what comes later changes nothing. */
const LAST_SEQUENCE = Number.MAX_SAFE_INTEGER;

/**
 * Ends a call whose time is over: one GetItem, the transaction of an end, one UpdateItem a party and one of the call.
 * @returns how many calls ended
 */
export async function sweepCall(key: Key, ports: DialogMonitorPorts, nowMs: number): Promise<number> {
  return endIf(key, ports, nowMs, ({ snapshot, dueAtMs = Number.POSITIVE_INFINITY }) =>
    dueAtMs > nowMs ? undefined : overdueCause(snapshot),
  );
}

/** Ends a call of a gateway that is dead, as {@link sweepCall} does. */
export async function sweepCallOf(
  gatewayId: string,
  key: Key,
  ports: DialogMonitorPorts,
  nowMs: number,
): Promise<number> {
  return endIf(key, ports, nowMs, (call) => (call.gatewayId === gatewayId ? { cause: 'gatewayLost' } : undefined));
}

type End = Pick<CallSnapshot, 'cause' | 'status'>;

/** A call of which no gateway has ever told was never made: the route did not reach its gateway. */
const overdueCause = ({ sequence }: CallSnapshot): End =>
  sequence === 0 ? { cause: 'failed', status: 500 } : { cause: 'tooLong' };

async function endIf(
  key: Key,
  ports: DialogMonitorPorts,
  nowMs: number,
  decide: (call: Call) => End | undefined,
): Promise<number> {
  const item = await ports.table.get(key, { consistent: true });
  if (item === undefined) return 0;
  // A sweep that broke off has ended it, but perhaps not shown that.
  if (item.state === 'terminated') return showEnd(key, decodeCall(item).snapshot, ports, nowMs).then(() => 0);
  const call = decodeCall(item);
  const end = decide(call);
  if (end === undefined) return 0;
  return (await endAsRead(key, item, { ...call.snapshot, ...end }, ports, nowMs)) ? 1 : 0;
}

async function endAsRead(
  key: Key,
  item: Item,
  call: CallSnapshot,
  ports: DialogMonitorPorts,
  nowMs: number,
): Promise<boolean> {
  const ended = { ...call, state: 'terminated' as const, sequence: LAST_SEQUENCE, endedAtMs: nowMs };
  // When it has been heard of meanwhile it is looked at again in the next pass.
  if (!(await endCallAsRead(ports.table, item, ended, nowMs))) return false;
  await showEnd(key, ended, ports, nowMs);
  return true;
}

async function showEnd(key: Key, ended: CallSnapshot, ports: DialogMonitorPorts, nowMs: number): Promise<void> {
  await showCall(ended, ports, nowMs);
  await forgetDue(ports.table, key);
}
