/** Puts the local tenants with their users into the table. */

import { randomBytes } from 'node:crypto';
import {
  type AttributeValue,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { TABLE } from '#cdk/system.ts';
import { createVault } from '#core/sealed-text.ts';
import { chunksOf, inParallel } from '#roles/batches.ts';
import { localTenants, seedItems } from '#table/seed-items.ts';
import type { LocalSettings } from './settings.ts';

const BATCH_SIZE = 25;
const WRITERS = 16;

/** @param isNew a new table is filled in batches; in an older one only what is missing is put */
export async function seedTable(
  client: DynamoDBClient,
  TableName: string,
  {
    tenants,
    users,
    trunk,
    vaultKey,
  }: Pick<LocalSettings, 'tenants' | 'users' | 'trunk'> & { readonly vaultKey: string },
  isNew: boolean,
): Promise<void> {
  const vault = createVault(vaultKey, randomBytes);
  const items = localTenants(users, trunk)
    .slice(0, tenants)
    .flatMap((tenant) => seedItems(tenant, vault))
    .map((item) => marshall(item, { removeUndefinedValues: true }));
  const size = isNew ? BATCH_SIZE : 1;
  const write = async (batch: typeof items) => {
    if (isNew) await putBatch(client, TableName, batch);
    else for (const Item of batch) await putMissing(client, TableName, Item);
  };
  await inParallel(chunksOf(items, size), WRITERS, write);
}

type MarshalledItem = Record<string, AttributeValue>;

async function putBatch(client: DynamoDBClient, table: string, items: readonly MarshalledItem[]): Promise<void> {
  const requests = items.map((Item) => ({ PutRequest: { Item } }));
  let left: typeof requests | undefined = requests;
  while (left !== undefined && left.length > 0) {
    const answer = await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: left } }));
    left = answer.UnprocessedItems?.[table] as typeof requests | undefined;
  }
}

async function putMissing(client: DynamoDBClient, TableName: string, Item: MarshalledItem): Promise<void> {
  const ConditionExpression = `attribute_not_exists(${TABLE.partitionKey})`;
  try {
    await client.send(new PutItemCommand({ TableName, Item, ConditionExpression }));
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
}
