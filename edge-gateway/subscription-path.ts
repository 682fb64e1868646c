/** What follows the answer to a SUBSCRIBE: the subscription is held, taken over or ended, and its NOTIFY sent. */
import { type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import type { SubscriptionOutcome } from '#contract/outcome.ts';
import { readRateControl } from '#core/rate-control.ts';
import { parseCSeq } from '#core/sip/header.ts';
import { detach, type SipRequest } from '#core/sip/message.ts';
import { frameNotifies } from './envelope.ts';
import type { Flow } from './flow-table.ts';
import { takeList } from './list-subscription.ts';
import type { NotifyPath } from './notify-path.ts';
import type { PendingStates } from './pending-states.ts';
import {
  documentOf,
  firstCSeq,
  firstDocumentVersion,
  internDocument,
  Subscription,
  type SubscriptionTable,
} from './subscription-table.ts';

export interface SubscriptionPathPorts {
  readonly subscriptions: SubscriptionTable;
  readonly notifyPath: NotifyPath;
  readonly pending: PendingStates;
  readonly nowMs: () => number;
}

/** The SUBSCRIBE. */
interface Asked {
  readonly flow: Flow;
  readonly request: SipRequest;
  /** Of its answer; the id of a subscription that it opens. */
  readonly toTag: string;
}

export class SubscriptionPath {
  readonly #gatewayHost: string;
  readonly #ports: SubscriptionPathPorts;

  constructor(gatewayHost: string, ports: SubscriptionPathPorts) {
    this.#gatewayHost = gatewayHost;
    this.#ports = ports;
  }

  /** Takes what the function said, after the answer has left. */
  take(asked: Asked, subscription: SubscriptionOutcome): void {
    if (subscription.kind === 'active') {
      this.#activate(asked, subscription);
      this.#endIfOvertaken(subscription.id);
    } else this.#end(asked, subscription);
  }

  /** Who may watch was decided anew while the function worked: nothing stands in the table any more. */
  #endIfOvertaken(id: SubscriptionId): void {
    const { pending, subscriptions, notifyPath } = this.#ports;
    const end = pending.endOf(id);
    const subscription = subscriptions.get(id);
    if (end === undefined || subscription === undefined) return;
    notifyPath.terminate(subscription, end.reason, end.notification && documentOf(end.notification));
  }

  #activate(asked: Asked, opened: Extract<SubscriptionOutcome, { kind: 'active' }>): void {
    const { flow } = asked;
    const { notifyPath } = this.#ports;
    const subscription = this.#holdOrAdopt(asked, opened);
    subscription.expiresAtMs = opened.expiresAtMs;
    this.#frame(subscription, asked, opened.eventId);
    notifyPath.attach(subscription, flow);
    subscription.isPending = opened.isPending === true;
    if (flow.closed) {
      // The flow died while the function worked: park it, the client may take it over.
      notifyPath.park(flow);
      return;
    }
    if (opened.suppressed === 'notification') {
      notifyPath.refreshSilently(subscription, internDocument(subscription.resource, opened.notification));
      return;
    }
    const newest =
      opened.list === undefined ? this.#ports.pending.newest(opened.id, opened.notification) : opened.notification;
    // What has come meanwhile is for one who may see.
    if (newest !== opened.notification) subscription.isPending = false;
    const isKnown = opened.suppressed === 'body' && newest === opened.notification;
    notifyPath.notifyRefreshed(subscription, internDocument(subscription.resource, newest), isKnown);
  }

  #holdOrAdopt(asked: Asked, opened: SubscriptionOutcome): Subscription {
    const { subscriptions } = this.#ports;
    const held = subscriptions.get(opened.id);
    if (held !== undefined && opened.isTakenOver) {
      held.renumber(opened.createdAtMs, this.#ports.nowMs());
      // What was sent from here has numbers of which the next one is not the follower.
      this.#ports.notifyPath.memory.forget(held);
    }
    const subscription = held ?? this.#adopt(asked, opened);
    if (opened.list !== undefined)
      takeList(subscription, opened.list, this.#ports.pending.of(opened.id), subscriptions);
    return subscription;
  }

  #adopt(asked: Asked, opened: SubscriptionOutcome): Subscription {
    const { subscriptions, nowMs } = this.#ports;
    const now = nowMs();
    const isNew = opened.id === asked.toTag;
    const resource = subscriptions.resourceOf(opened.presentity, opened.event);
    const subscription = new Subscription(
      subscriptionIdOf(detach(opened.id)),
      resource,
      detach(asked.request.get('call-id') ?? ''),
      internDocument(resource, opened.notification),
      {
        cseq: firstCSeq(opened.createdAtMs, now, isNew),
        documentVersion: firstDocumentVersion(opened.createdAtMs, now, isNew),
      },
    );
    subscription.account = asked.flow.account;
    subscriptions.add(subscription);
    return subscription;
  }

  /** A fetch or an un-SUBSCRIBE: one last NOTIFY. */
  #end(asked: Asked, ended: Extract<SubscriptionOutcome, { kind: 'ended' }>): void {
    const { notifyPath } = this.#ports;
    const subscription = this.#holdOrAdopt(asked, ended);
    this.#frame(subscription, asked, ended.eventId);
    notifyPath.attach(subscription, asked.flow);
    const document = documentOf(ended.notification);
    if (ended.suppressed === 'notification') notifyPath.forget(subscription);
    else notifyPath.terminate(subscription, ended.reason, document, ended.suppressed === 'body');
  }

  #frame(subscription: Subscription, asked: Asked, eventId: string | undefined): void {
    const { notifyPath, nowMs } = this.#ports;
    subscription.askedCSeq = parseCSeq(asked.request.get('cseq') ?? '')?.sequence ?? 0;
    const secondsLeft = (subscription.expiresAtMs - nowMs()) / 1_000;
    notifyPath.setRate(subscription, readRateControl(asked.request.get('event') ?? '', secondsLeft));
    frameNotifies(subscription, asked.request, {
      eventId,
      gatewayHost: this.#gatewayHost,
      transport: asked.flow.transport,
    });
  }
}
