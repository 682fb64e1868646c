import { beforeEach, describe, expect, it } from 'vitest';
import type { Instruction } from '#contract/instruction.ts';
import { monitorSignOuts } from '#roles/sign-out-monitor.ts';
import { profileKey, signInSecretsKey, tenantKey } from '#table/keys.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import type { Table } from '#table/table.ts';
import { T0 } from '#test/support/envelope.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';

const DOMAIN = 'a.example';
let table: Table;
let told: { gateway: string; instructions: readonly Instruction[] }[];
let failing: string;
beforeEach(async () => {
  table = openMemoryTable();
  [told, failing] = [[], ''];
  for (const gatewayId of ['g1', 'g2']) {
    const lease = { gatewayId, address: `http://${gatewayId}`, grantedAtMs: T0, leaseEndsAtMs: T0 + 600_000 };
    await saveLease(table, { ...lease, flows: 0, subscriptions: 0, draining: false });
  }
});

type Attribute = { S: string } | { N: string } | { L: Attribute[] } | { M: Record<string, Attribute> };
function attributeOf(value: unknown): Attribute {
  if (Array.isArray(value)) return { L: value.map(attributeOf) };
  if (typeof value === 'object' && value !== null) return { M: imageOf(value) };
  return typeof value === 'number' ? { N: String(value) } : { S: String(value) };
}
const imageOf = (item: object): Record<string, Attribute> =>
  Object.fromEntries(Object.entries(item).map(([name, value]) => [name, attributeOf(value)]));
const record = (key: { PK: string; SK: string }, before: object | undefined, after: object | undefined) => ({
  eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
  dynamodb: {
    ...{ SequenceNumber: '7', Keys: imageOf(key) },
    ...(before && { OldImage: imageOf({ ...key, ...before }) }),
    ...(after && { NewImage: imageOf({ ...key, ...after }) }),
  },
});

const monitor = (...records: unknown[]) =>
  monitorSignOuts(
    records,
    {
      ...{ table, leases: openLeaseBook(table), telemetry: { log: () => undefined } },
      gateways: {
        async deliver(gateway, _address, instructions) {
          told.push({ gateway, instructions });
          return gateway === failing ? { kind: 'failed', reason: 'test' } : { kind: 'delivered', unknown: [] };
        },
      },
    },
    T0,
  );
/** What the gateways were told; each the same. */
async function ordersFor(...records: unknown[]) {
  expect(await monitor(...records)).toEqual([]);
  const [one, two] = told;
  expect(told.map(({ gateway }) => gateway).toSorted()).toEqual(told.length === 0 ? [] : ['g1', 'g2']);
  expect(one?.instructions).toEqual(two?.instructions);
  return one?.instructions ?? [];
}

const USER = { role: 'user', sealedHa1: 'sealed' };
const account = (before: object | undefined, after: object | undefined) =>
  record(profileKey(DOMAIN, 'ann'), before && { ...USER, ...before }, after && { ...USER, ...after });
const secrets = (before: object | undefined, after: object) => record(signInSecretsKey(DOMAIN), before, after);
const ORDER = { kind: 'signOut', domain: DOMAIN };

describe('what is taken back', () => {
  it('another password ends what the old one has opened', async () => {
    expect(await ordersFor(account({ passwordSetAtMs: 1 }, { passwordSetAtMs: T0 }))).toEqual([
      { ...ORDER, user: 'ann', way: 'password', issuedBeforeMs: T0 },
    ]);
  });

  it('a user who is signed out loses what tokens have opened', async () => {
    expect(await ordersFor(account({}, { tokensFromMs: T0 }))).toEqual([
      { ...ORDER, user: 'ann', way: 'token', issuedBeforeMs: T0 },
      { ...ORDER, user: 'ann', way: 'issuer', issuedBeforeMs: T0 },
    ]);
  });

  it('a token, all tokens, a secret that is gone or another one now', async () => {
    const one = { id: 'one', untilMs: T0 };
    const [portal, other] = [1, 2].map((createdAtMs) => ({ id: 'portal', createdAtMs, sealed: 'x' }));
    expect(await ordersFor(secrets({ revoked: [one] }, { revoked: [one, { id: 'two', untilMs: T0 }] }))).toEqual([
      { ...ORDER, way: 'token', tokenId: 'two' },
    ]);
    told = [];
    expect(await ordersFor(secrets(undefined, { tokenGeneration: 1, version: T0 }))).toEqual([
      { ...ORDER, way: 'token', issuedBeforeMs: T0 },
    ]);
    for (const shared of [[], [other]]) {
      told = [];
      const gone = { ...ORDER, way: 'sharedSecret', by: 'portal', issuedBeforeMs: 2 };
      expect(await ordersFor(secrets({ shared: [portal] }, { shared }))).toEqual([gone]);
    }
  });

  it('an issuer that is not trusted any more', async () => {
    const issuer = (name: string) => ({
      issuer: `https://${name}.example`,
      audience: 'a',
      jwksUri: `https://${name}.example/k`,
    });
    const tenant = (...names: string[]) => ({ signIn: { issuers: names.map(issuer) } });
    expect(await ordersFor(record(tenantKey(DOMAIN), tenant('old', 'stays'), tenant('stays')))).toEqual([
      { ...ORDER, way: 'issuer', by: 'https://old.example' },
    ]);
  });

  it('is nothing for other changes: no gateway is asked', async () => {
    const name = account({ passwordSetAtMs: 1 }, { passwordSetAtMs: 1, displayName: 'Ann' });
    const made = account(undefined, { passwordSetAtMs: T0 });
    const more = secrets({ shared: [] }, { shared: [{ id: 'new', createdAtMs: 1, sealed: 'x' }] });
    const gone = account({ passwordSetAtMs: 1 }, undefined);
    expect(await ordersFor(name, made, more, gone, { no: 'record' })).toEqual([]);
    expect(told).toEqual([]);
  });

  it('is told again while a gateway that lives was not reached', async () => {
    failing = 'g2';
    expect(await monitor(account({}, { tokensFromMs: T0 }))).toEqual(['7']);
  });
});
