/** Flow closer: removes what a gateway no longer holds (unless another has taken it over), and what it has delivered. */
import type { FlowClosedReport } from '#contract/gateway-report.ts';
import { gatewayIdOf, subscriptionIdOf } from '#contract/ids.ts';
import { EVENT_PACKAGES, watcherInfoName } from '#core/event-package.ts';
import { type Address, addressOfAor } from '#core/identity.ts';
import { isCounted } from '#core/presentity.ts';
import { loadBindings, removeBinding } from '#table/binding-item.ts';
import { deleteMemberWatchers } from '#table/member-watcher-item.ts';
import { removeMessage } from '#table/message-item.ts';
import { countChange } from '#table/presentity-changes.ts';
import { loadPresentities, loadPresentity } from '#table/presentity-item.ts';
import type { Table } from '#table/table.ts';
import { deleteHeldWatcher } from '#table/watcher-item.ts';
import { inParallel } from './batches.ts';
import { countMemberChanges } from './member-changes.ts';

/** Writes under way at once: a large flow-closed report must not open hundreds of connections. */
const PARALLEL_WRITES = 16;

type ClosedFlow = FlowClosedReport['flows'][number];
type EndedSubscription = FlowClosedReport['subscriptions'][number];

/** What was asked for; safe to repeat, so a gateway reports again after a failure. */
export interface FlowClosedResult {
  readonly flows: number;
  readonly subscriptions: number;
  readonly messages: number;
}

/**
 * One Query a closed registered flow, one conditional DeleteItem a binding of it, an ended subscription and a message,
 * and one GetItem a presentity that lost a watcher: who watches its watchers learns of it. To a list, one
 * BatchWriteItem 25 members and one BatchGetItem a hundred instead.
 * @throws {DependencyUnavailable} when the table does not answer; the whole report may be repeated
 */
export async function closeFlows(report: FlowClosedReport, table: Table, nowMs: number): Promise<FlowClosedResult> {
  const gatewayId = report.gatewayId;
  await inParallel(report.flows, PARALLEL_WRITES, (flow) => removeBindingsOf(flow, table));
  const losses = new Map<string, Loss>();
  await inParallel(report.subscriptions, PARALLEL_WRITES, async (subscription) => {
    const loss = await removeWatcher(subscription, gatewayId, table, nowMs);
    if (loss) losses.set(`${loss.event} ${subscription.presentity}`, loss);
  });
  await inParallel([...losses.values()], PARALLEL_WRITES, (loss) => tellLoss(loss, table, nowMs));
  const { messages = [] } = report;
  await inParallel(messages, PARALLEL_WRITES, ({ recipient, id }) => removeMessage(table, recipient, id));
  return { flows: report.flows.length, subscriptions: report.subscriptions.length, messages: messages.length };
}

async function removeBindingsOf({ flowId, identity }: ClosedFlow, table: Table): Promise<void> {
  const bindings = await loadBindings(table, identity);
  const held = bindings.filter((binding) => binding.flowId === flowId);
  // One that was refreshed from a new flow meanwhile stays: its DeleteItem is refused.
  await Promise.all(held.map((binding) => removeBinding(table, identity, binding)));
}

/** A presentity that lost a watcher in an event package. */
interface Loss {
  readonly presentity: Address;
  readonly event: string;
}

/** @returns undefined when it stays: another gateway holds it now, or it was gone before */
async function removeWatcher(
  ended: EndedSubscription,
  gatewayId: FlowClosedReport['gatewayId'],
  table: Table,
  nowMs: number,
): Promise<Loss | undefined> {
  const { presentity, event } = ended;
  const address = addressOfAor(presentity);
  if (!address) return undefined;
  const id = subscriptionIdOf(ended.id);
  const { cseq } = ended;
  const held = { id, gatewayId: gatewayIdOf(gatewayId), ...(cseq !== undefined && { cseq }) };
  const removed = await deleteHeldWatcher(table, address, event, held);
  if (removed?.list) {
    await deleteMemberWatchers(table, { presentity: address, event, id }, removed.list);
    const members = removed.list.members.flatMap((aor) => addressOfAor(aor) ?? []);
    await countMemberChanges(await loadPresentities(table, members), event, table, nowMs);
  }
  return removed && { presentity: address, event };
}

async function tellLoss({ presentity, event }: Loss, table: Table, nowMs: number): Promise<void> {
  const watcherInfo = watcherInfoName(event);
  if (!EVENT_PACKAGES.some(({ name }) => name === watcherInfo)) return;
  const state = await loadPresentity(table, presentity);
  if (isCounted(state, watcherInfo, nowMs)) await countChange(table, presentity, watcherInfo, nowMs);
}
