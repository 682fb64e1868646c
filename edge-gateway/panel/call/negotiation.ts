/** The re-INVITEs of one call, one after the other, with another try when both sides ask at once (RFC 3261 section 14.1). */
import { type Session, SessionState } from 'sip.js';
import type { MediaOptions } from '#gateway/panel/call/media.ts';

/** The other side's offer was under way: it said so, or our own connection could not make an offer beside it. */
const GLARE: readonly number[] = [491, 0];
const TRIES = 4;

export interface Wish {
  readonly hold: boolean;
  /** Looks for a new path of the audio. */
  readonly restart: boolean;
}

export class Negotiation {
  readonly #session: Session;
  readonly #ownsCallId: boolean;
  #last: Promise<unknown> = Promise.resolve();

  /** @param ownsCallId this side has made the call: in a glare it waits longer */
  constructor(session: Session, ownsCallId: boolean) {
    this.#session = session;
    this.#ownsCallId = ownsCallId;
  }

  /** @returns status of the answer; 0 when it could not be asked */
  ask(wish: Wish): Promise<number> {
    const asked = this.#last.then(() => this.#try(wish, TRIES));
    this.#last = asked;
    return asked;
  }

  async #try(wish: Wish, tries: number): Promise<number> {
    const status = await this.#send(wish);
    if (!GLARE.includes(status) || tries === 1 || !this.#isUp) return status;
    await new Promise((resolve) => setTimeout(resolve, glareWaitMs(this.#ownsCallId, Math.random())));
    return this.#try(wish, tries - 1);
  }

  get #isUp(): boolean {
    return this.#session.state === SessionState.Established && this.#session.userAgent.isConnected();
  }

  #send({ hold, restart }: Wish): Promise<number> {
    return new Promise((resolve) => {
      const options: MediaOptions = { hold, ...(restart && { offerOptions: { iceRestart: true } }) };
      const settle = (status = 0): void => {
        // What is kept here also shapes our answers to the other side's offers: no restart in those.
        const kept: MediaOptions = { hold };
        this.#session.sessionDescriptionHandlerOptionsReInvite = kept;
        resolve(status);
      };
      this.#session
        .invite({
          sessionDescriptionHandlerOptions: options,
          requestDelegate: {
            onAccept: ({ message }) => settle(message.statusCode),
            onReject: ({ message }) => settle(message.statusCode),
          },
        })
        .catch(() => settle());
    });
  }
}

/** @param random in [0, 1) */
export function glareWaitMs(ownsCallId: boolean, random: number): number {
  return Math.round(ownsCallId ? 2_100 + random * 1_900 : random * 2_000);
}
