/** The control of the fuzz run: a lamp of another tenant, which must go on following its publisher. */
import { setTimeout as pause } from 'node:timers/promises';
import { dialogInfo, dialogStates, SipClient, type TestSubscription } from '#test/support/sip-client.ts';

const DOMAIN = 'acme.example';
const EXTENSION = '1009';
const EVERY_MS = 2_000;
/** Of a PUBLISH that is told to wait (503); more while the lamp has time. */
const MAX_TRIES = 3;
/** Longer than the time between two changes; a publication whose entity-tag is lost lives so long, and is swept later. */
const EXPIRES_SECONDS = 60;
const SWEPT_AFTER_MS = 8_000;
const STATES = ['early', 'confirmed', 'terminated'] as const;

export class Control {
  readonly #watcher: SipClient;
  readonly #publisher: SipClient;
  readonly #subscription: TestSubscription;
  #tag: string | undefined;
  #isOver = false;
  #running: Promise<void> = Promise.resolve();
  changes = 0;
  /** Milliseconds from PUBLISH to the right NOTIFY. */
  readonly delaysMs: number[] = [];
  readonly problems: string[] = [];

  private constructor(watcher: SipClient, publisher: SipClient, subscription: TestSubscription) {
    this.#watcher = watcher;
    this.#publisher = publisher;
    this.#subscription = subscription;
  }

  static async open(url: string): Promise<Control> {
    const watcher = await SipClient.connect(url, '1001', DOMAIN);
    const publisher = await SipClient.connect(url, 'pbx', DOMAIN);
    return new Control(watcher, publisher, await watcher.subscribe(EXTENSION, { expiresSeconds: 7_200 }));
  }

  /** Changes the lamp again and again until it is stopped. */
  start(withinMs: number): void {
    this.#running = this.#run(withinMs);
  }

  async #run(withinMs: number): Promise<void> {
    while (!this.#isOver) {
      await this.#change(withinMs).catch((error: unknown) => this.problems.push(String(error)));
      await pause(EVERY_MS);
    }
  }

  async #change(withinMs: number): Promise<void> {
    const state = STATES[this.changes++ % STATES.length] ?? 'early';
    const body = dialogInfo(`sip:${EXTENSION}@${DOMAIN}`, { state });
    const [since, sentAtMs] = [this.#watcher.received.length, performance.now()];
    const told = this.#watcher.next(
      (message) => this.#subscription.owns(message) && dialogStates(message).join() === state,
      { since, timeoutMs: withinMs },
    );
    const published = this.#publish(body, sentAtMs + withinMs);
    // Both are awaited: a lamp that is late must not lose the entity-tag.
    const [, notify] = await Promise.allSettled([published, told]);
    await published;
    if (notify.status === 'rejected') throw notify.reason;
    this.delaysMs.push(notify.value.atMs - sentAtMs);
  }

  async #publish(body: string, untilMs: number): Promise<void> {
    const options = { expiresSeconds: EXPIRES_SECONDS, ...(this.#tag !== undefined && { ifMatch: this.#tag }) };
    let answer = await this.#publisher.publish(EXTENSION, body, options);
    let tries = 1;
    for (; answer.status === 503 && (tries < MAX_TRIES || performance.now() < untilMs); tries++) {
      await pause(Number(answer.header('retry-after')) * 1_000);
      answer = await this.#publisher.publish(EXTENSION, body, options);
    }
    // Whatever went wrong, the next one is an initial PUBLISH (RFC 3903 section 4.1).
    this.#tag = answer.status === 200 ? answer.header('sip-etag') : undefined;
    if (answer.status === 200) return;
    // What was answered 503 may have been done: then its entity-tag is lost, and the lamp shows it until its end.
    await pause(EXPIRES_SECONDS * 1_000 + SWEPT_AFTER_MS);
    if (answer.status !== 412 || tries === 1)
      throw new Error(`the control's PUBLISH was answered: ${answer.startLine}`);
  }

  /** Ends with the change that is under way: a PUBLISH whose connection is closed under it would seem unanswered. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    await Promise.all([this.#watcher.close(), this.#publisher.close()]);
  }
}
