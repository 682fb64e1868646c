/** Flow closer: removes what a gateway no longer holds (unless another has taken it over), and what it has delivered. */
import type { FlowClosedReport } from '#contract/gateway-report.ts';
import { addressOf } from '#core/identity.ts';
import { parseUri } from '#core/sip/uri.ts';
import { loadBindings, removeBinding } from '#table/binding-item.ts';
import { watcherKey } from '#table/keys.ts';
import { removeMessage } from '#table/message-item.ts';
import type { Table } from '#table/table.ts';

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
 * One Query a closed registered flow, one conditional DeleteItem a binding of it, an ended subscription and a message.
 * @throws {DependencyUnavailable} when the table does not answer; the whole report may be repeated
 */
export async function closeFlows(report: FlowClosedReport, table: Table): Promise<FlowClosedResult> {
  const gatewayId = report.gatewayId;
  await inParallel(report.flows, (flow) => removeBindingsOf(flow, table));
  await inParallel(report.subscriptions, (subscription) => removeWatcher(subscription, gatewayId, table));
  await inParallel(report.messages, ({ recipient, id }) => removeMessage(table, recipient, id));
  return { flows: report.flows.length, subscriptions: report.subscriptions.length, messages: report.messages.length };
}

async function removeBindingsOf({ flowId, identity }: ClosedFlow, table: Table): Promise<void> {
  const bindings = await loadBindings(table, identity);
  const held = bindings.filter((binding) => binding.flowId === flowId);
  // One that was refreshed from a new flow meanwhile stays: its DeleteItem is refused.
  await Promise.all(held.map((binding) => removeBinding(table, identity, binding)));
}

async function removeWatcher(
  { id, presentity, event }: EndedSubscription,
  gatewayId: FlowClosedReport['gatewayId'],
  table: Table,
): Promise<void> {
  const uri = parseUri(presentity);
  if (!uri) return;
  const { domain, user } = addressOf(uri);
  await table.delete(watcherKey(domain, user, event, id), {
    condition: 'gatewayId = :gateway',
    values: { ':gateway': gatewayId },
  });
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL_WRITES }, worker));
}
