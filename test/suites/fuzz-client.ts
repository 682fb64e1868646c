/** One user of the fuzz run: proves itself, then sends spoilt messages, and comes back when its connection is closed. */
import type { Chance } from '#test/support/chance.ts';
import { type ReceivedMessage, SipClient } from '#test/support/sip-client.ts';
import { isDefect } from './fuzz-answers.ts';
import { type Speaker, soundMessage } from './fuzz-corpus.ts';
import { spoilMessage } from './fuzz-mutation.ts';

const DOMAIN = 'demo.example';
const BURST = 25;
const ANSWER_WITHIN_MS = 10_000;
/** So many dialogs are refreshed at random; older ones run out. */
const DIALOGS_KEPT = 5;

export interface FuzzTally {
  sent: number;
  /** Connections that the gateway closed, or that did not answer a sound request any more. */
  lost: number;
  readonly answers: Map<number, number>;
  /** Answers that are defects, with what was sent before them. */
  readonly defects: string[];
}

export class FuzzClient {
  readonly #url: string;
  readonly #user: string;
  readonly #chance: Chance;
  readonly #tally: FuzzTally;
  #client: SipClient | undefined;
  #dialogs: Speaker['dialogs'][number][] = [];
  #lately: string[] = [];

  constructor(url: string, user: string, chance: Chance, tally: FuzzTally) {
    this.#url = url;
    this.#user = user;
    this.#chance = chance;
    this.#tally = tally;
  }

  /** A burst of spoilt messages, and a sound request behind them that must be answered. */
  async burst(): Promise<void> {
    this.#client ??= await this.#connect();
    const client = this.#client;
    this.#lately = [];
    for (let n = 0; n < BURST; n++) this.#send(client);
    const isWell = await this.#isAnswered(client);
    this.#judge(client);
    if (isWell) return;
    this.#tally.lost += 1;
    client.cut();
    this.#client = undefined;
  }

  close(): void {
    this.#client?.cut();
  }

  async #connect(): Promise<SipClient> {
    const client = await SipClient.connect(this.#url, this.#user, DOMAIN);
    client.answerNotify = (notify) => this.#answer(client, notify);
    await client.register(60);
    this.#dialogs = [];
    for (const event of ['dialog', 'presence']) {
      const { dialog, uri } = await client.subscribe('1002', { event, expiresSeconds: 60, accept: '*/*' });
      this.#dialogs = [...this.#dialogs, { ...dialog, uri }].slice(-DIALOGS_KEPT);
    }
    client.received.length = 0;
    return client;
  }

  #send(client: SipClient): void {
    const speaker: Speaker = { aor: client.aor, domain: DOMAIN, dialogs: this.#dialogs };
    const sound = soundMessage(speaker, this.#chance);
    const text = this.#chance.happens(8)
      ? sound
      : spoilMessage(sound, this.#chance, soundMessage(speaker, this.#chance));
    this.#lately.push(text);
    this.#tally.sent += 1;
    this.#write(client, text);
  }

  /** Text frames must be UTF-8: what is not goes out as a binary frame. */
  #write(client: SipClient, text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    const utf8 = bytes.toString();
    const isText = !utf8.includes('\ufffd') && this.#chance.happens(50);
    client.raw(isText ? utf8 : bytes);
  }

  /** @returns the status; undefined when a spoilt answer was sent, or none */
  #answer(client: SipClient, notify: ReceivedMessage): number | undefined {
    if (this.#chance.happens(50)) return 200;
    if (this.#chance.happens(20)) return this.#chance.oneOf([404, 408, 481, 489, 500, 503, 603]);
    if (this.#chance.happens(20)) return undefined;
    const echoed = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${notify.header(name)}`);
    const answer = ['SIP/2.0 200 OK', ...echoed, 'Content-Length: 0', '', ''].join('\r\n');
    this.#write(client, spoilMessage(answer, this.#chance, notify.text));
    return undefined;
  }

  async #isAnswered(client: SipClient): Promise<boolean> {
    const fetch = client.compose({
      ...{ method: 'SUBSCRIBE', uri: `sip:1003@${DOMAIN}` },
      headers: ['Event: presence', 'Accept: application/pidf+xml', 'Expires: 0', `Contact: ${client.contact}`],
    });
    try {
      const { status } = await client.exchange(fetch, ANSWER_WITHIN_MS);
      return status === 200 || status === 503;
    } catch {
      return false;
    }
  }

  #judge(client: SipClient): void {
    const { answers, defects } = this.#tally;
    for (const message of client.received.splice(0)) {
      if (message.status === 0) continue;
      answers.set(message.status, (answers.get(message.status) ?? 0) + 1);
      if (!isDefect(message)) continue;
      const callId = message.header('call-id');
      const asked = this.#lately.filter((text) => callId !== '' && text.includes(callId));
      defects.push(`${message.text}\n--- after ---\n${asked.map((text) => JSON.stringify(text)).join('\n')}`);
    }
  }
}
