/** Notifier-side subscriptions that this gateway holds: dialog state, numbering and time. */
import type { SubscriptionId } from '#contract/ids.ts';
import type { Notification, SplitBody } from '#contract/schemas.ts';
import type { Flow } from './flow-table.ts';
import type { ListDocument } from './list-document.ts';
import { NO_RING, type RingPlace } from './notify-ring.ts';
import type { RateState } from './rate-keeper.ts';
import type { TenantAccount } from './tenants/tenant-account.ts';

/** What one NOTIFY carries. */
export interface Content {
  readonly contentType: string;
  /** Value of SIP-ETag (RFC 5839). */
  readonly entityTag: string | undefined;
  readonly before: string;
  /** Undefined when the document carries no version of its own. */
  readonly after: string | undefined;
  /** Bytes of the parts, without the version. */
  readonly bytes: number;
}

/** One rendered state, shared by every subscription that was sent it. */
export interface Document extends Content {
  readonly presentityVersion: number;
  /** When the state changed; undefined when nobody waits for it, because it is no news. */
  readonly changedAtMs?: number | undefined;
  /** The difference to the state with the entity-tag `base`, for subscriptions that were sent that one last. */
  readonly partial: { readonly base: string; readonly content: Content } | undefined;
}

/** What is watched: shared by all subscriptions to it, with the latest document for late first NOTIFYs. */
export interface Resource {
  readonly presentity: string;
  readonly event: string;
  latest: Document | undefined;
  holders: number;
}

/** An event list of one subscription, and the resources of its members that it holds. */
export interface WatchedList {
  readonly document: ListDocument;
  /** By AOR. */
  resources: ReadonlyMap<string, Resource>;
  /** While changes are gathered into one NOTIFY. */
  isGathering: boolean;
}

export class Subscription {
  readonly id: SubscriptionId;
  readonly resource: Resource;
  readonly callId: string;
  /** Undefined while parked. */
  flow: Flow | undefined;
  /** The watcher's tenant, which it counts for. */
  account: TenantAccount | undefined;
  /** `NOTIFY … branch=z9hG4bK<id>.`, up to the CSeq number that ends the branch. */
  start = '';
  /** From behind the branch up to the number of the CSeq field. */
  middle = '';
  /** From behind the CSeq number up to the value of Subscription-State. */
  tail = '';
  cseq: number;
  documentVersion: number;
  /** CSeq of the watcher's last SUBSCRIBE. */
  askedCSeq = 0;
  expiresAtMs = 0;
  /** When parked: the end of the parking. */
  parkedUntilMs = 0;
  /** Undefined unless the watcher asked for rate control. */
  rate: RateState | undefined;
  /** No NOTIFY before this time: the watcher answered with Retry-After, or its maximum rate says so. */
  holdUntilMs = 0;
  /** When the outstanding NOTIFY was sent; 0 when none is outstanding. */
  sentAtMs = 0;
  suspect = false;
  /** Nobody has allowed it yet. */
  isPending = false;
  /** Where its last NOTIFYs are remembered. */
  ring: RingPlace = NO_RING;
  /** Of an event list: its documents are composed when they are sent, and `delivered` and `waiting` only say whether. */
  list: WatchedList | undefined;
  /** The last NOTIFY failed: the next one must not be a difference to it. */
  needsWhole = false;
  delivered: Document;
  waiting: Document | undefined;
  /** Neighbours among the outstanding NOTIFYs, in the order of sending. */
  previous: Subscription | undefined;
  next: Subscription | undefined;

  constructor(
    id: SubscriptionId,
    resource: Resource,
    callId: string,
    document: Document,
    first: { cseq: number; documentVersion: number },
  ) {
    this.id = id;
    this.resource = resource;
    this.callId = callId;
    this.delivered = document;
    this.cseq = first.cseq;
    this.documentVersion = first.documentVersion;
  }

  /** It comes back from another gateway, which has counted on meanwhile and sent states unknown here. */
  renumber(createdAtMs: number, nowMs: number): void {
    this.cseq = Math.max(this.cseq, firstCSeq(createdAtMs, nowMs, false));
    this.documentVersion = Math.max(this.documentVersion, firstDocumentVersion(createdAtMs, nowMs, false));
    this.demandWhole();
  }

  /**
   * How long a change waited for this gateway and all before it.
   * @returns undefined for what is no news, or waited for the watcher: at its wish, or because it does not answer
   */
  delayOf(waiting: Document, nowMs: number): number | undefined {
    const { changedAtMs } = waiting;
    if (waiting === this.delivered || changedAtMs === undefined || this.holdUntilMs !== 0 || this.suspect) return;
    // Clocks of gateways and functions differ a little.
    return Math.max(0, nowMs - changedAtMs);
  }

  /** @returns false when it was suspect already */
  becomeSuspect(): boolean {
    if (this.suspect) return false;
    this.suspect = true;
    return true;
  }

  /** What was sent may be lost: no difference to it comes next. */
  demandWhole(): void {
    this.needsWhole = true;
    this.list?.document.demandFull();
  }
}

const CLOCK_EPOCH_MS = Date.UTC(2026, 0, 1);
/** A gateway that takes a subscription over assumes so many NOTIFYs before it, and one more in each tick. */
const TAKEOVER_HEADROOM = 50;
const TAKEOVER_TICK_MS = 10;

/**
 * First CSeq of a subscription on this gateway, from a clock (RFC 3261 section 8.1.1.5): the second of its creation,
 * and above what another gateway can have counted. Below 2^31 for a subscription of 200 days until the year 2035.
 */
export function firstCSeq(createdAtMs: number, nowMs: number, isNew: boolean): number {
  const seconds = Math.max(1, Math.floor((createdAtMs - CLOCK_EPOCH_MS) / 1_000));
  return seconds + firstDocumentVersion(createdAtMs, nowMs, isNew);
}

/**
 * First document version on this gateway: 0 for a new subscription; for one that another gateway numbered before,
 * a number that it cannot have reached.
 */
export function firstDocumentVersion(createdAtMs: number, nowMs: number, isNew: boolean): number {
  return isNew ? 0 : TAKEOVER_HEADROOM + Math.max(0, Math.ceil((nowMs - createdAtMs) / TAKEOVER_TICK_MS));
}

export function documentOf(notification: Notification): Document {
  const { presentityVersion, changedAtMs, partial } = notification;
  return {
    ...contentOf(notification, notification.body),
    ...{ presentityVersion, changedAtMs },
    partial: partial && { base: partial.base, content: contentOf(notification, partial.body) },
  };
}

function contentOf({ contentType, entityTag }: Notification, [before, after]: SplitBody): Content {
  return {
    contentType,
    entityTag,
    before,
    after,
    bytes: Buffer.byteLength(before) + (after === undefined ? 0 : Buffer.byteLength(after)),
  };
}

/** Oldest-first queue of subscriptions with an outstanding NOTIFY: timer F for all of them, without a timer each. */
export class OutstandingQueue {
  #oldest: Subscription | undefined;
  #newest: Subscription | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(subscription: Subscription, nowMs: number): void {
    this.remove(subscription);
    subscription.sentAtMs = nowMs;
    subscription.previous = this.#newest;
    if (this.#newest) this.#newest.next = subscription;
    else this.#oldest = subscription;
    this.#newest = subscription;
    this.#size++;
  }

  remove(subscription: Subscription): void {
    if (subscription.sentAtMs === 0) return;
    const { previous, next } = subscription;
    if (previous) previous.next = next;
    else this.#oldest = next;
    if (next) next.previous = previous;
    else this.#newest = previous;
    subscription.previous = undefined;
    subscription.next = undefined;
    subscription.sentAtMs = 0;
    this.#size--;
  }

  /** Takes out one subscription whose NOTIFY was sent at or before `sentAtMs`. */
  takeSentBefore(sentAtMs: number): Subscription | undefined {
    const oldest = this.#oldest;
    if (oldest === undefined || oldest.sentAtMs > sentAtMs) return undefined;
    this.remove(oldest);
    return oldest;
  }
}

/** Wakes subscriptions at a second of their life; entries that a refresh made obsolete are judged by the waker. */
export class WakeWheel {
  readonly #seconds = new Map<number, Subscription[]>();
  #lastSecond: number;

  constructor(nowMs: number) {
    this.#lastSecond = Math.floor(nowMs / 1000);
  }

  add(subscription: Subscription, atMs: number): void {
    const second = Math.max(this.#lastSecond + 1, Math.ceil(atMs / 1000));
    const bucket = this.#seconds.get(second);
    if (bucket) bucket.push(subscription);
    else this.#seconds.set(second, [subscription]);
  }

  /** Gives every subscription whose second has come. */
  advance(nowMs: number, wake: (subscription: Subscription) => void): void {
    const current = Math.floor(nowMs / 1000);
    while (this.#lastSecond < current) {
      const second = ++this.#lastSecond;
      const bucket = this.#seconds.get(second);
      if (bucket === undefined) continue;
      this.#seconds.delete(second);
      bucket.forEach(wake);
    }
  }
}

export class SubscriptionTable {
  readonly #subscriptions = new Map<SubscriptionId, Subscription>();
  readonly #resources = new Map<string, Resource>();
  parked = 0;

  get size(): number {
    return this.#subscriptions.size;
  }

  get(id: SubscriptionId): Subscription | undefined {
    return this.#subscriptions.get(id);
  }

  values(): IterableIterator<Subscription> {
    return this.#subscriptions.values();
  }

  add(subscription: Subscription): void {
    this.#subscriptions.set(subscription.id, subscription);
    subscription.resource.holders++;
    if (subscription.account !== undefined) subscription.account.subscriptions++;
  }

  remove(subscription: Subscription): boolean {
    if (!this.#subscriptions.delete(subscription.id)) return false;
    this.#release(subscription.resource);
    if (subscription.account !== undefined) subscription.account.subscriptions--;
    if (subscription.list !== undefined) this.holdMembers(subscription.list, new Map());
    return true;
  }

  /** Makes a list hold these resources instead of those that it held. */
  holdMembers(list: WatchedList, resources: ReadonlyMap<string, Resource>): void {
    for (const resource of resources.values()) resource.holders++;
    for (const resource of list.resources.values()) this.#release(resource);
    list.resources = resources;
  }

  #release(resource: Resource): void {
    if (--resource.holders === 0) this.#resources.delete(resourceKey(resource.presentity, resource.event));
  }

  resourceOf(presentity: string, event: string): Resource {
    const key = resourceKey(presentity, event);
    const known = this.#resources.get(key);
    if (known) return known;
    const resource: Resource = { presentity, event, latest: undefined, holders: 0 };
    this.#resources.set(key, resource);
    return resource;
  }
}

const resourceKey = (presentity: string, event: string): string => `${event} ${presentity}`;

/**
 * The document for a notification of a resource, shared with earlier ones of the same presentity version, so that
 * a thousand watchers hold one copy.
 */
export function internDocument(resource: Resource, notification: Notification): Document {
  const { latest } = resource;
  const [before, after] = notification.body;
  if (
    latest !== undefined &&
    latest.presentityVersion === notification.presentityVersion &&
    latest.contentType === notification.contentType &&
    latest.before === before &&
    latest.after === after
  )
    return latest;
  const document = documentOf(notification);
  if (latest === undefined || document.presentityVersion >= latest.presentityVersion) resource.latest = document;
  return document;
}
