/** What the HTTP API answers, as far as commands read it. `--json` gives whatever came, these members and others. */

export interface TenantResource {
  readonly tenant: string;
  readonly displayName?: string;
  readonly state?: string;
  readonly createdAt?: string;
}

export interface UserResource {
  readonly user: string;
  readonly role: 'user' | 'publisher';
  readonly displayName?: string;
  readonly groups?: readonly string[];
}

export interface ListResource {
  readonly name: string;
  readonly members: readonly string[];
}

export interface KeyResource {
  readonly id: string;
  readonly prefix: string;
  readonly name: string;
  readonly permission: string;
  readonly createdAt?: string;
  readonly lastUsedAt?: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
  /** When it has just been made. */
  readonly key?: string;
}
