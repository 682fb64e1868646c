/** What the interop tests of sip.js and JsSIP share. */
import { WebSocket } from 'ws';
import { dialogInfo, type SipClient } from '#test/support/sip-client.ts';

/** Sockets that the user agents opened, so that a test can cut them. */
export const sockets: WebSocket[] = [];

/** Gives user agents for browsers the WebSocket that they expect; one that remembers its instances. */
export function installWebSocket(): void {
  class TrackedWebSocket extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  Object.defineProperty(globalThis, 'WebSocket', { value: TrackedWebSocket, configurable: true, writable: true });
}

/** Takes values in, and lets a test wait for one. */
export class Inbox<T> {
  readonly #values: T[] = [];
  #wake: (() => void)[] = [];

  readonly put = (value: T): void => {
    this.#values.push(value);
    for (const wake of this.#wake.splice(0)) wake();
  };

  /** The first value, from `since`, that matches. @throws after that time */
  async next(matches: (value: T) => boolean, since = 0, withinMs = 20_000): Promise<T> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const found = this.#values.slice(since).find(matches);
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`not received; there are ${JSON.stringify(this.#values)}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      this.#wake.push(resolve);
      await promise;
      clearTimeout(timer);
    }
  }

  get size(): number {
    return this.#values.length;
  }
}

/** @returns the entity-tag */
export async function publishState(pbx: SipClient, user: string, state: string, ifMatch?: string): Promise<string> {
  const options = ifMatch === undefined ? {} : { ifMatch };
  const answer = await pbx.publish(user, dialogInfo(`sip:${user}@${pbx.domain}`, { state }), options);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.header('sip-etag');
}
