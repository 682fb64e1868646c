/** The table port over the AWS SDK. Nothing else imports the SDK's DynamoDB client. */
import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { DependencyUnavailable } from '#core/error.ts';
import type { Key } from './keys.ts';
import type {
  Attributes,
  Condition,
  Item,
  Table,
  TableQuery,
  TransactionResult,
  TransactionWrite,
  Update,
  WriteBatch,
  WriteResult,
} from './table.ts';

// A request function answers within 4 s, which is two operations after each other at their slowest.
const CONNECT_TIMEOUT_MS = 1_000;
const OPERATION_TIMEOUT_MS = 2_000;
/** The part of an operation's time that its first attempt may take. */
const ATTEMPT_SHARE = 0.75;
const MAX_ATTEMPTS = 2;
/** What DynamoDB takes in one batch, and how often the part that it left over is sent again. */
const MAX_BATCH_KEYS = 100;
const MAX_BATCH_WRITES = 25;
const MAX_BATCH_ROUNDS = 4;
const BATCH_PAUSE_MS = 50;
/** How often a transaction is tried again that met another one, and how long it waits at first. */
const MAX_CONFLICTS = 6;
const CONFLICT_PAUSE_MS = 10;

const OPERATIONS = {
  GetItem: 0,
  Query: 0,
  PutItem: 0,
  UpdateItem: 0,
  DeleteItem: 0,
  BatchGetItem: 0,
  BatchWriteItem: 0,
  TransactWriteItems: 0,
};
export type TableOperation = keyof typeof OPERATIONS;

export interface DynamoDbTable extends Table {
  /** Requests sent since the start, by operation; each page of a Query counts. */
  readonly requestCounts: Readonly<Record<TableOperation, number>>;
  /** Closes the connections. */
  close(): void;
}

export interface DynamoDbOptions {
  readonly tableName: string;
  /** Base URL of DynamoDB Local; absent on AWS. */
  readonly endpoint?: string;
  /** How long an operation may take with its second attempt, in ms; 2,000 when absent. */
  readonly operationTimeoutMs?: number;
}

/** Opens the table. Region and credentials come from the SDK's default chain, except with an `endpoint`. */
export function openDynamoDbTable(options: DynamoDbOptions): DynamoDbTable {
  const { operationTimeoutMs = OPERATION_TIMEOUT_MS } = options;
  const client = createClient(options.endpoint, operationTimeoutMs);
  const requestCounts = { ...OPERATIONS };
  const TableName = options.tableName;

  async function counted<T>(operation: TableOperation, send: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    requestCounts[operation] += 1;
    try {
      return await send(AbortSignal.timeout(operationTimeoutMs));
    } catch (error) {
      throw unavailable(operation, error) ?? error;
    }
  }

  return {
    requestCounts,
    close: () => client.destroy(),

    async get(key, { consistent = false } = {}) {
      const command = new GetItemCommand({ TableName, Key: keyOf(key), ConsistentRead: consistent });
      const { Item } = await counted('GetItem', (abortSignal) => client.send(command, { abortSignal }));
      return Item && itemOf(Item);
    },

    async getBatch(keys, { consistent = false } = {}) {
      const items: Item[] = [];
      await inChunks('BatchGetItem', keys.map(keyOf), MAX_BATCH_KEYS, async (Keys) => {
        const command = new BatchGetItemCommand({
          RequestItems: { [TableName]: { Keys, ConsistentRead: consistent } },
        });
        const { Responses, UnprocessedKeys } = await counted('BatchGetItem', (abortSignal) =>
          client.send(command, { abortSignal }),
        );
        items.push(...(Responses?.[TableName] ?? []).map(itemOf));
        return UnprocessedKeys?.[TableName]?.Keys ?? [];
      });
      return items;
    },

    async query(query) {
      const items: Item[] = [];
      let startKey: Record<string, AttributeValue> | undefined;
      do {
        const command = new QueryCommand({ TableName, ...queryInput(query), ExclusiveStartKey: startKey });
        const page = await counted('Query', (abortSignal) => client.send(command, { abortSignal }));
        items.push(...(page.Items ?? []).map(itemOf));
        startKey = page.LastEvaluatedKey;
      } while (startKey && items.length < (query.limit ?? Number.POSITIVE_INFINITY));
      return items;
    },

    put(item, condition) {
      const command = new PutItemCommand({ TableName, Item: attributesOf(item), ...conditionInput(condition) });
      return written(() => counted('PutItem', (abortSignal) => client.send(command, { abortSignal })));
    },

    update(key, update) {
      const command = new UpdateItemCommand({ TableName, Key: keyOf(key), ...updateInput(update) });
      return written(() => counted('UpdateItem', (abortSignal) => client.send(command, { abortSignal })));
    },

    delete(key, condition) {
      const ReturnValues = condition?.returning ?? 'NONE';
      const command = new DeleteItemCommand({ TableName, Key: keyOf(key), ...conditionInput(condition), ReturnValues });
      return written(() => counted('DeleteItem', (abortSignal) => client.send(command, { abortSignal })));
    },

    async transact(writes) {
      const TransactItems = writes.map((write) => transactItemOf(write, TableName));
      for (let round = 0; ; round++) {
        const outcome = await transacted(() =>
          counted('TransactWriteItems', (abortSignal) =>
            client.send(new TransactWriteItemsCommand({ TransactItems }), { abortSignal }),
          ),
        );
        if (outcome.kind !== 'conflict') return outcome;
        if (round === MAX_CONFLICTS) throw new DependencyUnavailable('DynamoDB TransactWriteItems: conflicts');
        await pause(Math.random() * CONFLICT_PAUSE_MS * 2 ** round);
      }
    },

    writeBatch(batch) {
      return inChunks('BatchWriteItem', writeRequestsOf(batch), MAX_BATCH_WRITES, async (requests) => {
        const command = new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } });
        const { UnprocessedItems } = await counted('BatchWriteItem', (abortSignal) =>
          client.send(command, { abortSignal }),
        );
        return UnprocessedItems?.[TableName] ?? [];
      });
    },
  };
}

/**
 * Sends all entries in batches side by side, and what DynamoDB leaves over once more.
 * @param send sends one batch and gives what is left over of it
 */
async function inChunks<T>(
  operation: TableOperation,
  entries: readonly T[],
  size: number,
  send: (chunk: T[]) => Promise<T[]>,
): Promise<void> {
  let left = [...entries];
  for (let round = 0; left.length > 0; round++) {
    if (round === MAX_BATCH_ROUNDS) throw new DependencyUnavailable(`DynamoDB ${operation}: left over`);
    if (round > 0) await pause(BATCH_PAUSE_MS * 2 ** round);
    const chunks = Array.from({ length: Math.ceil(left.length / size) }, (_, at) =>
      left.slice(at * size, (at + 1) * size),
    );
    left = (await Promise.all(chunks.map(send))).flat();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const writeRequestsOf = (batch: WriteBatch): WriteRequest[] => [
  ...batch.put.map((item) => ({ PutRequest: { Item: attributesOf(item) } })),
  ...batch.delete.map((key) => ({ DeleteRequest: { Key: keyOf(key) } })),
];

function createClient(endpoint: string | undefined, operationTimeoutMs: number): DynamoDBClient {
  const local = endpoint
    ? { endpoint, region: 'local', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
    : {};
  return new DynamoDBClient({
    ...local,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: operationTimeoutMs * ATTEMPT_SHARE,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: 128 },
      httpsAgent: { maxSockets: 128 },
    },
  });
}

async function written(send: () => Promise<{ Attributes?: Record<string, AttributeValue> }>): Promise<WriteResult> {
  try {
    const { Attributes } = await send();
    return Attributes ? { kind: 'done', item: itemOf(Attributes) } : { kind: 'done' };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return error.Item ? { kind: 'refused', item: itemOf(error.Item) } : { kind: 'refused' };
  }
}

/** @throws {DependencyUnavailable} when it was cancelled for want of capacity */
async function transacted(send: () => Promise<unknown>): Promise<TransactionResult | { kind: 'conflict' }> {
  try {
    await send();
    return { kind: 'done' };
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const reasons = error.CancellationReasons ?? [];
    const refusals = reasons.flatMap(({ Code, Item }, index) =>
      Code === 'ConditionalCheckFailed' ? [{ index, ...(Item && { item: itemOf(Item) }) }] : [],
    );
    if (refusals.length > 0) return { kind: 'refused', refusals };
    if (reasons.some(({ Code }) => Code === 'TransactionConflict')) return { kind: 'conflict' };
    if (!reasons.some(({ Code }) => Code !== undefined && SHORT_OF_CAPACITY.has(Code))) throw error;
    throw new DependencyUnavailable('DynamoDB TransactWriteItems: throttled', { cause: error });
  }
}

const SHORT_OF_CAPACITY = new Set(['ThrottlingError', 'ProvisionedThroughputExceeded']);

function transactItemOf(write: TransactionWrite, TableName: string): TransactWriteItem {
  if (write.kind === 'put') return { Put: { TableName, Item: attributesOf(write.item), ...conditionInput(write) } };
  if (write.kind === 'delete') return { Delete: { TableName, Key: keyOf(write.key), ...conditionInput(write) } };
  const { ReturnValues: _returned, ...input } = updateInput(write);
  return { Update: { TableName, Key: keyOf(write.key), ...input } };
}

function queryInput(query: TableQuery) {
  return {
    IndexName: query.index,
    KeyConditionExpression: query.keyCondition,
    FilterExpression: query.filter,
    ProjectionExpression: query.projection,
    ConsistentRead: query.consistent,
    Limit: query.limit,
    ScanIndexForward: query.descending === true ? false : undefined,
    ...placeholders(query),
  };
}

function conditionInput(condition: Condition | undefined) {
  if (!condition?.condition) return {};
  return {
    ConditionExpression: condition.condition,
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
    ...placeholders(condition),
  };
}

function updateInput(update: Update) {
  return {
    ...conditionInput(update),
    ...placeholders(update),
    UpdateExpression: update.update,
    ReturnValues: update.returning ?? 'NONE',
  };
}

function placeholders({ names, values }: Pick<Condition, 'names' | 'values'>) {
  return { ExpressionAttributeNames: names, ExpressionAttributeValues: values && attributesOf(values) };
}

const keyOf = ({ PK, SK }: Key): Record<string, AttributeValue> => ({ PK: { S: PK }, SK: { S: SK } });

const attributesOf = (attributes: Attributes): Record<string, AttributeValue> =>
  marshall(attributes, { removeUndefinedValues: true });

// Every item of this table has both keys, so the plain object is an Item.
const itemOf = (attributes: Record<string, AttributeValue>): Item => unmarshall(attributes) as Item;

const THROTTLED = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'InternalServerError',
  'TransactionConflictException',
  'TransactionInProgressException',
]);
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EAI_AGAIN',
]);
const TIMED_OUT = new Set(['TimeoutError', 'AbortError', 'RequestTimeout']);

function unavailable(operation: TableOperation, error: unknown): DependencyUnavailable | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known = THROTTLED.has(error.name) || TIMED_OUT.has(error.name) || UNREACHABLE.has(code) || isServerFault(error);
  return known
    ? new DependencyUnavailable(`DynamoDB ${operation}: ${error.name} ${code}`, { cause: error })
    : undefined;
}

function isServerFault(error: Error): boolean {
  return '$fault' in error && error.$fault === 'server';
}
