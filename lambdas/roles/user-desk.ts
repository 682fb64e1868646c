/** User desk: the accounts of a tenant, as the HTTP API keeps them. */
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import type { Address } from '#core/identity.ts';
import { makePassword, weaknessOf } from '#core/password.ts';
import { etagOf } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import { SealBroken, type Vault, type VaultReader } from '#core/sealed-text.ts';
import type { UserWatch } from '#core/watch-policy.ts';
import { listedUser, listedUsers, profileKey, userOfKey } from '#table/keys.ts';
import { listItems } from '#table/listing.ts';
import { changeWrite, removalWrite } from '#table/resource-write.ts';
import { storedCredentials } from '#table/seed-items.ts';
import type { Table } from '#table/table.ts';
import { countWrite } from '#table/tenant-counts.ts';
import {
  decodeUser,
  loadUser,
  openHa1,
  type StoredCredentials,
  sealHa1,
  type User,
  userListing,
} from '#table/user-item.ts';
import { removedMark } from '#table/user-removal.ts';
import { completeUserWatch, type GivenUserWatch, givenUserWatch } from '#table/watch-rules.ts';
import { type Change, type Changed, type ChangePorts, changeResource, type Standing } from './change.ts';
import { requireRoom } from './quota-room.ts';

export interface UserDeskPorts extends ChangePorts {
  /** Seals credentials. */
  readonly vault: VaultReader;
}

/** What is set of a user, besides the password. */
export type GivenUser = Pick<User, 'role' | 'displayName' | 'groups' | 'watch'>;
export type ShownUser = GivenUser & { readonly user: string };

interface StandingUser extends Standing<ShownUser> {
  readonly account: User;
}

const showUser = ({ user, role, displayName, groups, watch }: User): ShownUser => ({
  ...{ user, role, displayName, groups, watch },
});

export interface UserPage {
  readonly users: readonly ShownUser[];
  /** Of the last one; undefined when that was all. */
  readonly place?: string | undefined;
}

/** @param role undefined: users and publishers */
export async function showUsers(
  table: Table,
  domain: string,
  role: User['role'] | undefined,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<UserPage> {
  const prefix = role === undefined ? '' : listedUser(role, '');
  const { items, place } = await listItems(table, listedUsers(domain), { ...page, prefix });
  const users = items.map((item) => showUser(decodeUser(item, domain, userOfKey(item.PK)?.user ?? '')));
  return { users, place };
}

/** @throws {Problem} 404 */
export async function showOneUser(table: Table, address: Address, role?: User['role']) {
  const { shown, version } = await requireUser(table, address, role);
  return { shown, etag: etagOf(version) };
}

async function findUser(table: Table, { domain, user }: Address): Promise<StandingUser | undefined> {
  const account = await loadUser(table, domain, user, { consistent: true });
  return account && { account, version: account.version ?? 0, shown: showUser(account) };
}

async function requireUser(table: Table, address: Address, role?: User['role']): Promise<StandingUser> {
  const found = await findUser(table, address);
  if (found === undefined || (role !== undefined && found.account.role !== role)) throw noUser(address, role);
  return found;
}

const noUser = ({ user, domain }: Address, role: User['role'] = 'user'): Problem =>
  new Problem(404, `There is no ${role} ${user} at ${domain}.`);

/**
 * Creates a user, or replaces all but its password, which changes only when one is given. Without one, a new user has
 * credentials that nobody knows, until some are set.
 * @param quota how many users the tenant may have
 * @throws {Problem} 400 for a weak password, 409 beyond the quota
 */
export async function putUser(
  ports: UserDeskPorts,
  change: Change,
  address: Address,
  given: GivenUser & { readonly password?: string | undefined },
  quota: number,
): Promise<Changed<ShownUser>> {
  const { domain, user } = address;
  const { password, ...settings } = given;
  if (password !== undefined) requireStrong(password, address);
  const vault = await ports.vault();
  return changeResource<ShownUser, StandingUser>(
    ports,
    change,
    [domain],
    () => findUser(ports.table, address),
    async (standing) => {
      if (standing === undefined) await requireRoom(ports.table, domain, 'users', quota);
      const credentials = credentialsFor(vault, address, standing?.account, password, { ...ports, ...change });
      const attributes = {
        ...{ role: settings.role, displayName: settings.displayName, groups: settings.groups, watch: settings.watch },
        ...{ ...userListing({ ...address, role: settings.role }), ...credentials },
      };
      return {
        shown: { user, ...settings },
        isHiddenChange: credentials !== undefined,
        writes: (version) => [
          changeWrite(profileKey(domain, user), attributes, standing?.version, version),
          ...(standing === undefined ? [countWrite(domain, 'users', user, 1)] : []),
        ],
      };
    },
  );
}

/** @returns undefined when they are to stay */
function credentialsFor(
  vault: Vault,
  address: Address,
  standing: User | undefined,
  password: string | undefined,
  { random, nowMs }: Pick<ChangePorts, 'random'> & Pick<Change, 'nowMs'>,
): Pick<User, 'sealedHa1' | 'passwordSetAtMs'> | undefined {
  if (standing !== undefined && password === undefined) return undefined;
  const ha1 = storedCredentials(address.user, address.domain, password ?? makePassword(random));
  const isSame = standing !== undefined && isDeepStrictEqual(openedHa1(vault, standing), ha1);
  if (isSame && !vault.isOutdated(standing.sealedHa1)) return undefined;
  return { sealedHa1: sealHa1(vault, address, ha1), ...(!isSame && { passwordSetAtMs: nowMs }) };
}

/** @returns undefined for what cannot be opened any more */
function openedHa1(vault: Vault, user: User): StoredCredentials | undefined {
  try {
    return openHa1(vault, user);
  } catch (error) {
    if (error instanceof SealBroken) return undefined;
    throw error;
  }
}

/**
 * Sets the password of a user, or makes one up.
 * @returns the password, when it was made up
 * @throws {Problem} 404, 400 for a weak one
 */
export async function setPassword(
  ports: UserDeskPorts,
  change: Change,
  address: Address,
  given: string | undefined,
): Promise<{ readonly password?: string }> {
  if (given !== undefined) requireStrong(given, address);
  const { domain, user } = address;
  const password = given ?? makePassword(ports.random);
  const vault = await ports.vault();
  await changeResource<ShownUser, StandingUser>(
    ports,
    change,
    [domain],
    () => requireUser(ports.table, address),
    (standing) => {
      const credentials = credentialsFor(vault, address, standing?.account, password, { ...ports, ...change });
      return {
        shown: standing?.shown,
        action: 'set credentials',
        isHiddenChange: credentials !== undefined,
        writes: (version) => [changeWrite(profileKey(domain, user), { ...credentials }, standing?.version, version)],
      };
    },
  );
  return given === undefined ? { password } : {};
}

/**
 * Signs a user out everywhere: connections are closed, and tokens that were issued up to now are worth nothing.
 * @throws {Problem} 404
 */
export async function signOutUser(ports: ChangePorts, change: Change, address: Address): Promise<void> {
  await changeResource<ShownUser, StandingUser>(
    ports,
    change,
    [address.domain],
    () => requireUser(ports.table, address),
    (standing) => ({
      shown: standing?.shown,
      action: 'sign out',
      isHiddenChange: true,
      writes: (version) => [
        changeWrite(
          profileKey(address.domain, address.user),
          { tokensFromMs: change.nowMs },
          standing?.version,
          version,
        ),
      ],
    }),
  );
}

/** @throws {Problem} 400 */
function requireStrong(password: string, { user, domain }: Address): void {
  const weakness = weaknessOf(password, user, domain);
  if (weakness) throw new Problem(400, 'The password is too weak.', {}, [weakness]);
}

/**
 * Removes an account. What it holds ends behind it: bindings, subscriptions, state (roles/user-remover).
 * @throws {Problem} 404
 */
export async function removeUser(
  ports: ChangePorts,
  change: Change,
  address: Address,
  role?: User['role'],
): Promise<void> {
  const { domain, user } = address;
  await changeResource<ShownUser, StandingUser>(
    ports,
    change,
    [domain],
    () => requireUser(ports.table, address, role),
    (standing) => ({
      shown: undefined,
      writes: () => [
        removalWrite(profileKey(domain, user), standing?.version ?? 0),
        countWrite(domain, 'users', user, -1),
        removedMark(address, change.nowMs),
      ],
    }),
  );
}

/**
 * Changes who may watch a user, and nothing else of it.
 * @throws {Problem} 404, 409 when there are too many entries
 */
export async function putUserWatch(
  ports: ChangePorts,
  change: Change,
  address: Address,
  revise: (standing: UserWatch) => UserWatch,
): Promise<Changed<ShownUser>> {
  return changeResource<ShownUser, StandingUser>(
    ports,
    change,
    [address.domain],
    () => requireUser(ports.table, address),
    (standing) => {
      const { shown, version: seen } = standing ?? { shown: undefined, version: undefined };
      const revised = givenOf(revise(completeUserWatch(shown?.watch ?? {})));
      const result = v.safeParse(givenUserWatch, revised);
      if (!result.success) throw new Problem(409, `${address.user} names as many watchers as it may.`);
      const watch = result.output;
      return {
        shown: shown && { ...shown, watch },
        writes: (version) => [changeWrite(profileKey(address.domain, address.user), { watch }, seen, version)],
      };
    },
  );
}

/** What is empty is not said. */
function givenOf({ allow, block, politeBlock, confirm, redact }: UserWatch): GivenUserWatch {
  return {
    ...(allow.length > 0 && { allow: [...allow] }),
    ...(block.length > 0 && { block: [...block] }),
    ...(politeBlock.length > 0 && { politeBlock: [...politeBlock] }),
    ...(confirm && { confirm }),
    ...(Object.keys(redact).length > 0 && { redact }),
  };
}
