/** What the console reads of the HTTP API's answers: each declared here once, and checked when it comes. */
import { anything, type Checked, flag, list, maybe, number, object, record, text } from '#gateway/panel/admin/json.ts';

export const OWN_KEY = object({ prefix: text, tenant: maybe(text), permission: text });

/** A tenant as it is sent back with changes: what is not read here must not get lost. */
export const SETTINGS = record;
export const TENANT = object({ domain: text, displayName: maybe(text), state: maybe(text) });
export type Tenant = Checked<typeof TENANT>;

export const USER = object({ user: text, role: text, displayName: maybe(text), groups: maybe(list(text)) });
export type User = Checked<typeof USER>;
export const CREDENTIALS = object({ password: maybe(text) });

export const KEY = object({
  ...{ id: text, prefix: text, name: text, permission: text, createdAt: text },
  ...{ expiresAt: maybe(text), lastUsedAt: maybe(text), previousUntil: maybe(text) },
});
export type Key = Checked<typeof KEY>;
export const MADE_KEY = object({ prefix: text, key: text });

const MOMENT = object({ at: text, reason: text });
export const WEBHOOK = object({
  ...{ id: text, url: text, events: list(text), enabled: flag, description: maybe(text) },
  ...{ users: maybe(list(text)), groups: maybe(list(text)), watcher: maybe(text) },
  delivery: object({
    ...{ state: text, lastSuccessAt: maybe(text), lastFailure: maybe(MOMENT), disabled: maybe(MOMENT) },
    ...{ waiting: maybe(number), lastTest: maybe(object({ id: text, outcome: text })) },
  }),
});
export type Webhook = Checked<typeof WEBHOOK>;
export const WEBHOOK_SECRET = object({ id: text, secret: text });
export const SENT_TEST = object({ id: text });

export const LAMP = object({
  ...{ user: text, lamp: text, registered: flag, version: number },
  changedAt: maybe(text),
});
export type LampOfUser = Checked<typeof LAMP>;

export const PRESENTITY = object({
  user: text,
  lamp: text,
  dialogs: list(
    object({
      state: text,
      ...{ direction: maybe(text), callId: maybe(text), since: maybe(text) },
      remote: maybe(object({ uri: maybe(text), displayName: maybe(text) })),
      publications: maybe(list(text)),
    }),
  ),
  publications: list(
    object({
      ...{ id: text, event: text, publisher: text, entityTag: text, expiresAt: text, updatedAt: text },
      dialogs: maybe(number),
    }),
  ),
});
export type PresentityDetails = Checked<typeof PRESENTITY>;

const NOTIFY = object({
  ...{ sentAt: text, cseq: number, presentityVersion: number },
  ...{ documentVersion: maybe(number), answer: maybe(number), timedOut: maybe(flag), roundTripMs: maybe(number) },
});
export type Notify = Checked<typeof NOTIFY>;

const subscription = {
  ...{ id: text, user: text, event: text, watcher: text, gateway: text, expiresAt: text },
  ...{ createdAt: maybe(text), contentType: maybe(text), profile: maybe(text) },
};
export const SUBSCRIPTION = object(subscription);
export type Subscription = Checked<typeof SUBSCRIPTION>;

export const CONNECTION = object({
  ...{ id: text, user: text, protocol: text, transport: text, address: text, since: text, subscriptions: number },
  ...{ userAgent: maybe(text), signedInBy: maybe(text), proof: maybe(text), expiresAt: maybe(text) },
});
export type Connection = Checked<typeof CONNECTION>;

export const BINDING = object({
  ...{ id: text, user: text, contact: text, gateway: text, updatedAt: text, expiresAt: text },
  ...{ userAgent: maybe(text), createdAt: maybe(text) },
});
export type Binding = Checked<typeof BINDING>;

export const CHANGE = object({
  ...{ at: text, version: number, from: text, to: text },
  sources: list(
    object({
      cause: text,
      ...{ publication: maybe(text), publisher: maybe(text), entityTag: maybe(text), event: maybe(text) },
      by: maybe(text),
    }),
  ),
  dialogs: list(object({ state: text, direction: maybe(text), remote: maybe(text) })),
});
export type Change = Checked<typeof CHANGE>;

const told = object({ ...subscription, state: text, isWaiting: maybe(flag), notifies: list(NOTIFY) });
export type ToldSubscription = Checked<typeof told>;
export const HISTORY = object({
  ...{ items: list(CHANGE), next: maybe(text), presentity: LAMP, subscriptions: list(told) },
  moreSubscriptions: maybe(flag),
});
export type History = Checked<typeof HISTORY>;

export const LIMITS = object({
  items: list(object({ name: text, limit: number, use: number, refused: maybe(number) })),
  ...{ gateways: number, answered: number },
});
export type Limit = Checked<typeof LIMITS>['items'][number];

export const CALL = object({
  ...{ id: text, callId: text, from: text, to: text, state: text, init: text, duration: number },
  start: maybe(text),
});
export type Call = Checked<typeof CALL>;

/** What a reset came to. */
export const RESET = object({ removed: list(text), kept: list(object({ callId: text })) });

export const AUDIT_LINE = object({
  ...{ id: text, at: text, by: text, action: text, resource: text },
  ...{ before: maybe(record), after: maybe(record) },
});
export type AuditLine = Checked<typeof AUDIT_LINE>;

/** Of answers whose body nobody reads. */
export const NOTHING = anything;
