/** Key desk: API keys of operators and tenants. A secret is shown once, when it is made. */
import {
  hashSecret,
  isInForce,
  type KeyPermission,
  keyPrefix,
  keyText,
  makeKeyId,
  makeKeySecret,
} from '#core/api-key.ts';
import { StaleWrite } from '#core/error.ts';
import { etagOf, requirePrecondition } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import { type ApiKey, apiKeyItem, decodeApiKey, loadApiKey } from '#table/key-item.ts';
import { apiKeyKey, listedKeys } from '#table/keys.ts';
import { listItems } from '#table/listing.ts';
import { changeWrite, removalWrite } from '#table/resource-write.ts';
import type { Table } from '#table/table.ts';
import { auditWrites, type Change, type ChangePorts, changeResource, type Standing } from './change.ts';

/** Whose keys: a tenant's, or undefined for the operators'. */
export type KeyOwner = string | undefined;

export interface GivenKey {
  readonly name: string;
  readonly permission: KeyPermission;
  readonly expiresAtMs?: number | undefined;
}

export interface ShownKey {
  readonly id: string;
  /** What the key begins with. */
  readonly prefix: string;
  readonly name: string;
  readonly permission: KeyPermission;
  readonly createdAt: string;
  readonly expiresAt?: string | undefined;
  readonly lastUsedAt?: string | undefined;
  /** Until when the secret before the last rotation is good. */
  readonly previousUntil?: string | undefined;
}

interface StandingKey extends Standing<ShownKey> {
  readonly key: ApiKey;
}

const MAX_KEYS = 100;

export function showKey(key: ApiKey, nowMs: number): ShownKey {
  const { id, name, permission, createdAtMs, expiresAtMs, lastUsedAtMs, previousUntilMs = 0 } = key;
  return {
    ...{ id, prefix: keyPrefix(id), name, permission },
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: textOf(expiresAtMs),
    lastUsedAt: textOf(lastUsedAtMs),
    previousUntil: textOf(previousUntilMs > nowMs ? previousUntilMs : undefined),
  };
}

const textOf = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

export async function showKeys(
  table: Table,
  owner: KeyOwner,
  page: { readonly limit: number; readonly after?: string | undefined },
  nowMs: number,
): Promise<{ readonly keys: readonly ShownKey[]; readonly place?: string | undefined }> {
  const { items, place } = await listItems(table, listedKeys(owner), page);
  return { keys: items.map((item) => showKey(decodeApiKey(item), nowMs)), place };
}

/** @throws {Problem} 404, for a key of somebody else too */
export async function showOneKey(table: Table, owner: KeyOwner, id: string, nowMs: number) {
  const { shown, version } = await requireKey(table, owner, id, nowMs);
  return { shown, etag: etagOf(version) };
}

async function requireKey(table: Table, owner: KeyOwner, id: string, nowMs: number): Promise<StandingKey> {
  const key = await loadApiKey(table, id);
  if (key === undefined || key.tenant !== owner) throw new Problem(404, `There is no key ${keyPrefix(id)}.`);
  return { key, version: key.version, shown: showKey(key, nowMs) };
}

/** @throws {Problem} 400 for an end that is past, 409 when there are too many */
export async function makeKey(ports: ChangePorts, change: Change, owner: KeyOwner, given: GivenKey) {
  const { table, random } = ports;
  const { nowMs } = change;
  requirePrecondition(change.precondition, undefined);
  if (!isInForce(given, nowMs)) {
    throw new Problem(400, 'The key would have expired.', {}, [{ pointer: '#/expiresAt', detail: 'is past' }]);
  }
  const { items } = await listItems(table, listedKeys(owner), { limit: MAX_KEYS });
  if (items.length >= MAX_KEYS) throw new Problem(409, `There are ${MAX_KEYS} keys already: revoke one.`);
  const [id, secret] = [makeKeyId(random), makeKeySecret(random)];
  const key: ApiKey = { id, tenant: owner, ...given, hash: hashSecret(secret), createdAtMs: nowMs, version: nowMs };
  const shown = showKey(key, nowMs);
  const named = { ...change, resource: `${change.resource}/${id}` };
  const result = await table.transact([
    { kind: 'put', item: apiKeyItem(key), condition: 'attribute_not_exists(PK)' },
    ...auditWrites(ports, named, [owner], undefined, { shown }),
  ]);
  // Two ids of 48 bits that are the same are not worth more than another try by whoever asked.
  if (result.kind === 'refused') throw new StaleWrite(named.resource);
  return { shown, etag: etagOf(key.version), key: keyText(id, secret), path: named.resource };
}

/** Makes another secret; the one before stays good for the grace. @throws {Problem} 404 */
export async function rotateKey(ports: ChangePorts, change: Change, owner: KeyOwner, id: string, graceSeconds: number) {
  const { nowMs } = change;
  const secret = makeKeySecret(ports.random);
  const previousUntilMs = nowMs + graceSeconds * 1_000;
  const changed = await changeResource<ShownKey, StandingKey>(
    ports,
    change,
    [owner],
    () => requireKey(ports.table, owner, id, nowMs),
    (standing) => {
      const next = standing && { ...standing.key, previousUntilMs };
      const hashes = { hash: hashSecret(secret), previousHash: standing?.key.hash, previousUntilMs };
      return {
        shown: next && showKey(next, nowMs),
        action: 'rotate',
        isHiddenChange: true,
        writes: (version) => [changeWrite(apiKeyKey(id), hashes, standing?.version, version)],
      };
    },
  );
  return { ...changed, key: keyText(id, secret) };
}

/** It is refused from now on. @throws {Problem} 404 */
export async function revokeKey(ports: ChangePorts, change: Change, owner: KeyOwner, id: string): Promise<void> {
  await changeResource<ShownKey, StandingKey>(
    ports,
    change,
    [owner],
    () => requireKey(ports.table, owner, id, change.nowMs),
    (standing) => ({
      shown: undefined,
      action: 'revoke',
      writes: () => [removalWrite(apiKeyKey(id), standing?.version ?? 0)],
    }),
  );
}
