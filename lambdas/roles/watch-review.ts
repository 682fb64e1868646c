/** Watch review: subscriptions that stand are decided anew; whoever sees otherwise from now on is told so, or ends. */
import type { GatewayId, SubscriptionId } from '#contract/ids.ts';
import type { EndInstruction, Instruction, NotifyInstruction } from '#contract/instruction.ts';
import type { TerminationReason } from '#contract/schemas.ts';
import { EVENT_PACKAGES, type EventPackage, watcherInfoName } from '#core/event-package.ts';
import { type Address, addressOfAor, aorOfIdentity } from '#core/identity.ts';
import { composeAsWritten, farewellOf, renderNotification } from '#core/notification.ts';
import type { Presentity } from '#core/presentity.ts';
import { decideAccess, NO_RULES, type WatchAccess } from '#core/watch-policy.ts';
import { accessOf, profileOf, withAccess } from '#core/watch-view.ts';
import { countChange, markDecidedAnew, markSeenAnew } from '#table/presentity-changes.ts';
import type { Table } from '#table/table.ts';
import { completeTenant, type Tenant } from '#table/tenant-item.ts';
import { loadManyWatchRules } from '#table/watch-rules.ts';
import { changeRendering, loadStandingWatchers, markEnding, type StandingWatcher } from '#table/watcher-access.ts';
import { deleteHeldWatcher } from '#table/watcher-item.ts';
import { chunksOf } from './batches.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';
import type { RoleLog } from './role-log.ts';
import { haveAgreed } from './watch-gate.ts';

export interface WatchReviewPorts extends DeliveryPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
  /** Of the domain, as the table has it now. */
  readonly loadTenant: (domain: string) => Promise<Tenant | undefined>;
}

/** Whose watchers, and a name of the decision: the same when it is made once more because telling it has failed. */
export interface Ruling {
  readonly presentity: Address;
  readonly decidedBy: string;
}

/** Decisions that overtake this one while it is made; then it is left to the next try. */
const MAX_ATTEMPTS = 3;
/** Subscriptions named in one POST. */
const MAX_IDS_PER_POST = 2_000;

/**
 * Decides all watchers of one presentity anew, by what the table says now. One UpdateItem, one Query, one GetItem and one
 * BatchGetItem; and for those who see otherwise from now on an UpdateItem each, one for the state, and one POST a gateway.
 *
 * First the state says that it is decided anew: who subscribes meanwhile looks at it after its own write, so that one of
 * both sees the other. Items change before the state gets its new version: what a fan-out sends to those whom it found in
 * their old view is older than that, and falls to the version check. What ends is marked, told and removed in this order:
 * told once more, it still ends. A decision that began after this one knows better: if there is one, this is made once more.
 * @returns false when a gateway that lives did not take it: decide again
 */
export async function reviewPresentity(ruling: Ruling, ports: WatchReviewPorts, nowMs: number): Promise<boolean> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const outcome = await decideOnce(ruling, ports, nowMs);
    if (outcome !== 'overtaken') return outcome === 'told';
  }
  return false;
}

async function decideOnce(
  ruling: Ruling,
  ports: WatchReviewPorts,
  nowMs: number,
): Promise<'told' | 'undelivered' | 'overtaken'> {
  const { presentity } = ruling;
  const number = await markDecidedAnew(ports.table, presentity, nowMs);
  const standing = await loadStandingWatchers(ports.table, presentity, nowMs);
  const decided = standing.length === 0 ? [] : await decideAll(ruling, standing, ports);
  if (decided.length === 0) return 'told';
  const [ending, changed] = await Promise.all([
    markAll(presentity, decided, ports.table),
    change(ruling, decided, ports.table),
  ]);
  const state = await markSeenAnew(ports.table, presentity, nowMs);
  if (state.decisions !== number) return 'overtaken';
  const instructions = [...endings(presentity, ending, nowMs), ...views(presentity, changed, state, nowMs)];
  if (!(await deliverAll(instructions, ports, nowMs))) return 'undelivered';
  await Promise.all(ending.map(({ watcher }) => deleteHeldWatcher(ports.table, presentity, watcher.event, watcher)));
  await tellOwners(presentity, decided, ports.table, nowMs);
  return 'told';
}

/** A watcher that is to see otherwise than its item says, or was made to by this very decision. */
interface Decided {
  readonly watcher: StandingWatcher;
  readonly eventPackage: EventPackage;
  readonly access: WatchAccess;
}

async function decideAll(
  { presentity, decidedBy }: Ruling,
  standing: readonly StandingWatcher[],
  ports: WatchReviewPorts,
): Promise<Decided[]> {
  const tenant = (await ports.loadTenant(presentity.domain)) ?? completeTenant(presentity.domain, {});
  const watching = standing.flatMap((watcher) => {
    const eventPackage = EVENT_PACKAGES.find(({ name }) => name === watcher.event);
    const address = addressOfAor(watcher.watcher);
    return eventPackage?.access === 'tenant' && address ? [{ watcher, eventPackage, address }] : [];
  });
  const own = watching.flatMap(({ address }) => (address.domain === presentity.domain ? [address] : []));
  const accounts = await loadManyWatchRules(ports.table, [presentity, ...own]);
  const rules = accounts.get(aorOfIdentity(presentity)) ?? NO_RULES;
  const agreed = await agreements(presentity.domain, watching, ports);
  return watching.flatMap(({ watcher, eventPackage, address }) => {
    const account = accounts.get(aorOfIdentity(address)) ?? NO_RULES;
    const isAgreed = agreed.get(address.domain) ?? true;
    const access = decideAccess({ address, rules: account }, { address: presentity, rules }, tenant.watch, isAgreed);
    const isNew =
      access !== accessOf(watcher.rendering) || watcher.decidedBy === decidedBy || watcher.ending !== undefined;
    return isNew ? [{ watcher, eventPackage, access }] : [];
  });
}

/** By domain of those who watch from elsewhere. */
async function agreements(
  domain: string,
  watching: readonly { readonly address: Address }[],
  ports: WatchReviewPorts,
): Promise<ReadonlyMap<string, boolean>> {
  const foreign = new Set(watching.map(({ address }) => address.domain).filter((each) => each !== domain));
  const found = [...foreign].map(
    async (each): Promise<[string, boolean]> => [each, await haveAgreed(each, domain, ports)],
  );
  return new Map(await Promise.all(found));
}

/**
 * Why a subscription of its own ends by its new access. One that was active cannot wait again (RFC 3857 section 4.7.1): it
 * ends, to be asked for anew.
 */
function endOf({ watcher, access }: Decided): TerminationReason | undefined {
  if (watcher.list !== undefined) return undefined;
  if (watcher.ending !== undefined) return watcher.ending === 'rejected' ? 'rejected' : 'deactivated';
  if (access === 'blocked') return 'rejected';
  return access === 'pending' ? 'deactivated' : undefined;
}

/** @returns those that end: one that subscribes at this moment, or was refreshed, has decided for itself */
async function markAll(presentity: Address, decided: readonly Decided[], table: Table): Promise<Decided[]> {
  const done = decided.map(async (each): Promise<Decided[]> => {
    const reason = endOf(each);
    if (reason === undefined) return [];
    const isMarked = each.watcher.ending !== undefined || (await markEnding(table, presentity, each.watcher, reason));
    return isMarked ? [each] : [];
  });
  return (await Promise.all(done)).flat();
}

/** @returns those whose item says so now: one that was refreshed meanwhile has decided for itself */
async function change(
  { presentity, decidedBy }: Ruling,
  decided: readonly Decided[],
  table: Table,
): Promise<Decided[]> {
  const done = decided.map(async (each): Promise<Decided[]> => {
    const { watcher, access } = each;
    if (endOf(each) !== undefined) return [];
    const rendering = withAccess(profileOf(watcher.rendering), access);
    const name = { presentity, event: watcher.event, id: watcher.id };
    const isDone = await changeRendering(table, name, watcher.cseq, rendering, decidedBy);
    return isDone ? [{ ...each, watcher: { ...watcher, rendering } }] : [];
  });
  return (await Promise.all(done)).flat();
}

type Addressed = readonly [gatewayId: GatewayId, instruction: Instruction];

function endings(presentity: Address, ending: readonly Decided[], nowMs: number): Addressed[] {
  return grouped(ending, (each) => endOf(each) ?? '').flatMap(([gatewayId, ids, first]): Addressed[] => {
    const reason = endOf(first);
    if (reason === undefined) return [];
    const view = { contentType: first.watcher.contentType, rendering: withAccess('', 'blocked') };
    const { body, ...farewell } = farewellOf(first.eventPackage, presentity, view, nowMs);
    const end: EndInstruction = {
      kind: 'end',
      subscriptionIds: ids,
      reason,
      notification: { ...farewell, body: [...body] },
    };
    return [[gatewayId, end]];
  });
}

function views(presentity: Address, changed: readonly Decided[], state: Presentity, nowMs: number): Addressed[] {
  const groups = grouped(changed, ({ watcher }) => `${watcher.rendering} ${watcher.list ?? ''}`);
  return groups.map(([gatewayId, subscriptionIds, { watcher, eventPackage, access }]): Addressed => {
    const seen = composeAsWritten(eventPackage, state);
    const notification = renderNotification(seen, presentity, state.version, watcher, nowMs);
    const instance = instanceFor(watcher, access);
    const notify: NotifyInstruction = {
      ...{ kind: 'notify', subscriptionIds, presentity: aorOfIdentity(presentity) },
      notification: { ...notification, body: [...notification.body] },
      ...(instance && { instance }),
    };
    return [gatewayId, notify];
  });
}

function instanceFor({ list }: StandingWatcher, access: WatchAccess): NotifyInstruction['instance'] {
  if (list === undefined) return undefined;
  if (access === 'blocked') return { state: 'terminated', reason: 'rejected' };
  return access === 'pending' ? { state: 'pending' } : undefined;
}

/** Those that one instruction can name: of one gateway, told alike. */
function grouped(
  decided: readonly Decided[],
  likeness: (each: Decided) => string,
): [GatewayId, SubscriptionId[], Decided][] {
  const keyOf = (each: Decided): string => {
    const { gatewayId, event, contentType } = each.watcher;
    return JSON.stringify([gatewayId, event, contentType, likeness(each)]);
  };
  const chunks = [...Map.groupBy(decided, keyOf).values()].flatMap((all) => chunksOf(all, MAX_IDS_PER_POST));
  return chunks.flatMap((some): [GatewayId, SubscriptionId[], Decided][] => {
    const [first] = some;
    return first ? [[first.watcher.gatewayId, some.map(({ watcher }) => watcher.id), first]] : [];
  });
}

/** @returns false when a gateway that lives did not take them */
async function deliverAll(addressed: readonly Addressed[], ports: WatchReviewPorts, nowMs: number): Promise<boolean> {
  const byGateway = Map.groupBy(addressed, ([gatewayId]) => gatewayId);
  const deliveries = [...byGateway].map(async ([gatewayId, all]) => {
    const delivery = await deliverTo(
      gatewayId,
      all.map(([, instruction]) => instruction),
      ports,
      nowMs,
    );
    return delivery.kind !== 'failed';
  });
  return (await Promise.all(deliveries)).every(Boolean);
}

/** Who watches the watchers learns of it (RFC 3857). Refused, which is fine, when nobody does. */
async function tellOwners(
  presentity: Address,
  decided: readonly Decided[],
  table: Table,
  nowMs: number,
): Promise<void> {
  const events = new Set(decided.map(({ watcher }) => watcherInfoName(watcher.event)));
  const known = EVENT_PACKAGES.filter(({ name }) => events.has(name));
  await Promise.all(known.map(({ name }) => countChange(table, presentity, name, nowMs)));
}
