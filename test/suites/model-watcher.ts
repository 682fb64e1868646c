/** Watchers of the model test: they subscribe, come and go, and remember what they were told. */
import type { ReceivedMessage } from '#test/support/sip-client.ts';
import { Connection, DOMAIN, fresh, linesOf } from './model-connection.ts';
import { type ModelGateway, PARKING_MS } from './model-gateway.ts';
import { lampsIn } from './model-lamps.ts';
import type { World } from './model-world.ts';

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

  #remember(dialog: WatcherDialog, notify: ReceivedMessage, connection: Connection): void {
    const subscriptionState = notify.header('subscription-state');
    const written = {
      gateway: connection.gateway,
      mayJump: dialog.mayJump,
      cseq: Number.parseInt(notify.header('cseq'), 10),
      documentVersion: Number(/<dialog-info [^>]*version="(\d+)"/.exec(notify.body)?.[1]),
      stateVersion: Number(/<!--state (\d+)-->/.exec(notify.body)?.[1]),
      lamps: lampsIn(notify.body),
      subscriptionState,
    };
    // Until the last SUBSCRIBE is through, the gateway goes on as it was on the connection before.
    if (connection === dialog.askedOn) dialog.mayJump = false;
    dialog.written.push(written);
    if (connection.isDeaf) return;
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
