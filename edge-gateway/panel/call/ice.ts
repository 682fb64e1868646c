/** The STUN and TURN servers that the gateway names, asked for before each call: their credentials end. */

const ANSWER_WITHIN_MS = 2_000;

export class IceServers {
  readonly #url: URL;
  #current: RTCIceServer[] = [];

  constructor(page: URL) {
    this.#url = new URL('panel-config.json', page);
  }

  get current(): RTCIceServer[] {
    return this.#current;
  }

  /** Without an answer the last ones stay; in one network a call needs none. */
  async refresh(): Promise<void> {
    try {
      const answer = await fetch(this.#url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
      const config: unknown = answer.ok ? await answer.json() : undefined;
      this.#current = readIceServers(config) ?? this.#current;
    } catch {
      // Said above: the last ones stay.
    }
  }
}

/** @returns `undefined` when the document names none, not even an empty list */
export function readIceServers(config: unknown): RTCIceServer[] | undefined {
  if (typeof config !== 'object' || config === null || !('iceServers' in config)) return undefined;
  return Array.isArray(config.iceServers) ? config.iceServers.filter(isIceServer) : undefined;
}

function isIceServer(server: unknown): server is RTCIceServer {
  return typeof server === 'object' && server !== null && 'urls' in server;
}
