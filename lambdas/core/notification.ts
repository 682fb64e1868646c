/** The state of a presentity as a NOTIFY carries it. Pure. */
import type { Notification } from '#contract/schemas.ts';
import type { ComposedState, EventPackage } from './event-package.ts';
import type { Address } from './identity.ts';
import type { Presentity } from './presentity.ts';
import { formatAor } from './sip/uri.ts';

/** Composes and renders what a watcher of an event package learns now. */
export function notificationOf(
  eventPackage: EventPackage,
  address: Address,
  presentity: Presentity,
  contentType: string,
  nowMs: number,
): Notification {
  return renderNotification(eventPackage.compose(presentity, nowMs), address, presentity.version, contentType, nowMs);
}

/** Renders a composed state; the body has a place for the version of each subscription. */
export function renderNotification(
  state: ComposedState,
  { user, domain }: Address,
  presentityVersion: number,
  contentType: string,
  nowMs: number,
): Notification {
  return { presentityVersion, contentType, body: state.render(contentType, formatAor(user, domain), nowMs) };
}
