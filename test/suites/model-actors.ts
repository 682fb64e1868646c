/** Publishers and watchers of the model test: they speak SIP to a gateway and remember what they were told. */
import type { Flow } from '#gateway/flow-table.ts';
import type { ReceivedMessage } from '#test/support/sip-client.ts';
import { type ModelGateway, PARKING_MS } from './model-gateway.ts';
import { documentText, lampsIn, ModelPublication, PUBLISHERS, type PublishedDocument } from './model-lamps.ts';
import type { World } from './model-world.ts';

export const DOMAIN = 'demo.example';
let counter = 0;
const fresh = (): string => {
  counter += 1;
  return String(counter);
};

/** One connection of a user to one gateway. */
class Connection {
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

function linesOf({ method, from, to, uri, callId, cseq, fields, body = '' }: RequestParts): string[] {
  return [
    ...[`${method} ${uri} SIP/2.0`, `Via: SIP/2.0/WS c.invalid;branch=z9hG4bK${fresh()}`, 'Max-Forwards: 70'],
    ...[`From: ${from}`, `To: ${to}`, `Call-ID: ${callId}`, `CSeq: ${cseq} ${method}`, 'Event: dialog', ...fields],
    ...[`Content-Length: ${Buffer.byteLength(body)}`, '', body],
  ];
}

/** One publisher's publication of one presentity, with its entity-tag. */
export class Publisher {
  readonly #world: World;
  readonly #publisher: number;
  readonly #uri: string;
  #connection: Connection | undefined;
  /** All publications of the presentity, for the model. */
  readonly #all: ModelPublication[];
  #turn: Promise<unknown> = Promise.resolve();
  #tag = '';
  #oldTag = '';
  #own: ModelPublication | undefined;

  constructor(world: World, publisher: number, user: string, all: ModelPublication[]) {
    this.#world = world;
    this.#publisher = publisher;
    this.#uri = `sip:${user}@${DOMAIN}`;
    this.#all = all;
  }

  /** Comes back when its gateway has died. */
  #connected(): Connection {
    if (this.#connection === undefined || !this.#connection.isAlive) {
      const user = PUBLISHERS[this.#publisher] ?? '';
      this.#connection = new Connection(this.#world, this.#publisher, user, 'publisher', () => undefined);
    }
    return this.#connection;
  }

  /** A client sends the requests of one publication one after the other (RFC 3903 section 4.1). */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Initial, or with the entity-tag that it has a modification; `isTwice`: a copy of it races it. */
  publish(document: PublishedDocument, seconds: number, isTwice: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#own;
      const tags = await this.#send(seconds, this.#tag, isTwice, document);
      const expiresAtMs = this.#world.nowMs + seconds * 1_000;
      if (own !== undefined && this.#isTaken(own, tags)) {
        own.apply(document);
        own.expiresAtMs = expiresAtMs;
      }
      if (own !== undefined) return;
      // Two initial ones are two publications; the second one's tag is kept, the first one lives on until its end.
      for (const tag of tags) {
        this.#own = new ModelPublication(this.#publisher, expiresAtMs, document);
        this.#all.push(this.#own);
        this.#tag = tag;
      }
      if (tags.length === 0) throw new Error('an initial PUBLISH was refused');
    });
  }

  refresh(seconds: number, isTwice: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#own;
      if (own === undefined) return;
      const tags = await this.#send(seconds, this.#tag, isTwice);
      if (this.#isTaken(own, tags)) own.expiresAtMs = this.#world.nowMs + seconds * 1_000;
    });
  }

  remove(isTwice: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#own;
      if (own === undefined) return;
      const tags = await this.#send(0, this.#tag, isTwice);
      if (this.#isTaken(own, tags)) this.#all.splice(this.#all.indexOf(own), 1);
      this.#own = undefined;
      this.#tag = '';
    });
  }

  /** A late copy with the entity-tag before the last one changes nothing. */
  publishStale(document: PublishedDocument): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#oldTag === '') return;
      const tags = await this.#send(600, this.#oldTag, false, document);
      if (tags.length > 0) throw new Error('an old entity-tag was taken');
    });
  }

  /** The publisher starts anew and knows nothing of its publication. */
  forget(): Promise<void> {
    return this.#inTurn(async () => {
      this.#own = undefined;
      this.#tag = '';
    });
  }

  /** Exactly one of the requests was done, unless the publication had expired: then none. */
  #isTaken(own: ModelPublication, [tag, ...more]: readonly string[]): boolean {
    const isAlive = own.expiresAtMs > this.#world.nowMs;
    if ((tag !== undefined) !== isAlive || more.length > 0)
      throw new Error(`${more.length + (tag === undefined ? 0 : 1)} were taken; alive: ${isAlive}`);
    if (tag === undefined) {
      this.#own = undefined;
      this.#tag = '';
      return false;
    }
    this.#oldTag = this.#tag;
    this.#tag = tag;
    return true;
  }

  /** @returns the new entity-tags, of what was answered 200 */
  async #send(seconds: number, tag: string, isTwice: boolean, document?: PublishedDocument): Promise<string[]> {
    const user = `sip:${PUBLISHERS[this.#publisher]}@${DOMAIN}`;
    const fields = [`Expires: ${seconds}`, ...(tag === '' ? [] : [`SIP-If-Match: ${tag}`])];
    const body = document === undefined ? {} : { body: documentText(this.#uri, this.#publisher, document) };
    if (document !== undefined) fields.push('Content-Type: application/dialog-info+xml');
    const sent = Array.from({ length: isTwice ? 2 : 1 }, () => {
      const callId = `publish-${fresh()}`;
      const parts = { from: `<${user}>;tag=${fresh()}`, to: `<${this.#uri}>`, uri: this.#uri, callId, cseq: 1 };
      const lines = linesOf({ method: 'PUBLISH', ...parts, fields, ...body });
      return this.#connected().request(lines, `${callId} 1 PUBLISH`, 1);
    });
    const answers = await Promise.all(sent);
    const bad = answers.find((answer) => answer?.status !== 200 && answer?.status !== 412);
    if (bad !== undefined) throw new Error(`PUBLISH: ${bad.startLine}`);
    return answers.flatMap((answer) => (answer?.status === 200 ? answer.header('sip-etag') : []));
  }
}

/** How a watcher answers the NOTIFYs of a subscription. */
export type AnswerMode = 200 | 500 | 'later' | 'never';

export interface Told {
  readonly gateway: ModelGateway;
  /** The gateway may have forgotten the subscription before, and number it from the clock again. */
  readonly mayJump: boolean;
  readonly cseq: number;
  readonly documentVersion: number;
  readonly stateVersion: number;
  readonly lamps: readonly string[];
  readonly subscriptionState: string;
}

/** One dialog of a watcher. */
export class WatcherDialog {
  readonly callId = `subscribe-${fresh()}`;
  readonly fromTag = `from-${fresh()}`;
  toTag = '';
  cseq = 0;
  expiresAtMs = 0;
  isOver = false;
  /** When the gateway learnt that its flow is gone. */
  lostAtMs: number | undefined;
  unanswered = 0;
  mayJump = false;
  /** To which the last SUBSCRIBE went. */
  askedOn: Connection | undefined;
  /** The device has a newer subscription. */
  isReplaced = false;
  /** What the watcher has received. */
  readonly told: Told[] = [];
  /** What the gateways have sent, also to connections that were dead. */
  readonly written: Told[] = [];

  /** A reason for the notifier to have ended it. */
  mayBeGone(nowMs: number): boolean {
    const isParkedTooLong = this.lostAtMs !== undefined && nowMs - this.lostAtMs >= PARKING_MS;
    return this.expiresAtMs <= nowMs || isParkedTooLong || this.unanswered >= 2;
  }
}

export class Watcher {
  readonly #world: World;
  readonly #user: string;
  readonly #contact: string;
  readonly presentity: number;
  readonly #uri: string;
  answers: AnswerMode = 200;
  #connection: Connection | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #dialog: WatcherDialog | undefined;
  readonly #dialogs = new Map<string, WatcherDialog>();
  #held: (() => void)[] = [];

  constructor(world: World, index: number, presentity: number, presentityUser: string) {
    this.#world = world;
    this.#user = `watcher-${index}`;
    this.presentity = presentity;
    this.#uri = `sip:${presentityUser}@${DOMAIN}`;
    this.#contact = `<sip:${this.#user}@c.invalid;transport=ws>;+sip.instance="<urn:uuid:${index}>"`;
  }

  get dialogs(): readonly WatcherDialog[] {
    return [...this.#dialogs.values()];
  }

  /** The dialog that lives as far as the watcher knows. */
  get living(): WatcherDialog | undefined {
    const dialog = this.#dialog;
    return dialog && !dialog.isOver && !dialog.mayBeGone(this.#world.nowMs) ? dialog : undefined;
  }

  get isConnected(): boolean {
    return this.#connection?.isAlive === true;
  }

  /** Connected, and every NOTIFY so far is answered: it has been told all that there is to tell. */
  get isUpToDate(): boolean {
    return this.isConnected && this.living?.unanswered === 0;
  }

  /** Comes (back) on a gateway; the old connection is found dead there now or stays half open. */
  connect(gateway: number, isOldNoticed: boolean): void {
    this.lose(!isOldNoticed);
    this.#connection = new Connection(this.#world, gateway, this.#user, 'user', (notify, from) =>
      this.#hear(notify, from),
    );
  }

  /** The device starts anew beside its old connection, and knows nothing of its subscription. */
  startAnew(gateway: number): Promise<void> {
    return this.#inTurn(async () => {
      const older = this.#dialog;
      this.#connection = new Connection(this.#world, gateway, this.#user, 'user', (notify, from) =>
        this.#hear(notify, from),
      );
      this.#dialog = undefined;
      await this.#subscribe(600, false);
      if (older !== undefined && this.living !== undefined) older.isReplaced = true;
    });
  }

  lose(isSilent: boolean): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.lose(isSilent);
    if (!isSilent && this.#dialog) this.#dialog.lostAtMs ??= this.#world.nowMs;
  }

  /** Opens a subscription, or refreshes (with 0: ends) the one that there is; `isTwice`: it is retransmitted. */
  subscribe(seconds: number, isTwice: boolean): Promise<void> {
    return this.#inTurn(() => this.#subscribe(seconds, isTwice));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #subscribe(seconds: number, isTwice: boolean): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || !connection.isAlive) return;
    if (this.#dialog === undefined || this.#dialog.isOver) {
      if (seconds === 0) return;
      this.#dialog = new WatcherDialog();
      this.#dialogs.set(this.#dialog.callId, this.#dialog);
    }
    const dialog = this.#dialog;
    dialog.cseq += 1;
    // A gateway numbers anew what it forgot, and what another one has held since.
    const isElsewhere = dialog.askedOn !== undefined && dialog.askedOn.gateway !== connection.gateway;
    dialog.mayJump ||= isElsewhere || dialog.mayBeGone(this.#world.nowMs);
    dialog.askedOn = connection;
    const { callId, cseq, toTag } = dialog;
    const from = `<sip:${this.#user}@${DOMAIN}>;tag=${dialog.fromTag}`;
    const to = `<${this.#uri}>${toTag === '' ? '' : `;tag=${toTag}`}`;
    const fields = [`Expires: ${seconds}`, `Contact: ${this.#contact}`];
    const lines = linesOf({ method: 'SUBSCRIBE', from, to, uri: this.#uri, callId, cseq, fields });
    const answer = await connection.request(lines, `${callId} ${cseq} SUBSCRIBE`, isTwice ? 2 : 1);
    this.#takeAnswer(dialog, answer, connection, seconds);
  }

  #takeAnswer(dialog: WatcherDialog, answer: ReceivedMessage | undefined, { flow }: Connection, seconds: number): void {
    const now = this.#world.nowMs;
    if (answer === undefined) {
      // Nobody knows whether it was done; the watcher counts on the shorter time.
      if (dialog.toTag === '' || seconds === 0) dialog.isOver = true;
      dialog.expiresAtMs = Math.min(dialog.expiresAtMs, now + seconds * 1_000);
    } else if (answer.status === 200) {
      dialog.toTag = /;tag=(.*)$/.exec(answer.header('to'))?.[1] ?? '';
      dialog.expiresAtMs = now + Number(answer.header('expires')) * 1_000;
      if (seconds === 0) dialog.isOver = true;
      dialog.lostAtMs = flow.closed ? now : undefined;
    } else if (answer.status === 481 && dialog.mayBeGone(now)) dialog.isOver = true;
    else throw new Error(`SUBSCRIBE ${dialog.cseq} of ${dialog.callId}: ${answer.startLine}`);
  }

  #hear(notify: ReceivedMessage, from: Connection): void {
    const dialog = this.#dialogs.get(notify.header('call-id'));
    if (dialog === undefined) throw new Error(`NOTIFY of no dialog: ${notify.text}`);
    const mode = from.isDeaf ? 'never' : this.answers;
    this.#remember(dialog, notify, from);
    dialog.unanswered = mode === 200 ? 0 : dialog.unanswered + (mode === 500 ? 0 : 1);
    if (mode === 'never') return;
    if (mode === 'later') this.#held.push(() => from.send(answerTo(notify, 200)));
    else queueMicrotask(() => from.send(answerTo(notify, mode)));
  }

  #remember(dialog: WatcherDialog, notify: ReceivedMessage, { gateway, isDeaf }: Connection): void {
    const subscriptionState = notify.header('subscription-state');
    const written = {
      gateway,
      mayJump: dialog.mayJump,
      cseq: Number.parseInt(notify.header('cseq'), 10),
      documentVersion: Number(/<dialog-info [^>]*version="(\d+)"/.exec(notify.body)?.[1]),
      stateVersion: Number(/<!--state (\d+)-->/.exec(notify.body)?.[1]),
      lamps: lampsIn(notify.body),
      subscriptionState,
    };
    dialog.mayJump = false;
    dialog.written.push(written);
    if (isDeaf) return;
    dialog.told.push(written);
    if (subscriptionState.startsWith('terminated')) dialog.isOver = true;
  }

  /** Sends the answers that were held back. */
  answerHeld(): void {
    for (const answer of this.#held.splice(0)) answer();
  }
}

function answerTo(notify: ReceivedMessage, status: number): string {
  const echoed = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${notify.header(name)}`);
  return [`SIP/2.0 ${status} Answer`, ...echoed, 'Content-Length: 0', '', ''].join('\r\n');
}
