import { describe, expect, it } from 'vitest';
import { inventoryOfDeployment } from '#cdk/cost/deployment-inventory.ts';
import { itemBytes } from '#cdk/cost/item-size.ts';
import { limitsOf } from '#cdk/cost/limits.ts';
import { PAGE, pageWith, readPage } from '#cdk/cost/page.ts';
import { DEFAULT_WORKLOAD } from '#cdk/cost/workload.ts';
import { DUE_SHARDS } from '#table/keys.ts';
import { placeholderRoot } from '../stacks/deployment.ts';

const root = placeholderRoot();
const inventories = { dev: inventoryOfDeployment('dev', root), prod: inventoryOfDeployment('prod', root) };

describe(PAGE, () => {
  it('has the tables that the command prints today (npm run cost -- --page writes them anew)', () => {
    const page = readPage();
    expect(page).toBe(pageWith(page, inventories));
  });

  it('misses no table', () => {
    expect(() => pageWith('', inventories)).toThrow('no place for the table');
  });
});

describe('the inventory', () => {
  it('counts what the templates of a production deployment hold', () => {
    const { endpointInterfaces, zones, tasks, secrets, loadBalancers, hasPublicTasks } = inventories.prod;
    expect(endpointInterfaces).toBeGreaterThanOrEqual(2 * zones);
    expect([loadBalancers, hasPublicTasks]).toEqual([1, false]);
    expect(secrets).toBeGreaterThanOrEqual(4);
    expect(tasks).toBeGreaterThanOrEqual(2);
  });

  it('finds development cheaper: fewer endpoints, a smaller gateway', () => {
    const { dev, prod } = inventories;
    expect(dev.endpointInterfaces).toBeLessThan(prod.endpointInterfaces);
    expect(dev.tasks * dev.taskVcpu).toBeLessThan(prod.tasks * prod.taskVcpu);
  });
});

describe('limits', () => {
  const limitOf = (name: string, users: number) =>
    limitsOf({ ...DEFAULT_WORKLOAD, users }, inventories.prod).find((limit) => limit.name.includes(name));

  it('grow in proportion where they are of all users', () => {
    const [few, many] = [limitOf('of the table', 1_000), limitOf('of the table', 100_000)];
    expect(many?.needed).toBeCloseTo((few?.needed ?? 0) * 100, 3);
  });

  it('of one tenant stay the same', () => {
    expect(limitOf('in one tenant', 100_000)?.needed).toBeCloseTo(limitOf('in one tenant', 1_000)?.needed ?? 0, 6);
    expect(limitOf('in one tenant', 1_000)?.needed).toBeGreaterThan(0);
  });

  it('of the index of what is due follow its shards', () => {
    expect(limitOf('`due`', 1_000)?.limit).toBe(DUE_SHARDS.length * 1_000);
  });
});

describe('bytes of an item', () => {
  it('are names and values, numbers by two digits a byte, and 3 a list or map with 1 for each element', () => {
    expect(itemBytes({ ab: { S: 'cde' } })).toBe(2 + 3);
    expect(itemBytes({ é: { S: 'ü' } })).toBe(2 + 2);
    expect(itemBytes({ n: { N: '1234' } })).toBe(1 + 3);
    expect(itemBytes({ b: { BOOL: true } })).toBe(1 + 1);
    expect(itemBytes({ l: { L: [{ S: 'x' }, { S: 'y' }] } })).toBe(1 + 3 + 2 + 2);
    expect(itemBytes({ m: { M: { k: { S: 'v' } } } })).toBe(1 + 3 + 1 + 1 + 1);
  });
});
