/** Media for user agents outside a browser: offers and answers that say nothing real, in the forms that they expect. */
import type { SessionDescriptionHandler } from 'sip.js';

const sdpOf = (direction: string): string =>
  `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=${direction}\r\na=rtpmap:0 PCMU/8000\r\n`;

/** What sip.js asks for a session description. */
export function sessionDescriptions(): SessionDescriptionHandler {
  return {
    close: () => undefined,
    getDescription: (options) => {
      const isHeld = (options as { hold?: boolean } | undefined)?.hold === true;
      return Promise.resolve({ body: sdpOf(isHeld ? 'sendonly' : 'sendrecv'), contentType: 'application/sdp' });
    },
    hasDescription: (contentType) => contentType === 'application/sdp',
    sendDtmf: () => false,
    setDescription: () => Promise.resolve(),
  };
}

class QuietPeerConnection extends EventTarget {
  readonly iceConnectionState = 'connected';
  readonly iceGatheringState = 'complete';
  signalingState = 'stable';
  localDescription: { type: string; sdp: string } | null = null;

  createOffer = () => Promise.resolve({ type: 'offer', sdp: sdpOf('sendrecv') });
  createAnswer = () => Promise.resolve({ type: 'answer', sdp: sdpOf('sendrecv') });
  setLocalDescription = async (description: { type: string; sdp: string }): Promise<void> => {
    this.localDescription = description;
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable';
  };
  setRemoteDescription = async ({ type }: { type: string }): Promise<void> => {
    this.signalingState = type === 'offer' ? 'have-remote-offer' : 'stable';
  };
  addTrack = () => undefined;
  getSenders = () => [];
  close = () => undefined;
}

/** What JsSIP takes from a browser. */
export function installMedia(): void {
  const globals = {
    window: globalThis,
    RTCPeerConnection: QuietPeerConnection,
    RTCSessionDescription: class {
      constructor(description: object) {
        Object.assign(this, description);
      }
    },
  };
  for (const [name, value] of Object.entries(globals))
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

/** A stream without tracks: nobody is asked for a microphone. */
export const silence = { getTracks: () => [], getAudioTracks: () => [], getVideoTracks: () => [] } as never;
