import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import type { Item, Table } from '#table/table.ts';
import { startTable } from '#test/support/dynamodb.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';
import { IsolationWorld, isOf, type Names, type Step, withoutSeals } from './isolation-world.ts';

interface Opened {
  readonly table: Table;
  readonly items: () => Promise<Item[]>;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('publish', 'subscribe', 'register', 'signIn', 'message', 'invite', 'api', 'api', 'api', 'api'),
  pick: fc.array(fc.nat(1_000), { minLength: 4, maxLength: 4 }),
});

/** @returns how many answers were compared */
async function holdsFor(names: Names, steps: readonly Step[], open: () => Promise<Opened>): Promise<number> {
  const [shared, alone] = [await open(), await open()];
  const beside = await IsolationWorld.open(names, shared.table, true);
  const without = await IsolationWorld.open(names, alone.table, false);
  const ofOther = async () => (await shared.items()).filter((item) => isOf(names.other, item));
  const other = await otherOf(beside, names, await ofOther());
  const before = JSON.stringify(withoutOrder(await ofOther()));
  const reads = await readsOf(beside, names.other);
  const loot = await beside.loot(other);
  for (const each of steps) {
    const [told, toldAlone] = [await beside.take(each, loot), await without.take(each, loot)];
    expect(told, JSON.stringify(each)).toBe(toldAlone);
  }
  expect(JSON.stringify(withoutOrder(await ofOther()))).toBe(before);
  expect(await readsOf(beside, names.other)).toEqual(reads);
  const ownItems = async ({ items }: Opened) => withoutSeals((await items()).filter((item) => isOf(names.own, item)));
  expect(await ownItems(shared)).toEqual(await ownItems(alone));
  return steps.length;
}

const withoutOrder = (items: readonly Item[]): string[] => items.map((item) => JSON.stringify(item)).sort();

/** What the other tenant has, as it was made. */
async function otherOf(world: IsolationWorld, { other }: Names, items: readonly Item[]) {
  const key = items.find(({ PK }) => PK.startsWith('KEY#'));
  const state = await world.rig.ask('GET', `/v1/tenants/${other}/presentities/1002`);
  const published = state.body.publications.find(
    ({ publisher }: { publisher: string }) => publisher === `sip:pbx@${other}`,
  );
  return { domain: other, key: `lf_${key?.id}_`, etag: String(published?.entityTag), callId: `call-of-${other}` };
}

/** What an operator sees of a tenant. */
async function readsOf({ rig }: IsolationWorld, domain: string): Promise<unknown[]> {
  const paths = [
    '',
    '/users',
    '/lists',
    '/keys',
    '/presentities/1002',
    '/subscriptions',
    '/bindings',
    '/calls',
    '/records',
    '/audit',
  ];
  const nowMs = rig.nowMs;
  rig.nowMs = Date.UTC(2096, 0, 1);
  const read = await Promise.all(
    paths.map(async (path) => (await rig.ask('GET', `/v1/tenants/${domain}${path}`)).text),
  );
  rig.nowMs = nowMs;
  return read;
}

describe('whatever one tenant does, with whatever it has got hold of', () => {
  it('changes no byte of another, and does not show whether that exists', async () => {
    const open = async (): Promise<Opened> => {
      const table = openMemoryTable();
      return { table, items: async () => table.items() };
    };
    const names = { own: 'a.example', other: 'b.example' };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        await holdsFor(names, steps, open);
      }),
      { numRuns: 40 },
    );
  });

  describe('on DynamoDB', () => {
    const stops: (() => Promise<void>)[] = [];
    afterAll(async () => {
      for (const stop of stops) await stop();
    });

    it('just so', async () => {
      const open = async (): Promise<Opened> => {
        const started = await startTable();
        const table = openDynamoDbTable(started);
        stops.push(async () => {
          table.close();
          await started.stop();
        });
        const items = async () => {
          const { Items = [] } = await started.client.send(
            new ScanCommand({ TableName: started.tableName, ConsistentRead: true }),
          );
          return Items.map((item) => unmarshall(item) as Item);
        };
        return { table, items };
      };
      const steps = fc.sample(step, { numRuns: 60, seed: 7 });
      expect(await holdsFor({ own: 'a.example', other: 'b.example' }, steps, open)).toBe(60);
    });
  });
});
