import { expect, it } from 'vitest';
import { tenantItem } from '#table/tenant-item.ts';
import { openApiRig } from '#test/support/api-rig.ts';

it('a key of any permission is told whose it is and what it may do; none is told nothing', async () => {
  const rig = openApiRig();
  await rig.table.put(tenantItem('demo.example', {}));
  expect(await rig.ask('GET', '/v1/key')).toMatchObject({
    status: 200,
    body: { prefix: 'admin', permission: 'admin' },
  });
  for (const permission of ['admin', 'ingest', 'read']) {
    const made = await rig.ask('POST', '/v1/tenants/demo.example/keys', { body: { name: 'a key', permission } });
    const { key, prefix } = made.body;
    const { status, body, text } = await rig.ask('GET', '/v1/key', { key });
    expect({ status, body }).toEqual({ status: 200, body: { prefix, tenant: 'demo.example', permission } });
    expect(text).not.toContain(key);
  }
  expect((await rig.ask('GET', '/v1/key', { key: 'lf_0123456789ab_nothing' })).status).toBe(401);
  expect((await rig.ask('GET', '/v1/key', { key: '' })).status).toBe(401);
});
