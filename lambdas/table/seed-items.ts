/** Items of a tenant with its accounts, for whoever seeds a table (local stack, tests). */
import { type DigestAlgorithm, ha1Of } from '#core/digest.ts';
import type { Vault } from '#core/sealed-text.ts';
import { formatAor, parseUri } from '#core/sip/uri.ts';
import type { Trunk } from '#core/trunk.ts';
import { listItem } from './list-item.ts';
import type { Item } from './table.ts';
import { countItem } from './tenant-counts.ts';
import { type GivenPolicy, tenantItem } from './tenant-item.ts';
import { trunkItem } from './trunk-item.ts';
import { type StoredCredentials, sealHa1, userItem } from './user-item.ts';

export interface SeedTenant {
  readonly domain: string;
  /** Password of user `u` is `<passwordPrefix>-<u>`. */
  readonly passwordPrefix: string;
  /** How many users, named from 1001 on. */
  readonly users: number;
  /** Accounts that may publish for everyone in the tenant. */
  readonly publishers: readonly string[];
  readonly policy: GivenPolicy;
  readonly trunk?: Trunk | undefined;
}

const FIRST_USER = 1001;
const LIST_NAME = 'blf-all';
const LIST_SIZE = 10;

/** Tenant, users, publishers and the list `blf-all` of the first ten users. */
export function seedItems(tenant: SeedTenant, vault: Vault): Item[] {
  const { domain, passwordPrefix, users, publishers, policy } = tenant;
  const names = Array.from({ length: users }, (_, index) => String(FIRST_USER + index));
  const account = (user: string, role: 'user' | 'publisher', displayName: string): Item => {
    const ha1 = storedCredentials(user, domain, `${passwordPrefix}-${user}`);
    return userItem({ domain, user, role, displayName, sealedHa1: sealHa1(vault, { domain, user }, ha1) });
  };
  return [
    tenantItem(domain, policy),
    countItem(domain, { users: users + publishers.length, lists: 1 }),
    ...(tenant.trunk ? [trunkItem(domain, tenant.trunk, vault)] : []),
    ...names.map((user) => account(user, 'user', `User ${user}`)),
    ...publishers.map((user) => account(user, 'publisher', user)),
    listItem(
      { domain, user: LIST_NAME },
      names.slice(0, LIST_SIZE).map((user) => formatAor(user, domain)),
    ),
  ];
}

/** German numbers, as an example: what is dialled with one zero, with two or a plus, and help. */
const LOCAL_CALLS: GivenPolicy['calls'] = {
  prefixes: [
    { prefix: '110', type: 'emergency', exact: true },
    { prefix: '112', type: 'emergency', exact: true },
    { prefix: '0', type: 'domestic' },
    { prefix: '00', type: 'international' },
    { prefix: '+', type: 'international' },
    { prefix: '+49', type: 'domestic' },
  ],
  variables: { fixed: {}, headers: [{ header: 'X-Account', name: 'account' }] },
};

/** Tenants that the local stack starts with. */
export function localTenants(usersPerTenant: number, trunk?: Trunk): readonly SeedTenant[] {
  const shared = { users: usersPerTenant, publishers: ['pbx'], policy: { minExpiresSeconds: 3, calls: LOCAL_CALLS } };
  return [
    { ...shared, domain: 'demo.example', passwordPrefix: 'demo', trunk },
    { ...shared, domain: 'acme.example', passwordPrefix: 'acme' },
  ];
}

/** What is stored instead of a password: HA1 for both algorithms, and for both forms of user name. */
export function storedCredentials(user: string, domain: string, password: string): StoredCredentials {
  const full = `${user}@${domain}`;
  return {
    md5: ha1Of('MD5', user, domain, password),
    sha256: ha1Of('SHA-256', user, domain, password),
    md5WithDomain: ha1Of('MD5', full, domain, password),
    sha256WithDomain: ha1Of('SHA-256', full, domain, password),
  };
}

/**
 * Reads `sip:account:password@host:port;transport=tcp`, with `;realm=` and `;addresses=` (separated by commas) if they are
 * not the host.
 * @returns undefined when it is no such URI
 */
export function readTrunkUri(text: string): Trunk | undefined {
  const [, username, password, at = ''] = /^sip:(?:([^:@]+):([^@]*)@)?(.+)$/.exec(text) ?? [];
  const uri = parseUri(`sip:${at}`);
  const transport = uri?.params.get('transport')?.toUpperCase() ?? 'TCP';
  if (uri === undefined || (transport !== 'TCP' && transport !== 'TLS')) return undefined;
  const { host, port, params } = uri;
  const realm = params.get('realm') ?? host;
  const addresses = (params.get('addresses') ?? host).split(',');
  const trunk: Trunk = { transport, host, addresses, callerId: {}, ...(port !== undefined && { port }) };
  if (username === undefined || password === undefined) return trunk;
  const hash = (algorithm: DigestAlgorithm): string => ha1Of(algorithm, username, realm, password);
  return { ...trunk, account: { username, realm, ha1: { md5: hash('MD5'), sha256: hash('SHA-256') } } };
}
