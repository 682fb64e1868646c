/** Sweeper: looks at what is due and publishes what has run out: publications, bindings, calls and dead gateways. */
import { StaleWrite } from '#core/error.ts';
import { loadKeysHeldBy, removeBindingOf, removeExpiredBinding } from '#table/binding-item.ts';
import {
  DUE_INDEX,
  DUE_SHARDS,
  gatewayOfKey,
  isCallKey,
  isRemovedKey,
  type Key,
  presentityOfKey,
  tenantOfKey,
  userOfKey,
} from '#table/keys.ts';
import { loadLease, removeLapsedLease } from '#table/lease-item.ts';
import { sweepPresentity } from '#table/presentity-sweep.ts';
import type { Table } from '#table/table.ts';
import { sweepRemovedUser } from '#table/user-removal.ts';
import { inParallel } from './batches.ts';
import { sweepCall, sweepCallOf } from './call-sweeper.ts';
import { failureFields, type RoleLog } from './role-log.ts';
import { continueRemoval } from './tenant-remover.ts';

export interface SweeperPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
}

export interface SweepResult {
  readonly publications: number;
  readonly gateways: number;
  readonly bindings: number;
  readonly calls: number;
  /** Items of tenants that are being removed. */
  readonly removed: number;
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
 * @param lagMs what is due for less than this is left to who sweeps the same items earlier
 */
export async function sweep(ports: SweeperPorts, nowMs: number, lagMs = 0): Promise<SweepResult> {
  const total = { publications: 0, gateways: 0, bindings: 0, calls: 0, removed: 0, failures: 0 };
  const sweepShard = async (shard: string): Promise<void> => {
    const due = await dueKeys(ports.table, shard, nowMs - lagMs);
    await inParallel(due, PARALLEL, async (key) => add(total, await sweepOne(key, ports, nowMs)));
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
  total.calls += part.calls ?? 0;
  total.removed += part.removed ?? 0;
  total.failures += part.failures ?? 0;
}

async function sweepOne(key: Key, ports: SweeperPorts, nowMs: number): Promise<Partial<SweepResult>> {
  const { table, telemetry } = ports;
  try {
    if (isCallKey(key)) return { calls: await sweepCall(key, ports, nowMs) };
    const presentity = presentityOfKey(key.PK);
    if (presentity) return { publications: await repeated(() => sweepPresentity(table, presentity, nowMs)) };
    const user = userOfKey(key.PK);
    if (user && isRemovedKey(key)) {
      await sweepRemovedUser(table, user, nowMs);
      return {};
    }
    // The stream tells what this means for the user: role registration-monitor.
    if (user) return { bindings: (await removeExpiredBinding(table, key, nowMs)) ? 1 : 0 };
    const tenant = tenantOfKey(key.PK);
    if (tenant) return { removed: await continueRemoval(table, tenant, nowMs) };
    const gatewayId = gatewayOfKey(key.PK);
    return gatewayId ? await sweepGateway(gatewayId, ports, nowMs) : {};
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
async function sweepGateway(gatewayId: string, ports: SweeperPorts, nowMs: number): Promise<Partial<SweepResult>> {
  const { table } = ports;
  const lease = await loadLease(table, gatewayId);
  if (lease && lease.leaseEndsAtMs > nowMs) return {};
  let calls = 0;
  await inParallel(await loadKeysHeldBy(table, gatewayId), PARALLEL, async (key) => {
    if (isCallKey(key)) calls += await sweepCallOf(gatewayId, key, ports, nowMs);
    else await removeBindingOf(table, gatewayId, key);
  });
  return { calls, gateways: (await removeLapsedLease(table, gatewayId, nowMs)) ? 1 : 0 };
}
