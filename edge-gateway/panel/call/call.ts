/** One call of this page as its card shows it, and its words. Pure. */
import type { Party } from '#gateway/panel/dialog-info.ts';
import type { LampState } from '#gateway/panel/lamp.ts';

/** `calling`: sent, nobody rings yet; `answering`: the user has accepted, the other side has not heard it yet. */
export type CallPhase = 'calling' | 'ringing' | 'incoming' | 'answering' | 'talking';

export interface Call {
  readonly id: string;
  readonly party: Party;
  readonly phase: CallPhase;
  /** When the phase began (epoch); a talk counts from its answer. */
  readonly sinceMs: number;
  /** By this side. */
  readonly held: boolean;
  readonly heldByPeer: boolean;
  readonly muted: boolean;
  /** Who the other side is being handed to; '' when nobody. */
  readonly transferTo: string;
  /** The other side is handing us on: the talk with it is over soon. */
  readonly handedOn: boolean;
  /** The path of the audio is broken, although the call stands. */
  readonly silent: boolean;
}

export function newCall(id: string, party: Party, phase: CallPhase, nowMs: number): Call {
  const quiet = { held: false, heldByPeer: false, muted: false, transferTo: '', handedOn: false, silent: false };
  return { id, party, phase, sinceMs: nowMs, ...quiet };
}

/** How a call came to its end, for whom it matters. */
export type CallEnd =
  /** Hung up by either side, or on purpose. */
  | { readonly kind: 'over' }
  | { readonly kind: 'missed' }
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string; readonly rang: boolean }
  /** The server no longer knows the call. */
  | { readonly kind: 'lost' };

export function isTalking(call: Call): boolean {
  return call.phase === 'talking';
}

/** The lamp that the card borrows its colour and shape from. */
export function lampOfCall(call: Call): LampState {
  if (call.phase === 'incoming') return 'ringing';
  return call.held || call.heldByPeer || call.handedOn ? 'held' : 'busy';
}

const PHASES = {
  calling: 'Calling…',
  ringing: 'Ringing…',
  incoming: 'Incoming call',
  answering: 'Answering…',
  talking: 'In a call',
} as const satisfies Record<CallPhase, string>;

/** @param online false while the line to the server is down: the audio goes on, the buttons wait */
export function callText(call: Call, online: boolean): string {
  if (!online) return call.phase === 'talking' ? 'Reconnecting. You can go on talking' : 'Reconnecting…';
  if (call.transferTo !== '') return `Transferring to ${call.transferTo}…`;
  if (call.handedOn) return 'Being transferred…';
  if (call.held) return call.heldByPeer ? 'Both sides on hold' : 'On hold';
  if (call.heldByPeer) return 'The other side holds the call';
  if (call.silent) return 'No audio. Trying to repair it…';
  return call.muted && isTalking(call) ? 'In a call, your microphone is off' : PHASES[call.phase];
}
