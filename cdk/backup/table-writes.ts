/** Fills a table with items as they come: in batches, or each only where none stands. */
import {
  type AttributeValue,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { TABLE } from '#cdk/system.ts';
import { chunksOf, inParallel } from '#roles/batches.ts';

export type MarshalledItem = Record<string, AttributeValue>;

const BATCH_SIZE = 25;
const WRITERS = 16;

/**
 * @param overwrites items take the place of those that stand, in batches; otherwise those stay
 * @returns how many were put
 */
export async function putItems(
  client: DynamoDBClient,
  table: string,
  items: readonly MarshalledItem[],
  overwrites: boolean,
): Promise<number> {
  let put = 0;
  await inParallel(chunksOf(items, overwrites ? BATCH_SIZE : 1), WRITERS, async (batch) => {
    // Written down first: `put += await` would forget what the other writers have counted meanwhile.
    const count = await (overwrites ? putBatch : putMissing)(client, table, batch);
    put += count;
  });
  return put;
}

async function putBatch(client: DynamoDBClient, table: string, items: readonly MarshalledItem[]): Promise<number> {
  const requests = items.map((Item) => ({ PutRequest: { Item } }));
  let left: typeof requests | undefined = requests;
  while (left !== undefined && left.length > 0) {
    const answer = await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: left } }));
    left = answer.UnprocessedItems?.[table] as typeof requests | undefined;
  }
  return items.length;
}

async function putMissing(
  client: DynamoDBClient,
  TableName: string,
  [Item]: readonly MarshalledItem[],
): Promise<number> {
  const ConditionExpression = `attribute_not_exists(${TABLE.partitionKey})`;
  try {
    await client.send(new PutItemCommand({ TableName, Item, ConditionExpression }));
    return 1;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return 0;
    throw error;
  }
}
