/** Trunk desk: the way of a tenant's calls to the outside, as the HTTP API keeps it. */
import { isDeepStrictEqual } from 'node:util';
import { type DigestAlgorithm, ha1Of } from '#core/digest.ts';
import { etagOf } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import type { VaultReader } from '#core/sealed-text.ts';
import type { Trunk } from '#core/trunk.ts';
import { trunkKey } from '#table/keys.ts';
import { changeWrite, removalWrite } from '#table/resource-write.ts';
import { loadStoredTrunk, trunkItem } from '#table/trunk-item.ts';
import { type Change, type Changed, type ChangePorts, changeResource, type Standing } from './change.ts';

export interface TrunkDeskPorts extends ChangePorts {
  readonly vault: VaultReader;
}

/** A trunk as it is set: the password of our account there goes in and never comes out. */
export type GivenTrunk = Omit<Trunk, 'account'> & {
  readonly account?:
    | { readonly username: string; readonly realm?: string | undefined; readonly password?: string | undefined }
    | undefined;
};
export type ShownTrunk = Omit<Trunk, 'account'> & {
  readonly account?: { readonly username: string; readonly realm: string } | undefined;
};

interface StandingTrunk extends Standing<ShownTrunk> {
  readonly trunk: Trunk;
}

function showTrunk({ transport, host, port, addresses, callerId, account }: Trunk): ShownTrunk {
  const { username, realm } = account ?? {};
  const shownAccount = username === undefined || realm === undefined ? undefined : { username, realm };
  return { transport, host, port, addresses, callerId, account: shownAccount };
}

async function findTrunk({ table, vault }: TrunkDeskPorts, domain: string): Promise<StandingTrunk | undefined> {
  const stored = await loadStoredTrunk(table, vault, domain);
  return stored && { ...stored, shown: showTrunk(stored.trunk) };
}

async function requireTrunk(ports: TrunkDeskPorts, domain: string): Promise<StandingTrunk> {
  const found = await findTrunk(ports, domain);
  if (found === undefined) throw new Problem(404, `${domain} has no trunk.`);
  return found;
}

/** @throws {Problem} 404 */
export async function showTheTrunk(ports: TrunkDeskPorts, domain: string) {
  const { shown, version } = await requireTrunk(ports, domain);
  return { shown, etag: etagOf(version) };
}

/** Sets the trunk. An account without a password keeps the one that it has. @throws {Problem} 400 when it has none */
export async function putTrunk(
  ports: TrunkDeskPorts,
  change: Change,
  domain: string,
  given: GivenTrunk,
): Promise<Changed<ShownTrunk>> {
  const vault = await ports.vault();
  return changeResource<ShownTrunk, StandingTrunk>(
    ports,
    change,
    [domain],
    () => findTrunk(ports, domain),
    (standing) => {
      const account = accountOf(given, standing?.trunk);
      const trunk: Trunk = { ...given, account };
      const { PK: _pk, SK: _sk, ...attributes } = trunkItem(domain, trunk, vault);
      const cleared = { port: undefined, sealedAccount: undefined };
      return {
        shown: showTrunk(trunk),
        isHiddenChange: !isDeepStrictEqual(account, standing?.trunk.account),
        writes: (version) => [changeWrite(trunkKey(domain), { ...cleared, ...attributes }, standing?.version, version)],
      };
    },
  );
}

/** @throws {Problem} 400 */
function accountOf({ host, account }: GivenTrunk, standing: Trunk | undefined): Trunk['account'] {
  if (account === undefined) return undefined;
  const { username, realm = host, password } = account;
  if (password !== undefined) {
    const hash = (algorithm: DigestAlgorithm): string => ha1Of(algorithm, username, realm, password);
    return { username, realm, ha1: { md5: hash('MD5'), sha256: hash('SHA-256') } };
  }
  const known = standing?.account;
  if (known?.username === username && known.realm === realm) return known;
  throw new Problem(400, 'This account has no password yet.', {}, [
    { pointer: '#/account/password', detail: 'is missing' },
  ]);
}

/** @throws {Problem} 404 */
export async function removeTrunk(ports: TrunkDeskPorts, change: Change, domain: string): Promise<void> {
  await changeResource<ShownTrunk, StandingTrunk>(
    ports,
    change,
    [domain],
    () => requireTrunk(ports, domain),
    (standing) => ({ shown: undefined, writes: () => [removalWrite(trunkKey(domain), standing?.version ?? 0)] }),
  );
}
