/** How the people of the model test reach a gateway: connections and requests. */
import type { Flow } from '#gateway/flow-table.ts';
import type { ReceivedMessage } from '#test/support/sip-client.ts';
import type { ModelGateway } from './model-gateway.ts';
import type { World } from './model-world.ts';

export const DOMAIN = 'demo.example';
let counter = 0;
export const fresh = (): string => {
  counter += 1;
  return String(counter);
};

/** One connection of a user to one gateway. */
export class Connection {
  readonly gateway: ModelGateway;
  readonly flow: Flow;
  /** The client is gone and the gateway does not know: what is sent reaches nobody. */
  isDeaf = false;
  readonly #answers = new Map<string, (answer: ReceivedMessage | undefined) => void>();

  constructor(
    world: World,
    gateway: number,
    user: string,
    role: 'user' | 'publisher',
    onNotify: (notify: ReceivedMessage, from: Connection) => void,
  ) {
    this.gateway = world.gateway(gateway);
    this.flow = this.gateway.open({ domain: DOMAIN, user, role }, (message) => {
      if (message.method === 'NOTIFY') onNotify(message, this);
      else if (!this.isDeaf) this.#answers.get(nameOf(message))?.(message);
    });
  }

  get isAlive(): boolean {
    return !this.isDeaf && !this.flow.closed;
  }

  send(text: string): void {
    if (this.isAlive) this.gateway.receive(this.flow, text);
  }

  /** @returns the answer; undefined when the connection was lost before it came */
  request(lines: readonly string[], name: string, times: number): Promise<ReceivedMessage | undefined> {
    const { promise, resolve } = Promise.withResolvers<ReceivedMessage | undefined>();
    this.#answers.set(name, resolve);
    for (let n = 0; n < times; n++) this.send(lines.join('\r\n'));
    if (!this.isAlive) resolve(undefined);
    return promise;
  }

  /** @param isSilent the gateway does not learn of it yet */
  lose(isSilent: boolean): void {
    this.isDeaf = true;
    if (!isSilent) this.gateway.lose(this.flow);
    for (const resolve of this.#answers.values()) resolve(undefined);
  }
}

const nameOf = (message: ReceivedMessage): string => `${message.header('call-id')} ${message.header('cseq')}`;

interface RequestParts {
  readonly method: 'PUBLISH' | 'SUBSCRIBE';
  readonly from: string;
  readonly to: string;
  readonly uri: string;
  readonly callId: string;
  readonly cseq: number;
  readonly fields: readonly string[];
  readonly body?: string;
}

export function linesOf({ method, from, to, uri, callId, cseq, fields, body = '' }: RequestParts): string[] {
  return [
    ...[`${method} ${uri} SIP/2.0`, `Via: SIP/2.0/WS c.invalid;branch=z9hG4bK${fresh()}`, 'Max-Forwards: 70'],
    ...[`From: ${from}`, `To: ${to}`, `Call-ID: ${callId}`, `CSeq: ${cseq} ${method}`, 'Event: dialog', ...fields],
    ...[`Content-Length: ${Buffer.byteLength(body)}`, '', body],
  ];
}
