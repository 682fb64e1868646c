import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import * as keys from '#table/keys.ts';
import { sectionsOf } from '#table/tenant-inventory.ts';

const LAMBDAS = path.resolve(import.meta.dirname, '../../lambdas');
const DOMAIN = 'demo.example';

/** Keys of what is no tenant's, or is found before a tenant is known; each with its reason. */
const OF_NO_TENANT: Readonly<Record<string, string>> = {
  leaseKey: 'a gateway serves all tenants',
  apiKeyKey: 'who shows a key is found by it; it stands in the list of its tenant',
};
/** What stands in each list of a tenant. */
const LISTED: Readonly<Record<string, string>> = {
  ...{ bindings: 'bindingKey', users: 'profileKey', lists: 'listKey', subscriptions: 'watcherKey' },
  ...{ devices: 'deviceKey', presentities: 'stateKey', calls: 'callKeyOf', sources: 'sourceKey', keys: 'apiKeyKey' },
  failures: 'failuresKey',
};

type Maker = (...names: string[]) => keys.Key;
const makers = Object.entries(keys).filter((entry): entry is [string, Maker] => {
  return typeof entry[1] === 'function' && /Key(Of)?$/.test(entry[0]) && !/^(is|.*OfKey$)/.test(entry[0]);
});
const keyOf = ([, make]: [string, Maker]): keys.Key => make(DOMAIN, 'user-1', 'three', 'four', 'five');
const kindOf = (partition: string): string => partition.slice(0, partition.indexOf('#'));

describe('keys of items', () => {
  it('are all looked at here', () => {
    expect(makers.length).toBeGreaterThan(15);
    expect(makers.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(OF_NO_TENANT)));
  });

  it.each(makers.filter(([name]) => !(name in OF_NO_TENANT)))('%s: the tenant stands first', (name, make) => {
    const { PK } = keyOf([name, make]);
    expect([PK.split('#')[1], kindOf(PK)]).toEqual([DOMAIN, expect.stringMatching(/^[A-Z]+$/)]);
  });

  it('begin with a kind that rights are given by, and every kind has a key', () => {
    const kinds = new Set(makers.map((maker) => kindOf(keyOf(maker).PK)));
    for (const partition of [keys.recordPartition(DOMAIN), keys.mailboxPartition(DOMAIN, 'u')])
      kinds.add(kindOf(partition));
    expect([...kinds].toSorted()).toEqual(keys.PARTITION_KINDS.toSorted());
  });

  it('of a tenant are all led to by its inventory, so that nothing outlives it', () => {
    const led = new Set(
      sectionsOf(DOMAIN).flatMap((section) => {
        if ('partition' in section)
          return [section.partition, ...section.partitionsOf({ PK: '', SK: '', callId: 'c1' })].map(kindOf);
        const maker = makers.find(([name]) => name === LISTED[section.name]);
        return maker ? section.partitionsOf({ ...keyOf(maker) }).map(kindOf) : [`unknown ${section.name}`];
      }),
    );
    expect([...led].filter((kind) => kind.startsWith('unknown'))).toEqual([]);
    const wrong = makers.filter((maker) => !led.has(kindOf(keyOf(maker).PK))).map(([name]) => name);
    expect(wrong).toEqual(['leaseKey']);
  });

  it('of a tenant lead to nothing of another', () => {
    for (const section of sectionsOf(DOMAIN)) {
      const start = 'partition' in section ? section.partition : section.listedAs;
      expect(start.slice(start.indexOf('#') + 1)).toBe(DOMAIN);
    }
  });

  it('are made in one place only', () => {
    const files = readdirSync(LAMBDAS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const wrong = files.filter((name) => {
      const code = readFileSync(path.join(LAMBDAS, name), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      return name !== 'table/keys.ts' && /[`'"][A-Z]{3,}#/.test(code);
    });
    expect(wrong).toEqual([]);
  });
});
