import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { INSTRUCTION_SECRET } from '#test/support/fake-gateway.ts';

let started: TestTable;
let table: DynamoDbTable;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  await table.put(tenantItem('demo.example', { minExpiresSeconds: 3 }));
  Object.assign(process.env, {
    ...{ TABLE_NAME: started.tableName, DYNAMODB_ENDPOINT: started.endpoint, LOG_LEVEL: 'silent' },
    ...{ NONCE_SECRET: 'nonce-s3cret', INSTRUCTION_SECRET, METRICS_STAGE: 'lampfield-test' },
  });
});

afterAll(async () => {
  table.close();
  await started.stop();
});

describe('Lambda entries', () => {
  it('publish and subscribe answer each envelope of a batch by itself', async () => {
    const { handler: publish } = await import('../../lambdas/handlers/publish.ts');
    const { handler: subscribe } = await import('../../lambdas/handlers/subscribe.ts');
    const body = dialogInfo(dialogElement('1', 'early'));
    const published = await publish({ contractVersion: 1, envelopes: [publishOf({ body }), publishOf({}), 'broken'] });
    expect(published.outcomes.map(({ response }) => response.status)).toEqual([200, 400, 500]);
    const subscribed = await subscribe({
      contractVersion: 1,
      envelopes: [subscribeOf({}), subscribeOf({ event: '' })],
    });
    expect(subscribed.outcomes.map(({ response }) => response.status)).toEqual([200, 489]);
    expect(subscribed.outcomes[0]?.subscription?.notification.body.join('')).toContain('<state>early</state>');
  });

  it('notify reports which records to hand over again', async () => {
    const { handler: notify } = await import('../../lambdas/handlers/notify.ts');
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    expect(await notify({ Records: [] })).toEqual({ batchItemFailures: [] });
    const lines = written.mock.calls.map(([line]) => JSON.parse(String(line)));
    written.mockRestore();
    const counts = { StreamRecords: 0, StreamRecordsFailed: 0 };
    expect(lines).toEqual([expect.objectContaining({ Stage: 'lampfield-test', Service: 'notify', ...counts })]);
  });

  it('expire makes one pass when it is told not to loop, and two in a little over its pause', async () => {
    const { handler: expire } = await import('../../lambdas/handlers/expire.ts');
    expect(await expire({ loopSeconds: 0 })).toEqual({ passes: 1 });
    expect(await expire({ loopSeconds: 2.5 })).toEqual({ passes: 2 });
  });
});
