/** Many watchers for load: each NOTIFY is answered and its mark noted, with as little work as a client can do. */
import { WebSocket } from 'ws';
import { authorize, challengesOf, readMessage, token } from '#test/support/sip-client.ts';

/** Marks in documents: the dialog's Call-ID is `mark.<publication>.<sequence>.` */
const MARK = /call-id="mark\.(\d+)\.(\d+)\./g;

export interface Watcher {
  readonly callId: string;
  /** Sequence of the last document for each publication. */
  readonly seen: number[];
  lastCSeq: number;
  /** A document took it back to an older state, or a CSeq did not rise. */
  wrong: number;
}

interface Flow {
  readonly socket: WebSocket;
  readonly user: string;
  readonly waiting: Map<string, (text: string) => void>;
  readonly watchers: Map<string, Watcher>;
}

export class WatcherFleet {
  readonly #url: string;
  readonly #users: number;
  readonly #flows: Flow[] = [];
  readonly watchers: Watcher[] = [];
  /** Called at each NOTIFY with a mark. */
  onNotify: (watcher: Watcher) => void = () => undefined;
  notifies = 0;

  /** @param users how many of the seeded users share the flows: with few, each has many bindings */
  constructor(url: string, users = 20) {
    this.#url = url;
    this.#users = users;
  }

  /** Opens `count` flows and registers each as one of the seeded users. */
  async open(count: number, { register = true } = {}): Promise<void> {
    const first = this.#flows.length;
    await inTurns(count, 32, async (index) => {
      const user = String(1001 + ((first + index) % this.#users));
      const socket = new WebSocket(this.#url, ['sip'], { perMessageDeflate: false, skipUTF8Validation: true });
      const flow: Flow = { socket, user, waiting: new Map(), watchers: new Map() };
      socket.on('message', (data: Buffer) => this.#receive(flow, data.toString('latin1')));
      await new Promise<void>((resolve, reject) => {
        socket.once('open', () => resolve());
        socket.once('error', reject);
      });
      if (register) await this.#register(flow);
      this.#flows.push(flow);
    });
  }

  async #register(flow: Flow): Promise<void> {
    const uri = 'sip:demo.example';
    const callId = token();
    const text = (cseq: number, authorization: string): string =>
      request('REGISTER', uri, flow.user, { callId, cseq, to: `sip:${flow.user}@demo.example` }, [
        `Contact: <sip:${flow.user}@${callId}.invalid;transport=ws>`,
        'Expires: 3600',
        ...(authorization === '' ? [] : [`Authorization: ${authorization}`]),
      ]);
    const challenge = challengesOf(readMessage(await exchange(flow, callId, text(1, ''))))[0];
    if (challenge === undefined) throw new Error('no challenge to a REGISTER');
    const credentials = { user: flow.user, password: `demo-${flow.user}` };
    const answer = await exchange(
      flow,
      callId,
      text(2, authorize(challenge, credentials, { method: 'REGISTER', uri })),
    );
    if (!answer.startsWith('SIP/2.0 200')) throw new Error(`REGISTER: ${answer.split('\r\n', 1)[0]}`);
  }

  /** Subscribes `count` times, spread over the flows; `extension` names whom. */
  async subscribe(count: number, extension: (index: number) => string): Promise<void> {
    await inTurns(count, 64, async (index) => {
      const flow = this.#flows[index % this.#flows.length];
      if (flow === undefined) throw new Error('no flows are open');
      const callId = token();
      const watcher: Watcher = { callId, seen: [], lastCSeq: 0, wrong: 0 };
      flow.watchers.set(callId, watcher);
      const uri = `sip:${extension(index)}@demo.example`;
      const answer = await exchange(
        flow,
        callId,
        request('SUBSCRIBE', uri, flow.user, { callId, cseq: 1, to: uri }, [
          `Contact: <sip:${flow.user}@${callId}.invalid;transport=ws>`,
          'Event: dialog',
          'Accept: application/dialog-info+xml',
          'Expires: 3600',
        ]),
      );
      if (!answer.startsWith('SIP/2.0 200')) throw new Error(`SUBSCRIBE: ${answer.split('\r\n', 1)[0]}`);
      this.watchers.push(watcher);
    });
  }

  #receive(flow: Flow, text: string): void {
    const callId = lineValue(text, '\r\nCall-ID: ');
    if (!text.startsWith('NOTIFY')) {
      flow.waiting.get(callId)?.(text);
      return;
    }
    const watcher = flow.watchers.get(callId);
    const end = text.indexOf('\r\nCall-ID: ');
    const cseq = lineValue(text, '\r\nCSeq: ');
    const lines = `Via: ${lineValue(text, '\r\nVia: ')}\r\nFrom: ${lineValue(text, '\r\nFrom: ')}\r\nTo: ${lineValue(text, '\r\nTo: ')}`;
    flow.socket.send(`SIP/2.0 200 OK\r\n${lines}\r\nCall-ID: ${callId}\r\nCSeq: ${cseq}\r\nContent-Length: 0\r\n\r\n`);
    if (watcher === undefined || end < 0) return;
    this.notifies++;
    this.#note(watcher, text, Number.parseInt(cseq, 10));
  }

  #note(watcher: Watcher, text: string, cseq: number): void {
    if (cseq <= watcher.lastCSeq) watcher.wrong++;
    watcher.lastCSeq = cseq;
    for (const [, publication, sequence] of text.matchAll(MARK)) {
      const [slot, number] = [Number(publication), Number(sequence)];
      if (number < (watcher.seen[slot] ?? 0)) watcher.wrong++;
      watcher.seen[slot] = number;
    }
    this.onNotify(watcher);
  }

  close(): void {
    for (const { socket } of this.#flows) socket.terminate();
  }
}

function request(
  method: string,
  uri: string,
  user: string,
  about: { callId: string; cseq: number; to: string },
  headers: readonly string[],
): string {
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/WS bench.invalid;branch=z9hG4bK${token()}`,
    'Max-Forwards: 70',
    `From: <sip:${user}@demo.example>;tag=${about.callId}`,
    `To: <${about.to}>`,
    `Call-ID: ${about.callId}`,
    `CSeq: ${about.cseq} ${method}`,
    ...headers,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

function exchange(flow: Flow, callId: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within 20 s: ${text.split('\r\n', 1)[0]}`)), 20_000);
    flow.waiting.set(callId, (answer) => {
      clearTimeout(timer);
      flow.waiting.delete(callId);
      resolve(answer);
    });
    flow.socket.send(text);
  });
}

function lineValue(text: string, start: string): string {
  const from = text.indexOf(start);
  return from < 0 ? '' : text.slice(from + start.length, text.indexOf('\r\n', from + start.length));
}

/** Runs `count` jobs, at most `width` at a time. */
export async function inTurns(count: number, width: number, job: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await job(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
}
