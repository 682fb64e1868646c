/** What webhooks are told: which changes they may see, and the messages that say so. Pure. */
import { createHash } from 'node:crypto';
import { DIALOG, type EventPackage, MESSAGES, PRESENCE } from './event-package.ts';
import type { Address } from './identity.ts';
import { MESSAGES_JSON_TYPE, PRESENCE_JSON_TYPE } from './json-documents.ts';
import { LAMP_TYPE } from './lamp-document.ts';
import { notificationOf, seenBy } from './notification.ts';
import type { Presentity } from './presentity.ts';
import { isHidden, type WatchAccess } from './watch-policy.ts';
import { withAccess } from './watch-view.ts';
import { WEBHOOK_EVENTS, type WebhookEvent } from './webhook.ts';

const DOCUMENTS = {
  lamp: { eventPackage: DIALOG, contentType: LAMP_TYPE },
  presence: { eventPackage: PRESENCE, contentType: PRESENCE_JSON_TYPE },
  messages: { eventPackage: MESSAGES, contentType: MESSAGES_JSON_TYPE },
} as const satisfies Record<WebhookEvent, { eventPackage: EventPackage; contentType: string }>;

const SEEING = ['full', 'redacted', 'stateOnly'] as const;
/** A kind of event that looks different now to those with this access. */
export type ChangedView = `${WebhookEvent}_${(typeof SEEING)[number]}`;
export const CHANGED_VIEWS = WEBHOOK_EVENTS.flatMap((event) =>
  SEEING.map((access): ChangedView => `${event}_${access}`),
);

const viewWith = (event: WebhookEvent, access: WatchAccess) => ({
  contentType: DOCUMENTS[event].contentType,
  rendering: withAccess('', access),
});

/** In which views a change shows: who may not see it must not learn either that there was one. */
export function viewsChanged(before: Presentity, after: Presentity): ChangedView[] {
  return WEBHOOK_EVENTS.flatMap((event) => {
    const { eventPackage } = DOCUMENTS[event];
    const [old, now] = [before, after].map((each) => eventPackage.compose(each, each.changedAtMs));
    if (old === undefined || now === undefined || old.fingerprint === now.fingerprint) return [];
    return SEEING.filter((access) => {
      const view = viewWith(event, access);
      return seenBy(view, old).fingerprint !== seenBy(view, now).fingerprint;
    }).map((access): ChangedView => `${event}_${access}`);
  });
}

/** What has happened to one presentity since the webhook was told of it. */
export interface Happening {
  readonly changed: readonly ChangedView[];
  /** Who may see what was decided anew: what is seen now must be told, even if it is nothing. */
  readonly isDecidedAnew: boolean;
  readonly atMs: number;
}

export interface WebhookMessage {
  /** The same for the same news: a receiver knows by it what it has had. */
  readonly id: string;
  readonly body: string;
}

/**
 * The messages about one presentity, as somebody with this access sees it; none for what does not show.
 * @param events what the webhook wants
 */
export function messagesOf(
  webhookId: string,
  events: readonly WebhookEvent[],
  address: Address,
  presentity: Presentity,
  access: WatchAccess,
  { changed, isDecidedAnew, atMs }: Happening,
): WebhookMessage[] {
  if (access === 'blocked' || access === 'pending') {
    return isDecidedAnew ? [endedMessage(webhookId, address, 'rejected', presentity.version, atMs)] : [];
  }
  const isSeen = (event: WebhookEvent): boolean =>
    isDecidedAnew || (!isHidden(access) && changed.includes(`${event}_${access}`));
  return events.filter(isSeen).map((event) => {
    const { eventPackage } = DOCUMENTS[event];
    const view = viewWith(event, access);
    const { body } = notificationOf(eventPackage, address, presentity, view, presentity.changedAtMs);
    const data = { user: address.user, ...JSON.parse(body.join('')) };
    return messageOf([webhookId, address.user, event, presentity.version], event, address.domain, data, atMs);
  });
}

/** It is watched no more: not allowed any longer, or not there. */
export const endedMessage = (
  webhookId: string,
  { domain, user }: Address,
  reason: 'rejected' | 'noresource',
  sequence: number,
  atMs: number,
): WebhookMessage => messageOf([webhookId, user, 'ended', sequence], 'ended', domain, { user, reason, sequence }, atMs);

export const testMessage = (webhookId: string, domain: string, testId: string, atMs: number): WebhookMessage => ({
  ...messageOf([], 'test', domain, { webhook: webhookId }, atMs),
  id: testId,
});

function messageOf(
  name: readonly (string | number)[],
  type: string,
  tenant: string,
  data: object,
  atMs: number,
): WebhookMessage {
  const hash = createHash('sha256').update(JSON.stringify(name)).digest('base64url').slice(0, 22);
  return { id: `msg_${hash}`, body: JSON.stringify({ type, timestamp: new Date(atMs).toISOString(), tenant, data }) };
}
