/** What flows have proven, and for how long: a proof that ends takes with it what it opened, unless it is renewed. */
import type { Identity } from '#contract/schemas.ts';
import { isSameAddress } from '#core/identity.ts';
import { detach } from '#core/sip/message.ts';
import type { Flow } from './flow-table.ts';
import type { NotifyPath } from './notify-path.ts';
import type { ReportQueue } from './report-queue.ts';
import type { SignOuts } from './sign-outs.ts';
import type { Log } from './telemetry.ts';
import type { TenantLedger } from './tenants/tenant-ledger.ts';

export interface IdentityKeeperPorts {
  readonly notifyPath: Pick<NotifyPath, 'terminate'>;
  readonly reports: Pick<ReportQueue, 'flowClosed' | 'subscriptionEnded'>;
  readonly tenants: Pick<TenantLedger, 'hold' | 'flowClosed'>;
  readonly signOuts: Pick<SignOuts, 'cover'>;
  readonly closeFlow: (flow: Flow, code: number, reason: string) => void;
  readonly log: Log;
  readonly nowMs: () => number;
}

/** WebSocket close code: what was proven is worth nothing any more. */
export const SIGNED_OUT = { code: 4401, reason: 'signed out' } as const;
const MAX_USER_AGENT = 200;

/** A client has so long to prove itself again before its subscriptions and bindings end. */
const RENEW_WITHIN_MS = 30_000;

export class IdentityKeeper {
  readonly #ports: IdentityKeeperPorts;
  /** Flows whose proof ends, or has ended a moment ago. */
  readonly #ending = new Set<Flow>();

  constructor(ports: IdentityKeeperPorts) {
    this.#ports = ports;
  }

  /**
   * A flow proves one identity; the same may be proven for longer.
   * @param userAgent as the client calls itself
   */
  prove(flow: Flow, identity: Identity | undefined, userAgent?: string): void {
    const nowMs = this.#ports.nowMs();
    if (identity === undefined || flow.closed || endOf(identity) <= nowMs) return;
    const { identity: held, lapsed } = flow;
    if (held !== undefined && (!isSameAddress(held, identity) || endOf(identity) <= endOf(held))) return;
    // Somebody else takes nothing over.
    if (lapsed !== undefined && !isSameAddress(lapsed.identity, identity)) this.#end(flow);
    flow.lapsed = undefined;
    flow.identity = identity;
    this.#ports.tenants.hold(flow, identity.domain);
    if (userAgent !== undefined) flow.userAgent ??= detach(userAgent.slice(0, MAX_USER_AGENT));
    if (identity.expiresAtMs !== undefined) this.#ending.add(flow);
    // A function that had it in its cache believed what was taken back a moment ago.
    if (this.#ports.signOuts.cover(identity, nowMs)) this.#ports.closeFlow(flow, SIGNED_OUT.code, SIGNED_OUT.reason);
  }

  /** Once a second. */
  advance(nowMs: number): void {
    for (const flow of this.#ending) {
      const { identity, lapsed } = flow;
      if (identity !== undefined && endOf(identity) <= nowMs) this.#lapse(flow, identity, nowMs);
      else if (lapsed !== undefined && lapsed.endsAtMs <= nowMs) this.#end(flow);
      if (flow.closed || (flow.lapsed === undefined && flow.identity?.expiresAtMs === undefined))
        this.#ending.delete(flow);
    }
  }

  #lapse(flow: Flow, identity: Identity, nowMs: number): void {
    flow.identity = undefined;
    flow.lapsed = { identity, endsAtMs: nowMs + RENEW_WITHIN_MS };
    this.#ports.log.info({ hop: 'flow', flow: flow.id, tenant: identity.domain, user: identity.user }, 'proof ended');
  }

  #end(flow: Flow): void {
    const { notifyPath, reports, tenants } = this.#ports;
    // `deactivated`: a client that can prove itself anew subscribes again at once (RFC 6665 section 4.1.3).
    for (const subscription of [...flow.subscriptions]) {
      notifyPath.terminate(subscription, 'deactivated');
      reports.subscriptionEnded(subscription, true);
    }
    reports.flowClosed(flow);
    tenants.flowClosed(flow);
    flow.registered = false;
    flow.lapsed = undefined;
  }
}

const endOf = ({ expiresAtMs }: Identity): number => expiresAtMs ?? Number.POSITIVE_INFINITY;
