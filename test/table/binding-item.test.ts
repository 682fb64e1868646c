import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Binding } from '#core/binding.ts';
import { loadBindings, loadRegistration, removeBinding, saveBinding } from '#table/binding-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { bindingKey } from '#table/keys.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

// In the future: DynamoDB Local removes items whose TTL has passed.
const T0 = 4_000_000_000_000;
const ALICE = { domain: 'demo.example', user: '1001' };
const BINDING: Binding = {
  id: 'b1',
  contactUri: 'sip:a@h',
  params: [['q', '0.5']],
  gatewayId: 'gateway-1',
  flowId: 'flow-1',
  callId: 'call-1',
  cseq: 5,
  updatedAtMs: T0,
  expiresAtMs: T0 + 60_000,
  userAgent: 'phone',
};

describe('binding item', () => {
  let local: TestTable;
  let table: DynamoDbTable;
  beforeAll(async () => {
    local = await startTable();
    table = openDynamoDbTable(local);
  });
  afterAll(async () => {
    table.close();
    await local.stop();
  });

  it('comes back as it was saved, until it has expired', async () => {
    expect(await saveBinding(table, ALICE, BINDING)).toBe(true);
    expect((await loadRegistration(table, ALICE, T0 + 59_999)).bindings).toEqual([BINDING]);
    expect((await loadRegistration(table, ALICE, T0 + 60_000)).bindings).toEqual([]);
    expect(await loadBindings(table, ALICE)).toEqual([BINDING]);
    const item = await table.get(bindingKey('demo.example', '1001', 'b1'));
    expect(item).toMatchObject({ heldBy: 'GATEWAY#gateway-1', ttl: T0 / 1000 + 60 + 3_600 });
  });

  it('is saved when a write is repeated whose answer was lost, not for another flow with the same CSeq', async () => {
    const user = { ...ALICE, user: '1002' };
    await saveBinding(table, user, BINDING);
    expect(await saveBinding(table, user, BINDING)).toBe(true);
    expect(await saveBinding(table, user, { ...BINDING, flowId: 'flow-2' })).toBe(false);
    expect(await loadBindings(table, user)).toEqual([BINDING]);
  });

  it('gives way to any request once it has expired', async () => {
    const user = { ...ALICE, user: '1003' };
    await saveBinding(table, user, BINDING);
    const late = { ...BINDING, cseq: 1, updatedAtMs: T0 + 60_000, expiresAtMs: T0 + 120_000 };
    expect(await saveBinding(table, user, { ...late, updatedAtMs: T0 + 59_999 })).toBe(false);
    expect(await saveBinding(table, user, late)).toBe(true);
  });

  it('is removed as it was read, not after a refresh', async () => {
    const user = { ...ALICE, user: '1004' };
    await saveBinding(table, user, { ...BINDING, cseq: 6 });
    expect(await removeBinding(table, user, BINDING)).toBe(false);
    expect(await removeBinding(table, user, { ...BINDING, cseq: 6 })).toBe(true);
    expect(await removeBinding(table, user, { ...BINDING, cseq: 6 })).toBe(true);
    expect(await loadBindings(table, user)).toEqual([]);
  });
});
