/** Refuses requests to the table that the role of the function would not allow on AWS: no mistake in a role hides here. */
import http, { type ClientRequest } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import * as v from 'valibot';
import type { FunctionName } from '#cdk/system.ts';
import { TABLE_RIGHTS, type TableAction } from '#cdk/table-rights.ts';
import { partitionStart } from '#table/keys.ts';

/** What a request needs: each action with all partition keys of the request, or an index. */
export interface NeededRight {
  readonly action: TableAction;
  readonly partitionKeys: readonly string[];
  readonly index?: string;
}

const key = v.object({ PK: v.object({ S: v.string() }) });
const keyed = v.object({ Key: key });
const carried = v.object({ Item: key });
const batchGet = v.object({ Keys: v.array(key) });
const batchWrite = v.array(v.union([v.object({ PutRequest: carried }), v.object({ DeleteRequest: keyed })]));
const write = v.union([
  v.pipe(
    v.object({ Put: carried }),
    v.transform(({ Put }) => ['PutItem', Put.Item] as const),
  ),
  v.pipe(
    v.object({ Update: keyed }),
    v.transform(({ Update }) => ['UpdateItem', Update.Key] as const),
  ),
  v.pipe(
    v.object({ Delete: keyed }),
    v.transform(({ Delete }) => ['DeleteItem', Delete.Key] as const),
  ),
]);
const query = v.object({
  IndexName: v.optional(v.string()),
  /** The partition key stands first in every key condition of this system. */
  KeyConditionExpression: v.pipe(v.string(), v.regex(/^\w+ = :\w+/)),
  ExpressionAttributeValues: v.record(v.string(), v.looseObject({ S: v.optional(v.string()) })),
});
const itemsOf = <const T extends v.GenericSchema>(entry: T) => v.object({ RequestItems: v.record(v.string(), entry) });
const pkOf = ({ PK }: v.InferOutput<typeof key>): string => PK.S;

/** @throws when the operation or its form is not known: then nothing says what it needs */
export function rightsNeeded(operation: string, body: unknown): NeededRight[] {
  switch (operation) {
    case 'PutItem':
      return [{ action: operation, partitionKeys: [pkOf(v.parse(carried, body).Item)] }];
    case 'GetItem':
    case 'UpdateItem':
    case 'DeleteItem':
      return [{ action: operation, partitionKeys: [pkOf(v.parse(keyed, body).Key)] }];
    case 'Query':
      return [queryRight(v.parse(query, body))];
    case 'BatchGetItem': {
      const requests = Object.values(v.parse(itemsOf(batchGet), body).RequestItems);
      return [{ action: operation, partitionKeys: requests.flatMap(({ Keys }) => Keys.map(pkOf)) }];
    }
    case 'BatchWriteItem': {
      const requests = Object.values(v.parse(itemsOf(batchWrite), body).RequestItems).flat();
      const keys = requests.map((each) => pkOf('PutRequest' in each ? each.PutRequest.Item : each.DeleteRequest.Key));
      return [{ action: operation, partitionKeys: keys }];
    }
    case 'TransactWriteItems': {
      const writes = v.parse(v.object({ TransactItems: v.array(write) }), body).TransactItems;
      // The strictest reading: AWS may look at all keys of the transaction for each of its actions.
      const partitionKeys = writes.map(([, item]) => pkOf(item));
      return [...new Set(writes.map(([action]) => action))].map((action) => ({ action, partitionKeys }));
    }
    default:
      throw new Error(`no role allows ${operation}`);
  }
}

function queryRight({
  IndexName,
  KeyConditionExpression,
  ExpressionAttributeValues,
}: v.InferOutput<typeof query>): NeededRight {
  const [placeholder = ''] = /:\w+/.exec(KeyConditionExpression) ?? [];
  const partitionKeys = [ExpressionAttributeValues[placeholder]?.S ?? ''];
  return { action: 'Query', partitionKeys, ...(IndexName !== undefined && { index: IndexName }) };
}

/** Says what is not allowed in the words of AWS; undefined when all is. */
export function refusalOf(name: FunctionName, operation: string, body: unknown): string | undefined {
  const { items, indexes } = TABLE_RIGHTS[name];
  for (const { action, partitionKeys, index } of rightsNeeded(operation, body)) {
    const isAllowed =
      index === undefined
        ? partitionKeys.every((each) => items[action]?.some((kind) => each.startsWith(partitionStart(kind))))
        : indexes.some((each) => each === index);
    if (isAllowed) continue;
    const resource = index === undefined ? partitionKeys.join() : `index/${index}`;
    return `${name} is not authorized to perform: dynamodb:${action} on resource: ${resource}`;
  }
  return undefined;
}

const TARGET = /^DynamoDB_\d+\.(\w+)$/;

/** Looks at every request of this thread from now on. Call it before the function's code is loaded. */
export function guardTable(name: FunctionName): void {
  const { request } = http;
  http.request = ((...given: Parameters<typeof request>): ClientRequest => {
    const outgoing = request(...given);
    const operation = TARGET.exec(String(outgoing.getHeader('x-amz-target')))?.[1];
    if (operation !== undefined) guard(outgoing, operation, name);
    return outgoing;
  }) as typeof request;
  syncBuiltinESMExports();
}

/** The SDK hands the whole body over at the end. */
function guard(outgoing: ClientRequest, operation: string, name: FunctionName): void {
  const end = outgoing.end.bind(outgoing) as (...given: unknown[]) => ClientRequest;
  outgoing.end = (...given: unknown[]): ClientRequest => {
    const [body] = given;
    const text = body instanceof Uint8Array ? Buffer.from(body).toString() : String(body);
    const refusal = refusalOf(name, operation, JSON.parse(text));
    if (refusal === undefined) return end(...given);
    console.error(JSON.stringify({ level: 'error', event: 'access denied', error: refusal }));
    return outgoing.destroy(Object.assign(new Error(refusal), { name: 'AccessDeniedException' }));
  };
}
