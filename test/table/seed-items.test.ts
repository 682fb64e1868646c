import { describe, expect, it } from 'vitest';
import { classify } from '#core/call-policy.ts';
import { ha1Of } from '#core/digest.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { localTenants, seedItems } from '#table/seed-items.ts';
import { openHa1 } from '#table/user-item.ts';
import { startTable } from '#test/support/dynamodb.ts';
import { TEST_SECRETS, TEST_VAULT } from '#test/support/secrets.ts';
import { cachedPorts } from '../../lambdas/handlers/request-ports.ts';

describe('seed items', () => {
  it('are the tenant, how much it has, its users, its publisher and its list', () => {
    const [demo] = localTenants(20);
    if (!demo) throw new Error('a tenant was expected');
    const items = seedItems(demo, TEST_VAULT);
    expect(items).toHaveLength(1 + 1 + 20 + 1 + 1);
    expect(new Set(items.map(({ PK, SK }) => `${PK} ${SK}`)).size).toBe(24);
    expect(items[0]).toMatchObject({ PK: 'TENANT#demo.example', SK: 'TENANT', policy: { minExpiresSeconds: 3 } });
    expect(items[0]).toMatchObject({ listedAs: 'TENANTS', listedBy: 'demo.example' });
    const list = items.find(({ SK }) => SK === 'LIST');
    expect(list).toMatchObject({ PK: 'LIST#demo.example#blf-all' });
    expect(list?.members).toHaveLength(10);
    expect(list?.members).toContain('sip:1010@demo.example');
  });

  it('read back as tenants and users, never with a password', async () => {
    const local = await startTable();
    const table = openDynamoDbTable(local);
    const items = localTenants(2).flatMap((tenant) => seedItems(tenant, TEST_VAULT));
    expect(JSON.stringify(items)).not.toContain('demo-1001');
    for (const item of items) await table.put(item);

    const ports = cachedPorts(table, TEST_SECRETS.nonceSecrets, TEST_SECRETS.vault, TEST_SECRETS.loadKeySet);
    const sha256 = ha1Of('SHA-256', 'pbx', 'acme.example', 'acme-pbx');
    expect(JSON.stringify(items)).not.toContain(sha256);
    const pbx = await ports.loadUser('acme.example', 'pbx');
    expect(pbx).toMatchObject({ role: 'publisher', displayName: 'pbx' });
    expect(pbx && openHa1(TEST_VAULT, pbx)).toMatchObject({ sha256 });
    expect(await ports.loadUser('acme.example', '1003')).toBeUndefined();
    const policy = {
      minExpiresSeconds: 3,
      defaultExpiresSeconds: 3_600,
      maxExpiresSeconds: 7_200,
      maxMessageBytes: 1_300,
      storeAndForward: false,
    };
    const demo = await ports.loadTenant('demo.example');
    expect(demo).toMatchObject({ domain: 'demo.example', policy });
    expect(demo?.policy.calls).toMatchObject({ noAnswerSeconds: 60, noAnswerStatus: 408, maxCallSeconds: 43_200 });
    const rules = demo?.policy.calls.prefixes ?? [];
    const classes = ['1002', '+44 20 7946', '+49-30-1', '030 1', '0044', '112', '1120'].map((each) =>
      classify(each, rules),
    );
    expect(classes).toEqual([
      ...['local', 'international', 'domestic', 'domestic', 'international', 'emergency', 'local'],
    ]);
    expect(await ports.loadTenant('no.example')).toBeUndefined();

    const before = table.requestCounts.GetItem;
    await ports.loadUser('acme.example', 'pbx');
    await ports.loadTenant('demo.example');
    expect(table.requestCounts.GetItem).toBe(before);
    table.close();
    await local.stop();
  });
});
