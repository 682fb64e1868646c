/** One call over one SIP session, from either side, and all that can be done with it. */
import { type Core, Invitation, type Inviter, type Referral, SessionState, type URI } from 'sip.js';
import { type Call, type CallEnd, type CallPhase, newCall } from '#gateway/panel/call/call.ts';
import { type AudioPath, CallAudio } from '#gateway/panel/call/call-audio.ts';
import { isAnsweredElsewhere, offersHold, sipfragStatus } from '#gateway/panel/call/call-signals.ts';
import type { MediaOptions } from '#gateway/panel/call/media.ts';
import { Negotiation } from '#gateway/panel/call/negotiation.ts';
import type { Replaces } from '#gateway/panel/call/replaces.ts';
import type { Party } from '#gateway/panel/dialog-info.ts';

const DECLINED = 603;
/** The server no longer knows the dialog (RFC 5057). */
const GONE: readonly number[] = [404, 408, 410, 481, 482, 485];
const CALLER_FIRST_MS = 4_000;
const NOW_ELSEWHERE = { statusCode: 200, reasonPhrase: 'Call completed elsewhere' } as const;

export interface CallSessionEvents {
  onChange(): void;
  onEnd(ended: CallSession, end: CallEnd): void;
  onReferred(from: CallSession, referral: Referral): void;
  onTransferFailed(kept: CallSession, to: string, status: number, reason: string): void;
}

export class CallSession {
  readonly #session: Inviter | Invitation;
  readonly #events: CallSessionEvents;
  readonly #negotiation: Negotiation;
  readonly #audio = new CallAudio((path) => this.#onPath(path));
  /** To tags of the devices that ring for our call. */
  readonly #ringing = new Set<string>();
  #call: Call;
  #end: CallEnd | undefined;
  #finished = false;
  #online = true;

  constructor(session: Inviter | Invitation, party: Party, events: CallSessionEvents) {
    this.#session = session;
    this.#events = events;
    this.#call = newCall(session.id, party, session instanceof Invitation ? 'incoming' : 'calling', Date.now());
    this.#negotiation = new Negotiation(session, !(session instanceof Invitation));
    session.delegate = {
      onSessionDescriptionHandler: (handler) => this.#audio.attach(handler),
      onBye: (bye) => {
        this.#end = { kind: 'over' };
        void bye.accept();
      },
      onCancel: ({ request }) => {
        this.#end = { kind: isAnsweredElsewhere(request.getHeaders('reason')) ? 'elsewhere' : 'missed' };
      },
      onInvite: ({ body }, _response, status) => {
        if (status === 200 && body !== '') this.#update({ heldByPeer: offersHold(body) });
      },
      onRefer: (referral) => this.#events.onReferred(this, referral),
    };
    session.stateChange.addListener((state) => this.#onState(state));
  }

  get call(): Call {
    return this.#call;
  }

  get isFinished(): boolean {
    return this.#finished;
  }

  /** Sends the INVITE of an outgoing call. */
  async dial(microphone: MediaStream): Promise<void> {
    const options: MediaOptions = { microphone };
    await this.#session.invite({
      sessionDescriptionHandlerOptions: options,
      requestDelegate: {
        onProgress: ({ message }) => this.#rings(message),
        onReject: ({ message: { statusCode = 0, reasonPhrase = '' } }) => {
          const rang = this.#ringing.size > 0;
          this.#end ??= { kind: 'refused', status: statusCode, reason: reasonPhrase, rang };
        },
      },
    });
  }

  /** Tells the caller that it rings here. */
  ring(): void {
    if (this.#session instanceof Invitation) void this.#session.progress().catch(() => undefined);
  }

  async answer(microphone: MediaStream): Promise<void> {
    const options: MediaOptions = { microphone };
    if (!(this.#session instanceof Invitation)) return;
    this.#update({ phase: 'answering' });
    await this.#session.accept({ sessionDescriptionHandlerOptions: options });
  }

  /** Cancels, declines or hangs up, whichever it is now. */
  hangUp(end: CallEnd = { kind: 'over' }): void {
    this.#end = end;
    this.#leave();
    this.#finish();
  }

  /** Another call takes this one's place (RFC 3891). */
  giveWay(): void {
    this.#end = { kind: 'over' };
    this.#leave(NOW_ELSEWHERE);
    this.#finish();
  }

  async setHeld(held: boolean): Promise<void> {
    if (this.#call.phase !== 'talking' || held === this.#call.held) return;
    this.#update({ held });
    const status = await this.#ask(held, false);
    if (status < 200 || status > 299) this.#update({ held: !held });
  }

  setMuted(muted: boolean): void {
    this.#update({ muted });
  }

  setHandedOn(handedOn: boolean): void {
    this.#update({ handedOn });
  }

  /** Blind transfer (RFC 5589): the other side is asked to call somebody else, and leaves when that call stands. */
  async transfer(target: URI, to: string): Promise<void> {
    const fail = (status: number, reason: string): void => {
      if (this.#finished) return;
      this.#update({ transferTo: '' });
      this.#events.onTransferFailed(this, to, status, reason);
    };
    this.#update({ transferTo: to });
    await this.#session
      .refer(target, {
        requestDelegate: {
          onReject: ({ message: { statusCode = 0, reasonPhrase = '' } }) => fail(statusCode, reasonPhrase),
        },
        onNotify: (notification) => {
          void notification.accept();
          const status = sipfragStatus(notification.request.body);
          if (status >= 300) fail(status, '');
          else if (status >= 200) this.hangUp();
        },
      })
      .catch(() => fail(0, ''));
  }

  /** @returns in what state the call is that the other's INVITE would replace; `undefined` when it is another one */
  matches({ callId, toTag, fromTag }: Replaces): 'early' | 'confirmed' | undefined {
    const { dialog, request, state } = this.#session;
    if (this.#finished || request.callId !== callId) return undefined;
    if (state === SessionState.Established)
      return dialog?.localTag === toTag && dialog.remoteTag === fromTag ? 'confirmed' : undefined;
    // An early dialog that somebody else has begun is not ours to give away (RFC 3891 section 3).
    const isOwn = !(this.#session instanceof Invitation) && request.fromTag === toTag;
    return isOwn && this.#ringing.has(fromTag) ? 'early' : undefined;
  }

  /** The line is down: what only rings is over, a talk goes on for a while. */
  suspend(): void {
    this.#online = false;
    if (this.#call.phase === 'incoming') this.hangUp({ kind: 'missed' });
    else if (this.#call.phase !== 'talking')
      this.hangUp({ kind: 'refused', status: 0, reason: '', rang: this.#ringing.size > 0 });
  }

  /** The line is back, perhaps on another gateway: says so to the other side, or the goodbye that was not heard. */
  async resume(): Promise<void> {
    this.#online = true;
    if (this.#finished) this.#leave();
    else await this.#ask(this.#call.held, !this.#audio.isUp);
  }

  /** Whether a goodbye still waits for the line. */
  get owesGoodbye(): boolean {
    return this.#finished && this.#session.state === SessionState.Established;
  }

  async #ask(hold: boolean, restart: boolean): Promise<number> {
    const status = await this.#negotiation.ask({ hold, restart });
    if (!this.#finished && GONE.includes(status)) this.hangUp({ kind: 'lost' });
    return status;
  }

  #rings(message: Core.IncomingResponseMessage): void {
    if (message.toTag) this.#ringing.add(message.toTag);
    if (this.#call.phase === 'calling' && (message.statusCode ?? 0) > 100) this.#enter('ringing');
  }

  #onState(state: SessionState): void {
    if (state === SessionState.Established && !this.#finished) this.#enter('talking');
    // Why it ended is told to the delegates right after this.
    if (state === SessionState.Terminated) queueMicrotask(() => this.#finish());
  }

  #onPath(path: AudioPath): void {
    this.#update({ silent: path !== 'up' });
    if (path === 'failed') void this.#repair();
  }

  /** One side is enough, both at once would only meet in a glare: the callee waits whether the caller does it. */
  async #repair(): Promise<void> {
    if (this.#session instanceof Invitation) await new Promise((resolve) => setTimeout(resolve, CALLER_FIRST_MS));
    if (this.#finished || !this.#call.silent || !this.#online) return;
    const status = await this.#ask(this.#call.held, true);
    // No audio, and nobody who could be asked for it.
    if (status >= 500 && !this.#finished) this.hangUp({ kind: 'lost' });
  }

  #enter(phase: CallPhase): void {
    this.#update({ phase, sinceMs: Date.now() });
  }

  #update(changes: Partial<Call>): void {
    if (this.#finished) return;
    this.#call = { ...this.#call, ...changes };
    const { held, muted, transferTo, handedOn } = this.#call;
    const leaving = transferTo !== '' || handedOn;
    this.#audio.allow(!held && !muted && !leaving, !held && !leaving);
    this.#events.onChange();
  }

  #leave(cancelReason: { statusCode?: number; reasonPhrase?: string } = {}): void {
    const session = this.#session;
    const failed = (): undefined => undefined;
    if (session.state === SessionState.Established && this.#online) void session.bye().catch(failed);
    if (session.state !== SessionState.Initial && session.state !== SessionState.Establishing) return;
    if (session instanceof Invitation) void session.reject({ statusCode: DECLINED }).catch(failed);
    else void session.cancel(cancelReason).catch(failed);
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#audio.close();
    this.#events.onEnd(this, this.#end ?? this.#unexplainedEnd());
  }

  #unexplainedEnd(): CallEnd {
    if (this.#call.phase === 'incoming') return { kind: 'missed' };
    if (this.#call.phase === 'talking') return { kind: 'lost' };
    return { kind: 'refused', status: 488, reason: '', rang: this.#ringing.size > 0 };
  }
}
