import { DescribeTableCommand, DescribeTimeToLiveCommand, UpdateTableCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ensureTable } from '#cdk/local/dynamodb-local.ts';
import { javaProblem, parseJavaRelease } from '#cdk/local/java.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

describe('the table in DynamoDB Local', () => {
  let table: TestTable;
  beforeAll(async () => {
    table = await startTable();
  });
  afterAll(() => table.stop());

  it('has the keys, indexes and stream of the system description', async () => {
    const { Table } = await table.client.send(new DescribeTableCommand({ TableName: table.tableName }));
    expect(Table?.KeySchema?.map((key) => key.AttributeName)).toEqual(['PK', 'SK']);
    expect(Table?.GlobalSecondaryIndexes?.map((index) => index.IndexName).sort()).toEqual([
      'byGateway',
      'due',
      'listed',
    ]);
    expect(Table?.StreamSpecification).toEqual({ StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' });
  });

  it('expires items by the ttl attribute', async () => {
    const answer = await table.client.send(new DescribeTimeToLiveCommand({ TableName: table.tableName }));
    expect(answer.TimeToLiveDescription).toMatchObject({ AttributeName: 'ttl', TimeToLiveStatus: 'ENABLED' });
  });

  it('is left alone when it stands already', async () => {
    const { created, streamArn } = await ensureTable(table.client, table.tableName);
    expect({ created, streamArn }).toEqual({ created: false, streamArn: table.streamArn });
  });
});

describe('a table of an older release', () => {
  it('is given the index that it lacks', async () => {
    const table = await startTable();
    const { client, tableName: TableName } = table;
    const indexes = async () => {
      const { Table } = await client.send(new DescribeTableCommand({ TableName }));
      return Table?.GlobalSecondaryIndexes?.map(({ IndexName, IndexStatus }) => `${IndexName} ${IndexStatus}`).sort();
    };
    const GlobalSecondaryIndexUpdates = [{ Delete: { IndexName: 'listed' } }];
    await client.send(new UpdateTableCommand({ TableName, GlobalSecondaryIndexUpdates }));
    await vi.waitFor(async () => expect(await indexes()).toEqual(['byGateway ACTIVE', 'due ACTIVE']), 10_000);
    await ensureTable(client, TableName);
    expect(await indexes()).toEqual(['byGateway ACTIVE', 'due ACTIVE', 'listed ACTIVE']);
    await table.stop();
  });
});

describe('the Java that DynamoDB Local needs', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "21" 2023-09-19', 21],
    ['sh: java: not found', undefined],
  ])('reads the release of %s', (text, release) => {
    expect(parseJavaRelease(text)).toBe(release);
  });

  it('says what to install when there is none or an old one', () => {
    expect(javaProblem(8)).toMatch(/java 8 is too old[\s\S]*apt-get install openjdk-17-jre-headless/);
    expect(javaProblem(17)).toBeUndefined();
  });
});
