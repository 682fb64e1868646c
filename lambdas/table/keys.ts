/** The only place that knows how items are named in the single table. Tenant first; domains in lower case. */
import { createHash } from 'node:crypto';

/** Primary key of one item. */
export interface Key {
  readonly PK: string;
  readonly SK: string;
}

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

export const tenantKey = (domain: string): Key => ({ PK: `TENANT#${domain}`, SK: 'TENANT' });

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
