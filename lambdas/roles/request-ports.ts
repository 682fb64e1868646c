/** What the roles of the request functions need from outside; handlers/request-ports makes it. */
import type { JSONWebKeySet } from 'jose';
import type { VaultReader } from '#core/sealed-text.ts';
import type { FailureBook } from '#table/failure-book.ts';
import type { SignInSecrets } from '#table/sign-in-secrets-item.ts';
import type { Table } from '#table/table.ts';
import type { Tenant } from '#table/tenant-item.ts';
import type { User } from '#table/user-item.ts';

/** @throws {DependencyUnavailable} when nobody there answers with a key set */
export type KeySetLoader = (uri: string, use: 'known' | 'renewal') => Promise<JSONWebKeySet>;

export interface RequestPorts {
  readonly table: Table;
  /** Secrets of the digest nonces: the first one makes them, all are valid. */
  readonly nonceSecrets: () => Promise<readonly string[]>;
  /** Opens what is sealed in the table. */
  readonly vault: VaultReader;
  /** Account of `user` at `domain`, at most 10 s old; undefined when there is none. */
  readonly loadUser: (domain: string, user: string) => Promise<User | undefined>;
  /** What a tenant's portals share with us, at most 5 s old. */
  readonly loadSignInSecrets: (domain: string) => Promise<SignInSecrets>;
  /** Public keys behind a URI; `renewal` when the known ones lack one that a token names. */
  readonly loadKeySet: KeySetLoader;
  readonly failures: FailureBook;
  /** Tenant of a domain, at most 5 s old; undefined when there is none. */
  readonly loadTenant: (domain: string) => Promise<Tenant | undefined>;
}
