/**
 * The queue of a webhook, in its own item: when something is due, who delivers at the moment, how it went. One delivers at a
 * time, for as long as its run lasts; what is asked for meanwhile is counted, so that nothing is left over.
 */
import { dueShardOf, webhookKey } from './keys.ts';
import { nextVersion } from './resource-write.ts';
import type { Attributes, Table, TransactionWrite, Update } from './table.ts';
import { decodeWebhook, type Webhook, type WebhookTest } from './webhook-item.ts';

/** Names one run of deliveries. */
export interface Run {
  readonly domain: string;
  readonly id: string;
  readonly run: string;
}

/** What a run has found out. */
export interface RunFacts {
  readonly succeededAtMs?: number | undefined;
  readonly failure?: { readonly atMs: number; readonly reason: string } | undefined;
  readonly test?: WebhookTest | undefined;
}

const ENABLED = { condition: 'attribute_exists(PK) AND #enabled = :yes', names: { '#enabled': 'enabled' } } as const;
const shardOf = (domain: string, id: string): string => {
  const { PK, SK } = webhookKey(domain, id);
  return dueShardOf(PK + SK);
};

/**
 * One UpdateItem: there are news. A run that goes on sees them too; one that failed is not tried sooner.
 * @param isUrgent tried at once all the same
 * @returns false when the webhook is gone, or switched off
 */
export async function askDelivery(
  table: Table,
  domain: string,
  id: string,
  nowMs: number,
  isUrgent = false,
): Promise<boolean> {
  const result = await table.update(webhookKey(domain, id), {
    ...ENABLED,
    update: `SET dueAtMs = ${isUrgent ? ':now' : 'if_not_exists(dueAtMs, :now)'}, dueShard = :shard ADD asked :one`,
    values: { ':yes': true, ':now': nowMs, ':shard': shardOf(domain, id), ':one': 1 },
  });
  return result.kind === 'done';
}

/**
 * One UpdateItem: from now on this run delivers.
 * @param untilMs when another one takes over, should this one have died
 * @returns undefined when nothing is due, or another run is at it
 */
export async function claimDelivery(
  table: Table,
  { domain, id, run }: Run,
  nowMs: number,
  untilMs: number,
): Promise<Webhook | undefined> {
  const result = await table.update(webhookKey(domain, id), {
    update: 'SET #run = :run, runUntilMs = :until, dueAtMs = :until, dueShard = :shard',
    condition: `${ENABLED.condition} AND dueAtMs <= :now AND (attribute_not_exists(runUntilMs) OR runUntilMs <= :now)`,
    names: { ...ENABLED.names, '#run': 'run' },
    values: { ':yes': true, ':run': run, ':until': untilMs, ':now': nowMs, ':shard': shardOf(domain, id) },
    returning: 'ALL_NEW',
  });
  return result.kind === 'done' && result.item ? decodeWebhook(result.item, domain) : undefined;
}

/**
 * One UpdateItem: everything was told.
 * @returns how often deliveries were asked for when that is more than the run has seen: then it goes on
 */
export async function endRun(table: Table, run: Run, seen: number, facts: RunFacts): Promise<number | undefined> {
  const update = endOf(run, facts, NOTHING_DUE);
  const result = await table.update(webhookKey(run.domain, run.id), {
    ...update,
    condition: `${update.condition} AND asked <= :seen`,
    values: { ...update.values, ':seen': seen },
  });
  if (result.kind === 'done' || result.item === undefined || result.item.run !== run.run) return undefined;
  return decodeWebhook(result.item, run.domain).asked;
}

/** One UpdateItem: it goes on at this time. */
export async function pauseRun(
  table: Table,
  run: Run,
  facts: RunFacts,
  dueAtMs: number,
  failing?: { readonly failures: number; readonly failingSinceMs: number },
): Promise<void> {
  await table.update(webhookKey(run.domain, run.id), endOf(run, facts, { set: { dueAtMs, ...failing }, remove: [] }));
}

/** The write that switches a webhook off, unless somebody has changed it meanwhile. */
export function disableWrite(
  run: Run,
  { version }: Webhook,
  facts: RunFacts,
  reason: string,
  nowMs: number,
): TransactionWrite {
  const off = { enabled: false, disabledReason: reason, disabledAtMs: nowMs, version: nextVersion(version, nowMs) };
  const update = endOf(run, facts, { ...NOTHING_DUE, set: off });
  return {
    kind: 'update',
    key: webhookKey(run.domain, run.id),
    ...update,
    condition: `${update.condition} AND #version = :before`,
    names: { ...update.names, '#version': 'version' },
    values: { ...update.values, ':before': version },
  };
}

interface Leaving {
  readonly set: Attributes;
  readonly remove: readonly string[];
}
const NOTHING_DUE: Leaving = { set: {}, remove: ['dueAtMs', 'dueShard'] };

/** The end of a run, with what it has found out; refused when another one has taken over. */
function endOf({ run }: Run, { succeededAtMs, failure, test }: RunFacts, { set, remove }: Leaving) {
  const hasSucceeded = succeededAtMs !== undefined;
  const all = Object.entries({
    ...(hasSucceeded && { lastSuccessAtMs: succeededAtMs }),
    ...(failure && { lastFailureAtMs: failure.atMs, lastFailure: failure.reason }),
    ...(test && { lastTest: test }),
    ...set,
  });
  const gone = ['#run', 'runUntilMs', ...remove, ...(hasSucceeded ? ['failures', 'failingSinceMs'] : [])].filter(
    (name) => !(name in set),
  );
  const sets = all.map((_, index) => `#s${index} = :s${index}`);
  return {
    update: `${sets.length === 0 ? '' : `SET ${sets.join(', ')} `}REMOVE ${gone.join(', ')}`,
    condition: '#run = :run',
    names: { '#run': 'run', ...Object.fromEntries(all.map(([name], index) => [`#s${index}`, name])) },
    values: { ':run': run, ...Object.fromEntries(all.map(([, value], index) => [`:s${index}`, value])) },
  } satisfies Update;
}
