/** Microphone, loudspeaker, and the WebRTC connection between them. */
import { type SessionDescriptionHandlerFactory, Web } from 'sip.js';
import { microphoneProblem } from '#gateway/panel/call/call-problem.ts';
import type { IceServers } from '#gateway/panel/call/ice.ts';
import type { Problem } from '#gateway/panel/problem.ts';

/** Candidates that come later are left out: an unreachable STUN server must not hold a call up for long. */
const GATHER_MS = 2_000;
const CONSTRAINTS = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } } as const;

/** Hands a call's microphone to its connection. */
export interface MediaOptions extends Web.SessionDescriptionHandlerOptions {
  readonly microphone?: MediaStream;
}

export type Opened = { readonly microphone: MediaStream } | { readonly problem: Problem };

/** Asks for the microphone; the browser may ask the user first. */
export async function openMicrophone(): Promise<Opened> {
  // In a page that is not secure there are no devices at all, whatever the types say.
  const devices: MediaDevices | undefined = navigator.mediaDevices;
  if (devices === undefined) return { problem: microphoneProblem('InsecureContext') };
  try {
    return { microphone: await devices.getUserMedia(CONSTRAINTS) };
  } catch (error) {
    return { problem: microphoneProblem(error instanceof Error ? error.name : 'unknown error') };
  }
}

export function closeMicrophone(microphone: MediaStream): void {
  for (const track of microphone.getTracks()) track.stop();
}

export function mediaFactory(ice: IceServers): SessionDescriptionHandlerFactory {
  const lend = (_: MediaStreamConstraints, _handler: unknown, options?: MediaOptions): Promise<MediaStream> =>
    options?.microphone === undefined
      ? Promise.reject(new Error('a call without a microphone'))
      : Promise.resolve(options.microphone);
  return (session) =>
    new Web.SessionDescriptionHandler(session.userAgent.getLogger('media'), lend, {
      iceGatheringTimeout: GATHER_MS,
      peerConnectionConfiguration: { bundlePolicy: 'max-bundle', iceServers: ice.current },
    });
}

/** Plays what comes; a browser that wants a gesture first plays from the next one on. */
export class Loudspeaker {
  readonly #audio = new Audio();

  play(stream: MediaStream): void {
    this.#audio.srcObject = stream;
    void this.#audio.play().catch(() => {
      addEventListener('pointerdown', () => void this.#audio.play().catch(() => undefined), { once: true });
    });
  }

  stop(): void {
    this.#audio.pause();
    this.#audio.srcObject = null;
  }
}
