/** A tenant that storms, in a process of its own: as many requests of one kind as it is told, whatever comes back. */
import { setTimeout as pause } from 'node:timers/promises';
import { SipClient } from '#test/support/sip-client.ts';
import { Raider, type SipStorm } from './raider.ts';
import { inTurns } from './watcher-fleet.ts';

export type StormKind = SipStorm | 'ingest' | 'sockets';

export interface StormOrder {
  readonly kind: StormKind;
  readonly perSecond: number;
  readonly url: string;
  readonly apiUrl: string;
  /** Of the tenant, for its ingest. */
  readonly apiKey: string;
  readonly domain: string;
  readonly flows: number;
  /** Of each flow, of other users. */
  readonly lamps: number;
}

/** What came back since the storm was told to rage. */
export interface StormReport {
  readonly sent: number;
  readonly accepted: number;
  readonly refused: number;
  readonly seconds: number;
}

const TICK_MS = 25;
const FIRST_USER = 1001;
const EVENTS_PER_REQUEST = 500;
/** Requests over HTTP that may wait for their answer. */
const MAX_OPEN = 64;

export class Storm {
  readonly #order: StormOrder;
  readonly #raiders: Raider[] = [];
  #rage = { isOver: true, startedMs: 0, sent: 0 };
  #answers = { accepted: 0, refused: 0 };
  #open = 0;

  constructor(order: StormOrder) {
    this.#order = order;
  }

  /** Signs all flows in and lets each watch some lamps, so that what changes is told to somebody. */
  async gather(): Promise<void> {
    const { url, domain, flows, lamps } = this.#order;
    await inTurns(flows, 8, async (index) => {
      const client = await SipClient.connect(url, this.#user(index), domain);
      await client.register();
      for (let lamp = 1; lamp <= lamps; lamp++) await client.subscribe(this.#user(index + lamp));
      this.#raiders.push(new Raider(client));
    });
  }

  #user(index: number): string {
    return String(FIRST_USER + (index % this.#order.flows));
  }

  rage(): void {
    this.#read();
    this.#answers = { accepted: 0, refused: 0 };
    this.#rage = { isOver: false, startedMs: performance.now(), sent: 0 };
    void this.#run(this.#rage);
  }

  rest(): StormReport {
    this.#rage.isOver = true;
    this.#read();
    const { sent, startedMs } = this.#rage;
    return { sent, ...this.#answers, seconds: (performance.now() - startedMs) / 1_000 };
  }

  /** What a busy machine made it miss is sent behind, as a storm does. */
  async #run(rage: { isOver: boolean; startedMs: number; sent: number }): Promise<void> {
    while (!rage.isOver) {
      const due = ((performance.now() - rage.startedMs) * this.#order.perSecond) / 1_000;
      while (rage.sent < due) this.#send(rage.sent++);
      await pause(TICK_MS);
      this.#read();
    }
  }

  #send(number: number): void {
    const { kind, flows } = this.#order;
    if (kind === 'ingest') void this.#counted(() => this.#ingest(number));
    else if (kind === 'sockets') void this.#counted(() => this.#connectAndLeave(number));
    else this.#raiders[number % this.#raiders.length]?.send(kind, this.#user(number + 1 + (number % (flows - 2))));
  }

  async #counted(work: () => Promise<boolean>): Promise<void> {
    if (this.#open >= MAX_OPEN) return;
    this.#open++;
    const isDone = await work().catch(() => false);
    this.#open--;
    if (isDone) this.#answers.accepted++;
    else this.#answers.refused++;
  }

  async #ingest(number: number): Promise<boolean> {
    const { apiUrl, apiKey, domain } = this.#order;
    const state = number % 2 === 0 ? 'early' : 'confirmed';
    const events = Array.from({ length: EVENTS_PER_REQUEST }, (_, index) => ({
      ...{ type: 'dialog', user: this.#user(index), id: `s${index}`, state, leaseSeconds: 10 },
      sequence: Date.now() * 1_000 + index,
    }));
    const response = await fetch(`${apiUrl}/tenants/${domain}/sources/storm/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ events }),
    });
    await response.arrayBuffer();
    return response.ok;
  }

  async #connectAndLeave(number: number): Promise<boolean> {
    const { url, domain } = this.#order;
    const client = await SipClient.connect(url, this.#user(number), domain);
    const { status } = await client.register().finally(() => client.cut());
    return status === 200;
  }

  #read(): void {
    for (const raider of this.#raiders) raider.read(this.#answers);
  }
}

/** The parent gives the order; then it says `rage` and `rest` in turn, and gets a report at each rest. */
if (import.meta.main) {
  let storm: Storm | undefined;
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: StormOrder | 'rage' | 'rest') => {
    if (message === 'rage') storm?.rage();
    else if (message === 'rest') process.send?.(storm?.rest());
    else {
      storm = new Storm(message);
      void storm.gather().then(() => process.send?.('ready'));
    }
  });
}
