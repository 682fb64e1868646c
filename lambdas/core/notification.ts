/** The state of a presentity as a NOTIFY carries it. Pure. */
import { createHash } from 'node:crypto';
import type { Notification } from '#contract/schemas.ts';
import type { ComposedState, EventPackage } from './event-package.ts';
import type { Address } from './identity.ts';
import { LAMP_TYPE } from './lamp-document.ts';
import { NO_STATE, type Presentity } from './presentity.ts';
import { decodeProfile } from './rendering-profile.ts';
import { formatAor } from './sip/uri.ts';
import { isHidden } from './watch-policy.ts';
import { accessOf, profileOf } from './watch-view.ts';

/** How a watcher wants to be told. */
export interface View {
  readonly contentType: string;
  /** Rendering profile and access (core/watch-view); '' is the default profile with full access. */
  readonly rendering: string;
}

/** What watchers are told of this version, whenever that is: its expiries are measured by the time of its write. */
export const composeAsWritten = (eventPackage: EventPackage, presentity: Presentity): ComposedState =>
  eventPackage.compose(presentity, presentity.changedAtMs);

/** Composes and renders what a watcher of an event package learns of this version. */
export function notificationOf(
  eventPackage: EventPackage,
  address: Address,
  presentity: Presentity,
  view: View,
  nowMs: number,
): Notification {
  return renderNotification(composeAsWritten(eventPackage, presentity), address, presentity.version, view, nowMs);
}

/** What a watcher is told at the end when it may no longer watch: nothing of the state as it is. */
export const farewellOf = (eventPackage: EventPackage, address: Address, view: View, nowMs: number): Notification =>
  notificationOf(eventPackage, address, NO_STATE, view, nowMs);

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
    body: seen.render(view.contentType, entity, nowMs, presentityVersion),
    entityTag: entityTagOf(view, seen),
  };
  // A lamp is small: there are no partial documents of it.
  const isWhole = view.contentType === LAMP_TYPE || decodeProfile(view.rendering).documents === 'full';
  if (base === undefined || isWhole) return whole;
  const seenBefore = seenBy(view, base);
  const body = seen.renderSince?.(seenBefore, entity, nowMs);
  return body === undefined ? whole : { ...whole, partial: { base: entityTagOf(view, seenBefore), body } };
}

/** The state as a watcher with this view sees it: one of whom it is hidden as that of a presentity that does nothing. */
export function seenBy({ rendering }: View, state: ComposedState): ComposedState {
  if (rendering === '') return state;
  const access = accessOf(rendering);
  const profile = profileOf(rendering);
  const inProfile = (seen: ComposedState): ComposedState =>
    profile === '' ? seen : (seen.inProfile?.(decodeProfile(profile)) ?? seen);
  if (access === 'full' || state.inAccess === undefined) return inProfile(state);
  if (isHidden(access)) return inProfile(state.inAccess(access));
  const seen = inProfile(state);
  return seen.inAccess?.(access) ?? seen;
}

/**
 * Equal exactly for states that look the same in this view, whatever the time. It does not tell with which access they are
 * seen: a watcher that is told politely that nothing happens must not learn it by its tags.
 */
export function entityTagOf({ contentType, rendering }: View, { fingerprint }: ComposedState): string {
  const text = JSON.stringify([contentType, profileOf(rendering), fingerprint]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
