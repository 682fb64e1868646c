/** A trunk of a test's own: takes connections over TCP and answers as the test says. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { SipStream } from '#gateway/trunk/sip-stream.ts';
import { PATIENCE_MS } from './patience.ts';
import { type ReceivedMessage, readMessage } from './sip-client.ts';

export class TrunkPeer {
  readonly received: ReceivedMessage[] = [];
  #socket: Socket | undefined;
  readonly #server: Server | undefined;
  #wake: (() => void)[] = [];
  connections = 0;

  private constructor(server?: Server) {
    this.#server = server;
  }

  static async listen(): Promise<TrunkPeer> {
    const server = createServer();
    const peer = new TrunkPeer(server);
    server.on('connection', (socket) => peer.#attach(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return peer;
  }

  static async connect(port: number): Promise<TrunkPeer> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    const peer = new TrunkPeer();
    peer.#attach(socket);
    return peer;
  }

  get port(): number {
    const address = this.#server?.address() as AddressInfo | undefined;
    if (address === undefined) throw new Error('this peer does not listen');
    return address.port;
  }

  /** The other side has closed the connection. */
  get isClosed(): boolean {
    return this.#socket?.destroyed ?? true;
  }

  #attach(socket: Socket): void {
    this.connections++;
    this.#socket = socket;
    const stream = new SipStream();
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      for (const item of stream.push(bytes))
        if (item.kind === 'message') this.received.push(readMessage(item.data.toString()));
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  send(text: string): void {
    this.#socket?.write(text);
  }

  cut(): void {
    this.#socket?.destroy();
  }

  /** The first message from `since` on that fits. @throws when it does not come in time */
  async next(matches: (message: ReceivedMessage) => boolean, since = 0): Promise<ReceivedMessage> {
    const untilMs = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = this.received.slice(since).find(matches);
      if (found !== undefined) return found;
      if (Date.now() > untilMs)
        throw new Error(
          `not received; there are ${this.received.map(({ text }) => text.split('\r\n', 1)[0]).join(', ')}`,
        );
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, 100);
      this.#wake.push(resolve);
      await promise;
      clearTimeout(timer);
    }
  }

  request(method: string, cseq?: number, since = 0): Promise<ReceivedMessage> {
    const fits = (one: ReceivedMessage) => cseq === undefined || one.header('cseq') === `${cseq} ${method}`;
    return this.next((one) => one.method === method && fits(one), since);
  }

  answer(request: ReceivedMessage, status: number, headers: readonly string[] = []): void {
    const to = request.header('to');
    const lines = [
      `SIP/2.0 ${status} Answer`,
      ...['via', 'record-route'].flatMap((name) => request.headers(name).map((value) => `${name}: ${value}`)),
      ...[`From: ${request.header('from')}`, `To: ${to.includes(';tag=') ? to : `${to};tag=trunk`}`],
      ...[`Call-ID: ${request.header('call-id')}`, `CSeq: ${request.header('cseq')}`],
      ...(status < 300 ? ['Contact: <sip:trunk@127.0.0.1;transport=tcp>'] : []),
      ...headers,
    ];
    this.send([...lines, 'Content-Length: 0', '', ''].join('\r\n'));
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    this.#server?.close();
  }
}
