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

export interface DialogResource {
  readonly state: string;
  readonly direction?: string;
  readonly remote?: string;
  readonly callId?: string;
}

export interface PresentityResource {
  readonly user: string;
  /** idle, ringing, busy, held or unknown. */
  readonly lamp: string;
  readonly version: number;
  readonly registered?: boolean;
  readonly dialogs?: readonly DialogResource[];
}

export interface CallResource {
  readonly id: string;
  readonly callId: string;
  readonly tenant: string;
  readonly from: string;
  readonly to: string;
  readonly state: string;
  readonly init: string;
  readonly start?: string;
  readonly duration: number;
}

export interface LimitResource {
  readonly name: string;
  readonly limit: number;
  readonly use?: number;
  readonly share?: number;
}

export interface WebhookResource {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly users?: readonly string[];
  readonly paused?: boolean;
  readonly secret?: string;
}

export interface AuditResource {
  readonly at: string;
  readonly by: string;
  readonly action: string;
  readonly resource: string;
}
