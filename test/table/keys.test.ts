import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TABLE } from '#cdk/system.ts';
import {
  BINDING_PREFIX,
  BY_GATEWAY_INDEX,
  bindingKey,
  DUE_INDEX,
  DUE_SHARDS,
  dueShardOf,
  gatewayOfKey,
  leaseKey,
  presentityOfKey,
  profileKey,
  stateKey,
  tenantKey,
  userOfKey,
  watcherKey,
  watcherPrefix,
} from '#table/keys.ts';

const domain = fc.domain();
const user = fc.string({ minLength: 1, maxLength: 20 });

describe('keys', () => {
  it('are those of the design', () => {
    expect(tenantKey('demo.example')).toEqual({ PK: 'TENANT#demo.example', SK: 'TENANT' });
    expect(profileKey('demo.example', '1001')).toEqual({ PK: 'USER#demo.example#1001', SK: 'PROFILE' });
    expect(bindingKey('demo.example', '1001', 'x')).toEqual({ PK: 'USER#demo.example#1001', SK: 'BINDING#x' });
    expect(stateKey('demo.example', '1001')).toEqual({ PK: 'PRESENTITY#demo.example#1001', SK: 'STATE' });
    expect(watcherKey('demo.example', '1001', 'dialog', 's1').SK).toBe('WATCHER#dialog#s1');
    expect(leaseKey('g1')).toEqual({ PK: 'GATEWAY#g1', SK: 'LEASE' });
  });

  it('name the presentity and the user again, whatever the user part holds', () => {
    fc.assert(
      fc.property(domain, user, (host, name) => {
        expect(presentityOfKey(stateKey(host, name).PK)).toEqual({ domain: host, user: name });
        expect(userOfKey(profileKey(host, name).PK)).toEqual({ domain: host, user: name });
        expect(userOfKey(stateKey(host, name).PK)).toBeUndefined();
      }),
    );
  });

  it('never meet for two users, or for users of two tenants', () => {
    fc.assert(
      fc.property(domain, user, domain, user, (host, name, otherHost, otherName) => {
        fc.pre(host !== otherHost || name !== otherName);
        expect(stateKey(host, name).PK).not.toBe(stateKey(otherHost, otherName).PK);
      }),
    );
  });

  it('begin with the prefixes that queries use', () => {
    expect(bindingKey('d', 'u', 'x').SK.startsWith(BINDING_PREFIX)).toBe(true);
    expect(watcherKey('d', 'u', 'dialog', 'x').SK.startsWith(watcherPrefix('dialog'))).toBe(true);
    expect(watcherKey('d', 'u', 'dialog.winfo', 'x').SK.startsWith(watcherPrefix('dialog'))).toBe(false);
  });

  it('spread over all due shards', () => {
    const shards = Array.from({ length: 100 }, (_, index) => dueShardOf(stateKey('d', String(index)).PK));
    expect(new Set(shards)).toEqual(new Set(DUE_SHARDS));
  });

  it('name the gateway of a lease', () => {
    expect(gatewayOfKey(leaseKey('g#1').PK)).toBe('g#1');
    expect(gatewayOfKey('USER#d#u')).toBeUndefined();
  });

  it('name the indexes as the system description does', () => {
    expect([DUE_INDEX, BY_GATEWAY_INDEX]).toEqual([TABLE.indexes.due.name, TABLE.indexes.byGateway.name]);
  });
});
