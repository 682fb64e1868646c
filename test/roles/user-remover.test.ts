import { beforeEach, describe, expect, it } from 'vitest';
import { gatewayIdOf } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import { removeUsers } from '#roles/user-remover.ts';
import { DUE_INDEX, dueShardOf, historyKey, messageKey, profileKey, removedUserKey, stateKey } from '#table/keys.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import type { Table } from '#table/table.ts';
import { removedMark, sweepRemovedUser } from '#table/user-removal.ts';
import { T0 } from '#test/support/envelope.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';

const ANN = { domain: 'a.example', user: 'ann' };
const OTHERS = [profileKey('a.example', 'anna'), stateKey('a.example', 'anna'), profileKey('b.example', 'ann')];
let table: Table;
let told: { gateway: string; instructions: readonly Instruction[] }[];
let outcome: 'delivered' | 'failed';

beforeEach(async () => {
  table = openMemoryTable();
  told = [];
  outcome = 'delivered';
  for (const gatewayId of ['g1', 'g2']) {
    const load = { flows: 0, subscriptions: 0, draining: false };
    await saveLease(table, {
      gatewayId,
      address: `http://${gatewayId}`,
      grantedAtMs: T0,
      leaseEndsAtMs: T0 + 600_000,
      ...load,
    });
  }
  const { domain, user } = ANN;
  const own = [stateKey(domain, user), messageKey(domain, user, '1'), historyKey(domain, user, T0, 1)];
  for (const key of [...own, ...OTHERS]) await table.put({ ...key });
  await table.transact([removedMark(ANN, T0)]);
});

const record = (eventName = 'INSERT') => {
  const { PK, SK } = removedUserKey(ANN.domain, ANN.user);
  const Keys = { PK: { S: PK }, SK: { S: SK } };
  return { eventName, dynamodb: { SequenceNumber: '7', Keys, NewImage: { ...Keys, removedAtMs: { N: String(T0) } } } };
};
const remove = (nowMs = T0) =>
  removeUsers(
    [record()],
    {
      table,
      leases: openLeaseBook(table),
      telemetry: { log: () => undefined },
      gateways: {
        async deliver(gateway, _address, instructions) {
          told.push({ gateway, instructions });
          return outcome === 'delivered' ? { kind: 'delivered', unknown: [] } : { kind: 'failed', reason: 'test' };
        },
      },
    },
    nowMs,
  );
const standing = async () => {
  const { domain, user } = ANN;
  const keys = [stateKey(domain, user), messageKey(domain, user, '1'), historyKey(domain, user, T0, 1)];
  return (await table.getBatch(keys)).length;
};
const isDue = async (nowMs: number) => {
  const { PK } = removedUserKey(ANN.domain, ANN.user);
  const values = { ':shard': dueShardOf(PK), ':now': nowMs };
  return (
    (await table.query({ index: DUE_INDEX, keyCondition: 'dueShard = :shard AND dueAtMs <= :now', values })).length > 0
  );
};

describe('a removed user', () => {
  it('is closed on every gateway, and its items go; those of others stay', async () => {
    expect(await remove()).toEqual([]);
    expect(told.map(({ gateway }) => gateway).toSorted()).toEqual([gatewayIdOf('g1'), gatewayIdOf('g2')]);
    for (const { instructions } of told) expect(instructions).toEqual([{ kind: 'closeUser', ...ANN }]);
    expect(await standing()).toBe(0);
    expect(await table.getBatch(OTHERS)).toHaveLength(3);
  });

  it('is taken up again when a gateway that lives was not reached', async () => {
    outcome = 'failed';
    expect(await remove()).toEqual(['7']);
  });

  it('that was made anew keeps what is new, but not its connections of before', async () => {
    await table.put({ ...profileKey(ANN.domain, ANN.user) });
    await remove();
    expect([told.length, await standing()]).toEqual([2, 3]);
  });

  it('is closed once more when functions have forgotten it, and at last swept with what came late', async () => {
    await remove();
    expect([await isDue(T0 + 12_999), await isDue(T0 + 13_000)]).toEqual([false, true]);
    expect(await sweepRemovedUser(table, ANN, T0 + 13_000)).toBe(false);
    // The mark was written, which the stream shows: every gateway is told again.
    expect([await isDue(T0 + 13_000), await isDue(T0 + 45_000)]).toEqual([false, true]);
    await table.put({ ...stateKey(ANN.domain, ANN.user) });
    expect(await sweepRemovedUser(table, ANN, T0 + 45_000)).toBe(true);
    expect([await standing(), await isDue(T0 + 99_000)]).toEqual([0, false]);
    expect(await sweepRemovedUser(table, ANN, T0 + 45_000)).toBe(false);
  });
});
