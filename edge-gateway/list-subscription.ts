/** A subscription and its event list: takes the members that an outcome tells, with the documents that all share. */
import type { ListState } from '#contract/outcome.ts';
import type { Notification } from '#contract/schemas.ts';
import { ListDocument, type WithheldInstance } from './list-document.ts';
import {
  internDocument,
  type Resource,
  type Subscription,
  type SubscriptionTable,
  type WatchedList,
} from './subscription-table.ts';

/**
 * Gives a subscription its list as it is now.
 * @param overtook states of members that came before the outcome
 */
export function takeList(
  subscription: Subscription,
  { uri, members }: ListState,
  overtook: readonly (readonly [presentity: string, notification: Notification])[],
  subscriptions: SubscriptionTable,
): void {
  const { event } = subscription.resource;
  const list = subscription.list ?? {
    document: new ListDocument(uri, subscription.id, subscription.documentVersion),
    resources: new Map(),
    isGathering: false,
  };
  subscription.list = list;
  const resources = new Map<string, Resource>(
    members.map((member) => [member.uri, subscriptions.resourceOf(member.uri, event)]),
  );
  subscriptions.holdMembers(list, resources);
  list.document.replace(
    members.map(({ notification, ...member }) => {
      const resource = resources.get(member.uri);
      const document = resource && notification && internDocument(resource, notification);
      return { ...member, document };
    }),
  );
  for (const [presentity, notification] of overtook) offerMember(list, presentity, notification);
}

/** @returns false when it is no member of the list, or its state is not newer than what is here */
export function offerMember(
  list: WatchedList,
  presentity: string,
  notification: Notification,
  withheld?: WithheldInstance,
): boolean {
  const resource = list.resources.get(presentity);
  return resource !== undefined && list.document.take(presentity, internDocument(resource, notification), withheld);
}

/** Lets changes gather for a while before they are sent together. */
export function gatherChanges(list: WatchedList, windowMs: number, send: () => void): void {
  list.isGathering = true;
  setTimeout(() => {
    list.isGathering = false;
    send();
  }, windowMs);
}
