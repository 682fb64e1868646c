/** Schemas of the documents that stand whole in a presentity's item: presence and message counts. */
import * as v from 'valibot';
import type { MessageSummary } from '#core/message-summary.ts';
import type { Extension, Presence } from '#core/presence.ts';

const texts = v.array(v.string());

const extension: v.GenericSchema<Extension> = v.object({
  namespace: v.string(),
  name: v.string(),
  attributes: v.record(v.string(), v.string()),
  text: v.string(),
  children: v.array(v.lazy(() => extension)),
});
const tuple = v.object({
  id: v.string(),
  basic: v.optional(v.picklist(['open', 'closed'])),
  contact: v.optional(v.object({ uri: v.string(), priority: v.optional(v.string()) })),
  notes: texts,
  timestamp: v.optional(v.string()),
  statusExtensions: v.array(extension),
  extensions: v.array(extension),
});

export const presence: v.GenericSchema<Presence> = v.object({
  tuples: v.array(tuple),
  notes: texts,
  activities: v.array(v.object({ namespace: v.string(), name: v.string(), text: v.string() })),
  personNotes: texts,
  personExtensions: v.array(extension),
  extensions: v.array(extension),
});

const pair = { newMessages: v.number(), oldMessages: v.number() };
const counts = v.optional(v.object({ ...pair, urgent: v.optional(v.object(pair)) }));

export const messageSummary: v.GenericSchema<MessageSummary> = v.object({
  isWaiting: v.boolean(),
  account: v.optional(v.string()),
  counts: v.object({
    'Voice-Message': counts,
    'Fax-Message': counts,
    'Pager-Message': counts,
    'Multimedia-Message': counts,
    'Text-Message': counts,
    None: counts,
  }),
});
