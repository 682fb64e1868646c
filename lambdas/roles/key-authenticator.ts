/** Key authenticator: who asks the HTTP API, by the key in `Authorization: Bearer` (RFC 6750). */
import { type Caller, isEqual, isGoodKey, keyPrefix, readKey } from '#core/api-key.ts';
import { Problem } from '#core/problem.ts';
import { loadApiKey, noteUse } from '#table/key-item.ts';
import type { Table } from '#table/table.ts';

export interface KeyAuthenticatorPorts {
  readonly table: Table;
  /** The key that the deployment was made with. */
  readonly adminKey: () => Promise<string>;
}

const ROOT: Caller = { key: 'admin', permission: 'admin' };

/**
 * One GetItem for a key that looks like one; what does not costs nothing. All refusals are the same.
 * @throws {Problem} 401
 */
export async function identifyCaller(
  { table, adminKey }: KeyAuthenticatorPorts,
  authorization: string | undefined,
  nowMs: number,
): Promise<Caller> {
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '';
  const parts = readKey(given);
  if (parts === undefined) {
    if (isEqual(given, await adminKey())) return ROOT;
    throw refused();
  }
  const key = await loadApiKey(table, parts.id);
  if (!isGoodKey(key, parts.secret, nowMs) || key === undefined) throw refused();
  await noteUse(table, key, nowMs).catch(() => undefined);
  return { key: keyPrefix(key.id), tenant: key.tenant, permission: key.permission };
}

const refused = (): Problem =>
  new Problem(401, 'Give a key that is good: Authorization: Bearer <key>.', { 'www-authenticate': 'Bearer' });
