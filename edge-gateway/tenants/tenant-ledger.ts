/** The tenants that use this gateway: what they hold, their share of what they may, and who is refused. */
import type { LimitUse } from '#contract/instruction.ts';
import type { EnvelopedResponse } from '#contract/outcome.ts';
import { GATEWAY_LIMITS, type GatewayQuotas } from '#contract/schemas.ts';
import type { SipRequest } from '#core/sip/message.ts';
import type { Flow } from '../flow-table.ts';
import { unavailable } from '../generic-answers.ts';
import type { Counts, Log } from '../telemetry.ts';
import { domainOf } from './sender.ts';
import { type HeldLimit, TenantAccount } from './tenant-account.ts';

/** Who holds all of its share is told to come again after this: something of it must end first. */
const HELD_RETRY_SECONDS = 30;
const MAX_RETRY_SECONDS = 60;
/** The refused come back spread over this. */
const RETRY_SPREAD_SECONDS = 4;
const READ_EVERY_SECONDS = 10;
/** Operators hear of a limit from this part of it on, at most once a minute for each. */
export const NOTEWORTHY_SHARE = 0.8;
const TELL_EVERY_MS = 60_000;
/** A tenant that holds nothing is forgotten after so long: longer than any bucket takes to be full again. */
const FORGET_AFTER_MS = 120_000;

const TOO_MANY: Readonly<Record<HeldLimit, string>> = {
  flows: 'Too Many Connections Of This Tenant',
  subscriptions: 'Too Many Subscriptions Of This Tenant',
  calls: 'Too Many Calls Of This Tenant',
};

export interface TenantLedgerPorts {
  readonly log: Log;
  readonly counts: Counts;
  readonly nowMs: () => number;
  /** A number from 0 to 1. */
  readonly chance: () => number;
}

interface Entry {
  readonly account: TenantAccount;
  quotas: GatewayQuotas | undefined;
  idleSinceMs: number;
}

export class TenantLedger {
  readonly #ports: TenantLedgerPorts;
  readonly #entries = new Map<string, Entry>();
  /** When a limit of a tenant was last spoken of. */
  readonly #toldAtMs = new Map<string, number>();
  #gateways = 1;
  #readAtMs: number;

  constructor(ports: TenantLedgerPorts) {
    this.#ports = ports;
    this.#readAtMs = ports.nowMs();
  }

  get size(): number {
    return this.#entries.size;
  }

  accounts(): TenantAccount[] {
    return [...this.#entries.values()].map(({ account }) => account);
  }

  /** A flow is of this tenant, and counts for it from now on. */
  hold(flow: Flow, domain: string): void {
    if (flow.closed || flow.account?.domain === domain) return;
    this.flowClosed(flow);
    flow.account = this.#entryOf(domain).account;
    flow.account.flows++;
  }

  /** The flow is gone, or what it had proven. */
  flowClosed(flow: Flow): void {
    if (flow.account === undefined) return;
    flow.account.flows--;
    flow.account = undefined;
  }

  hasRoomFor(domain: string, limit: HeldLimit): boolean {
    return this.#entries.get(domain)?.account.hasRoomFor(limit) ?? true;
  }

  /** A function says what a tenant may use. */
  takeQuotas(domain: string, quotas: GatewayQuotas): void {
    const entry = this.#entryOf(domain);
    const isNew = GATEWAY_LIMITS.some((limit) => entry.quotas?.[limit] !== quotas[limit]);
    if (!isNew) return;
    entry.quotas = quotas;
    entry.account.setShares(shareOf(quotas, this.#gateways));
  }

  /** Tenants spread over the gateways: each gives an equal share. */
  takeGateways(count: number): void {
    if (count === this.#gateways) return;
    this.#gateways = count;
    for (const { account, quotas } of this.#entries.values())
      if (quotas !== undefined) account.setShares(shareOf(quotas, count));
  }

  /** @returns the answer to a request over the rates of its tenant; 503, since it may be tried again (RFC 3261 section 21.5.4) */
  limitRate({ account }: Flow, method: string): EnvelopedResponse | undefined {
    const seconds = account?.takeRequest(method, this.#ports.nowMs());
    if (seconds === undefined) return undefined;
    this.#ports.counts.tenantRequestsLimited++;
    return this.#later(seconds, 'Too Many Requests Of This Tenant');
  }

  /** @returns the answer to a request that would open one more than the tenant's share */
  limitHeld({ account }: Flow, limit: HeldLimit): EnvelopedResponse | undefined {
    if (account === undefined || account.hasRoomFor(limit)) return undefined;
    this.#count(account, limit);
    return this.#later(HELD_RETRY_SECONDS, TOO_MANY[limit]);
  }

  /**
   * What the tenant holds all of. A flow that has proven nothing yet may be of the tenant that From names: only the
   * function may refuse it, and only once it proves that, since to others it would tell who exists.
   */
  fullFor(flow: Flow, request: SipRequest, opens?: HeldLimit): HeldLimit | undefined {
    // What a proven flow opens was counted when it came, except calls, which only the function knows.
    if (flow.identity !== undefined && opens !== 'calls') return undefined;
    const account = this.#accountFor(flow, request);
    if (account === undefined) return undefined;
    if (opens !== undefined && !account.hasRoomFor(opens)) return opens;
    // An emergency call has no limits, so that it must not fail for want of a flow either.
    const needsFlow = flow.account === undefined && opens !== 'calls';
    return needsFlow && !account.hasRoomFor('flows') ? 'flows' : undefined;
  }

  /** A function has refused for what {@link fullFor} said. */
  refusedFor(flow: Flow, request: SipRequest, limit: HeldLimit | undefined): void {
    const account = limit && this.#accountFor(flow, request);
    if (limit !== undefined && account !== undefined) this.#count(account, limit);
  }

  /** Of the tenant that the flow is, or else claims to be, of; a trunk's is in the Request-URI. */
  #accountFor({ identity, account, isUnframed }: Flow, request: SipRequest): TenantAccount | undefined {
    if (identity !== undefined) return account;
    const domain = domainOf(isUnframed ? request.requestUri : (request.get('from') ?? ''));
    return domain === undefined ? undefined : this.#entries.get(domain)?.account;
  }

  callStarted(domain: string): void {
    this.#entryOf(domain).account.calls++;
  }

  callEnded(domain: string): void {
    this.#entryOf(domain).account.calls--;
  }

  useOf(domain: string): LimitUse[] {
    return this.#entries.get(domain)?.account.use() ?? [];
  }

  /** Every second. */
  advance(): void {
    const now = this.#ports.nowMs();
    const seconds = (now - this.#readAtMs) / 1000;
    if (seconds >= 0 && seconds < READ_EVERY_SECONDS) return;
    this.#readAtMs = now;
    for (const [domain, entry] of this.#entries) {
      entry.account.readMeters(Math.max(1, seconds));
      this.#tell(entry.account, now);
      if (!entry.account.isIdle) entry.idleSinceMs = now;
      else if (now - entry.idleSinceMs >= FORGET_AFTER_MS) this.#entries.delete(domain);
    }
    for (const [key, atMs] of this.#toldAtMs) if (now - atMs >= TELL_EVERY_MS) this.#toldAtMs.delete(key);
  }

  #tell(account: TenantAccount, now: number): void {
    for (const { limit, share, used, refused } of account.use()) {
      const key = `${limit} ${account.domain}`;
      if (share === 0 || used < share * NOTEWORTHY_SHARE || this.#toldAtMs.has(key)) continue;
      this.#toldAtMs.set(key, now);
      this.#ports.log.warn(
        { hop: 'quota', tenant: account.domain, limit, used, share, refused },
        'tenant near its limit',
      );
    }
  }

  #count(account: TenantAccount, limit: HeldLimit): void {
    this.#ports.counts.tenantRequestsLimited++;
    account.refused[limit]++;
  }

  #later(seconds: number, reason: string): EnvelopedResponse {
    const spread = Math.floor(this.#ports.chance() * RETRY_SPREAD_SECONDS);
    return unavailable(Math.min(MAX_RETRY_SECONDS, seconds) + spread, reason);
  }

  #entryOf(domain: string): Entry {
    const known = this.#entries.get(domain);
    if (known !== undefined) return known;
    const now = this.#ports.nowMs();
    const entry: Entry = { account: new TenantAccount(domain, now), quotas: undefined, idleSinceMs: now };
    this.#entries.set(domain, entry);
    return entry;
  }
}

/** What is counted in whole things is shared in whole things, so that a small quota leaves each gateway one. */
function shareOf(quotas: GatewayQuotas, gateways: number): GatewayQuotas {
  const { flows, subscriptions, calls, ...rates } = quotas;
  const part = (amount: number): number => amount / gateways;
  return {
    ...{ flows: Math.ceil(part(flows)), subscriptions: Math.ceil(part(subscriptions)), calls: Math.ceil(part(calls)) },
    requestsPerSecond: part(rates.requestsPerSecond),
    publicationsPerSecond: part(rates.publicationsPerSecond),
    messagesPerSecond: part(rates.messagesPerSecond),
  };
}
