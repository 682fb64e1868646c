/** What the cost model knows of the system by measurement; `measured.json` is written by the commands that it names. */
import type { FunctionName } from '#cdk/system.ts';
import measuredJson from './measured.json' with { type: 'json' };

/** Request units of DynamoDB, and the requests behind them. */
export interface Consumption {
  /** By operation of DynamoDB, such as `PutItem`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly readUnits: number;
  /** In the table itself. */
  readonly writeUnits: number;
  /** Part of it that goes to the partition of a tenant: its counters, in transactions. */
  readonly tenantWriteUnits: number;
  readonly indexWriteUnits: Readonly<Record<string, number>>;
}

/** One operation of the system: one invocation of a function, and what follows from it in the stream. */
export interface MeasuredOperation extends Consumption {
  readonly function: FunctionName;
  /** Stream records that it makes. */
  readonly records: number;
  /** What `notify` does about them, each record in an invocation of its own. */
  readonly notify: Consumption & { readonly invocations: number; readonly records: number };
}

export type OperationName = keyof typeof measuredJson.units.operations;
export type ItemKind = keyof typeof measuredJson.units.itemBytes;

export const OPERATIONS: Readonly<Record<OperationName, MeasuredOperation>> = measuredJson.units
  .operations as unknown as Record<OperationName, MeasuredOperation>;
export const ITEM_BYTES: Readonly<Record<ItemKind, number>> = measuredJson.units.itemBytes;
/** CPU of one warm invocation. */
export const CPU_MS: Readonly<Partial<Record<FunctionName, number>>> = measuredJson.functions.cpuMs;

/** Of the gateway, as README's table of figures has it: `npm run bench -- fanout calls memory latency`. */
export const GATEWAY = {
  microsPerNotify: 45,
  /** INVITE to BYE, one call at a time. */
  microsPerCall: 9_100,
  /** Invoke by the SDK, parsing and answer of one request. */
  microsPerRequest: 700,
  bytesPerFlow: 11.0 * 1_024,
  bytesPerSubscription: 0.96 * 1_024,
  /** PUBLISH to NOTIFY in the local stack. */
  localLampMs: { p50: 35, p99: 60 },
} as const;

/** What AWS answers in, and what crosses the wire: taken, not measured; there was no account. */
export const ASSUMED = {
  waitMs: { GetItem: 3, Query: 4, BatchGetItem: 5, PutItem: 5, UpdateItem: 5, DeleteItem: 5 },
  batchWriteWaitMs: 7,
  transactionWaitMs: 15,
  instructionWaitMs: 4,
  notifyBytes: 1_300,
  answerBytes: 600,
  envelopeBytes: 4_000,
  pingBytesAnHour: 12_000,
  logBytesPerInvocation: 300,
  logBytesPerRequest: 1_200,
} as const;
