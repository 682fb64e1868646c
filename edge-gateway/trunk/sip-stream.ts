/** SIP over a byte stream (RFC 3261 section 18.3): cuts TCP or TLS input into messages. PURE: bytes in, messages out. */
import { MESSAGE_LIMITS } from '#core/sip/message.ts';

/** `keepAlive`: a double CRLF between messages (RFC 5626 section 4.4.1), to be answered with one. */
export type StreamItem = { readonly kind: 'message'; readonly data: Buffer } | { readonly kind: 'keepAlive' };

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
/** The last one counts no more than the first: several that differ are refused by the parser. */
const CONTENT_LENGTH = /^(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,10})[ \t]*$/im;

/** What was received on one connection and is no whole message yet. */
export class SipStream {
  #waiting: Buffer = Buffer.alloc(0);
  /** How far the end of the head has been looked for. */
  #searched = 0;

  /**
   * Takes what has arrived.
   * @returns whole messages and keep-alives in order
   * @throws {RangeError} when the stream cannot be cut: a message without Content-Length, or over 64 KiB; close it
   */
  push(bytes: Buffer): StreamItem[] {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes]);
    const items: StreamItem[] = [];
    for (let item = this.#next(); item !== undefined; item = this.#next()) items.push(item);
    return items;
  }

  #next(): StreamItem | undefined {
    if (this.#startsWith(HEAD_END)) {
      this.#drop(HEAD_END.length);
      return { kind: 'keepAlive' };
    }
    // A lone CRLF may be the first half of a keep-alive, or the answer to one of ours.
    if (this.#waiting.length > LINE_END.length && this.#startsWith(LINE_END) && this.#waiting[2] !== HEAD_END[2]) {
      this.#drop(LINE_END.length);
      return this.#next();
    }
    if (this.#waiting.length < HEAD_END.length) return undefined;
    const size = this.#messageSize();
    if (size === undefined || size > this.#waiting.length) return undefined;
    const data = this.#waiting.subarray(0, size);
    this.#drop(size);
    return { kind: 'message', data };
  }

  /** @returns bytes of the message that begins here; undefined as long as its head has not ended */
  #messageSize(): number | undefined {
    const headEnd = this.#waiting.indexOf(HEAD_END, Math.max(0, this.#searched - HEAD_END.length));
    if (headEnd < 0) {
      this.#searched = this.#waiting.length;
      if (this.#searched > MESSAGE_LIMITS.messageBytes) throw new RangeError('Header Too Large');
      return undefined;
    }
    const length = CONTENT_LENGTH.exec(this.#waiting.toString('latin1', 0, headEnd))?.[1];
    if (length === undefined) throw new RangeError('Missing Content-Length');
    const size = headEnd + HEAD_END.length + Number(length);
    if (size > MESSAGE_LIMITS.messageBytes) throw new RangeError('Message Too Large');
    return size;
  }

  #startsWith(start: Buffer): boolean {
    return this.#waiting.length >= start.length && this.#waiting.compare(start, 0, start.length, 0, start.length) === 0;
  }

  #drop(bytes: number): void {
    this.#waiting = this.#waiting.subarray(bytes);
    this.#searched = 0;
  }
}
