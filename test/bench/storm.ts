/** A tenant that storms, in a process of its own: PUBLISH, SUBSCRIBE and connections as fast as it is told, whatever comes back. */
import { setTimeout as pause } from 'node:timers/promises';
import { SipClient, token } from '#test/support/sip-client.ts';
import { inTurns } from './watcher-fleet.ts';

export interface StormOrder {
  readonly url: string;
  readonly domain: string;
  readonly flows: number;
  readonly publishesPerSecond: number;
  readonly subscribesPerSecond: number;
  readonly connectsPerSecond: number;
}

/** What came back so far. */
export interface StormReport {
  readonly sent: number;
  readonly accepted: number;
  readonly refused: number;
  readonly connects: number;
}

const TICK_MS = 50;

export class Storm {
  readonly #order: StormOrder;
  readonly #clients: SipClient[] = [];
  #isOver = false;
  #sent = 0;
  #accepted = 0;
  #refused = 0;
  #connects = 0;

  constructor(order: StormOrder) {
    this.#order = order;
  }

  get report(): StormReport {
    this.#count();
    return { sent: this.#sent, accepted: this.#accepted, refused: this.#refused, connects: this.#connects };
  }

  /** Signs all flows in. */
  async gather(): Promise<void> {
    const { url, domain, flows } = this.#order;
    await inTurns(flows, 8, async (index) => {
      const client = await SipClient.connect(url, String(1001 + index), domain);
      await client.register();
      this.#clients.push(client);
    });
  }

  async rage(): Promise<void> {
    const { publishesPerSecond, subscribesPerSecond, connectsPerSecond } = this.#order;
    const perTick = (perSecond: number): number => (perSecond * TICK_MS) / 1000;
    let owed = { publishes: 0, subscribes: 0, connects: 0 };
    while (!this.#isOver) {
      owed = {
        publishes: owed.publishes + perTick(publishesPerSecond),
        subscribes: owed.subscribes + perTick(subscribesPerSecond),
        connects: owed.connects + perTick(connectsPerSecond),
      };
      for (; owed.publishes >= 1; owed.publishes--) this.#send((client) => publishOf(client));
      for (; owed.subscribes >= 1; owed.subscribes--) this.#send((client) => subscribeOf(client));
      for (; owed.connects >= 1; owed.connects--) void this.#connectAndLeave();
      this.#count();
      await pause(TICK_MS);
    }
  }

  end(): void {
    this.#isOver = true;
    for (const client of this.#clients) client.cut();
  }

  #send(compose: (client: SipClient) => string): void {
    const client = this.#clients[this.#sent % this.#clients.length];
    if (client === undefined) return;
    this.#sent++;
    client.raw(compose(client));
  }

  async #connectAndLeave(): Promise<void> {
    const { url, domain } = this.#order;
    this.#connects++;
    const client = await SipClient.connect(url, '1001', domain).catch(() => undefined);
    await client?.register().catch(() => undefined);
    client?.cut();
  }

  #count(): void {
    for (const { received } of this.#clients) {
      for (const { status } of received) {
        if (status === 200) this.#accepted++;
        else if (status !== undefined && status >= 300) this.#refused++;
      }
      received.length = 0;
    }
  }
}

function publishOf(client: SipClient): string {
  const body = `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${client.aor}">
<dialog id="s" call-id="${token()}" local-tag="1" remote-tag="2" direction="recipient"><state>early</state></dialog>
</dialog-info>`;
  const headers = ['Event: dialog', 'Expires: 60', 'Content-Type: application/dialog-info+xml'];
  return client.compose({ method: 'PUBLISH', uri: client.aor, headers, body });
}

function subscribeOf(client: SipClient): string {
  const headers = [`Contact: ${client.contact}`, 'Event: dialog', 'Expires: 600'];
  return client.compose({ method: 'SUBSCRIBE', uri: client.aor, headers });
}

/** The parent gives the order, says `rage` and at last `end`, and gets a report. */
if (import.meta.main) {
  let storm: Storm | undefined;
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: StormOrder | 'rage' | 'end') => {
    if (message === 'rage') void storm?.rage();
    else if (message === 'end') {
      const report = storm?.report;
      storm?.end();
      process.send?.(report, () => process.exit(0));
    } else {
      storm = new Storm(message);
      void storm.gather().then(() => process.send?.('ready'));
    }
  });
}
