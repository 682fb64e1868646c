/** The live state of a presentity as operators read it. Pure. */
import { type Dialog, isLive } from './dialog.ts';
import { type Address, aorOfIdentity } from './identity.ts';
import { lampOf } from './lamp.ts';
import { basicStatusOf, composePresence } from './presence.ts';
import { composeDialogs, type Presentity } from './presentity.ts';
import type { Publication } from './publication.ts';

/** What a list shows of a presentity. */
export function viewLamp(address: Address, presentity: Presentity, nowMs: number) {
  const { version, changedAtMs, registered = false } = presentity;
  return {
    ...{ user: address.user, aor: aorOfIdentity(address), lamp: lampOf(presentity, nowMs), registered },
    presence: basicStatusOf(composePresence(presentity, nowMs)),
    version,
    ...(version > 0 && { changedAt: timeOf(changedAtMs) }),
  };
}

/** All of it, as watchers see it now: dialogs, presence, and where both come from. */
export function viewPresentity(address: Address, presentity: Presentity, nowMs: number) {
  const presence = composePresence(presentity, nowMs);
  const current = presentity.publications.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  return {
    ...viewLamp(address, presentity, nowMs),
    presence: {
      basic: basicStatusOf(presence),
      activities: presence.activities.map(({ name }) => name),
      notes: [...presence.notes, ...presence.personNotes],
    },
    dialogs: composeDialogs(presentity.publications, nowMs)
      .filter(isLive)
      .map((dialog) => ({ ...viewDialog(dialog), publications: sourcesOf(dialog, current) })),
    publications: current.map(viewPublication),
  };
}

export function viewDialog({ id, state, direction, callId, localTag, remoteTag, ...more }: Dialog) {
  const { startedAtMs, event, code, local, remote } = more;
  return {
    ...{ id, state, direction, callId, localTag, remoteTag, event, code },
    ...(startedAtMs !== undefined && { since: timeOf(startedAtMs) }),
    local: local?.identity,
    remote: remote?.identity,
  };
}

export function viewPublication({ id, event, publisher, entityTag, expiresAtMs, updatedAtMs, content }: Publication) {
  return {
    ...{ id, event, publisher, entityTag, expiresAt: timeOf(expiresAtMs), updatedAt: timeOf(updatedAtMs) },
    ...(content.kind === 'dialogs' && { dialogs: content.live.length }),
  };
}

/** Publications that tell of this dialog: known by Call-ID and tags, without a Call-ID by its id. */
function sourcesOf(dialog: Dialog, publications: readonly Publication[]): string[] {
  const name = nameOf(dialog);
  const isTold = ({ content }: Publication): boolean =>
    content.kind === 'dialogs' && content.live.some((each) => nameOf(each) === name);
  return publications.filter(isTold).map(({ id }) => id);
}

const nameOf = ({ callId, localTag, remoteTag, id }: Dialog): string =>
  JSON.stringify(callId === undefined ? [id] : [callId, localTag, remoteTag]);

const timeOf = (ms: number): string => new Date(ms).toISOString();
