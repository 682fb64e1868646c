/** The lamp of a presentity as JSON, for web applications that want no SIP: what a NOTIFY carries to them. Pure. */
import { type Dialog, isLive, type Participant } from './dialog.ts';
import { type LampState, lampOfDialogs } from './lamp.ts';

export const LAMP_TYPE = 'application/vnd.lampfield.lamp+json';

/** One lamp; members that are not known are left out. */
export interface LampDocument {
  readonly state: LampState;
  /** Live dialogs, the furthest first. */
  readonly dialogs: readonly LampDialog[];
  /** Only goes up for one presentity. */
  readonly sequence: number;
}

interface LampDialog {
  readonly id: string;
  readonly state: Dialog['state'];
  readonly direction?: Dialog['direction'];
  readonly callId?: string | undefined;
  readonly tags?: { readonly local?: string | undefined; readonly remote?: string | undefined };
  readonly local?: LampParty | undefined;
  readonly remote?: LampParty | undefined;
  readonly startedAt?: string;
}

interface LampParty {
  readonly uri?: string | undefined;
  readonly displayName?: string | undefined;
  readonly target?: string | undefined;
}

/** @param version of the presentity */
export function renderLamp(dialogs: readonly Dialog[], version: number): [string] {
  const lamp: LampDocument = {
    state: lampOfDialogs(dialogs),
    dialogs: dialogs.filter(isLive).map(lampDialog),
    sequence: version,
  };
  return [JSON.stringify(lamp)];
}

function lampDialog({ id, state, direction, callId, localTag, remoteTag, ...more }: Dialog): LampDialog {
  const { startedAtMs, local, remote } = more;
  const hasTags = localTag !== undefined || remoteTag !== undefined;
  return {
    ...{ id, state, direction, callId, local: partyOf(local), remote: partyOf(remote) },
    ...(hasTags && { tags: { local: localTag, remote: remoteTag } }),
    ...(startedAtMs !== undefined && { startedAt: new Date(startedAtMs).toISOString() }),
  };
}

const partyOf = (party: Participant | undefined): LampParty | undefined =>
  party && { uri: party.identity?.uri, displayName: party.identity?.displayName, target: party.target?.uri };
