/** What the roles of the request functions need from outside; handlers/request-ports makes it. */
import type { VaultReader } from '#core/sealed-text.ts';
import type { Table } from '#table/table.ts';
import type { Tenant } from '#table/tenant-item.ts';
import type { User } from '#table/user-item.ts';

export interface RequestPorts {
  readonly table: Table;
  /** Secret of the digest nonces. */
  readonly nonceSecret: () => Promise<string>;
  /** Opens what is sealed in the table. */
  readonly vault: VaultReader;
  /** Account of `user` at `domain`, at most 10 s old; undefined when there is none. */
  readonly loadUser: (domain: string, user: string) => Promise<User | undefined>;
  /** Tenant of a domain, at most 5 s old; undefined when there is none. */
  readonly loadTenant: (domain: string) => Promise<Tenant | undefined>;
}
