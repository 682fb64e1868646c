/** Token desk: tokens of ours for users, and the secrets that portals share with us, as the HTTP API keeps them. */
import type { Address } from '#core/identity.ts';
import { Problem } from '#core/problem.ts';
import type { VaultReader } from '#core/sealed-text.ts';
import {
  loadSignInSecrets,
  MAX_REVOKED_TOKENS,
  MAX_SHARED_SECRETS,
  openShared,
  type SharedSecret,
  type SignInSecrets,
  sealShared,
  signInSecretsWrite,
} from '#table/sign-in-secrets-item.ts';
import type { Table } from '#table/table.ts';
import { loadUser } from '#table/user-item.ts';
import { auditWrites, type Change, type ChangePorts, changeResource, type Standing } from './change.ts';
import { issueToken } from './token-checker.ts';

export interface TokenDeskPorts extends ChangePorts {
  readonly vault: VaultReader;
}

const ID_BYTES = 12;
const SECRET_BYTES = 32;

/** No token of ours lives longer. */
export const MAX_TOKEN_SECONDS = 86_400;

export interface IssuedToken {
  /** By which it can be revoked. */
  readonly id: string;
  readonly token: string;
  readonly expiresAtMs: number;
}

/**
 * A token for a user, with its line in the audit trail.
 * @throws {Problem} 404: no such user; 409: a publisher, which has a password
 */
export async function handOutToken(
  ports: TokenDeskPorts,
  change: Change,
  address: Address,
  expiresSeconds: number,
): Promise<IssuedToken> {
  const { domain, user } = address;
  const account = await loadUser(ports.table, domain, user, { consistent: true });
  if (account === undefined) throw new Problem(404, `There is no user ${user} at ${domain}.`);
  if (account.role !== 'user') throw new Problem(409, `${user} is a publisher: those sign in by password.`);
  const { tokenGeneration: generation } = await loadSignInSecrets(ports.table, domain, { consistent: true });
  const id = ports.random(ID_BYTES).toString('base64url');
  const { nowMs } = change;
  const token = await issueToken(address, await ports.vault(), { generation, id, nowMs, expiresSeconds });
  const expiresAtMs = Math.floor(nowMs / 1_000 + expiresSeconds) * 1_000;
  const shown = { user, tokenId: id, expiresAt: new Date(expiresAtMs).toISOString() };
  await ports.table.transact(auditWrites(ports, change, [domain], undefined, { shown, action: 'hand out token' }));
  return { id, token, expiresAtMs };
}

/**
 * One token of ours is worth nothing from now on, and what it has opened is closed: within some seconds everywhere.
 * @throws {Problem} 409 when too many are revoked
 */
export async function revokeToken(ports: TokenDeskPorts, change: Change, domain: string, id: string): Promise<void> {
  await changeResource<{ id?: string }, Standing<{ id?: string }> & { secrets: SignInSecrets }>(
    ports,
    change,
    [domain],
    async () => {
      const secrets = await loadSignInSecrets(ports.table, domain, { consistent: true });
      const isKnown = secrets.revoked.some((each) => each.id === id);
      return { version: secrets.version ?? 0, secrets, shown: isKnown ? { id } : {} };
    },
    (standing) => {
      const secrets = standing?.secrets ?? noSecrets(domain);
      const others = secrets.revoked.filter((each) => each.id !== id && each.untilMs > change.nowMs);
      if (others.length >= MAX_REVOKED_TOKENS)
        throw new Problem(409, `${MAX_REVOKED_TOKENS} tokens are revoked: revoke those of a user, or all.`);
      const revoked = [...others, { id, untilMs: change.nowMs + MAX_TOKEN_SECONDS * 1_000 }];
      return {
        shown: { id },
        action: 'revoke token',
        writes: (version) => [signInSecretsWrite({ ...secrets, revoked }, version)],
      };
    },
  );
}

/** All tokens of ours for users of a tenant are worth nothing from now on: within some seconds everywhere. */
export async function revokeTokens(ports: TokenDeskPorts, change: Change, domain: string): Promise<void> {
  await changeResource<{ tokenGeneration: number }, Standing<{ tokenGeneration: number }> & { secrets: SignInSecrets }>(
    ports,
    change,
    [domain],
    async () => {
      const secrets = await loadSignInSecrets(ports.table, domain, { consistent: true });
      const { tokenGeneration, version = 0 } = secrets;
      return { version, secrets, shown: { tokenGeneration } };
    },
    (standing) => {
      const secrets = standing?.secrets ?? noSecrets(domain);
      const tokenGeneration = secrets.tokenGeneration + 1;
      return {
        shown: { tokenGeneration },
        action: 'revoke tokens',
        // They are all of an earlier generation: none has to be named any more.
        writes: (version) => [signInSecretsWrite({ ...secrets, tokenGeneration, revoked: [] }, version)],
      };
    },
  );
}

const noSecrets = (domain: string): SignInSecrets => ({ domain, shared: [], tokenGeneration: 0, revoked: [] });

export interface ShownSecret {
  readonly id: string;
  readonly createdAt: string;
}

interface StandingSecret extends Standing<ShownSecret> {
  readonly sealed: SharedSecret;
}

const showSecret = ({ id, createdAtMs }: SharedSecret): ShownSecret => ({
  ...{ id, createdAt: new Date(createdAtMs).toISOString() },
});

export async function showSharedSecrets(table: Table, domain: string): Promise<readonly ShownSecret[]> {
  return (await loadSignInSecrets(table, domain, { consistent: true })).shared.map(showSecret);
}

/**
 * Sets a shared secret, or makes one up.
 * @returns the secret, when it was made up
 * @throws {Problem} 409 when the tenant has as many as it may
 */
export async function putSharedSecret(
  ports: TokenDeskPorts,
  change: Change,
  domain: string,
  id: string,
  given: string | undefined,
) {
  const secret = given ?? ports.random(SECRET_BYTES).toString('base64url');
  const vault = await ports.vault();
  let secrets = noSecrets(domain);
  const changed = await changeResource<ShownSecret, StandingSecret>(
    ports,
    change,
    [domain],
    async () => {
      secrets = await loadSignInSecrets(ports.table, domain, { consistent: true });
      return standingOf(secrets, id);
    },
    (standing) => {
      const others = secrets.shared.filter((each) => each.id !== id);
      if (others.length >= MAX_SHARED_SECRETS) {
        throw new Problem(409, `A tenant has ${MAX_SHARED_SECRETS} shared secrets at most: delete one first.`);
      }
      const isSame = standing !== undefined && openShared(vault, domain, standing.sealed) === secret;
      const createdAtMs = isSame ? standing.sealed.createdAtMs : change.nowMs;
      const isOutdated = standing !== undefined && vault.isOutdated(standing.sealed.sealed);
      const mine = { id, createdAtMs, sealed: sealShared(vault, domain, id, secret) };
      return {
        shown: showSecret(mine),
        isHiddenChange: !isSame || isOutdated,
        writes: (version) => [signInSecretsWrite({ ...secrets, shared: [...others, mine] }, version)],
      };
    },
  );
  return { changed, ...(given === undefined && { secret }) };
}

/** What was made from it is worth nothing any more. @throws {Problem} 404 */
export async function removeSharedSecret(
  ports: TokenDeskPorts,
  change: Change,
  domain: string,
  id: string,
): Promise<void> {
  let secrets = noSecrets(domain);
  await changeResource<ShownSecret, StandingSecret>(
    ports,
    change,
    [domain],
    async () => {
      secrets = await loadSignInSecrets(ports.table, domain, { consistent: true });
      const standing = standingOf(secrets, id);
      if (standing === undefined) throw new Problem(404, `${domain} has no shared secret ${id}.`);
      return standing;
    },
    () => {
      const shared = secrets.shared.filter((each) => each.id !== id);
      return { shown: undefined, writes: (version) => [signInSecretsWrite({ ...secrets, shared }, version)] };
    },
  );
}

function standingOf({ shared, version = 0 }: SignInSecrets, id: string): StandingSecret | undefined {
  const sealed = shared.find((each) => each.id === id);
  return sealed && { sealed, version, shown: showSecret(sealed) };
}
