/** One watched user of a stream of lamps: its subscription as the client side keeps it, and what an answer means. */
import type { Address } from '#core/identity.ts';
import { parseSeconds, tagOf } from '#core/sip/header.ts';
import type { SipRequest, SipResponse } from '#core/sip/message.ts';
import type { LampDialog } from './lamp-sip.ts';

export class LampWatch implements LampDialog {
  /** As the client names it. */
  readonly name: string;
  readonly address: Address;
  callNumber = 0;
  callId = '';
  fromTag = '';
  toTag: string | undefined;
  cseq = 0;
  /** Entity-tag of the state that the client has. */
  entityTag: string | undefined;
  /** Sequence of the newest lamp that was told. */
  sequence = -1;
  /** When the next SUBSCRIBE is due; Infinity while one is under way. */
  dueAtMs = Number.POSITIVE_INFINITY;
  /** True once its state, or why there is none, has been told. */
  isSettled = false;
  isWanted = true;
  /** SUBSCRIBEs in a row that brought nothing. */
  failures = 0;
  /** The token that the last SUBSCRIBE carried. */
  triedToken: string | undefined;

  constructor(name: string, address: Address) {
    this.name = name;
    this.address = address;
  }

  /** The next subscription is a new one. */
  openDialog(seed: string, callNumber: number): void {
    this.callNumber = callNumber;
    this.callId = callIdOf(seed, callNumber);
    this.fromTag = seed;
    this.toTag = undefined;
    this.cseq = 0;
  }

  /** The subscription goes on that another connection held. */
  takeOver(seed: string, callNumber: number, toTag: string, entityTag: string | undefined): void {
    this.openDialog(seed, callNumber);
    this.toTag = toTag;
    this.entityTag = entityTag;
  }
}

export const callIdOf = (seed: string, callNumber: number): string => `${seed}.${callNumber.toString(36)}`;

/** What is to be done after an answer to a SUBSCRIBE. */
export type Verdict =
  | { readonly kind: 'granted'; readonly expiresSeconds: number; readonly isUnchanged: boolean }
  | { readonly kind: 'unauthorized' | 'anew' }
  | { readonly kind: 'later'; readonly afterSeconds: number }
  | { readonly kind: 'refused' };

const MAX_RETRY_SECONDS = 60;

/** @param failures SUBSCRIBEs in a row that brought nothing */
export function judgeAnswer(response: SipResponse, isInDialog: boolean, failures: number): Verdict {
  const { status } = response;
  if (status < 300) {
    const expiresSeconds = parseSeconds(response.get('expires') ?? '') ?? 0;
    return { kind: 'granted', expiresSeconds, isUnchanged: status === 204 };
  }
  if (status === 401 || status === 407) return { kind: 'unauthorized' };
  // The subscription is not there any more, or its numbers went on without us. A connection that comes back within the
  // second of the last SUBSCRIBE has the same number: a second later it has the next.
  if (isInDialog && (status === 481 || (status === 500 && failures > 0))) return { kind: 'anew' };
  const isPassing = status === 408 || status === 480 || (status >= 500 && status < 600);
  if (!isPassing) return { kind: 'refused' };
  const told = parseSeconds((response.get('retry-after') ?? '').split(/[ ;(]/, 1)[0] ?? '');
  return { kind: 'later', afterSeconds: Math.min(MAX_RETRY_SECONDS, told ?? 2 ** Math.min(failures, 6)) };
}

/** What a NOTIFY says of its subscription (RFC 6665 section 4.1.3). */
export interface NotifyState {
  readonly state: 'active' | 'pending' | 'terminated';
  readonly reason: string;
}

export function notifyStateOf(notify: SipRequest): NotifyState {
  const [state = '', ...params] = (notify.get('subscription-state') ?? '').split(';').map((part) => part.trim());
  const reason = params.find((param) => param.startsWith('reason='))?.slice('reason='.length) ?? '';
  return { state: state === 'pending' || state === 'terminated' ? state : 'active', reason };
}

/** After these a subscriber does not come again (RFC 6665 section 4.1.3). */
const FINAL_REASONS: ReadonlySet<string> = new Set(['rejected', 'noresource', 'invariant']);
export const isFinal = (reason: string): boolean => FINAL_REASONS.has(reason);

export const toTagOf = (response: SipResponse): string | undefined => tagOf(response.get('to') ?? '');
