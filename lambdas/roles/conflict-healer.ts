/**
 * Conflict healer, where several regions change the same items: of two that change a presentity at the same time the last
 * writer's whole item stands in both (DynamoDB global tables). The region whose word was lost sees that in its stream, and
 * mends there what can be known: a version that goes on, the calls and the registration that other items speak of. What a
 * publisher said comes again by itself: its next PUBLISH finds no publication (412) and begins anew (RFC 3903 section 4.1).
 */
import { isLive } from '#core/dialog.ts';
import { EVENT_PACKAGES } from '#core/event-package.ts';
import type { Address } from '#core/identity.ts';
import type { Presentity } from '#core/presentity.ts';
import { loadBindings } from '#table/binding-item.ts';
import { loadCalls } from '#table/call-item.ts';
import { isPublicationOfCall } from '#table/call-publication.ts';
import { markRegistered, raiseVersion } from '#table/presentity-changes.ts';
import { SYSTEM } from '#table/presentity-item.ts';
import type { StateChange } from '#table/stream-record.ts';
import { type DialogMonitorPorts, showCall } from './dialog-monitor.ts';

/**
 * Mends one change of the stream. Nothing is read or written for one that no conflict can have made.
 * @returns the change with the state that stands now, of a version that no gateway has seen
 */
export async function healConflict(
  change: StateChange,
  ports: DialogMonitorPorts,
  nowMs: number,
): Promise<StateChange> {
  await restoreCalls(change, ports, nowMs);
  await restoreRegistration(change, ports, nowMs);
  if (!isOverwritten(change)) return change;
  const after = await raiseVersion(ports.table, change.presentity, change.before.version, nowMs);
  return { ...change, after };
}

/**
 * True when the item of another region has taken the place of this one's. Gateways here have seen this one's version: what
 * is not newer they drop, so that lamps would stand still until the count has caught up.
 */
export function isOverwritten({ before, after }: StateChange): boolean {
  if (after.version !== before.version) return after.version < before.version;
  return EVENT_PACKAGES.some((each) => {
    const seen = (state: Presentity): string => each.compose(state, state.changedAtMs).fingerprint;
    return seen(before) !== seen(after);
  });
}

/** What the system says of calls stands in their own items too. One Query for each Call-ID that is no longer shown. */
async function restoreCalls({ presentity, before, after }: StateChange, ports: DialogMonitorPorts, nowMs: number) {
  const standing = new Set(after.publications.map(({ id }) => id));
  const lost = before.publications.filter(
    ({ id, publisher, expiresAtMs }) => publisher === SYSTEM && expiresAtMs > nowMs && !standing.has(id),
  );
  const callIds = new Set(
    lost.flatMap(({ content }) =>
      content.kind === 'dialogs' ? content.live.filter(isLive).flatMap(({ callId }) => callId ?? []) : [],
    ),
  );
  for (const callId of callIds) {
    const calls = await loadCalls(ports.table, presentity.domain, callId);
    const shown = calls.filter(({ snapshot }) => lost.some(({ id }) => isPublicationOfCall(id, snapshot)));
    for (const { snapshot } of shown) if (snapshot.state !== 'terminated') await showCall(snapshot, ports, nowMs);
  }
}

/** Bindings have items of their own. One Query when the state no longer says that the user is registered. */
async function restoreRegistration(
  { presentity, before, after }: StateChange,
  { table }: DialogMonitorPorts,
  nowMs: number,
): Promise<void> {
  if (before.registered !== true || after.registered === true) return;
  const bindings = await loadBindings(table, presentity satisfies Address);
  if (bindings.some(({ expiresAtMs }) => expiresAtMs > nowMs)) await markRegistered(table, presentity, nowMs);
}
