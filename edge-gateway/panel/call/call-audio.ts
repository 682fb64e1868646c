/** The audio of one call: what may be sent and heard, and whether its path holds. */
import { Web } from 'sip.js';
import { Loudspeaker } from '#gateway/panel/call/media.ts';

/** `failed`: only a new negotiation can help; `broken`: it may come back by itself. */
export type AudioPath = 'up' | 'broken' | 'failed';

const PATHS: Partial<Record<RTCPeerConnectionState, AudioPath>> = {
  connected: 'up',
  disconnected: 'broken',
  failed: 'failed',
};

export class CallAudio {
  readonly #speaker = new Loudspeaker();
  readonly #onPath: (path: AudioPath) => void;
  #handler: Web.SessionDescriptionHandler | undefined;
  #sends = true;
  #hears = true;

  constructor(onPath: (path: AudioPath) => void) {
    this.#onPath = onPath;
  }

  get isUp(): boolean {
    return this.#handler?.peerConnection?.connectionState === 'connected';
  }

  /** Takes the call's connection over as soon as there is one. */
  attach(handler: unknown): void {
    if (!(handler instanceof Web.SessionDescriptionHandler)) return;
    this.#handler = handler;
    handler.peerConnectionDelegate = {
      onconnectionstatechange: () => {
        const path = PATHS[handler.peerConnection?.connectionState ?? 'closed'];
        if (path !== undefined) this.#onPath(path);
      },
      ontrack: () => this.#apply(),
    };
    this.#speaker.play(handler.remoteMediaStream);
  }

  allow(sends: boolean, hears: boolean): void {
    this.#sends = sends;
    this.#hears = hears;
    this.#apply();
  }

  close(): void {
    this.#speaker.stop();
    this.#handler?.close();
  }

  #apply(): void {
    if (this.#handler?.peerConnection === undefined) return;
    this.#handler.enableSenderTracks(this.#sends);
    this.#handler.enableReceiverTracks(this.#hears);
  }
}
