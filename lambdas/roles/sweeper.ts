/** Sweeper: looks at what is due and publishes what has run out: publications, bindings and dead gateways. */
import { StaleWrite } from '#core/error.ts';
import { loadBindingKeysOf, removeBindingOf, removeExpiredBinding } from '#table/binding-item.ts';
import { DUE_INDEX, DUE_SHARDS, gatewayOfKey, type Key, presentityOfKey, userOfKey } from '#table/keys.ts';
import { loadLease, removeLapsedLease } from '#table/lease-item.ts';
import { sweepPresentity } from '#table/presentity-sweep.ts';
import type { Table } from '#table/table.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface SweeperPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
}

export interface SweepResult {
  readonly publications: number;
  readonly gateways: number;
  readonly bindings: number;
  /** Left for the next pass. */
  readonly failures: number;
}

/** Keys looked at in one pass of one shard, and how many of them at once. */
const MAX_KEYS = 500;
const PARALLEL = 8;
const MAX_ATTEMPTS = 3;

/**
 * One pass: one Query a shard of the index `due`, then one read and one conditional write an item that is due.
 * One that fails does not stop the others; it is still due in the next pass.
 */
export async function sweep({ table, telemetry }: SweeperPorts, nowMs: number): Promise<SweepResult> {
  const total = { publications: 0, gateways: 0, bindings: 0, failures: 0 };
  const sweepShard = async (shard: string): Promise<void> => {
    const queue = (await dueKeys(table, shard, nowMs)).values();
    const work = async (): Promise<void> => {
      for (const key of queue) add(total, await sweepOne(table, key, nowMs, telemetry));
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
  };
  await Promise.all(DUE_SHARDS.map(sweepShard));
  return total;
}

function dueKeys(table: Table, shard: string, nowMs: number): Promise<Key[]> {
  return table.query({
    index: DUE_INDEX,
    keyCondition: 'dueShard = :shard AND dueAtMs <= :now',
    values: { ':shard': shard, ':now': nowMs },
    limit: MAX_KEYS,
  });
}

type Total = { -readonly [Name in keyof SweepResult]: number };

function add(total: Total, part: Partial<SweepResult>): void {
  total.publications += part.publications ?? 0;
  total.gateways += part.gateways ?? 0;
  total.bindings += part.bindings ?? 0;
  total.failures += part.failures ?? 0;
}

async function sweepOne(table: Table, key: Key, nowMs: number, telemetry: RoleLog): Promise<Partial<SweepResult>> {
  try {
    const presentity = presentityOfKey(key.PK);
    if (presentity) return { publications: await repeated(() => sweepPresentity(table, presentity, nowMs)) };
    // The stream tells what this means for the user: role registration-monitor.
    if (userOfKey(key.PK)) return { bindings: (await removeExpiredBinding(table, key, nowMs)) ? 1 : 0 };
    const gatewayId = gatewayOfKey(key.PK);
    return gatewayId ? { gateways: await sweepGateway(table, gatewayId, nowMs) } : {};
  } catch (error) {
    telemetry.log('warn', 'expire', { item: key.PK, ...failureFields(error) });
    return { failures: 1 };
  }
}

/** A PUBLISH that came in between is read and decided on again. */
async function repeated(work: () => Promise<number>): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StaleWrite) || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

/** The lease goes last: if anything before it fails, the gateway is still due in the next pass. */
async function sweepGateway(table: Table, gatewayId: string, nowMs: number): Promise<number> {
  const lease = await loadLease(table, gatewayId);
  if (lease && lease.leaseEndsAtMs > nowMs) return 0;
  const keys = await loadBindingKeysOf(table, gatewayId);
  await Promise.all(keys.map((key) => removeBindingOf(table, gatewayId, key)));
  return (await removeLapsedLease(table, gatewayId, nowMs)) ? 1 : 0;
}
