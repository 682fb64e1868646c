/** A PBX that publishes marked documents, one publication after another change of it. */
import { type ReceivedMessage, SipClient } from '#test/support/sip-client.ts';

export class BenchPublisher {
  readonly #client: SipClient;
  readonly #extension: string;
  readonly slot: number;
  sequence = 0;
  #etag: string | undefined;

  private constructor(client: SipClient, extension: string, slot: number) {
    this.#client = client;
    this.#extension = extension;
    this.slot = slot;
  }

  static async connect(url: string, extension: string, slot: number): Promise<BenchPublisher> {
    return new BenchPublisher(await SipClient.connect(url, 'pbx'), extension, slot);
  }

  /** Publishes the next change and gives the time of its sending. */
  async publish(): Promise<number> {
    this.sequence++;
    const entity = `sip:${this.#extension}@demo.example`;
    const sentAtMs = performance.now();
    const answer = await this.#client.publish(this.#extension, markedDocument(entity, this.slot, this.sequence), {
      ...(this.#etag === undefined ? {} : { ifMatch: this.#etag }),
    });
    // What it has published is not known to it any more, or never was: the next one begins anew.
    if (answer.status !== 200) this.#etag = undefined;
    requireOk(answer);
    this.#etag = answer.header('sip-etag');
    this.#client.received.length = 0;
    return sentAtMs;
  }

  async close(): Promise<void> {
    if (this.#etag !== undefined)
      await this.#client.publish(this.#extension, undefined, { ifMatch: this.#etag, expiresSeconds: 0 });
    this.#client.cut();
  }
}

function requireOk(answer: ReceivedMessage): void {
  if (answer.status !== 200) throw new Error(`PUBLISH was answered ${answer.startLine}`);
}

function markedDocument(entity: string, slot: number, sequence: number): string {
  const state = sequence % 2 === 0 ? 'confirmed' : 'early';
  const callId = `mark.${slot}.${sequence}.bench`;
  return `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${entity}">
<dialog id="m${slot}" call-id="${callId}" local-tag="1928301774" remote-tag="456887766" direction="recipient">
<state>${state}</state>
<local><identity>${entity}</identity><target uri="${entity}"/></local>
<remote><identity display="Caller 17">sip:+15551000017@demo.example</identity><target uri="sip:+15551000017@demo.example"/></remote>
</dialog>
</dialog-info>`;
}
