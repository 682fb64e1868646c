/** All streams of lamps of this gateway: the life of their connections, and their clock. */
import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { Flow } from '../flow-table.ts';
import type { FlowEvents } from '../websocket-server.ts';
import { LampStream } from './lamp-stream.ts';

export interface LampStreamsPorts {
  readonly receive: (flow: Flow, data: Buffer) => void;
  readonly nowMs: () => number;
  readonly maxMessagesPerSecond: number;
  /** What becomes of a flow in either case. */
  readonly events: Pick<FlowEvents, 'drained' | 'closed'>;
}

export class LampStreams {
  readonly #ports: LampStreamsPorts;
  readonly #streams = new Map<Flow, LampStream>();

  constructor(ports: LampStreamsPorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** A connection whose client speaks JSON; what it has proven stands in the flow. */
  open(flow: Flow, socket: WebSocket): FlowEvents {
    const stream = new LampStream(flow, {
      ...this.#ports,
      send: (text) => socket.send(text),
      close: (code, reason) => socket.close(code, reason),
      randomText: (bytes) => randomBytes(bytes).toString('base64url'),
    });
    this.#streams.set(flow, stream);
    flow.deliver = (texts) => stream.deliver(texts);
    return {
      received: (_flow, data, isBinary) => stream.take(data, isBinary),
      drained: this.#ports.events.drained,
      closed: (closed) => {
        this.#streams.delete(closed);
        this.#ports.events.closed(closed);
      },
    };
  }

  /** Once a second. */
  advance(nowMs: number): void {
    for (const stream of this.#streams.values()) stream.advance(nowMs);
  }
}
