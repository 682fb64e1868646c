/**
 * One connection of the JSON stream of lamps: a SIP client inside the gateway. Each watched user is an ordinary
 * subscription of its flow, so that policy, limits, order, parking and backpressure are those of every other watcher.
 */
import type { Address } from '#core/identity.ts';
import { parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import { takeToken } from '#core/token-bucket.ts';
import type { Flow } from '../flow-table.ts';
import { LampAsker } from './lamp-asker.ts';
import { type CursorEntry, isCursorFresh, readCursor, writeCursor } from './lamp-cursor.ts';
import { type ClientMessage, LAMP_LIMITS, readClientMessage, readLamp, type ServerMessage } from './lamp-messages.ts';
import { addressNamed, composeAnswer } from './lamp-sip.ts';
import { callIdOf, isFinal, judgeAnswer, LampWatch, notifyStateOf, toTagOf } from './lamp-watch.ts';

export interface LampStreamPorts {
  /** Hands a SIP message to the gateway, as if the flow had brought it. */
  readonly receive: (flow: Flow, data: Buffer) => void;
  readonly send: (text: string) => void;
  readonly close: (code: number, reason: string) => void;
  readonly nowMs: () => number;
  /** Text of so many random bytes, base64url. */
  readonly randomText: (bytes: number) => string;
  readonly maxMessagesPerSecond: number;
}

const SEED_BYTES = 9;
/** A new cursor comes no sooner after the last one: it names all users. */
const CURSOR_EVERY_MS = 10_000;
/** Share of a subscription's life after which it is refreshed. */
const REFRESH_AT = 0.8;
const MAX_BAD_MESSAGES = 10;
/** WebSocket close codes. */
const POLICY_VIOLATION = 1008;
const UNAUTHORIZED = 4401;

export class LampStream {
  readonly #flow: Flow;
  readonly #ports: LampStreamPorts;
  readonly #asker: LampAsker;
  /** By Call-ID of their present subscription. */
  readonly #byCallId = new Map<string, LampWatch>();
  /** By AOR parts. */
  readonly #watches = new Map<string, LampWatch>();
  #seed: string;
  #lastCall = 0;
  #unsettled = 0;
  /** Something was asked for since everything had been told. */
  #isAsked = false;
  #hasNews = false;
  #cursorAtMs = 0;
  #badMessages = 0;
  nextDueMs = Number.POSITIVE_INFINITY;

  constructor(flow: Flow, ports: LampStreamPorts) {
    this.#flow = flow;
    this.#ports = ports;
    this.#seed = ports.randomText(SEED_BYTES);
    this.#asker = new LampAsker(flow, (text) => this.#speak(text), ports.nowMs);
  }

  /** A message of the client. */
  take(data: Buffer, isBinary: boolean): void {
    this.#flow.heardSincePing = true;
    const perSecond = this.#ports.maxMessagesPerSecond;
    if (!takeToken(this.#flow, { perSecond, burst: perSecond * 2 }, this.#ports.nowMs())) {
      this.#ports.close(POLICY_VIOLATION, 'too many messages');
      return;
    }
    const isReadable = !isBinary && data.length <= LAMP_LIMITS.messageBytes;
    const message = isReadable ? readClientMessage(data.toString()) : undefined;
    if (message === undefined) this.#refuseMessage('This is no message of this protocol.');
    else this.#obey(message);
  }

  #refuseMessage(reason: string): void {
    this.#say({ type: 'error', reason });
    this.#badMessages += 1;
    if (this.#badMessages >= MAX_BAD_MESSAGES) this.#ports.close(POLICY_VIOLATION, 'too many bad messages');
  }

  #obey(message: ClientMessage): void {
    switch (message.type) {
      case 'watch':
        this.#isAsked = true;
        for (const name of message.users) this.#watch(name);
        break;
      case 'unwatch':
        this.#isAsked = true;
        for (const name of message.users) this.#unwatch(name);
        break;
      case 'resume':
        this.#resume(message.cursor);
        break;
      case 'token':
        this.#renew(message.token);
        break;
      default:
        message satisfies never;
    }
    this.#settle();
  }

  #watch(name: string): void {
    const { self } = this.#asker;
    const address = self && addressNamed(name, self.domain);
    if (address === undefined) {
      this.#say({ type: 'refused', user: name, status: 400, reason: 'Bad Name' });
      return;
    }
    if (this.#watches.has(keyOf(address))) return;
    if (this.#watches.size >= LAMP_LIMITS.usersPerConnection) {
      this.#say({ type: 'refused', user: name, status: 503, reason: 'Too Many Users' });
      return;
    }
    const watch = new LampWatch(name, address);
    this.#watches.set(keyOf(address), watch);
    this.#unsettled += 1;
    this.#subscribeAnew(watch);
  }

  #unwatch(name: string): void {
    const { self } = this.#asker;
    const address = self && addressNamed(name, self.domain);
    const watch = address && this.#watches.get(keyOf(address));
    if (watch === undefined) return;
    watch.isWanted = false;
    this.#drop(watch);
    // Without a tag the SUBSCRIBE is under way: what it opens is ended when it is answered.
    if (watch.toTag !== undefined) this.#asker.ask(watch, 0);
  }

  #resume(text: string): void {
    const cursor = readCursor(text);
    if (cursor === undefined) {
      this.#refuseMessage('This is no cursor.');
      return;
    }
    this.#isAsked = true;
    const isFirst = this.#watches.size === 0;
    if (!isFirst || !isCursorFresh(cursor, this.#ports.nowMs())) {
      for (const { name } of cursor.entries) this.#watch(name);
      return;
    }
    this.#seed = cursor.seed;
    this.#lastCall = Math.max(0, ...cursor.entries.map(({ callNumber }) => callNumber));
    for (const entry of cursor.entries) this.#takeOver(entry);
  }

  #takeOver({ name, callNumber, toTag, entityTag }: CursorEntry): void {
    const { self } = this.#asker;
    const address = self && addressNamed(name, self.domain);
    const isHere =
      this.#byCallId.has(callIdOf(this.#seed, callNumber)) || (address && this.#watches.has(keyOf(address)));
    if (address === undefined || isHere || toTag === '') {
      this.#watch(name);
      return;
    }
    const watch = new LampWatch(name, address);
    watch.takeOver(this.#seed, callNumber, toTag, entityTag === '' ? undefined : entityTag);
    this.#watches.set(keyOf(address), watch);
    this.#byCallId.set(watch.callId, watch);
    this.#unsettled += 1;
    this.#asker.ask(watch);
  }

  #renew(token: string): void {
    this.#asker.renew(token);
    // The next SUBSCRIBE carries it, and proves the flow anew.
    const [any] = this.#watches.values();
    if (any !== undefined && any.dueAtMs !== Number.POSITIVE_INFINITY) this.#asker.ask(any);
  }

  #subscribeAnew(watch: LampWatch): void {
    this.#byCallId.delete(watch.callId);
    this.#lastCall += 1;
    watch.openDialog(this.#seed, this.#lastCall);
    this.#byCallId.set(watch.callId, watch);
    this.#asker.ask(watch);
  }

  /** What the gateway is told in the client's name is no sign of life of the client. */
  #speak(text: string): void {
    const flow = this.#flow;
    const { heardSincePing } = flow;
    this.#ports.receive(flow, Buffer.from(text));
    flow.heardSincePing = heardSincePing;
  }

  /** SIP that the gateway has for this flow. */
  deliver(texts: readonly string[]): void {
    for (const text of texts) {
      const parsed = parseMessage(text);
      if (parsed.kind === 'response') this.#takeAnswer(parsed);
      else if (parsed.kind === 'request') this.#takeRequest(parsed);
    }
    this.#settle();
  }

  #takeAnswer(response: SipResponse): void {
    if (response.status < 200) return;
    const watch = this.#byCallId.get(response.get('call-id') ?? '');
    if (watch !== undefined) this.#takeAnswerOf(watch, response);
    this.#asker.answered();
  }

  #takeAnswerOf(watch: LampWatch, response: SipResponse): void {
    if (!watch.isWanted) {
      this.#endAnswered(watch, response);
      return;
    }
    const verdict = judgeAnswer(response, watch.toTag !== undefined, watch.failures);
    watch.failures = verdict.kind === 'granted' ? 0 : watch.failures + 1;
    switch (verdict.kind) {
      case 'granted':
        watch.toTag ??= toTagOf(response);
        this.#arm(watch, verdict.expiresSeconds * 1_000 * REFRESH_AT);
        if (verdict.isUnchanged) this.#markSettled(watch);
        break;
      case 'unauthorized':
        if (this.#asker.hasNews(watch)) this.#asker.ask(watch);
        else this.#ports.close(UNAUTHORIZED, 'unauthorized');
        break;
      case 'anew':
        this.#subscribeAnew(watch);
        break;
      case 'later':
        this.#arm(watch, verdict.afterSeconds * 1_000);
        break;
      case 'refused':
        this.#say({ type: 'refused', user: watch.name, status: response.status, reason: response.reason });
        this.#drop(watch);
        this.#byCallId.delete(watch.callId);
        break;
      default:
        verdict satisfies never;
    }
  }

  /** Nobody wants it any more: what was opened meanwhile is ended. */
  #endAnswered(watch: LampWatch, response: SipResponse): void {
    const isOpened = watch.toTag === undefined && response.status < 300;
    if (!isOpened) {
      this.#byCallId.delete(watch.callId);
      return;
    }
    watch.toTag = toTagOf(response);
    this.#asker.ask(watch, 0);
  }

  #takeRequest(request: SipRequest): void {
    const watch = this.#byCallId.get(request.get('call-id') ?? '');
    if (request.method !== 'NOTIFY') {
      this.#speak(composeAnswer(request, 405, 'Method Not Allowed'));
      return;
    }
    this.#speak(watch === undefined ? composeAnswer(request, 481, 'Gone') : composeAnswer(request, 200, 'OK'));
    if (watch?.isWanted) this.#takeNotify(watch, request);
  }

  #takeNotify(watch: LampWatch, notify: SipRequest): void {
    const { state, reason } = notifyStateOf(notify);
    if (state === 'terminated') {
      this.#takeEnd(watch, reason);
      return;
    }
    if (state === 'pending') this.#say({ type: 'pending', user: watch.name });
    else this.#tell(watch, notify);
    this.#markSettled(watch);
  }

  #tell(watch: LampWatch, notify: SipRequest): void {
    watch.entityTag = notify.get('sip-etag') ?? watch.entityTag;
    const lamp = notify.body === '' ? undefined : readLamp(notify.body);
    if (lamp === undefined || lamp.sequence <= watch.sequence) return;
    watch.sequence = lamp.sequence;
    this.#hasNews = true;
    this.#say({ ...lamp, type: 'lamp', user: watch.name });
  }

  #takeEnd(watch: LampWatch, reason: string): void {
    if (isFinal(reason)) {
      this.#say({ type: 'ended', user: watch.name, reason });
      this.#drop(watch);
      this.#byCallId.delete(watch.callId);
      return;
    }
    watch.failures += 1;
    // At once after a first time; whoever ends it again and again is asked less often.
    this.#byCallId.delete(watch.callId);
    watch.callId = '';
    this.#arm(watch, watch.failures <= 1 ? 0 : 2 ** Math.min(watch.failures, 6) * 1_000);
  }

  #drop(watch: LampWatch): void {
    this.#markSettled(watch);
    this.#watches.delete(keyOf(watch.address));
    watch.isWanted = false;
    watch.dueAtMs = Number.POSITIVE_INFINITY;
    this.#hasNews = true;
  }

  #arm(watch: LampWatch, afterMs: number): void {
    watch.dueAtMs = this.#ports.nowMs() + afterMs;
    this.nextDueMs = Math.min(this.nextDueMs, watch.dueAtMs);
  }

  /** Once a second: refreshes, tries again, and a new cursor now and then. */
  advance(nowMs: number): void {
    if (this.nextDueMs <= nowMs) {
      for (const watch of this.#watches.values()) {
        if (watch.dueAtMs > nowMs) continue;
        if (watch.callId === '') this.#subscribeAnew(watch);
        else this.#asker.ask(watch);
      }
      this.nextDueMs = Math.min(...[...this.#watches.values()].map(({ dueAtMs }) => dueAtMs));
    }
    const isCursorDue = this.#hasNews && this.#unsettled === 0 && nowMs >= this.#cursorAtMs + CURSOR_EVERY_MS;
    if (isCursorDue) this.#say({ type: 'cursor', cursor: this.#cursor(nowMs) });
  }

  #markSettled(watch: LampWatch): void {
    if (watch.isSettled) return;
    watch.isSettled = true;
    this.#unsettled -= 1;
  }

  #settle(): void {
    if (!this.#isAsked || this.#unsettled > 0) return;
    this.#isAsked = false;
    this.#say({ type: 'caughtUp', cursor: this.#cursor(this.#ports.nowMs()) });
  }

  #cursor(nowMs: number): string {
    this.#hasNews = false;
    this.#cursorAtMs = nowMs;
    const entries = [...this.#watches.values()].map(({ name, callNumber, toTag = '', entityTag = '' }) => {
      return { name, callNumber, toTag, entityTag };
    });
    return writeCursor({ madeAtMs: nowMs, seed: this.#seed, entries });
  }

  #say(message: ServerMessage): void {
    if (!this.#flow.closed) this.#ports.send(JSON.stringify(message));
  }
}

const keyOf = ({ user, domain }: Address): string => `${user}@${domain}`;
