/** The one description of the system: functions, table, events. The CDK stacks and the local stack both read it. */

/** Secrets that a function or the gateway reads at start. */
export type SecretName = 'nonce' | 'instruction' | 'admin' | 'vault' | 'canary';

export interface FunctionDescription {
  /** Source of the handler; the bundle is `dist/functions/<name>/index.mjs`, its export `handler`. */
  readonly entry: string;
  readonly what: string;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly secrets: readonly SecretName[];
  readonly trigger:
    | { readonly kind: 'gateway'; readonly methods: readonly string[] }
    | { readonly kind: 'stream' }
    | { readonly kind: 'schedule'; readonly everySeconds: number }
    | { readonly kind: 'http' }
    /** Secrets Manager, for the secrets that rotate. */
    | { readonly kind: 'rotation' };
  /** In production it never runs more often at once, and so often always: what storms must not take from the others. */
  readonly reservedConcurrency?: number;
  /** True when the function posts instructions to gateways, so it must stand in their network. */
  readonly reachesGateways: boolean;
}

export const FUNCTIONS = {
  register: {
    entry: 'lambdas/handlers/register.ts',
    what: 'REGISTER: authenticates a flow and keeps its bindings',
    memoryMb: 512,
    timeoutSeconds: 10,
    secrets: ['nonce', 'vault'],
    trigger: { kind: 'gateway', methods: ['REGISTER'] },
    reachesGateways: false,
  },
  'sign-in': {
    entry: 'lambdas/handlers/sign-in.ts',
    what: 'Gateway question: whom the token of a handshake proves',
    memoryMb: 512,
    timeoutSeconds: 10,
    secrets: ['vault'],
    trigger: { kind: 'gateway', methods: [] },
    reachesGateways: false,
  },
  subscribe: {
    entry: 'lambdas/handlers/subscribe.ts',
    what: 'SUBSCRIBE: opens, refreshes and ends subscriptions',
    memoryMb: 512,
    timeoutSeconds: 10,
    secrets: ['nonce', 'vault'],
    trigger: { kind: 'gateway', methods: ['SUBSCRIBE'] },
    reachesGateways: false,
  },
  publish: {
    entry: 'lambdas/handlers/publish.ts',
    what: 'PUBLISH: keeps publications as the state of a presentity',
    memoryMb: 512,
    timeoutSeconds: 10,
    secrets: ['nonce', 'vault'],
    trigger: { kind: 'gateway', methods: ['PUBLISH'] },
    reachesGateways: false,
  },
  message: {
    entry: 'lambdas/handlers/message.ts',
    what: 'MESSAGE: carries an instant message to the contacts of a user',
    memoryMb: 512,
    timeoutSeconds: 10,
    secrets: ['nonce', 'vault', 'instruction'],
    trigger: { kind: 'gateway', methods: ['MESSAGE'] },
    reachesGateways: true,
  },
  call: {
    entry: 'lambdas/handlers/call.ts',
    what: 'INVITE: routes a call, within policy and limits, and keeps it',
    memoryMb: 512,
    timeoutSeconds: 10,
    secrets: ['nonce', 'vault'],
    trigger: { kind: 'gateway', methods: ['INVITE'] },
    reachesGateways: false,
  },
  'call-report': {
    entry: 'lambdas/handlers/call-report.ts',
    what: 'Gateway report: how calls stand, in their own items and as the state of both parties',
    memoryMb: 512,
    timeoutSeconds: 30,
    secrets: [],
    trigger: { kind: 'gateway', methods: [] },
    reachesGateways: false,
  },
  notify: {
    entry: 'lambdas/handlers/notify.ts',
    what: 'Stream: a changed state goes to the gateways of its watchers, a changed policy decides who they are',
    memoryMb: 1024,
    timeoutSeconds: 30,
    secrets: ['instruction'],
    trigger: { kind: 'stream' },
    // 30 shards with all their lanes; what comes faster waits in the stream, in order.
    reservedConcurrency: 300,
    reachesGateways: true,
  },
  'flow-closed': {
    entry: 'lambdas/handlers/flow-closed.ts',
    what: 'Gateway report: removes bindings of closed flows, watchers of ended subscriptions, delivered messages',
    memoryMb: 256,
    timeoutSeconds: 30,
    secrets: [],
    trigger: { kind: 'gateway', methods: [] },
    reachesGateways: false,
  },
  lease: {
    entry: 'lambdas/handlers/lease.ts',
    what: 'Gateway report: renews the lease that says where a gateway is',
    memoryMb: 256,
    timeoutSeconds: 10,
    secrets: [],
    trigger: { kind: 'gateway', methods: [] },
    reachesGateways: false,
  },
  expire: {
    entry: 'lambdas/handlers/expire.ts',
    what: 'Schedule: publishes what has run out: publications, bindings, calls and dead gateways',
    memoryMb: 512,
    timeoutSeconds: 75,
    secrets: [],
    trigger: { kind: 'schedule', everySeconds: 60 },
    // A run, and the next one that begins while it ends.
    reservedConcurrency: 2,
    reachesGateways: false,
  },
  canary: {
    entry: 'lambdas/handlers/canary.ts',
    what: 'Schedule: goes the way of a lamp as a client of its own, and says how long it took',
    memoryMb: 256,
    timeoutSeconds: 45,
    secrets: ['vault', 'canary'],
    trigger: { kind: 'schedule', everySeconds: 60 },
    // It comes from outside, as clients do.
    reachesGateways: false,
  },
  api: {
    entry: 'lambdas/handlers/api.ts',
    what: 'HTTP API: tenants, people and keys, and what happens, for operators and tenants',
    memoryMb: 512,
    timeoutSeconds: 20,
    secrets: ['instruction', 'admin', 'vault'],
    trigger: { kind: 'http' },
    // Operators, imports and PBXs: their storm must leave room for lamps and calls.
    reservedConcurrency: 100,
    reachesGateways: true,
  },
  rotate: {
    entry: 'lambdas/handlers/rotate.ts',
    what: 'Rotation: makes new versions of the secrets that functions and gateways share',
    memoryMb: 256,
    timeoutSeconds: 30,
    secrets: [],
    trigger: { kind: 'rotation' },
    reachesGateways: false,
  },
} as const satisfies Record<string, FunctionDescription>;

export type FunctionName = keyof typeof FUNCTIONS;
export const FUNCTION_NAMES = Object.keys(FUNCTIONS) as FunctionName[];

/** Secrets that rotate by themselves: their readers accept two versions (core/secret-versions). */
export const ROTATION = { function: 'rotate', secrets: ['nonce', 'instruction'], everyDays: 30 } as const satisfies {
  readonly function: FunctionName;
  readonly secrets: readonly SecretName[];
  readonly everyDays: number;
};

/** The single table (keys and items: lambdas/table). */
export const TABLE = {
  partitionKey: 'PK',
  sortKey: 'SK',
  streamView: 'NEW_AND_OLD_IMAGES',
  ttlAttribute: 'ttl',
  indexes: {
    /** Sparse, by time: what must be looked at when. Partition key: a shard number as text. */
    due: { name: 'due', partitionKey: 'dueShard', sortKey: 'dueAtMs', sortKeyType: 'N', projection: 'KEYS_ONLY' },
    /** Sparse: the bindings and calls that a gateway holds. */
    byGateway: { name: 'byGateway', partitionKey: 'heldBy', sortKey: 'PK', sortKeyType: 'S', projection: 'KEYS_ONLY' },
    /** Sparse: what a tenant has, kind by kind (calls by their start), all tenants, all gateways. */
    listed: {
      name: 'listed',
      partitionKey: 'listedAs',
      sortKey: 'listedBy',
      sortKeyType: 'S',
      projection: 'KEYS_ONLY',
    },
  },
} as const;

/** How stream records reach `notify` (Lambda event source mapping). */
export const STREAM_MAPPING = {
  function: 'notify',
  /** Several changes of one presentity in a batch are one NOTIFY; more would make a slow batch hold up more lamps. */
  batchSize: 100,
  /** A lamp waits for nobody: a lone record goes at once, and batches grow by themselves while notify is busy. */
  maximumBatchingWindowSeconds: 0,
  /** The most there is: lanes by partition key, so order holds for each presentity, and a slow one delays a tenth. */
  parallelizationFactor: 10,
  /** Within the age below; a gateway that does not answer is known to be dead by its lease, 15 s, after two. */
  maximumRetryAttempts: 10,
  /** A lamp that is two minutes late is wrong anyway; who watches learns the newest state at its next refresh. */
  maximumRecordAgeSeconds: 120,
  /** One record that breaks notify must not take its neighbours to the failure queue. */
  bisectBatchOnFunctionError: true,
  /** What was delivered is not delivered again with what was not. */
  reportBatchItemFailures: true,
  /**
   * Lambda filter syntax: a presentity's state makes NOTIFYs, a binding that comes, changes or goes a new state, and a
   * watcher that was replaced while another gateway held it ends there. An account or a policy that changes decides anew
   * who may watch, of a whole tenant step by step.
   */
  filterPattern: {
    $or: [
      { dynamodb: { Keys: { SK: { S: ['STATE'] } } } },
      { eventName: ['REMOVE'], dynamodb: { Keys: { SK: { S: [{ prefix: 'BINDING#' }] } } } },
      { dynamodb: { Keys: { SK: { S: [{ prefix: 'BINDING#' }] } }, NewImage: { news: { BOOL: [true] } } } },
      {
        eventName: ['MODIFY'],
        dynamodb: { Keys: { SK: { S: [{ prefix: 'WATCHER#' }] } }, NewImage: { replaced: { BOOL: [true] } } },
      },
      { eventName: ['INSERT', 'MODIFY'], dynamodb: { Keys: { SK: { S: ['PROFILE', 'REVIEW'] } } } },
      { eventName: ['MODIFY'], dynamodb: { Keys: { SK: { S: ['TENANT'] } } } },
      // Tokens and secrets that are taken back end the connections that they have opened.
      { eventName: ['INSERT', 'MODIFY'], dynamodb: { Keys: { SK: { S: ['SIGN-IN'] } } } },
      // A user that was removed: its flows are closed, its items go.
      { eventName: ['INSERT', 'MODIFY'], dynamodb: { Keys: { SK: { S: ['REMOVED'] } } } },
    ],
  },
} as const;

/**
 * How records of ended calls leave the table: each is one new item, whose `id` tells one that comes twice. On AWS an
 * EventBridge pipe puts them on a bus, locally they go to a file.
 */
export const RECORD_EXPORT = {
  source: 'lampfield',
  detailType: 'Call Detail Record',
  batchSize: 10,
  maximumRetryAttempts: 185,
  filterPattern: { eventName: ['INSERT'], dynamodb: { Keys: { SK: { S: [{ prefix: 'RECORD#' }] } } } },
} as const;

/** One run a minute that loops inside, so that expiry is prompt without a rule per second. */
export const EXPIRE_SCHEDULE = {
  function: 'expire',
  everySeconds: FUNCTIONS.expire.trigger.everySeconds,
  loopEverySeconds: 2,
  /** How much later each further region sweeps what the regions before it should have swept. */
  lagSeconds: 30,
} as const;

/** The tenant of the canary at a deployment of this name. */
export const canaryDomain = (domainName: string): string => `canary.${domainName}`;
