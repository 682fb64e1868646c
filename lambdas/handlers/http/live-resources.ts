/** Presentities, subscriptions and bindings as the HTTP API shows them; roles/live-desk makes them. */
import * as v from 'valibot';
import { LAMP_STATES } from '#core/lamp.ts';
import { CAUSES } from '#core/lamp-history.ts';
import { time } from './parameters.ts';

const text = v.string();
const maybeText = v.optional(text);
const number = v.pipe(v.number(), v.integer());
const maybeNumber = v.optional(number);
const lamp = v.pipe(v.picklist(LAMP_STATES), v.description('unknown: nobody has ever told anything of it'));
const basic = v.picklist(['open', 'closed']);
const direction = v.optional(v.picklist(['initiator', 'recipient']));
const dialogState = v.picklist(['trying', 'proceeding', 'early', 'confirmed', 'terminated']);
const party = v.optional(v.object({ uri: text, displayName: maybeText }));

const lampEntries = {
  ...{ user: text, aor: text, lamp, registered: v.boolean() },
  version: v.pipe(number, v.description('Only goes up; 0 while nothing was ever told')),
  changedAt: v.optional(time),
};

/** In a list. */
export const lampResource = v.object({ ...lampEntries, presence: basic });

const dialogResource = v.object({
  ...{ id: text, state: dialogState, direction, callId: maybeText, localTag: maybeText, remoteTag: maybeText },
  ...{ event: maybeText, code: maybeNumber, since: v.optional(time), local: party, remote: party },
  publications: v.pipe(v.array(text), v.description('Ids of those that tell of it')),
});

const publicationResource = v.object({
  ...{ id: text, event: text, publisher: text, entityTag: text, expiresAt: time, updatedAt: time },
  dialogs: v.optional(v.pipe(number, v.description('How many live ones it tells of'))),
});

export const presentityResource = v.object({
  ...lampEntries,
  presence: v.object({ basic, activities: v.array(text), notes: v.array(text) }),
  dialogs: v.array(dialogResource),
  publications: v.array(publicationResource),
});

const subscriptionEntries = {
  id: text,
  user: v.pipe(text, v.description('Who is watched')),
  event: text,
  watcher: v.pipe(text, v.description('Address of who watches')),
  ...{ gateway: text, flow: text, callId: text, contentType: text, profile: maybeText },
  members: v.optional(v.pipe(v.array(text), v.description('Of a subscription to an event list'))),
  memberOf: v.optional(v.pipe(text, v.description('The event list through which it is watched'))),
  ...{ createdAt: time, expiresAt: time },
};
export const subscriptionResource = v.object(subscriptionEntries);

export const bindingResource = v.object({
  ...{ id: text, user: text, contact: text, gateway: text, flow: text, instance: maybeText, userAgent: maybeText },
  ...{ createdAt: v.optional(time), updatedAt: time, expiresAt: time },
});

const sourceResource = v.object({
  cause: v.picklist(CAUSES),
  ...{ publication: maybeText, publisher: maybeText, entityTag: maybeText, event: maybeText },
  by: v.optional(v.pipe(text, v.description('Of a reset: the key'))),
});

export const changeResource = v.object({
  ...{ at: time, version: number, from: lamp, to: lamp, sources: v.array(sourceResource) },
  dialogs: v.array(v.object({ state: dialogState, direction, callId: maybeText, remote: maybeText })),
  ...{ registered: v.optional(v.boolean()), presence: v.optional(basic) },
});

const notifyResource = v.object({
  ...{ sentAt: time, cseq: number },
  documentVersion: v.optional(v.pipe(number, v.description('Absent without a body, or of a document without one'))),
  presentityVersion: number,
  answer: v.optional(v.pipe(number, v.description('SIP status'))),
  roundTripMs: maybeNumber,
  timedOut: v.optional(v.pipe(v.boolean(), v.description('Nobody answered within 32 s'))),
});

export const notifiedResource = v.object({
  ...subscriptionEntries,
  state: v.pipe(
    v.picklist(['live', 'parked', 'lost', 'unreachable']),
    v.description('parked: its flow is gone. lost: its gateway does not know it. unreachable: its gateway is silent'),
  ),
  isWaiting: v.optional(v.pipe(v.boolean(), v.description('A newer state waits'))),
  notifies: v.pipe(v.array(notifyResource), v.description('The last 20, the newest first')),
});

export const resetResource = v.object({
  removed: v.array(text),
  kept: v.pipe(
    v.array(v.object({ publication: text, callId: text })),
    v.description('Those of calls that are going on'),
  ),
});
