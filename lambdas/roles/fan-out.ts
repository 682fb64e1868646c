/** Fan-out: what changed is rendered once and sent to the gateways of its watchers, one POST a gateway. */
import type { GatewayId, SubscriptionId } from '#contract/ids.ts';
import type { NotifyInstruction } from '#contract/instruction.ts';
import { EVENT_PACKAGES, type EventPackage, watcherInfoName } from '#core/event-package.ts';
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { composeAsWritten, renderNotification, seenBy, type View } from '#core/notification.ts';
import { isCounted, type Presentity } from '#core/presentity.ts';
import { countChange } from '#table/presentity-changes.ts';
import { loadDetails } from '#table/presentity-details.ts';
import { decodeStateChange, type StateChange, sequenceNumberOf } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { deleteHeldWatcher, type HeldSubscription, queryWatchersByEvent } from '#table/watcher-item.ts';
import { chunksOf } from './batches.ts';
import { healConflict } from './conflict-healer.ts';
import { type DeliveryPorts, deliverTo, isElsewhere } from './gateway-delivery.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface FanOutPorts extends DeliveryPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
  /** Told of each change that a gateway has taken. */
  readonly accepted?: (changedAtMs: number) => void;
  /** True when other regions change the same items. */
  readonly isReplicated?: boolean;
}

/** Subscriptions named in one POST. */
const MAX_IDS_PER_POST = 5_000;
const HOP = 'notify';

/**
 * Sends a batch of stream records. For each presentity only its newest state goes out, if any record changed it: one
 * Query for all event packages that changed, one POST a gateway, and one more for each tenant with a large part of the batch.
 * @returns sequence numbers of the records to hand over again
 */
export async function fanOut(records: readonly unknown[], ports: FanOutPorts, nowMs: number): Promise<string[]> {
  const unsettled = new Set<string>();
  const groups = apart(runsOf(await settledChanges(records, ports, unsettled, nowMs)));
  const failed = await Promise.all(groups.map((runs) => fanOutRuns(runs, ports, nowMs)));
  return [...unsettled, ...failed.flat()];
}

/** A tenant with so much of a batch goes its own way: the others do not wait until all its watchers are found. */
const LARGE_PART = 0.25;

function apart(runs: readonly Run[]): (readonly Run[])[] {
  const byTenant = [...Map.groupBy(runs, ({ presentity }) => presentity.domain).values()];
  const isLarge = (ofTenant: readonly Run[]): boolean => ofTenant.length > runs.length * LARGE_PART;
  const others = byTenant.filter((ofTenant) => !isLarge(ofTenant)).flat();
  return [others, ...byTenant.filter(isLarge)];
}

async function fanOutRuns(runs: readonly Run[], ports: FanOutPorts, nowMs: number): Promise<string[]> {
  const failed = new Set<string>();
  const found = await Promise.all(
    runs.map((run) =>
      parcelsOf(run, ports, nowMs).catch((error: unknown) => {
        ports.telemetry.log('warn', HOP, { ...presentityFields(run.presentity), ...failureFields(error) });
        failed.add(run.firstSequenceNumber);
        return [];
      }),
    ),
  );
  const undelivered = await deliverAll(found.flat(), ports, nowMs);
  for (const { run } of undelivered) failed.add(run.firstSequenceNumber);
  return [...failed];
}

/** The changes of one presentity in a batch, in their order. */
interface Run {
  readonly presentity: Address;
  /** To repeat from: the change that counts may be any of them. */
  readonly firstSequenceNumber: string;
  readonly changes: readonly StateChange[];
  readonly newest: Presentity;
}

/** One instruction for one gateway. */
interface Parcel {
  readonly run: Run;
  readonly event: string;
  readonly gatewayId: GatewayId;
  readonly held: readonly HeldSubscription[];
  readonly instruction: NotifyInstruction;
}

/** Where items are in several regions: with what a conflict has left mended. */
async function settledChanges(
  records: readonly unknown[],
  ports: FanOutPorts,
  failed: Set<string>,
  nowMs: number,
): Promise<StateChange[]> {
  const changes = records.flatMap((record) => decodeOrSkip(record, ports.telemetry) ?? []);
  if (ports.isReplicated !== true) return changes;
  const settled: StateChange[] = [];
  for (const change of changes) {
    try {
      settled.push(await healConflict(change, ports, nowMs));
    } catch (error) {
      ports.telemetry.log('warn', HOP, { ...presentityFields(change.presentity), ...failureFields(error) });
      failed.add(change.sequenceNumber);
    }
  }
  return settled;
}

function runsOf(all: readonly StateChange[]): Run[] {
  const runs = new Map<string, StateChange[]>();
  for (const change of all) {
    // A write that is no new version (a sweep that only tidies) shows watchers nothing.
    if (change.before.version === change.after.version) continue;
    const key = `${change.presentity.domain}#${change.presentity.user}`;
    const known = runs.get(key);
    if (known) known.push(change);
    else runs.set(key, [change]);
  }
  return [...runs.values()].flatMap((changes): Run[] => {
    const [first] = changes;
    if (!first) return [];
    // The last one, unless a conflict was mended after it was written.
    const newest = changes.reduce((one, other) => (other.after.version >= one.after.version ? other : one));
    const { presentity, sequenceNumber } = first;
    return [{ presentity, firstSequenceNumber: sequenceNumber, changes, newest: newest.after }];
  });
}

// A record that cannot be read now cannot be read later: repeating it would only hold up the shard.
function decodeOrSkip(record: unknown, telemetry: RoleLog): StateChange | undefined {
  try {
    return decodeStateChange(record);
  } catch (error) {
    telemetry.log('error', HOP, { sequenceNumber: sequenceNumberOf(record), ...failureFields(error) });
    return undefined;
  }
}

async function parcelsOf(run: Run, ports: FanOutPorts, nowMs: number): Promise<Parcel[]> {
  const changed = EVENT_PACKAGES.filter((eventPackage) => hasChanged(eventPackage, run.changes));
  const names = changed.map(({ name }) => name);
  const watchers = await queryWatchersByEvent(ports.table, run.presentity, names, nowMs);
  const parcels = changed.map(async (eventPackage) => {
    const held = watchers.get(eventPackage.name) ?? [];
    if (held.length === 0) return [];
    const newest = await loadDetails(ports.table, run.presentity, eventPackage.source, run.newest, nowMs);
    return pack({ ...run, newest }, eventPackage, held, nowMs);
  });
  return (await Promise.all(parcels)).flat();
}

// Any step counts, not only first against last: one between may have been sent already, by a run that was cut short.
function hasChanged(eventPackage: EventPackage, changes: readonly StateChange[]): boolean {
  const composed = (presentity: Presentity): string => composeAsWritten(eventPackage, presentity).fingerprint;
  return changes.some(({ before, after }) => composed(before) !== composed(after));
}

/** True when some step changed what a watcher with this view is told; the default view shows every change. */
function hasChangedIn(view: View, eventPackage: EventPackage, changes: readonly StateChange[]): boolean {
  if (view.rendering === '') return true;
  const seen = (presentity: Presentity): string => seenBy(view, composeAsWritten(eventPackage, presentity)).fingerprint;
  return changes.some(({ before, after }) => seen(before) !== seen(after));
}

function pack(run: Run, eventPackage: EventPackage, watchers: readonly HeldSubscription[], nowMs: number): Parcel[] {
  const state = composeAsWritten(eventPackage, run.newest);
  const presentity = aorOfIdentity(run.presentity);
  const oldest = run.changes[0]?.before;
  const isPlain = watchers.every(({ rendering }) => rendering === '');
  const base = isPlain || oldest === undefined ? undefined : composeAsWritten(eventPackage, oldest);
  const byView = Map.groupBy(watchers, ({ contentType, rendering }) => `${contentType} ${rendering}`);
  return [...byView.values()].flatMap((group) => {
    const [view] = group;
    if (view === undefined || !hasChangedIn(view, eventPackage, run.changes)) return [];
    const rendered = renderNotification(state, run.presentity, run.newest.version, view, nowMs, base);
    const { changedAtMs, causedBy } = run.newest;
    const notification = { ...rendered, changedAtMs, ...(causedBy !== undefined && { causedBy }) };
    const byGateway = Map.groupBy(group, ({ gatewayId }) => gatewayId);
    return [...byGateway].flatMap(([gatewayId, held]) =>
      chunksOf(held, MAX_IDS_PER_POST).map((some): Parcel => {
        const subscriptionIds = some.map(({ id }) => id);
        const instruction = { kind: 'notify' as const, subscriptionIds, presentity, notification };
        return { run, event: eventPackage.name, gatewayId, held: some, instruction };
      }),
    );
  });
}

/** @returns the parcels that a living gateway did not take */
async function deliverAll(parcels: readonly Parcel[], ports: FanOutPorts, nowMs: number): Promise<Parcel[]> {
  const byGateway = Map.groupBy(parcels, ({ gatewayId }) => gatewayId);
  const undelivered = [...byGateway].map(async ([gatewayId, all]) => {
    const failed: Parcel[] = [];
    if (await isElsewhere(gatewayId, ports, nowMs)) return failed;
    for (const post of postsOf(all)) if (!(await deliverPost(gatewayId, post, ports, nowMs))) failed.push(...post);
    return failed;
  });
  return (await Promise.all(undelivered)).flat();
}

/** Fills posts up to the limit of subscriptions; each parcel is within it. */
function postsOf(parcels: readonly Parcel[]): Parcel[][] {
  const posts: Parcel[][] = [];
  let room = 0;
  for (const parcel of parcels) {
    const size = parcel.instruction.subscriptionIds.length;
    const last = posts.at(-1);
    if (last && size <= room) last.push(parcel);
    else posts.push([parcel]);
    room = (last && size <= room ? room : MAX_IDS_PER_POST) - size;
  }
  return posts;
}

/** @returns false when it must be tried again */
async function deliverPost(
  gatewayId: GatewayId,
  post: readonly Parcel[],
  ports: FanOutPorts,
  nowMs: number,
): Promise<boolean> {
  try {
    const instructions = post.map(({ instruction }) => instruction);
    const delivery = await deliverTo(gatewayId, instructions, ports, nowMs);
    if (delivery.kind === 'delivered') {
      for (const parcel of post) tellAccepted(parcel, ports);
      await forgetUnknown(post, new Set(delivery.unknown), ports.table, nowMs);
    } else ports.telemetry.log('warn', HOP, { gateway: gatewayId, outcome: delivery.kind, reason: delivery.reason });
    return delivery.kind !== 'failed';
  } catch (error) {
    ports.telemetry.log('warn', HOP, { gateway: gatewayId, ...failureFields(error) });
    return false;
  }
}

function tellAccepted({ run, event, gatewayId, held }: Parcel, { accepted, telemetry }: FanOutPorts): void {
  const { newest, changes, presentity } = run;
  accepted?.(newest.changedAtMs);
  telemetry.log('info', HOP, {
    ...{ ...presentityFields(presentity), event, version: newest.version, callId: newest.causedBy },
    ...{ changes: changes.length, gateway: gatewayId, subscriptions: held.length, outcome: 'delivered' },
  });
}

/** The table heals itself: what the gateway does not hold is removed, unless it was taken over or refreshed meanwhile. */
async function forgetUnknown(
  post: readonly Parcel[],
  unknown: ReadonlySet<SubscriptionId>,
  table: Table,
  nowMs: number,
): Promise<void> {
  if (unknown.size === 0) return;
  await Promise.all(
    post.map(async ({ run, event, held }) => {
      const lost = held.filter(({ id }) => unknown.has(id));
      await Promise.all(lost.map((watcher) => deleteHeldWatcher(table, run.presentity, event, watcher)));
      const watcherInfo = watcherInfoName(event);
      const isTold = lost.length > 0 && isCounted(run.newest, watcherInfo, nowMs);
      if (isTold) await countChange(table, run.presentity, watcherInfo, nowMs);
    }),
  );
}

const presentityFields = ({ domain, user }: Address) => ({ tenant: domain, presentity: user });
