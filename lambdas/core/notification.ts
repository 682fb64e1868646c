/** The state of a presentity as a NOTIFY carries it. Pure. */
import { createHash } from 'node:crypto';
import type { Notification } from '#contract/schemas.ts';
import type { ComposedState, EventPackage } from './event-package.ts';
import type { Address } from './identity.ts';
import type { Presentity } from './presentity.ts';
import { decodeProfile } from './rendering-profile.ts';
import { formatAor } from './sip/uri.ts';

/** How a watcher wants to be told. */
export interface View {
  readonly contentType: string;
  /** Encoded rendering profile (core/rendering-profile); '' is the default. */
  readonly rendering: string;
}

/** Composes and renders what a watcher of an event package learns now. */
export function notificationOf(
  eventPackage: EventPackage,
  address: Address,
  presentity: Presentity,
  view: View,
  nowMs: number,
): Notification {
  return renderNotification(eventPackage.compose(presentity, nowMs), address, presentity.version, view, nowMs);
}

/**
 * Renders a composed state; the body has a place for the version of each subscription.
 * @param base an earlier state: watchers of partial documents that were sent it get the difference
 */
export function renderNotification(
  state: ComposedState,
  { user, domain }: Address,
  presentityVersion: number,
  view: View,
  nowMs: number,
  base?: ComposedState,
): Notification {
  const entity = formatAor(user, domain);
  const seen = seenBy(view, state);
  const whole = {
    presentityVersion,
    contentType: view.contentType,
    body: seen.render(view.contentType, entity, nowMs),
    entityTag: entityTagOf(view, seen),
  };
  if (base === undefined || decodeProfile(view.rendering).documents === 'full') return whole;
  const seenBefore = seenBy(view, base);
  const body = seen.renderSince?.(seenBefore, entity, nowMs);
  return body === undefined ? whole : { ...whole, partial: { base: entityTagOf(view, seenBefore), body } };
}

/** The state as a watcher with this view sees it. */
export function seenBy({ rendering }: View, state: ComposedState): ComposedState {
  return rendering === '' ? state : (state.inProfile?.(decodeProfile(rendering)) ?? state);
}

/** Equal exactly for states that look the same in this view, whatever the time. */
export function entityTagOf({ contentType, rendering }: View, { fingerprint }: ComposedState): string {
  const text = JSON.stringify([contentType, rendering, fingerprint]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
