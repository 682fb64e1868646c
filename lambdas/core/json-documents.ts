/** Presence and message counts as JSON, for those who want no SIP; the lamp is in core/lamp-document. Pure. */
import { MESSAGE_CLASSES, type MessageSummary } from './message-summary.ts';
import { basicStatusOf, type Presence } from './presence.ts';

export const PRESENCE_JSON_TYPE = 'application/vnd.lampfield.presence+json';
export const MESSAGES_JSON_TYPE = 'application/vnd.lampfield.messages+json';

/** @param sequence of the presentity: it only goes up */
export function renderPresenceJson(presence: Presence, sequence: number): [string] {
  const { activities, notes, personNotes } = presence;
  const document = {
    basic: basicStatusOf(presence),
    activities: activities.map(({ name }) => name),
    notes: [...notes, ...personNotes, ...presence.tuples.flatMap((tuple) => tuple.notes)],
    sequence,
  };
  return [JSON.stringify(document)];
}

/** @param sequence of the presentity: it only goes up */
export function renderMessagesJson({ isWaiting, account, counts }: MessageSummary, sequence: number): [string] {
  const told = MESSAGE_CLASSES.flatMap((messageClass) => {
    const of = counts[messageClass];
    return of ? [[messageClass, { new: of.newMessages, old: of.oldMessages }]] : [];
  });
  return [JSON.stringify({ waiting: isWaiting, account, counts: Object.fromEntries(told), sequence })];
}
