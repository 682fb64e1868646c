/** One user of a tenant that storms: what it sends, and the little that it must answer for the storm to go on. */
import { type ReceivedMessage, type SipClient, token } from '#test/support/sip-client.ts';

/** Methods of a storm that go over SIP; `publish` makes new publications, `change` changes those that are there. */
export type SipStorm = 'publish' | 'change' | 'subscribe' | 'message' | 'invite';

export interface Answers {
  accepted: number;
  refused: number;
}

/** Publications that one user keeps changing. */
const CHAINS = 10;
const SOON_OVER_SECONDS = 5;
const LONG_SECONDS = 600;

export class Raider {
  readonly client: SipClient;
  /** Entity-tags that nobody is changing now. */
  readonly #tags: string[] = [];
  #chains = 0;
  #changes = 0;

  constructor(client: SipClient) {
    this.client = client;
  }

  send(storm: SipStorm, other: string): void {
    this.client.raw(this.#compose(storm, `sip:${other}@${this.client.domain}`));
  }

  #compose(storm: SipStorm, other: string): string {
    const { client } = this;
    const contact = `Contact: ${client.contact}`;
    switch (storm) {
      case 'publish':
        return this.#publish([`Expires: ${SOON_OVER_SECONDS}`]);
      case 'change':
        return this.#change();
      case 'subscribe':
        return client.compose({
          ...{ method: 'SUBSCRIBE', uri: other },
          headers: [contact, 'Event: dialog', `Expires: ${LONG_SECONDS}`],
        });
      case 'message':
        return client.compose({
          ...{ method: 'MESSAGE', uri: other, body: 'storm' },
          headers: ['Content-Type: text/plain'],
        });
      case 'invite':
        return client.compose({ method: 'INVITE', uri: other, headers: [contact] });
      default:
        return storm satisfies never;
    }
  }

  /** While all its chains wait for an answer it begins new publications: it does not care. */
  #change(): string {
    const tag = this.#tags.shift();
    if (tag !== undefined) return this.#publish([`Expires: ${LONG_SECONDS}`, `SIP-If-Match: ${tag}`]);
    const isNewChain = this.#chains < CHAINS;
    if (isNewChain) this.#chains++;
    return this.#publish([`Expires: ${isNewChain ? LONG_SECONDS : SOON_OVER_SECONDS}`]);
  }

  #publish(headers: readonly string[]): string {
    const { aor } = this.client;
    const state = this.#changes++ % 2 === 0 ? 'early' : 'confirmed';
    const body = `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${aor}">
<dialog id="s" call-id="${token()}" local-tag="1" remote-tag="2" direction="recipient"><state>${state}</state></dialog>
</dialog-info>`;
    const all = ['Event: dialog', 'Content-Type: application/dialog-info+xml', ...headers];
    return this.client.compose({ method: 'PUBLISH', uri: aor, headers: all, body });
  }

  /** Reads what came since: counts the answers, and answers what others ask. NOTIFYs are answered as they come. */
  read(answers: Answers): void {
    const { received } = this.client;
    for (const message of received) this.#read(message, answers);
    received.length = 0;
  }

  #read(message: ReceivedMessage, answers: Answers): void {
    const { status, method } = message;
    if (method === 'MESSAGE') this.client.respond(message, 200);
    else if (method === 'INVITE') this.client.respond(message, 486);
    else if (status >= 200) this.#count(message, answers);
  }

  #count(message: ReceivedMessage, answers: Answers): void {
    const { status } = message;
    const cseq = message.header('cseq');
    // Busy is how calls of this storm are to end.
    if (status < 300 || status === 486) answers.accepted++;
    else answers.refused++;
    if (cseq.endsWith('INVITE')) this.#acknowledge(message);
    const tag = message.header('sip-etag');
    if (tag !== '' && message.header('expires') === String(LONG_SECONDS)) this.#tags.push(tag);
  }

  #acknowledge(message: ReceivedMessage): void {
    const branch = /branch=([^;,]+)/.exec(message.header('via'))?.[1] ?? '';
    const to = message.header('to');
    const about = { callId: message.header('call-id'), branch, to, uri: /<([^>]+)>/.exec(to)?.[1] ?? '' };
    this.client.raw(this.client.compose({ method: 'ACK', ...about }));
  }
}
