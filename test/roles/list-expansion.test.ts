import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIST_LIMITS } from '#core/resource-list.ts';
import { expandList } from '#roles/list-expansion.ts';
import type { Key } from '#table/keys.ts';
import { listItem } from '#table/list-item.ts';
import type { Item, Table } from '#table/table.ts';
import { userItem } from '#table/user-item.ts';

const DOMAIN = 'demo.example';
const aor = (name: string): string => `sip:${name}@${DOMAIN}`;

interface Tenant {
  /** Names of lists with the names in them; a name may be a user too, or nothing. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly users: ReadonlySet<string>;
}

/** The table as far as an expansion reads it, and how often it did. */
function tableOf({ lists, users }: Tenant): Pick<Table, 'getBatch'> & { batches: Key[][] } {
  const items: Item[] = [
    ...[...lists].map(([user, members]) => listItem({ domain: DOMAIN, user }, members.map(aor))),
    ...[...users].map((user) => userItem({ domain: DOMAIN, user, role: 'user', sealedHa1: 'of no use here' })),
  ];
  const batches: Key[][] = [];
  return {
    batches,
    async getBatch(keys) {
      batches.push([...keys]);
      return items.filter(({ PK, SK }) => keys.some((key) => key.PK === PK && key.SK === SK));
    },
  };
}

async function expand(tenant: Tenant, root: string): Promise<{ names: string[]; batches: Key[][] }> {
  const table = tableOf(tenant);
  const entries = (tenant.lists.get(root) ?? []).map((name) => ({ uri: aor(name) }));
  const members = await expandList({ domain: DOMAIN, user: root }, entries, table);
  return { names: members.map(({ uri }) => uri.slice('sip:'.length, uri.indexOf('@'))), batches: table.batches };
}

/** What can be reached from a list by at most `steps` lists in lists. */
function reachable({ lists, users }: Tenant, root: string, steps: number): Set<string> {
  const found = new Set<string>();
  const seen = new Set([root]);
  let level = [...(lists.get(root) ?? [])];
  for (let step = 0; step < steps && level.length > 0; step++) {
    const inner = new Set<string>();
    for (const name of level) {
      if (users.has(name) || (!lists.has(name) && name !== root)) found.add(name);
      else if (!seen.has(name)) inner.add(name);
    }
    for (const name of inner) seen.add(name);
    level = [...inner].flatMap((name) => lists.get(name) ?? []);
  }
  return found;
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
const tenant = fc.record({
  lists: fc.array(fc.tuple(name, fc.array(name, { maxLength: 6 })), { maxLength: 6 }).map((lists) => new Map(lists)),
  users: fc.array(name).map((users) => new Set(users)),
});

test('any lists in lists: everything within reach, nobody twice, and an end', async () => {
  await fc.assert(
    fc.asyncProperty(tenant, async (given) => {
      const { names, batches } = await expand(given, 'a');
      expect(new Set(names).size).toBe(names.length);
      expect(new Set(names)).toEqual(reachable(given, 'a', LIST_LIMITS.depth));
      expect(batches.length).toBeLessThanOrEqual(LIST_LIMITS.depth);
      for (const keys of batches) expect(new Set(keys.map(({ PK, SK }) => PK + SK)).size).toBe(keys.length);
    }),
    { numRuns: 500 },
  );
});

test('lists that double at each level are refused, not followed', async () => {
  const names = Array.from({ length: 100 }, (_, at) => `u${at}`);
  const lists = new Map([
    ['a', ['b', 'c', 'd']],
    ['b', names],
    ['c', names],
    ['d', names],
  ]);
  await expect(expand({ lists, users: new Set() }, 'a')).rejects.toMatchObject({ status: 413 });
});
