/** Writing to flows: the frames that one turn of the event loop makes for a flow leave in a single write. */
import type { Duplex } from 'node:stream';

const TEXT_FRAME = 0x81; // FIN + opcode text (RFC 6455 section 5.2); a server does not mask

/** What the outbox needs of a flow. */
export interface OutboxOwner {
  readonly stream: Duplex;
  frames: string[] | undefined;
  /** True for SIP over a byte stream (RFC 3261 section 18.3): no frames around the messages. */
  readonly isUnframed?: boolean;
  /** Takes the messages instead of the stream: a flow whose client speaks no SIP. */
  deliver?: ((messages: readonly string[]) => void) | undefined;
}

/** Encodes messages as unmasked WebSocket text frames, one behind the other. */
export function encodeTextFrames(messages: readonly string[]): Buffer {
  let total = 0;
  const sizes: number[] = [];
  for (const message of messages) {
    const size = Buffer.byteLength(message);
    sizes.push(size);
    total += size + (size < 126 ? 2 : size < 65_536 ? 4 : 10);
  }
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  for (let i = 0; i < messages.length; i++) at = writeFrame(out, at, messages[i] ?? '', sizes[i] ?? 0);
  return out;
}

function writeFrame(out: Buffer, start: number, message: string, size: number): number {
  let at = start;
  out[at++] = TEXT_FRAME;
  if (size < 126) out[at++] = size;
  else if (size < 65_536) {
    out[at++] = 126;
    out[at++] = size >>> 8;
    out[at++] = size & 0xff;
  } else {
    out[at++] = 127;
    at = out.writeBigUInt64BE(BigInt(size), at);
  }
  // A message as long in characters as in bytes is ASCII: the cheaper encoding writes the same bytes.
  return at + (size === message.length ? out.write(message, at, 'latin1') : out.write(message, at, 'utf8'));
}

export class Outbox {
  private dirty: OutboxOwner[] = [];
  private scheduled = false;

  /** Queues one SIP message; it leaves at the end of this turn, together with others of the same flow. */
  send(owner: OutboxOwner, message: string): void {
    if (owner.frames === undefined) {
      owner.frames = [message];
      this.dirty.push(owner);
    } else owner.frames.push(message);
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => this.flush());
  }

  /** Writes everything that is queued now. */
  flush(): void {
    this.scheduled = false;
    const owners = this.dirty;
    if (owners.length === 0) return;
    this.dirty = [];
    for (const owner of owners) {
      const { frames } = owner;
      owner.frames = undefined;
      if (frames === undefined || !owner.stream.writable) continue;
      if (owner.deliver !== undefined) {
        owner.deliver(frames);
        continue;
      }
      owner.stream.write(owner.isUnframed ? frames.join('') : encodeTextFrames(frames));
    }
  }
}
