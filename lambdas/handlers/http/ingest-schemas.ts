/** Schemas of what sources say of their users, and of what they are answered. */
import * as v from 'valibot';
import { ACTIVITIES, INGEST_LIMITS } from '#core/ingest.ts';
import { dialogName, sourceName, userName } from './parameters.ts';

const MAX_URI = 256;
const MAX_TEXT = 128;
const MAX_CALL_ID = 256;

const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TEXT));
const uri = v.pipe(
  v.string(),
  v.maxLength(MAX_URI),
  v.regex(/^(?:sips?|tel):[^\s<>"]+$/i, 'is no sip:, sips: or tel: URI'),
);

export const sequence = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(0),
  v.description("The source's own order over all that it says: a later word has a higher number, such as a time in ms"),
);
export const leaseSeconds = v.pipe(
  v.number(),
  v.minValue(1),
  v.maxValue(INGEST_LIMITS.leaseSeconds),
  v.description('So long it stands without being said again'),
);

const party = v.strictObject({
  uri,
  displayName: v.optional(text),
  target: v.optional(v.pipe(uri, v.description('Where it is reached, if not at `uri`'))),
});
const states = v.picklist(['trying', 'proceeding', 'early', 'confirmed', 'terminated']);
const tags = v.strictObject({ local: v.optional(text), remote: v.optional(text) });
const dialogEntries = {
  state: v.pipe(states, v.description('State of RFC 4235: `early` rings, `confirmed` talks, `terminated` is over')),
  direction: v.optional(v.picklist(['initiator', 'recipient'])),
  local: v.optional(party),
  remote: v.optional(party),
  callId: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_CALL_ID))),
  tags: v.optional(v.pipe(tags, v.description('Tags of the dialog, for pickup (RFC 3891)'))),
};
const presenceEntries = {
  basic: v.picklist(['open', 'closed']),
  activities: v.optional(v.pipe(v.array(v.picklist(ACTIVITIES)), v.maxLength(8), v.description('Of RFC 4480'))),
  note: v.optional(text),
};
const source = v.optional(
  v.pipe(sourceName, v.description('Who says it; sources do not touch what others say')),
  'api',
);

export const dialogBody = v.strictObject({ ...dialogEntries, sequence, leaseSeconds, source });
export const presenceBody = v.strictObject({ ...presenceEntries, sequence, leaseSeconds });

const digits = v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'is no whole number'), v.transform(Number));
export const endQuery = v.object({
  sequence: v.pipe(digits, v.description("The source's own order, as with PUT")),
  source,
});
export const presenceEndQuery = v.object({ sequence: endQuery.entries.sequence });

const of = { user: userName, sequence };
/** One word of a source; `type` says about what. */
export const sourceEvent = v.variant('type', [
  v.strictObject({ type: v.literal('dialog'), ...of, id: dialogName, ...dialogEntries, leaseSeconds }),
  v.strictObject({ type: v.literal('dialogEnd'), ...of, id: dialogName }),
  v.strictObject({ type: v.literal('presence'), ...of, ...presenceEntries, leaseSeconds }),
  v.strictObject({ type: v.literal('presenceEnd'), ...of }),
]);
export type SourceEvent = v.InferOutput<typeof sourceEvent>;

/** An event that is wrong is the business of its own result, not of the others. */
export const eventsBody = v.strictObject({
  events: v.pipe(
    v.array(v.union([sourceEvent, v.unknown()])),
    v.minLength(1),
    v.maxLength(INGEST_LIMITS.eventsPerRequest),
  ),
});

export const snapshotBody = v.strictObject({
  sequence: v.pipe(
    sequence,
    v.description('All up to this number is in it: an event with this number or a lower one is late'),
  ),
  leaseSeconds,
  dialogs: v.pipe(
    v.array(v.strictObject({ user: userName, id: dialogName, ...dialogEntries })),
    v.maxLength(INGEST_LIMITS.dialogsPerSnapshot),
  ),
});

const applied = v.pipe(v.boolean(), v.description('False: it came too late and changed nothing'));
const standing = v.pipe(v.number(), v.description('Number of the word that stands'));
export const wordAnswer = v.object({ applied, sequence: standing });

export const eventsAnswer = v.object({
  results: v.array(
    v.object({
      status: v.pipe(v.picklist([200, 400, 404, 409, 503]), v.description('As if the event had come alone')),
      applied: v.optional(applied),
      sequence: v.optional(standing),
      detail: v.optional(v.pipe(v.string(), v.description('What is wrong'))),
    }),
  ),
});

export const snapshotAnswer = v.object({
  applied,
  sequence: standing,
  set: v.pipe(v.number(), v.description('Dialogs that are new or different, or whose lease was renewed')),
  ended: v.pipe(v.number(), v.description('Dialogs that the snapshot lacks')),
  unknownUsers: v.pipe(v.array(v.string()), v.description('Users who do not exist: what is said of them is left out')),
  fullUsers: v.pipe(v.array(v.string()), v.description('Users whose state has no room for all of it')),
});
