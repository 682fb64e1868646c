/** The only place that knows how items are named in the single table. Tenant first; domains in lower case. */
import { createHash } from 'node:crypto';

/** Primary key of one item. */
export interface Key {
  readonly PK: string;
  readonly SK: string;
}

/** Kinds of partitions, the first part of every partition key; the rights of functions go by them (cdk/table-rights). */
export const PARTITION_KINDS = [
  ...(['AUDIT', 'CALL', 'FAILURES', 'GATEWAY', 'HISTORY', 'KEY', 'LIST', 'MESSAGES'] as const),
  ...(['PRESENTITY', 'RECORDS', 'SOURCE', 'TENANT', 'USER', 'WAITING'] as const),
] as const;
export type PartitionKind = (typeof PARTITION_KINDS)[number];
/** How the partition keys of a kind begin. */
export const partitionStart = (kind: PartitionKind): string => `${kind}#`;

/** Names the place of what is sealed in an item (core/sealed-text). */
export const placeOf = ({ PK, SK }: Key): string => JSON.stringify([PK, SK]);

/** Sort-key prefix of a user's bindings. */
export const BINDING_PREFIX = 'BINDING#';
/** Sort key of a user's own record. */
export const PROFILE_SORT_KEY = 'PROFILE';
/** Sort key of a presentity's live state; the stream filter names it too (cdk/system). */
export const STATE_SORT_KEY = 'STATE';
/** Sort key of a gateway's lease. */
export const LEASE_SORT_KEY = 'LEASE';

/** Partitions of the index `due`; a sweep queries each. */
export const DUE_SHARDS: readonly string[] = ['0', '1', '2', '3'];
/** The sparse index by time: partition `dueShard` (text), sort `dueAtMs` (epoch ms), keys only. */
export const DUE_INDEX = 'due';
/** The sparse index of what a gateway holds: partition `heldBy`, sort `PK`, keys only. */
export const BY_GATEWAY_INDEX = 'byGateway';

/** Sort key of a tenant's own item; the stream filter names it too (cdk/system). */
export const TENANT_SORT_KEY = 'TENANT';
export const tenantKey = (domain: string): Key => ({ PK: `TENANT#${domain}`, SK: TENANT_SORT_KEY });

/** Sort key of the review of all of a tenant's watchers; the stream filter names it too. */
export const REVIEW_SORT_KEY = 'REVIEW';

/** The review of who may watch whom that runs in a tenant. */
export const reviewKey = (domain: string): Key => ({ PK: tenantKey(domain).PK, SK: REVIEW_SORT_KEY });

/** The domain of a `TENANT#<domain>` partition key; undefined for another kind of item. */
export const tenantOfKey = (partitionKey: string): string | undefined =>
  partitionKey.startsWith('TENANT#') ? partitionKey.slice('TENANT#'.length) : undefined;

/** Where a tenant's trunk stands, with its secret: apart from the policy, which more functions read. */
export const trunkKey = (domain: string): Key => ({ PK: tenantKey(domain).PK, SK: 'TRUNK' });

/** Secrets that a tenant's portals share with us, and the generation of its own tokens: write only. */
/** The stream filter names it too. */
export const SIGN_IN_SORT_KEY = 'SIGN-IN';
export const signInSecretsKey = (domain: string): Key => ({ PK: tenantKey(domain).PK, SK: SIGN_IN_SORT_KEY });

/** Sort-key prefix of a tenant's webhooks. */
export const WEBHOOK_PREFIX = 'WEBHOOK#';
export const webhookKey = (domain: string, id: string): Key => ({
  PK: tenantKey(domain).PK,
  SK: `${WEBHOOK_PREFIX}${id}`,
});

/** The webhook of a key; undefined for another kind of item. */
export function webhookOfKey({ PK, SK }: Key): { readonly domain: string; readonly id: string } | undefined {
  const domain = tenantOfKey(PK);
  const isWebhook = domain !== undefined && SK.startsWith(WEBHOOK_PREFIX);
  return isWebhook ? { domain, id: SK.slice(WEBHOOK_PREFIX.length) } : undefined;
}

/** Partition of what waits for a tenant's webhooks: one, so that it leads to what was left by a webhook that is gone. */
export const waitingPartition = (domain: string): string => `WAITING#${domain}`;
/** Sort-key prefix of what waits for one webhook. */
export const waitingPrefix = (id: string): string => `NEWS#${id}#`;

/** @param user '' for a test */
export const waitingKey = (domain: string, id: string, user: string): Key => ({
  PK: waitingPartition(domain),
  SK: `${waitingPrefix(id)}${user}`,
});

/** Whose news wait for which webhook; undefined for another kind of item. */
export function waitingOfKey({ PK, SK }: Key) {
  const [, domain] = /^WAITING#(.+)$/s.exec(PK) ?? [];
  const [, id, user] = /^NEWS#([^#]*)#(.*)$/s.exec(SK) ?? [];
  return domain === undefined || id === undefined || user === undefined ? undefined : { domain, id, user };
}

/** Failed sign-ins at a tenant from one address in one quarter of an hour. */
export const failuresKey = (domain: string, address: string, window: number): Key => ({
  PK: `FAILURES#${domain}#${address}`,
  SK: `WINDOW#${window}`,
});

/** Partition that holds a user's profile and bindings. */
export const userPartition = (domain: string, user: string): string => `USER#${domain}#${user}`;

export const profileKey = (domain: string, user: string): Key => ({
  PK: userPartition(domain, user),
  SK: PROFILE_SORT_KEY,
});

/** @param bindingId hash that names the binding (core/binding) */
export const bindingKey = (domain: string, user: string, bindingId: string): Key => ({
  PK: userPartition(domain, user),
  SK: `${BINDING_PREFIX}${bindingId}`,
});

/** Sort key of what says that a user was removed a moment ago; the stream filter names it too (cdk/system). */
export const REMOVED_SORT_KEY = 'REMOVED';
export const removedUserKey = (domain: string, user: string): Key => ({
  PK: userPartition(domain, user),
  SK: REMOVED_SORT_KEY,
});

export const isRemovedKey = ({ SK }: Key): boolean => SK === REMOVED_SORT_KEY;

/** Partition that holds a presentity's state and its watchers. */
export const presentityPartition = (domain: string, user: string): string => `PRESENTITY#${domain}#${user}`;

export const stateKey = (domain: string, user: string): Key => ({
  PK: presentityPartition(domain, user),
  SK: STATE_SORT_KEY,
});

/** Sort-key prefix of all watchers of a presentity. */
export const WATCHER_PREFIX = 'WATCHER#';

/** Sort-key prefix of all watchers of one event package. */
export const watcherPrefix = (event: string): string => `${WATCHER_PREFIX}${event}#`;

export const watcherKey = (domain: string, user: string, event: string, subscriptionId: string): Key => ({
  PK: presentityPartition(domain, user),
  SK: `${watcherPrefix(event)}${subscriptionId}`,
});

/** Partition of the messages that wait for a user; apart from the bindings, which are read far more often. */
export const mailboxPartition = (domain: string, user: string): string => `MESSAGES#${domain}#${user}`;

/** @param place number of the place in the mailbox */
export const messageKey = (domain: string, user: string, place: string): Key => ({
  PK: mailboxPartition(domain, user),
  SK: `MESSAGE#${place.padStart(2, '0')}`,
});

/** Partition of the changes of a presentity's lamp; apart from the watchers, which are read far more often. */
export const historyPartition = (domain: string, user: string): string => `HISTORY#${domain}#${user}`;

/** @param version of the state, since two changes may fall on one time */
export const historyKey = (domain: string, user: string, atMs: number, version: number): Key => ({
  PK: historyPartition(domain, user),
  SK: `CHANGE#${sortableTime(atMs)}#${sortableTime(version)}`,
});

/** Names the newest subscription of one device to a presentity; `device` is a hash. */
export const deviceKey = (domain: string, user: string, event: string, device: string): Key => ({
  PK: presentityPartition(domain, user),
  SK: `DEVICE#${event}#${device}`,
});

export const listKey = (domain: string, name: string): Key => ({ PK: `LIST#${domain}#${name}`, SK: 'LIST' });

export const leaseKey = (gatewayId: string): Key => ({ PK: `GATEWAY#${gatewayId}`, SK: LEASE_SORT_KEY });

/** Value of `heldBy` of an item that lives and dies with a gateway. */
export const heldByGateway = (gatewayId: string): string => `GATEWAY#${gatewayId}`;

/** Shard of the `due` index for an item of this partition key. */
export function dueShardOf(partitionKey: string): string {
  const index = createHash('sha256').update(partitionKey).digest().readUInt32BE(0) % DUE_SHARDS.length;
  return String(index);
}

/** A Call-ID is the client's word: one that is longer stands as its hash. */
const MAX_CALL_ID_LENGTH = 512;

/** Sort key of a source of events; its presentities stand beside it. */
export const SOURCE_SORT_KEY = 'SOURCE';

/** Partition of a source that says of its users over HTTP what they do. */
export const sourcePartition = (domain: string, source: string): string => `SOURCE#${domain}#${source}`;
export const sourceKey = (domain: string, source: string): Key => ({
  PK: sourcePartition(domain, source),
  SK: SOURCE_SORT_KEY,
});

/** Sort-key prefix of the presentities that a source may have a word about. */
export const REPORTED_PREFIX = 'PRESENTITY#';
export const reportedKey = (domain: string, source: string, user: string): Key => ({
  PK: sourcePartition(domain, source),
  SK: `${REPORTED_PREFIX}${user}`,
});

/** Partition of the calls of one Call-ID. */
export function callPartition(domain: string, callId: string): string {
  const isLong = callId.length > MAX_CALL_ID_LENGTH;
  return `CALL#${domain}#${isLong ? createHash('sha256').update(callId).digest('hex') : callId}`;
}

export const callKeyOf = (domain: string, callId: string, callKey: string): Key => ({
  PK: callPartition(domain, callId),
  SK: `CALL#${callKey}`,
});

export const isCallKey = ({ PK }: Key): boolean => PK.startsWith('CALL#');

const tenantPartition = (domain: string): string => tenantKey(domain).PK;

/** Counters are spread, so that calls of one tenant do not wait for each other; one with a limit stands alone. */
const COUNTER_SHARDS = 8;
export const counterShardOf = (callKey: string): string =>
  String(createHash('sha256').update(callKey).digest().readUInt32BE(0) % COUNTER_SHARDS);

/** Sort-key prefix of a tenant's call statistics. */
export const STATISTICS_PREFIX = 'STATISTICS#';
export const statisticsKey = (domain: string, shard: string): Key => ({
  PK: tenantPartition(domain),
  SK: `${STATISTICS_PREFIX}${shard}`,
});

/** Sort-key prefix of the sizes of a profile, or of one of its values. */
export function sizePrefix(profile?: string, value?: string): string {
  if (profile === undefined) return 'SIZE#';
  const ofProfile = `SIZE#${encodeURIComponent(profile)}#`;
  return value === undefined ? ofProfile : `${ofProfile}${encodeURIComponent(value)}#`;
}

/** @param shard '' for the one counter of a limited value */
export const sizeKey = (domain: string, profile: string, value: string, shard: string): Key => ({
  PK: tenantPartition(domain),
  SK: `${sizePrefix(profile, value)}${shard}`,
});

/** Partition of the records of a tenant's ended calls. */
export const recordPartition = (domain: string): string => `RECORDS#${domain}`;

/** @param endedAtMs the sort key goes by it */
export const recordKey = (domain: string, endedAtMs: number, callKey: string): Key => ({
  PK: recordPartition(domain),
  SK: `RECORD#${sortableTime(endedAtMs)}#${callKey}`,
});

/** One API key, by the id in its prefix: who shows a key is found before a tenant is known. */
export const apiKeyKey = (id: string): Key => ({ PK: `KEY#${id}`, SK: 'KEY' });

/** Partition of what was changed in a tenant by the HTTP API; without one, of what operators change beside tenants. */
export const auditPartition = (domain: string | undefined): string => `AUDIT#${domain ?? ''}`;

/** @param id tells changes of one millisecond apart */
export const auditKey = (domain: string | undefined, atMs: number, id: string): Key => ({
  PK: auditPartition(domain),
  SK: `CHANGE#${sortableTime(atMs)}#${id}`,
});

/** How many users and lists a tenant has: spread, so that an import does not wait for itself. */
export const COUNT_PREFIX = 'COUNT#';
export const countKey = (domain: string, name: string): Key => ({
  PK: tenantPartition(domain),
  SK: `${COUNT_PREFIX}${counterShardOf(name)}`,
});

/** The sparse index of what can be listed: partition `listedAs`, sort `listedBy`, keys only. */
export const LISTED_INDEX = 'listed';
/** `listedAs` of a tenant's live calls, and of all tenants. */
export const listedCalls = (domain: string): string => `CALLS#${domain}`;
export const LISTED_TENANTS = 'TENANTS';
/** `listedAs` of a tenant's users and publishers, each role by name. */
export const listedUsers = (domain: string): string => `USERS#${domain}`;
export const listedUser = (role: string, user: string): string => `${role}#${user}`;
/** `listedAs` of a tenant's event lists; `listedBy` is the name. */
export const listedLists = (domain: string): string => `LISTS#${domain}`;
/** `listedAs` of a tenant's API keys, and without a tenant of the operators'; `listedBy` is the id. */
export const listedKeys = (domain: string | undefined): string => `KEYS#${domain ?? ''}`;
/** `listedAs` of a tenant's sources. */
export const listedSources = (domain: string): string => `SOURCES#${domain}`;
/** `listedAs` of the presentities of a tenant that have a state, by name; of its subscriptions, bindings, devices. */
export const listedPresentities = (domain: string): string => `PRESENTITIES#${domain}`;
export const listedSubscriptions = (domain: string): string => `SUBSCRIPTIONS#${domain}`;
export const listedBindings = (domain: string): string => `BINDINGS#${domain}`;
export const listedDevices = (domain: string): string => `DEVICES#${domain}`;
/** `listedAs` of failed sign-ins, so that they go with their tenant; `listedBy` is address and window. */
export const listedFailures = (domain: string): string => `FAILURES#${domain}`;
/** `listedAs` of all gateways. */
export const LISTED_GATEWAYS = 'GATEWAYS';
/** `listedBy` of what is listed by the user whose it is. */
export const listedOfUser = (user: string, rest: string): string => `${user}#${rest}`;
/** `listedBy` of a call: calls are listed by their start. */
export const listedCall = (startedAtMs: number, callKey: string): string => `${sortableTime(startedAtMs)}#${callKey}`;

const sortableTime = (ms: number): string => String(Math.floor(ms)).padStart(15, '0');

/** The presentity of a `PRESENTITY#<domain>#<user>` partition key; undefined for another kind of item. */
export function presentityOfKey(partitionKey: string): { readonly domain: string; readonly user: string } | undefined {
  return namesOfKey('PRESENTITY', partitionKey);
}

/** The user of a `USER#<domain>#<user>` partition key; undefined for another kind of item. */
export function userOfKey(partitionKey: string): { readonly domain: string; readonly user: string } | undefined {
  return namesOfKey('USER', partitionKey);
}

/** The list of a `LIST#<domain>#<name>` partition key; undefined for another kind of item. */
export function listOfKey(partitionKey: string): { readonly domain: string; readonly user: string } | undefined {
  return namesOfKey('LIST', partitionKey);
}

/** The gateway of a `GATEWAY#<id>` partition key; undefined for another kind of item. */
export function gatewayOfKey(partitionKey: string): string | undefined {
  return partitionKey.startsWith('GATEWAY#') ? partitionKey.slice('GATEWAY#'.length) : undefined;
}

// A domain never holds '#', a user name may: only the first two separators count.
function namesOfKey(kind: string, partitionKey: string): { domain: string; user: string } | undefined {
  const prefix = `${kind}#`;
  const domainEnd = partitionKey.indexOf('#', prefix.length);
  if (!partitionKey.startsWith(prefix) || domainEnd < 0) return undefined;
  return { domain: partitionKey.slice(prefix.length, domainEnd), user: partitionKey.slice(domainEnd + 1) };
}
