import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { WebSocket } from 'ws';
import { subscriptionIdOf } from '#contract/ids.ts';
import type { Notification } from '#contract/schemas.ts';
import { readRateControl } from '#core/rate-control.ts';
import { parseMessage } from '#core/sip/message.ts';
import { Flow } from '#gateway/flow-table.ts';
import { NotifyPath, TIMER_F_MS } from '#gateway/notify-path.ts';
import { Outbox } from '#gateway/outbox.ts';
import { internDocument, Subscription, SubscriptionTable } from '#gateway/subscription-table.ts';
import { COUNTERS, type CounterName } from '#gateway/telemetry.ts';
import { PATIENCE_MS } from '#test/support/patience.ts';
import { type ReceivedMessage, readMessage } from '#test/support/sip-client.ts';

const T0 = 1_800_000_000_000;
const PRESENTITY = 'sip:1001@demo.example';

const state = (version: number): Notification => ({
  presentityVersion: version,
  contentType: 'application/dialog-info+xml',
  body: ['<dialog-info version="', `" state="full">v${version}</dialog-info>`],
});

/** A flow whose socket writes into an array; `writableLength` can be set to play a peer that does not read. */
class FakeStream extends Duplex {
  sent: ReceivedMessage[] = [];
  set waitingBytes(bytes: number) {
    Object.defineProperty(this, 'writableLength', { value: bytes, configurable: true });
  }

  override _read(): void {}

  override write(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length) {
      const short = chunk.readUInt8(at + 1);
      const [size, head] = short < 126 ? [short, 2] : [chunk.readUInt16BE(at + 2), 4];
      this.sent.push(readMessage(chunk.toString('utf8', at + head, at + head + size)));
      at += head + size;
    }
    return true;
  }
}

class World {
  now = T0;
  ended: string[] = [];
  /** What the histogram of lamps was told. */
  delays: number[] = [];
  readonly counts = Object.fromEntries(Object.keys(COUNTERS).map((name) => [name, 0])) as Record<CounterName, number>;
  readonly subscriptions = new SubscriptionTable();
  readonly outbox = new Outbox();
  readonly path = new NotifyPath(
    { holdBackBytes: 1_000, parkingMs: 300_000, maxParked: 2, listWindowMs: 100 },
    {
      subscriptions: this.subscriptions,
      outbox: this.outbox,
      counts: this.counts,
      lampLatency: { observe: (ms) => this.delays.push(ms) },
      log: pino({ level: 'silent' }),
      nowMs: () => this.now,
      reportEnded: (subscription) => this.ended.push(subscription.id),
    },
  );

  flow(): { flow: Flow; stream: FakeStream } {
    const stream = new FakeStream();
    return { flow: new Flow({} as WebSocket, stream, 'WS', '127.0.0.1', 1, this.now), stream };
  }

  subscribe(flow: Flow, id: string, version = 1, seconds = 600): Subscription {
    const resource = this.subscriptions.resourceOf(PRESENTITY, 'dialog');
    const document = internDocument(resource, state(version));
    const first = { cseq: 100, documentVersion: 0 };
    const subscription = new Subscription(subscriptionIdOf(id), resource, `call-${id}`, document, first);
    subscription.start = `NOTIFY sip:w@x SIP/2.0\r\nVia: SIP/2.0/WS gw.invalid;branch=z9hG4bK${id}.`;
    subscription.middle = `\r\nCall-ID: call-${id}\r\nCSeq: `;
    subscription.tail = ' NOTIFY\r\nEvent: dialog\r\nSubscription-State: ';
    subscription.expiresAtMs = this.now + seconds * 1000;
    this.subscriptions.add(subscription);
    this.path.attach(subscription, flow);
    this.path.notifyRefreshed(subscription, document);
    this.outbox.flush();
    return subscription;
  }

  answer(flow: Flow, notify: ReceivedMessage | undefined, status = 200, headers = ''): void {
    const branch = /branch=([^;]+)/.exec(notify?.header('via') ?? '')?.[1] ?? '';
    const fields = `Via: ${notify?.header('via')}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n`;
    const parsed = parseMessage(`SIP/2.0 ${status} X\r\n${fields}${headers}Content-Length: 0\r\n\r\n`);
    if (parsed.kind !== 'response') throw new Error('not a response');
    this.path.takeAnswer(flow, branch, parsed);
    this.outbox.flush();
  }
}

const bodies = (stream: FakeStream): string[] => stream.sent.map((message) => /v\d+/.exec(message.body)?.[0] ?? '');

describe('delivery to one watcher', () => {
  let world: World;
  let flow: Flow;
  let stream: FakeStream;
  let subscription: Subscription;
  beforeEach(() => {
    world = new World();
    ({ flow, stream } = world.flow());
    subscription = world.subscribe(flow, 'a');
  });

  test('one NOTIFY is outstanding; of the states that come meanwhile the newest follows', () => {
    for (const version of [2, 3, 4]) world.path.takeState([subscription], state(version));
    expect(bodies(stream)).toEqual(['v1']);
    world.answer(flow, stream.sent[0]);
    expect(bodies(stream)).toEqual(['v1', 'v4']);
    expect(world.counts.notifiesReplaced).toBe(2);
  });

  test('an older or equal presentity version is dropped', () => {
    world.answer(flow, stream.sent[0]);
    world.path.takeState([subscription], state(1));
    world.path.takeState([subscription], state(5));
    world.answer(flow, stream.sent[1]);
    world.path.takeState([subscription], state(4));
    expect(bodies(stream)).toEqual(['v1', 'v5']);
    expect(world.counts.notifiesStale).toBe(2);
  });

  test('a watcher that waits for consent is shown only what is newer than the decision that it waits', () => {
    world.answer(flow, stream.sent[0]);
    subscription.isPending = true;
    world.path.takeState([subscription], state(1));
    expect([subscription.isPending, bodies(stream)]).toEqual([true, ['v1']]);
    world.path.takeState([subscription], state(2));
    expect([subscription.isPending, bodies(stream)]).toEqual([false, ['v1', 'v2']]);
  });

  test('the time since the change counts for what is told at once, and not for what waited for the watcher', () => {
    const changed = (version: number, ago: number): Notification => ({
      ...state(version),
      changedAtMs: world.now - ago,
    });
    world.answer(flow, stream.sent[0]);
    world.path.takeState([subscription], changed(2, 40));
    world.answer(flow, stream.sent[1]);
    expect(world.delays).toEqual([40]);
    world.path.takeState([subscription], state(3)); // a release that does not tell yet
    world.answer(flow, stream.sent[2], 503, 'Retry-After: 2\r\n');
    world.path.takeState([subscription], changed(4, 1));
    world.now += 3_000;
    world.path.advance(world.now);
    world.outbox.flush();
    expect(bodies(stream)).toEqual(['v1', 'v2', 'v3', 'v4']);
    expect(world.delays).toEqual([40]);
  });

  test('a refresh tells a state once more, which is no news', () => {
    world.answer(flow, stream.sent[0]);
    world.path.takeState([subscription], { ...state(2), changedAtMs: world.now - 7 });
    world.answer(flow, stream.sent[1]);
    world.path.notifyRefreshed(subscription, subscription.delivered);
    world.outbox.flush();
    expect([bodies(stream), world.delays]).toEqual([['v1', 'v2', 'v2'], [7]]);
  });

  test('CSeq and document version count by one; Content-Length is the size of the body', () => {
    for (const version of [2, 3]) {
      world.answer(flow, stream.sent.at(-1));
      world.path.takeState([subscription], state(version));
    }
    expect(stream.sent.map((message) => message.header('cseq'))).toEqual(['100 NOTIFY', '101 NOTIFY', '102 NOTIFY']);
    expect(stream.sent.map(({ body }) => /version="(\d+)"/.exec(body)?.[1])).toEqual(['0', '1', '2']);
    for (const message of stream.sent) expect(Number(message.header('content-length'))).toBe(message.body.length);
  });

  test('what was sent is remembered with its answer, also that there was none', () => {
    world.now += 40;
    world.answer(flow, stream.sent[0]);
    world.path.takeState([subscription], state(2));
    world.now += TIMER_F_MS;
    world.path.advance(world.now);
    expect(world.path.memory.inspect(subscription)).toEqual({
      ...{ id: 'a', flowId: flow.id, isWaiting: false },
      notifies: [
        {
          ...{ cseq: 101, documentVersion: 1, presentityVersion: 2, sentAtMs: T0 + 40 },
          ...{ answer: 0, roundTripMs: TIMER_F_MS },
        },
        { cseq: 100, documentVersion: 0, presentityVersion: 1, sentAtMs: T0, answer: 200, roundTripMs: 40 },
      ],
    });
    world.path.terminate(subscription, 'timeout');
    expect(world.path.memory.inspect(subscription).notifies).toEqual([]);
  });

  test('481 ends the subscription and reports it (RFC 6665 section 4.2.2)', () => {
    expect(world.subscriptions.size).toBe(1);
    world.answer(flow, stream.sent[0], 481);
    expect(world.subscriptions.size).toBe(0);
    expect(world.ended).toEqual(['a']);
  });

  test('500 keeps it: the next state goes out', () => {
    world.answer(flow, stream.sent[0], 500);
    world.path.takeState([subscription], state(2));
    expect(bodies(stream)).toEqual(['v1', 'v2']);
    expect(world.ended).toEqual([]);
  });

  test('503 with Retry-After: the last state is sent again when the time has come, and none before', () => {
    world.answer(flow, stream.sent[0], 503, 'Retry-After: 5\r\n');
    world.path.takeState([subscription], state(2));
    world.path.advance(world.now);
    expect(bodies(stream)).toEqual(['v1']);
    world.now += 6_000;
    world.path.advance(world.now);
    expect(bodies(stream)).toEqual(['v1', 'v2']);
  });

  test('unanswered for 32 s: suspect, the next state goes out; unanswered again: ended', () => {
    world.now += TIMER_F_MS + 1;
    world.path.advance(world.now);
    expect(world.ended).toEqual([]);
    world.path.takeState([subscription], state(2));
    expect(bodies(stream)).toEqual(['v1', 'v2']);
    world.now += TIMER_F_MS + 1;
    world.path.advance(world.now);
    expect(world.ended).toEqual(['a']);
  });

  test('a state that waited while the NOTIFY died goes out at timer F', () => {
    world.path.takeState([subscription], state(2));
    world.now += TIMER_F_MS + 1;
    world.path.advance(world.now);
    expect(bodies(stream)).toEqual(['v1', 'v2']);
  });

  test('an answer from another flow, or to another CSeq, is not taken', () => {
    const other = world.flow();
    world.path.takeState([subscription], state(2));
    world.answer(other.flow, stream.sent[0]);
    expect(bodies(stream)).toEqual(['v1']);
    world.answer(flow, readMessage(stream.sent[0]?.text.replace('a.100', 'a.99') ?? ''));
    expect(bodies(stream)).toEqual(['v1']);
    world.answer(flow, stream.sent[0]);
    expect(bodies(stream)).toEqual(['v1', 'v2']);
  });

  test('at its expiry the last NOTIFY says terminated;reason=timeout, with the state (RFC 6665 section 4.1.3)', () => {
    world.answer(flow, stream.sent[0]);
    world.now = subscription.expiresAtMs + 1_000;
    world.path.advance(world.now);
    world.outbox.flush();
    expect(stream.sent.at(-1)?.header('subscription-state')).toBe('terminated;reason=timeout');
    expect(stream.sent.at(-1)?.body).toContain('v1');
    expect(world.ended).toEqual(['a']);
    expect(world.subscriptions.size).toBe(0);
  });

  test('a refresh moves the expiry: the old second passes without effect', () => {
    const old = subscription.expiresAtMs;
    subscription.expiresAtMs = old + 600_000;
    world.path.notifyRefreshed(subscription, subscription.delivered);
    world.now = old + 1_000;
    world.path.advance(world.now);
    expect(world.ended).toEqual([]);
  });

  test('a socket that does not drain holds the states back; the newest leaves when it does', () => {
    world.answer(flow, stream.sent[0]);
    stream.waitingBytes = 5_000;
    world.path.takeState([subscription], state(2));
    world.path.takeState([subscription], state(3));
    expect(bodies(stream)).toEqual(['v1']);
    expect(flow.heldBackSinceMs).toBe(T0);
    stream.waitingBytes = 0;
    world.path.resume(flow);
    expect(bodies(stream)).toEqual(['v1', 'v3']);
    expect(flow.heldBackSinceMs).toBe(0);
  });
});

describe('parking and taking over', () => {
  test('a parked subscription gets no NOTIFY, keeps the newest state, and continues its numbers on a new flow', () => {
    const world = new World();
    const first = world.flow();
    const subscription = world.subscribe(first.flow, 'a');
    first.flow.closed = true;
    world.path.park(first.flow);
    expect(world.subscriptions.parked).toBe(1);
    world.path.takeState([subscription], state(7));
    const second = world.flow();
    world.path.attach(subscription, second.flow);
    world.path.notifyRefreshed(subscription, subscription.delivered);
    world.outbox.flush();
    expect(world.subscriptions.parked).toBe(0);
    expect(bodies(second.stream)).toEqual(['v7']);
    expect(second.stream.sent[0]?.header('cseq')).toBe('101 NOTIFY');
    expect(bodies(first.stream)).toEqual(['v1']);
  });

  test('what is not taken over in time is reported; over the limit at once', () => {
    const world = new World();
    const { flow } = world.flow();
    for (const id of ['a', 'b', 'c']) world.subscribe(flow, id, 1, 3_600);
    flow.closed = true;
    world.path.park(flow);
    expect(world.ended).toEqual(['c']);
    world.now += 301_000;
    world.path.advance(world.now);
    expect(world.ended).toEqual(['c', 'a', 'b']);
    expect(world.subscriptions.parked).toBe(0);
    expect(world.subscriptions.size).toBe(0);
  });
});

test('one dead watcher in a thousand delays none of the others', () => {
  const world = new World();
  const flows = Array.from({ length: 1_000 }, () => world.flow());
  const subscriptions = flows.map(({ flow }, index) => world.subscribe(flow, `s${index}`));
  for (const { flow, stream } of flows) world.answer(flow, stream.sent[0]);
  const dead = flows[500];
  if (dead) dead.stream.waitingBytes = 1_000_000;
  world.path.takeState(subscriptions, state(2));
  return vi.waitFor(() => {
    const got = flows.filter(({ stream }) => bodies(stream).at(-1) === 'v2').length;
    expect(got).toBe(999);
  }, PATIENCE_MS);
});

test('any order and duplication of states, answers, refreshes and time: numbers only rise, the last state arrives', () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant('state' as const), version: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ kind: fc.constant('answer' as const), status: fc.constantFrom(200, 200, 200, 500) }),
    fc.record({ kind: fc.constant('refresh' as const) }),
    fc.record({ kind: fc.constant('reconnect' as const) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 20_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const world = new World();
      let current = world.flow();
      const all: ReceivedMessage[] = [];
      const subscription = world.subscribe(current.flow, 'a', 1, 100_000);
      let newest = 1;
      for (const step of actions) {
        if (step.kind === 'state') {
          newest = Math.max(newest, step.version);
          world.path.takeState([subscription], state(step.version));
        } else if (step.kind === 'answer') world.answer(current.flow, current.stream.sent.at(-1), step.status);
        else if (step.kind === 'refresh') world.path.notifyRefreshed(subscription, subscription.delivered);
        else if (step.kind === 'wait') world.now += step.ms;
        else {
          world.outbox.flush();
          current.flow.closed = true;
          world.path.park(current.flow);
          all.push(...current.stream.sent);
          current = world.flow();
          world.path.attach(subscription, current.flow);
          world.path.notifyRefreshed(subscription, subscription.delivered);
        }
        world.outbox.flush();
      }
      world.answer(current.flow, current.stream.sent.at(-1));
      all.push(...current.stream.sent);
      const cseqs = all.map((message) => Number.parseInt(message.header('cseq'), 10));
      expect(cseqs).toEqual(cseqs.map((_, index) => 100 + index));
      const versions = all.map(({ body }) => Number(/v(\d+)/.exec(body)?.[1]));
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
      expect(versions.at(-1)).toBe(newest);
    }),
    { numRuns: 300 },
  );
});

describe('partial documents (RFC 4235 section 4.3)', () => {
  const tagged = (version: number, tag: string, base?: string): Notification => ({
    ...state(version),
    entityTag: tag,
    ...(base && { partial: { base, body: ['<dialog-info version="', `" state="partial">p${version}</dialog-info>`] } }),
  });
  const told = (stream: FakeStream) => stream.sent.map(({ body }) => /[vp]\d+/.exec(body)?.[0]);
  const versions = (stream: FakeStream) => stream.sent.map(({ body }) => /version="(\d+)"/.exec(body)?.[1]);

  /** A watcher that was sent version 1, tag `t1`, and answered. */
  function watching(): { world: World; flow: Flow; stream: FakeStream; subscription: Subscription } {
    const world = new World();
    const { flow, stream } = world.flow();
    const subscription = world.subscribe(flow, 'a');
    world.answer(flow, stream.sent[0]);
    world.path.takeState([subscription], tagged(2, 't1'));
    world.answer(flow, stream.sent[1]);
    return { world, flow, stream, subscription };
  }

  test('follow a full one that the watcher has, version by version', () => {
    const { world, stream, subscription } = watching();
    world.path.takeState([subscription], tagged(3, 't2', 't1'));
    expect(told(stream)).toEqual(['v1', 'v2', 'p3']);
    expect(versions(stream)).toEqual(['0', '1', '2']);
    expect(stream.sent[2]?.header('content-length')).toBe(String(Buffer.byteLength(stream.sent[2]?.body ?? '')));
    expect(stream.sent[2]?.header('sip-etag')).toBe('t2');
  });

  test('are replaced by a full one when a state between was left out', () => {
    const { world, flow, stream, subscription } = watching();
    for (const [version, tag, base] of [
      [3, 't2', 't1'],
      [4, 't3', 't2'],
      [5, 't4', 't3'],
    ] as const)
      world.path.takeState([subscription], tagged(version, tag, base));
    world.answer(flow, stream.sent[2]);
    expect(told(stream)).toEqual(['v1', 'v2', 'p3', 'v5']);
  });

  test.each([500, 503, 408])('are replaced by a full one after a NOTIFY that was answered %i', (status) => {
    const { world, flow, stream, subscription } = watching();
    world.path.takeState([subscription], tagged(3, 't2', 't1'));
    world.answer(flow, stream.sent[2], status);
    world.path.takeState([subscription], tagged(4, 't3', 't2'));
    expect(told(stream)).toEqual(['v1', 'v2', 'p3', 'v4']);
  });

  test('are not what a refresh or the end of a subscription brings', () => {
    const { world, stream, subscription } = watching();
    world.path.notifyRefreshed(subscription, internDocument(subscription.resource, tagged(3, 't2', 't1')));
    world.path.terminate(subscription, 'timeout', internDocument(subscription.resource, tagged(4, 't3', 't2')));
    world.outbox.flush();
    expect(told(stream)).toEqual(['v1', 'v2', 'v3', 'v4']);
  });
});

describe('rate control (RFC 6446)', () => {
  let world: World;
  let flow: Flow;
  let stream: FakeStream;
  let subscription: Subscription;
  beforeEach(() => {
    vi.useFakeTimers();
    world = new World();
    ({ flow, stream } = world.flow());
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function subscribed(params: string): void {
    subscription = world.subscribe(flow, 'a');
    world.answer(flow, stream.sent[0]);
    refresh(params);
  }
  function refresh(params: string): void {
    world.path.setRate(
      subscription,
      readRateControl(`dialog${params}`, (subscription.expiresAtMs - world.now) / 1_000),
    );
    world.path.notifyRefreshed(subscription, subscription.delivered);
    world.outbox.flush();
    world.answer(flow, stream.sent.at(-1));
  }
  const change = (version: number): void => world.path.takeState([subscription], state(version));
  function pass(milliseconds: number): void {
    world.now += milliseconds;
    vi.advanceTimersByTime(milliseconds);
    world.outbox.flush();
  }
  const answerAll = (): void => world.answer(flow, stream.sent.at(-1));

  test('holds states back for the gap, then sends the last one and tells the rate', () => {
    subscribed(';max-rate=0.2');
    expect(stream.sent.at(-1)?.header('subscription-state')).toBe('active;expires=600;max-rate=0.2');
    for (const version of [2, 3]) change(version);
    pass(4_999);
    expect(bodies(stream)).toEqual(['v1', 'v1']);
    change(4);
    pass(1);
    expect(bodies(stream)).toEqual(['v1', 'v1', 'v4']);
  });

  test('sends at once what changes after the gap', () => {
    subscribed(';max-rate=0.2');
    pass(6_000);
    change(2);
    expect(bodies(stream)).toEqual(['v1', 'v1', 'v2']);
  });

  test('never drops the last state, when the watcher answers late or refreshes without a rate', () => {
    subscribed(';max-rate=1');
    pass(1_000);
    change(2);
    change(3);
    pass(5_000);
    expect(bodies(stream).at(-1)).toBe('v2');
    answerAll();
    world.outbox.flush();
    expect(bodies(stream).at(-1)).toBe('v3');
    answerAll();
    change(4);
    refresh('');
    expect(bodies(stream).at(-1)).toBe('v4');
    change(5);
    expect(bodies(stream).at(-1)).toBe('v5');
    expect(stream.sent.at(-1)?.header('subscription-state')).toBe('active;expires=594');
  });

  test('tells a refresh and the end at once', () => {
    subscribed(';max-rate=0.01');
    change(2);
    refresh(';max-rate=0.01');
    expect(bodies(stream)).toEqual(['v1', 'v1', 'v2']);
    change(3);
    world.path.terminate(subscription, 'timeout');
    world.outbox.flush();
    expect(bodies(stream)).toEqual(['v1', 'v1', 'v2', 'v3']);
    pass(200_000);
    expect(stream.sent).toHaveLength(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('repeats the state at the minimum rate, with versions that count on', () => {
    subscribed(';min-rate=0.1');
    pass(9_999);
    expect(stream.sent).toHaveLength(2);
    pass(1);
    answerAll();
    pass(10_000);
    expect(bodies(stream)).toEqual(['v1', 'v1', 'v1', 'v1']);
    expect(stream.sent.map(({ body }) => /version="(\d)"/.exec(body)?.[1])).toEqual(['0', '1', '2', '3']);
  });

  test('repeats at an adaptive minimum rate, later after much news', () => {
    subscribed(';adaptive-min-rate=0.1');
    pass(9_999);
    expect(stream.sent).toHaveLength(2);
    pass(1);
    expect(stream.sent).toHaveLength(3);
    answerAll();
    for (let version = 2; version < 12; version++) {
      change(version);
      answerAll();
    }
    const sent = stream.sent.length;
    pass(15_000);
    expect(stream.sent).toHaveLength(sent);
    pass(10_000);
    expect(stream.sent).toHaveLength(sent + 1);
  });

  test('repeats nothing to a watcher that did not answer, or is gone', () => {
    subscribed(';min-rate=0.5');
    pass(2_000);
    pass(8_000);
    expect(stream.sent).toHaveLength(3);
    world.path.park(flow);
    pass(60_000);
    expect(stream.sent).toHaveLength(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('whatever happens, sends the last state, and never two faster than the rate', () => {
    const step = fc.oneof(
      fc.constant('change' as const),
      fc.constant('answer' as const),
      fc.integer({ min: 1, max: 3_000 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        world = new World();
        ({ flow, stream } = world.flow());
        subscribed(';max-rate=0.5');
        const times = [world.now];
        let version = 1;
        const note = (): void => {
          while (times.length < stream.sent.length - 1) times.push(world.now);
        };
        for (const next of steps) {
          if (next === 'change') change(++version);
          else if (next === 'answer') answerAll();
          else
            for (let i = 0; i < next; i += 100) {
              pass(Math.min(100, next - i));
              note();
            }
          world.outbox.flush();
          note();
        }
        for (let i = 0; i < 3; i++) {
          answerAll();
          pass(2_000);
          note();
        }
        expect(bodies(stream).at(-1)).toBe(`v${version}`);
        for (let i = 1; i < times.length; i++)
          expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(1_900);
      }),
      { numRuns: 60 },
    );
  });
});
