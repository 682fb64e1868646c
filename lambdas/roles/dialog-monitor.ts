/** Dialog monitor: what gateways tell of calls goes to the calls' own items and to the state of both parties. */
import type { CallSnapshot } from '#contract/call.ts';
import type { CallSide } from '#core/call-dialogs.ts';
import { DependencyUnavailable, StaleWrite } from '#core/error.ts';
import { addressOfAor, isStorable } from '#core/identity.ts';
import { saveSnapshot } from '#table/call-item.ts';
import { saveCallDialogs } from '#table/call-publication.ts';
import type { Table } from '#table/table.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface DialogMonitorPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
}

export interface ReportResult {
  readonly taken: number;
  /** Later word was here first, or the call is unknown. */
  readonly stale: number;
}

const HOP = 'call-report';

/**
 * Takes the newest word of some calls: for each the call's own item (see `saveSnapshot`) and one UpdateItem a party.
 * Safe to repeat as a whole.
 * @throws {DependencyUnavailable} when the table does not answer
 */
export async function reportCalls(
  { snapshots }: { readonly snapshots: readonly CallSnapshot[] },
  ports: DialogMonitorPorts,
  nowMs: number,
): Promise<ReportResult> {
  const results = await Promise.allSettled(snapshots.map((snapshot) => takeSnapshot(snapshot, ports, nowMs)));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  for (const error of failures) ports.telemetry.log('error', HOP, failureFields(error));
  const again = failures.find((error) => error instanceof DependencyUnavailable || error instanceof StaleWrite);
  // What cannot be written now cannot be written later: repeating it would hold up the other calls.
  if (again) throw again;
  const taken = results.filter((result) => result.status === 'fulfilled' && result.value).length;
  return { taken, stale: snapshots.length - taken - failures.length };
}

async function takeSnapshot(snapshot: CallSnapshot, ports: DialogMonitorPorts, nowMs: number): Promise<boolean> {
  // The end is shown first: as long as the call's own item does not say it, somebody will look after the call.
  const hasEnded = snapshot.state === 'terminated';
  if (hasEnded) await showCall(snapshot, ports, nowMs);
  const isTaken = await saveSnapshot(ports.table, snapshot);
  // A word that is not the newest must not show the call again.
  if (isTaken && !hasEnded) await showCall(snapshot, ports, nowMs);
  return isTaken;
}

/** A callee that has not answered in any way is not shown; who is outside never is. */
export async function showCall(snapshot: CallSnapshot, ports: DialogMonitorPorts, nowMs: number): Promise<void> {
  const sides: readonly CallSide[] = snapshot.forks.length > 0 ? ['caller', 'callee'] : ['caller'];
  const inside = sides.filter((side) => side !== snapshot.outside);
  await Promise.all(inside.map((side) => showSide(snapshot, side, ports, nowMs)));
}

async function showSide(
  snapshot: CallSnapshot,
  side: CallSide,
  { table, telemetry }: DialogMonitorPorts,
  nowMs: number,
): Promise<void> {
  const { aor } = snapshot[side];
  const address = addressOfAor(aor);
  if (address === undefined || !isStorable(address)) return;
  const isShown = await saveCallDialogs(table, address, snapshot, side, nowMs);
  if (!isShown) telemetry.log('warn', HOP, { presentity: aor, outcome: 'no room for the call' });
}
