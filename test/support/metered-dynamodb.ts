/** A door to DynamoDB Local that adds up what each request consumes, in the table and in its indexes. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { itemBytes } from '#cdk/cost/item-size.ts';
import type { Consumption } from '#cdk/cost/measured.ts';
import { tenantOfKey } from '#table/keys.ts';

export interface MeteredDynamoDb {
  readonly endpoint: string;
  /** What was consumed since the last time. */
  take(): Consumption;
  stop(): Promise<void>;
}

const READS = new Set(['GetItem', 'Query', 'BatchGetItem']);
const WRITES = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'TransactWriteItems']);
/** A read that finds nothing costs as much as one of a small item; DynamoDB Local says 0 for a Query. */
const LEAST_READ = { consistent: 1, eventual: 0.5 } as const;
const WRITE_UNIT_BYTES = 1_024;

const units = v.object({ CapacityUnits: v.number() });
const consumed = v.object({
  Table: v.optional(units),
  GlobalSecondaryIndexes: v.optional(v.record(v.string(), units)),
});
const item = v.record(v.string(), v.record(v.string(), v.unknown()));
const answer = v.object({
  ConsumedCapacity: v.optional(v.union([v.array(consumed), consumed])),
  /** The item that stood against a condition. */
  Item: v.optional(item),
  __type: v.optional(v.string()),
});

const write = v.object({ Item: v.optional(item), Key: v.optional(item), TableName: v.optional(v.string()) });
const manyWrites = v.object({
  TransactItems: v.optional(v.array(v.record(v.string(), write))),
  RequestItems: v.optional(v.record(v.string(), v.array(v.record(v.string(), write)))),
});
type Write = v.InferOutput<typeof write>;

interface SeveralUnits {
  readonly all: number;
  /** Of items in the partitions of tenants. */
  readonly ofTenants: number;
}

class Meter {
  readonly #requests: Record<string, number> = {};
  readonly #indexWriteUnits: Record<string, number> = {};
  #readUnits = 0;
  #writeUnits = 0;
  #tenantWriteUnits = 0;

  /** @param several of a request that writes several items */
  add(operation: string, isConsistent: boolean, text: string, several: SeveralUnits | undefined): void {
    this.#requests[operation] = (this.#requests[operation] ?? 0) + 1;
    const { ConsumedCapacity, Item, __type } = v.parse(answer, JSON.parse(text));
    const parts = [ConsumedCapacity ?? []].flat();
    const table = several?.all ?? sum(parts.map((part) => part.Table?.CapacityUnits ?? 0));
    const indexes = parts.flatMap((part) => Object.entries(part.GlobalSecondaryIndexes ?? {}));
    if (READS.has(operation)) {
      const least = isConsistent ? LEAST_READ.consistent : LEAST_READ.eventual;
      this.#readUnits += Math.max(least, table + sum(indexes.map(([, { CapacityUnits }]) => CapacityUnits)));
      return;
    }
    this.#tenantWriteUnits += several?.ofTenants ?? 0;
    // A write that its condition refuses costs as much as the item that stands there.
    const isRefused = __type?.includes('ConditionalCheckFailed') === true;
    this.#writeUnits += isRefused ? writeUnitsOf(Item ?? {}) : table;
    for (const [name, { CapacityUnits }] of indexes)
      this.#indexWriteUnits[name] = (this.#indexWriteUnits[name] ?? 0) + CapacityUnits;
  }

  get total(): Consumption {
    const { requests, indexWriteUnits } = { requests: this.#requests, indexWriteUnits: this.#indexWriteUnits };
    const writeUnits = { writeUnits: this.#writeUnits, tenantWriteUnits: this.#tenantWriteUnits };
    return { requests, readUnits: this.#readUnits, ...writeUnits, indexWriteUnits };
  }
}

/** @param upstream URL of DynamoDB Local, which asks nobody for a signature */
export async function startMeteredDynamoDb(upstream: string): Promise<MeteredDynamoDb> {
  let meter = new Meter();
  const server = createServer(async (request, response) => {
    const target = String(request.headers['x-amz-target'] ?? '');
    const operation = target.slice(target.indexOf('.') + 1);
    const input = JSON.parse(await textOf(request));
    const isMetered = READS.has(operation) || WRITES.has(operation);
    const body = JSON.stringify(isMetered ? { ...input, ReturnConsumedCapacity: 'INDEXES' } : input);
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target };
    const authorization = String(request.headers.authorization ?? '');
    const answered = await fetch(upstream, { method: 'POST', body, headers: { ...headers, authorization } });
    const text = await answered.text();
    if (isMetered) meter.add(operation, isConsistent(input), text, await severalUnits(operation, input, upstream));
    response.writeHead(answered.status, { 'content-type': 'application/x-amz-json-1.0' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    take() {
      const { total } = meter;
      meter = new Meter();
      return total;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * DynamoDB rounds each item up, DynamoDB Local only their sum; and a transaction writes each item twice.
 * @returns undefined of a request that writes one item or none
 */
async function severalUnits(operation: string, input: unknown, upstream: string): Promise<SeveralUnits | undefined> {
  if (operation !== 'TransactWriteItems' && operation !== 'BatchWriteItem') return undefined;
  const { TransactItems = [], RequestItems = {} } = v.parse(manyWrites, input);
  const writes = [...TransactItems, ...Object.values(RequestItems).flat()].flatMap((each) => Object.values(each));
  const times = operation === 'TransactWriteItems' ? 2 : 1;
  const units = await Promise.all(
    writes.map(async (one) => ({
      units: times * writeUnitsOf(one.Item ?? (await itemAt(one, upstream))),
      isOfTenant: tenantOfKey(String(Object.values((one.Item ?? one.Key)?.PK ?? {}))) !== undefined,
    })),
  );
  const ofTenants = units.filter(({ isOfTenant }) => isOfTenant);
  return { all: sum(units.map((each) => each.units)), ofTenants: sum(ofTenants.map((each) => each.units)) };
}

/** An item that was updated, as it is now. */
async function itemAt({ Key, TableName }: Write, upstream: string): Promise<v.InferOutput<typeof item>> {
  if (TableName === undefined) return {};
  const authorization = 'AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/dynamodb/aws4_request';
  const headers = { 'x-amz-target': 'DynamoDB_20120810.GetItem', 'content-type': 'application/x-amz-json-1.0' };
  const body = JSON.stringify({ TableName, Key });
  const answered = await fetch(upstream, { method: 'POST', body, headers: { ...headers, authorization } });
  return v.parse(answer, await answered.json()).Item ?? {};
}

const writeUnitsOf = (written: v.InferOutput<typeof item>): number =>
  Math.max(1, Math.ceil(itemBytes(written) / WRITE_UNIT_BYTES));

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function isConsistent(input: { ConsistentRead?: boolean; RequestItems?: Record<string, object> }): boolean {
  const batches = Object.values(input.RequestItems ?? {});
  return input.ConsistentRead === true || batches.some((batch) => 'ConsistentRead' in batch && batch.ConsistentRead);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
