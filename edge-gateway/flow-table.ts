/** Flows (RFC 5626): the connections of this gateway and what each has proven. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type FlowId, flowIdOf } from '#contract/ids.ts';
import type { Identity } from '#contract/schemas.ts';
import type { Bucket } from '#core/token-bucket.ts';
import type { OutboxOwner } from './outbox.ts';
import type { Subscription } from './subscription-table.ts';
import type { TenantAccount } from './tenants/tenant-account.ts';
import type { ServerTransactions } from './transaction.ts';

export type Transport = 'WS' | 'WSS' | 'TCP' | 'TLS';

/** What a flow does with its connection beside writing to it; a WebSocket is one. */
export interface FlowSocket {
  ping(): void;
  terminate(): void;
  close(code: number, reason: string): void;
}

/** One connection: a client's WebSocket, or a trunk's. Fields that only busy flows need stay undefined: most flows are idle. */
export class Flow implements OutboxOwner, Bucket {
  readonly id: FlowId;
  readonly socket: FlowSocket;
  readonly stream: Duplex;
  readonly transport: Transport;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  identity: Identity | undefined;
  /** What the tenant of the identity uses of this gateway. */
  account: TenantAccount | undefined;
  readonly openedAtMs: number;
  /** What was proven until a moment ago; its subscriptions and bindings end then. */
  lapsed: { readonly identity: Identity; readonly endsAtMs: number } | undefined;
  /** As its client says, once it has proven itself. */
  userAgent: string | undefined;
  /** True while bindings name this flow, so that its end must be reported. */
  registered = false;
  closed = false;
  heardSincePing = true;
  /** Since when the socket does not drain; 0 when it does. */
  heldBackSinceMs = 0;
  frames: string[] | undefined;
  deliver: OutboxOwner['deliver'];
  transactions: ServerTransactions | undefined;
  /** Requests that wait for one with the same Call-ID. */
  busyCallIds: Map<string, (() => void)[]> | undefined;
  /** Highest nonce count seen for each nonce (RFC 7616 section 3.4). */
  nonceCounts: Map<string, number> | undefined;
  readonly subscriptions = new Set<Subscription>();
  /** Subscriptions whose newest state is to be sent as soon as the flow may be written to. */
  unsent: Set<Subscription> | undefined;
  /** Bucket of its requests. */
  tokens: number;
  tokensAtMs: number;

  constructor(socket: FlowSocket, stream: Duplex, transport: Transport, address: string, port: number, nowMs: number) {
    this.id = flowIdOf(randomBytes(12).toString('base64url'));
    this.socket = socket;
    this.stream = stream;
    this.transport = transport;
    this.sourceAddress = address;
    this.sourcePort = port;
    this.openedAtMs = nowMs;
    this.tokens = -1;
    this.tokensAtMs = nowMs;
  }

  /** SIP messages stand one behind the other, without frames. */
  get isUnframed(): boolean {
    return this.transport === 'TCP' || this.transport === 'TLS';
  }
}

const MAX_NONCES_REMEMBERED = 8;

/**
 * Remembers that a nonce count was used on this flow.
 * @returns true when this nonce was already used with this or a higher count
 */
export function isNonceReplayed(flow: Flow, nonce: string, count: number): boolean {
  flow.nonceCounts ??= new Map();
  const highest = flow.nonceCounts.get(nonce);
  if (highest !== undefined && count <= highest) return true;
  if (highest === undefined && flow.nonceCounts.size >= MAX_NONCES_REMEMBERED) {
    const oldest = flow.nonceCounts.keys().next().value;
    if (oldest !== undefined) flow.nonceCounts.delete(oldest);
  }
  flow.nonceCounts.set(nonce, count);
  return false;
}

/** All flows of this gateway, with the counts that its limits need. */
export class FlowTable {
  readonly #flows = new Map<FlowId, Flow>();
  readonly #perAddress = new Map<string, number>();

  get size(): number {
    return this.#flows.size;
  }

  get(id: FlowId): Flow | undefined {
    return this.#flows.get(id);
  }

  values(): IterableIterator<Flow> {
    return this.#flows.values();
  }

  countOfAddress(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }

  add(flow: Flow): void {
    this.#flows.set(flow.id, flow);
    this.#perAddress.set(flow.sourceAddress, this.countOfAddress(flow.sourceAddress) + 1);
  }

  remove(flow: Flow): void {
    if (!this.#flows.delete(flow.id)) return;
    const left = this.countOfAddress(flow.sourceAddress) - 1;
    if (left > 0) this.#perAddress.set(flow.sourceAddress, left);
    else this.#perAddress.delete(flow.sourceAddress);
  }
}
