/** Picking up somebody's ringing call: the Replaces header (RFC 3891) from what a lamp was told. Pure. */
import type { Dialog } from '#gateway/panel/dialog-info.ts';
import { liveDialogs } from '#gateway/panel/lamp.ts';
import type { Presentity } from '#gateway/panel/presentity.ts';

export interface Replaces {
  readonly callId: string;
  /** Tag of the side that the INVITE goes to. */
  readonly toTag: string;
  readonly fromTag: string;
  readonly earlyOnly: boolean;
}

export interface PickUp {
  /** URI of the caller, who gets the INVITE. */
  readonly target: string;
  readonly caller: Dialog['remote'];
  readonly replaces: Replaces;
}

/** @returns the call of this colleague that can be picked up; `undefined` when none rings with all that is needed */
export function pickUpOf(presentity: Presentity): PickUp | undefined {
  if (presentity.watching !== 'active') return undefined;
  for (const dialog of liveDialogs(presentity)) {
    const { callId, localTag, remoteTag, remote, state, direction } = dialog;
    if (direction !== 'recipient' || state === 'confirmed' || state === 'trying') continue;
    if (!callId || !localTag || !remoteTag || !/^sips?:/i.test(remote.uri)) continue;
    // The lamp speaks from the callee's side, the INVITE goes to the caller: its tag is the To tag there.
    const replaces = { callId, toTag: remoteTag, fromTag: localTag, earlyOnly: true };
    return { target: remote.uri, caller: remote, replaces };
  }
  return undefined;
}

export function replacesValue({ callId, toTag, fromTag, earlyOnly }: Replaces): string {
  return `${callId};to-tag=${toTag};from-tag=${fromTag}${earlyOnly ? ';early-only' : ''}`;
}

/** @returns `undefined` when the value lacks one of its parts */
export function readReplaces(value: string): Replaces | undefined {
  const [callId = '', ...params] = value.split(';').map((part) => part.trim());
  const named = new Map(
    params.map((param): [string, string] => {
      const [name = '', ...rest] = param.split('=');
      return [name.trim().toLowerCase(), rest.join('=').trim()];
    }),
  );
  const [toTag, fromTag] = [named.get('to-tag'), named.get('from-tag')];
  if (!callId || !toTag || !fromTag) return undefined;
  return { callId, toTag, fromTag, earlyOnly: named.has('early-only') };
}
