import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AttributeValue, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LOCAL_AWS } from '#cdk/local/local-aws.ts';
import type { GiveUpReason, InvocationReport } from '#cdk/local/streams/batch-rules.ts';
import { type Checkpoints, openCheckpointFile } from '#cdk/local/streams/checkpoint-file.ts';
import { type MappingSettings, runMapping } from '#cdk/local/streams/event-source-mapping.ts';
import { STREAM_MAPPING, TABLE } from '#cdk/system.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

const STREAMS_MAIN = path.resolve(import.meta.dirname, '../../../../cdk/local/streams/main.ts');

interface SeenRecord {
  readonly dynamodb: {
    readonly Keys: { readonly PK: { readonly S: string } };
    readonly NewImage: { readonly n: { readonly N: string } };
  };
}

let table: TestTable;
let folder: string;
let checkpoints: Checkpoints;
let stop: AbortController;
let mapping: Promise<void> | undefined;
let streams: DynamoDBStreamsClient;
const givenUp: { n: number; reason: GiveUpReason }[] = [];

beforeEach(async () => {
  table = await startTable();
  folder = mkdtempSync(path.join(tmpdir(), 'lampfield-mapping-'));
  checkpoints = openCheckpointFile(path.join(folder, 'checkpoints.json'), table.streamArn);
  stop = new AbortController();
  streams = new DynamoDBStreamsClient({ endpoint: table.endpoint, ...LOCAL_AWS });
  givenUp.length = 0;
});
afterEach(async () => {
  stop.abort();
  await mapping;
  mapping = undefined;
  checkpoints.flush();
  streams.destroy();
  await table.stop();
  rmSync(folder, { recursive: true });
});

async function put(key: string, n: number, sortKey = 'STATE'): Promise<void> {
  const Item = { PK: { S: key }, SK: { S: sortKey }, n: { N: String(n) } };
  await table.client.send(new PutItemCommand({ TableName: table.tableName, Item }));
}

const numberOf = (json: string) => Number((JSON.parse(json) as SeenRecord).dynamodb.NewImage.n.N);

function startMapping(
  fn: (numbers: number[], jsons: string[]) => InvocationReport | Promise<InvocationReport>,
  settings: Partial<MappingSettings> = {},
) {
  const sequence = new Map<number, string>();
  mapping = runMapping(
    { ...STREAM_MAPPING, streamArn: table.streamArn, partitionKeyName: TABLE.partitionKey, ...settings },
    {
      streams,
      checkpoints,
      invoke: async (records) => {
        for (const one of records) sequence.set(numberOf(one.json), one.sequenceNumber);
        const jsons = records.map((one) => one.json);
        return fn(jsons.map(numberOf), jsons);
      },
      giveUp: (_shardId, records, reason) => givenUp.push(...records.map((one) => ({ n: numberOf(one.json), reason }))),
      log: () => {},
    },
    stop.signal,
  );
  return sequence;
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('event source mapping on DynamoDB Local', () => {
  it('delivers the states of each presentity in order and nothing else', async () => {
    const seen: number[] = [];
    startMapping((numbers) => {
      seen.push(...numbers);
      return { kind: 'succeeded' };
    });
    for (const n of range(60)) {
      await put(`PRESENTITY#a#${n % 3}`, n);
      if (n % 10 === 0) await put(`PRESENTITY#a#${n % 3}`, 1_000 + n, 'WATCHER#dialog#1');
    }
    await vi.waitFor(() => expect(seen).toHaveLength(60), 5_000);
    for (const key of range(3)) {
      const ofKey = seen.filter((n) => n % 3 === key);
      expect(ofKey).toEqual([...ofKey].sort((one, other) => one - other));
    }
  });

  it('delivers a change within a few milliseconds', async () => {
    const latenciesMs: number[] = [];
    let writtenAtMs = 0;
    startMapping(() => {
      latenciesMs.push(performance.now() - writtenAtMs);
      return { kind: 'succeeded' };
    });
    for (const n of range(30)) {
      await put('PRESENTITY#a#1', n);
      writtenAtMs = performance.now();
      await vi.waitFor(() => expect(latenciesMs).toHaveLength(n + 1), { timeout: 5_000, interval: 2 });
    }
    latenciesMs.sort((one, other) => one - other);
    expect(latenciesMs[15]).toBeLessThan(40);
  });

  it('isolates a poison record, gives it up and delivers what stands before and behind it', async () => {
    const seen: number[] = [];
    for (const n of range(8)) await put('PRESENTITY#a#1', n);
    startMapping(
      (numbers) => {
        if (numbers.includes(5)) return { kind: 'failed' };
        seen.push(...numbers);
        return { kind: 'succeeded' };
      },
      { maximumRetryAttempts: 2 },
    );
    await vi.waitFor(() => expect(seen).toEqual([0, 1, 2, 3, 4, 6, 7]), 10_000);
    expect(givenUp).toEqual([{ n: 5, reason: 'RetryAttemptsExhausted' }]);
  });

  it('repeats from the lowest failed item only', async () => {
    const invocations: number[][] = [];
    for (const n of range(5)) await put('PRESENTITY#a#1', n);
    const sequence: Map<number, string> = startMapping((numbers) => {
      invocations.push(numbers);
      if (invocations.length > 1) return { kind: 'succeeded' };
      return { kind: 'partly', failedSequenceNumbers: [sequence.get(3)] };
    });
    await vi.waitFor(() => expect(invocations.flat()).toContain(4), 5_000);
    await vi.waitFor(() => expect(invocations).toEqual([[0, 1, 2, 3, 4], [3], [4]]), 5_000);
  });

  it('waits for a function that cannot be reached, whatever the retry quota', async () => {
    let attempts = 0;
    await put('PRESENTITY#a#1', 1);
    startMapping(() => ({ kind: ++attempts < 5 ? 'unreached' : 'succeeded' }), { maximumRetryAttempts: 1 });
    await vi.waitFor(() => expect(attempts).toBe(5), 5_000);
    expect(givenUp).toEqual([]);
  });

  it('gives up records that are too old without invoking', async () => {
    const seen: number[] = [];
    await put('PRESENTITY#a#1', 1);
    startMapping(
      (numbers) => {
        seen.push(...numbers);
        return { kind: 'succeeded' };
      },
      { maximumRecordAgeSeconds: -1 },
    );
    await vi.waitFor(() => expect(givenUp).toEqual([{ n: 1, reason: 'RecordAgeExceeded' }]), 5_000);
    expect(seen).toEqual([]);
  });

  it('goes on behind its checkpoint after a restart', async () => {
    const seen: number[] = [];
    const collect = (numbers: number[]): InvocationReport => {
      seen.push(...numbers);
      return { kind: 'succeeded' };
    };
    await put('PRESENTITY#a#1', 1);
    startMapping(collect);
    await vi.waitFor(() => expect(seen).toEqual([1]), 5_000);
    stop.abort();
    await mapping;
    checkpoints.flush();
    await put('PRESENTITY#a#1', 2);
    stop = new AbortController();
    checkpoints = openCheckpointFile(path.join(folder, 'checkpoints.json'), table.streamArn);
    startMapping(collect);
    await vi.waitFor(() => expect(seen).toEqual([1, 2]), 5_000);
  });
});

describe('a stream record', () => {
  it('reaches the function as Lambda shows it: plain JSON, binary as base64, empty maps and lists kept', async () => {
    const Item = {
      PK: { S: 'PRESENTITY#a#1' },
      SK: { S: 'STATE' },
      n: { N: '1' },
      bytes: { B: Uint8Array.of(1, 2, 255) },
      nested: { M: { none: { M: {} }, list: { L: [] }, flag: { BOOL: false }, nothing: { NULL: true } } },
    } satisfies Record<string, AttributeValue>;
    await table.client.send(new PutItemCommand({ TableName: table.tableName, Item }));
    const records: string[] = [];
    startMapping((_numbers, jsons) => {
      records.push(...jsons);
      return { kind: 'succeeded' };
    });
    await vi.waitFor(() => expect(records).toHaveLength(1), 5_000);
    expect(JSON.parse(records[0] ?? '')).toMatchObject({
      eventName: 'INSERT',
      eventSource: 'aws:dynamodb',
      eventSourceARN: table.streamArn,
      dynamodb: {
        Keys: { PK: Item.PK, SK: Item.SK },
        NewImage: { ...Item, bytes: { B: 'AQL/' } },
        SequenceNumber: expect.any(String),
        ApproximateCreationDateTime: expect.any(Number),
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
    });
  });
});

describe('the process lampfield-streams', () => {
  it('delivers a record again when it was killed between invocation and checkpoint', async () => {
    const seen: number[][] = [];
    let poller: ChildProcess | undefined;
    const lambda = await startLambda((numbers) => {
      seen.push(numbers);
      if (seen.length === 1) poller?.kill('SIGKILL');
    });
    const start = () => spawnPoller(`http://127.0.0.1:${(lambda.address() as AddressInfo).port}`);
    try {
      await put('PRESENTITY#a#1', 1);
      poller = start();
      await once(poller, 'exit');
      expect(seen).toEqual([[1]]);
      poller = start();
      await vi.waitFor(() => expect(seen).toEqual([[1], [1]]), 10_000);
    } finally {
      poller?.kill('SIGKILL');
      lambda.closeAllConnections();
      lambda.close();
    }
  });
});

/** Stands for the Invoke API: tells of each invocation, then answers that all went well. */
async function startLambda(onInvoke: (numbers: number[]) => void): Promise<Server> {
  const server = createServer(async (request, response) => {
    const { Records } = (await new Response(request as unknown as ReadableStream).json()) as { Records: SeenRecord[] };
    onInvoke(Records.map((one) => Number(one.dynamodb.NewImage.n.N)));
    response.end('null');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function spawnPoller(lambdaEndpoint: string): ChildProcess {
  return spawn(process.execPath, [STREAMS_MAIN], {
    stdio: 'inherit',
    env: {
      ...process.env,
      DYNAMODB_ENDPOINT: table.endpoint,
      LAMBDA_ENDPOINT: lambdaEndpoint,
      STREAM_ARN: table.streamArn,
      RUN_DIR: folder,
    },
  });
}
