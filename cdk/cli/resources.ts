/** What the HTTP API answers, as far as commands read it. `--json` gives whatever came, these members and others. */

export interface TenantResource {
  readonly domain: string;
  readonly displayName?: string;
  /** While it is being deleted. */
  readonly state?: string;
}

export interface UserResource {
  readonly user: string;
  readonly role: 'user' | 'publisher';
  readonly displayName?: string;
  readonly groups?: readonly string[];
}

export interface ListResource {
  readonly name: string;
  readonly members: readonly { readonly uri: string; readonly displayName?: string }[];
}

export interface KeyResource {
  readonly id: string;
  readonly prefix: string;
  readonly name: string;
  readonly permission: string;
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly lastUsedAt?: string;
  readonly previousUntil?: string;
  /** When it has just been made. */
  readonly key?: string;
}

export interface LampResource {
  readonly user: string;
  /** idle, ringing, busy, held or unknown. */
  readonly lamp: string;
  readonly version: number;
  readonly registered: boolean;
  readonly changedAt?: string;
}

export interface PresentityResource extends LampResource {
  readonly dialogs: readonly { readonly state: string; readonly remote?: { readonly uri: string } }[];
}

export interface ChangeSource {
  readonly cause: string;
  readonly publication?: string;
  readonly publisher?: string;
  readonly entityTag?: string;
  readonly event?: string;
  readonly by?: string;
}

/** A change of a lamp, with what made it. */
export interface HistoryChange {
  readonly at: string;
  readonly version: number;
  readonly from: string;
  readonly to: string;
  readonly sources: readonly ChangeSource[];
  readonly dialogs: readonly {
    readonly state: string;
    readonly direction?: string;
    readonly callId?: string;
    readonly remote?: string;
  }[];
}

/** Somebody who watches, and what that device was sent. */
export interface NotifiedWatcher {
  readonly id: string;
  readonly watcher: string;
  readonly event: string;
  readonly gateway: string;
  readonly expiresAt: string;
  readonly state: string;
  readonly isWaiting?: boolean;
  readonly notifies: readonly {
    readonly sentAt: string;
    readonly cseq: number;
    readonly documentVersion?: number;
    readonly presentityVersion: number;
    readonly answer?: number;
    readonly roundTripMs?: number;
    readonly timedOut?: boolean;
  }[];
}

export interface HistoryPage {
  readonly items: readonly HistoryChange[];
  readonly next?: string;
  readonly presentity: LampResource;
  readonly subscriptions: readonly NotifiedWatcher[];
  readonly moreSubscriptions?: boolean;
}

export interface ResetResource {
  readonly removed: readonly string[];
  readonly kept: readonly { readonly publication: string; readonly callId: string }[];
}

export interface CallResource {
  readonly callId: string;
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
  readonly use: number;
  readonly share: number;
  readonly state: string;
  readonly refused?: number;
}

export interface AuditResource {
  readonly at: string;
  readonly by: string;
  readonly action: string;
  readonly resource: string;
}

export interface WebhookResource {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly users?: readonly string[];
  readonly paused?: boolean;
  /** When it has just been made. */
  readonly secret?: string;
}
