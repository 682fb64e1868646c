/** The words of the panel: parties, times, and one sentence for each lamp. Pure. */
import type { Party } from '#gateway/panel/dialog-info.ts';
import { activityOf, LAMP_NAMES, type Lamp } from '#gateway/panel/lamp.ts';
import type { TrackedDialog } from '#gateway/panel/presentity.ts';

/** Looks up a colleague's name by extension; '' when unknown. */
export type NameOf = (extension: string) => string;

export const ACTIVITY_NAMES = {
  ringing: 'Ringing',
  talking: 'In a call',
  dialling: 'Calling',
  held: 'On hold',
} as const;

const RELATIONS = {
  ringing: { recipient: 'call from', initiator: 'call from' },
  talking: { recipient: 'called by', initiator: 'called' },
  dialling: { recipient: 'call from', initiator: 'calling' },
  held: { recipient: 'with', initiator: 'with' },
} as const;

/** How long, as a clock that ticks: 0:05, 12:40, 1:02:03. */
export function durationText(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** The user part of a SIP or tel URI, as people write it. */
export function userOf(uri: string): string {
  const user = /^(?:sips?|tel):([^@;?]*)/i.exec(uri)?.[1] ?? '';
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}

/** Who it is: the name told, else the colleague's name, else the number. */
export function partyName(party: Party, nameOf: NameOf): string {
  const user = userOf(party.uri);
  return party.displayName || nameOf(user) || user || 'an unknown caller';
}

/** The number beside the name; '' when it would only repeat it. */
export function partyNumber(party: Party, nameOf: NameOf): string {
  const user = userOf(party.uri);
  return user === partyName(party, nameOf) ? '' : user;
}

/** "Call from Ada Lovelace", without the state itself. */
export function relationText(dialog: TrackedDialog): string {
  return RELATIONS[activityOf(dialog)][dialog.direction ?? 'recipient'];
}

/** The lamp's state in words; an outgoing call that is not answered yet is told apart. */
export function lampText(lamp: Lamp): string {
  return lamp.dialog === undefined ? LAMP_NAMES[lamp.state] : ACTIVITY_NAMES[activityOf(lamp.dialog)];
}

/** One sentence for screen readers and announcements. */
export function lampSentence(extension: string, lamp: Lamp, nameOf: NameOf): string {
  const who = [extension, nameOf(extension)].filter(Boolean).join(' ');
  if (lamp.dialog === undefined) return `${who}: ${lampText(lamp)}`;
  const more = lamp.others === 0 ? '' : `, and ${lamp.others} more`;
  return `${who}: ${lampText(lamp)}, ${relationText(lamp.dialog)} ${partyName(lamp.dialog.remote, nameOf)}${more}`;
}
