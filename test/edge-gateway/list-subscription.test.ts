import { Duplex } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { subscriptionIdOf } from '#contract/ids.ts';
import type { ListState } from '#contract/outcome.ts';
import type { Notification } from '#contract/schemas.ts';
import { parseMessage } from '#core/sip/message.ts';
import { Flow } from '#gateway/flow-table.ts';
import { takeList } from '#gateway/list-subscription.ts';
import { NotifyPath, TIMER_F_MS } from '#gateway/notify-path.ts';
import { Outbox } from '#gateway/outbox.ts';
import { internDocument, Subscription, SubscriptionTable } from '#gateway/subscription-table.ts';
import { COUNTERS, type CounterName } from '#gateway/telemetry.ts';
import { type RlmiList, readRlmi } from '#test/support/rlmi.ts';
import { type ReceivedMessage, readMessage } from '#test/support/sip-client.ts';

const T0 = 1_800_000_000_000;
const WINDOW_MS = 100;
const LIST = 'sip:blf-all@demo.example';
const [ANNE, BILL, CARL] = ['sip:1001@demo.example', 'sip:1002@demo.example', 'sip:1003@demo.example'] as const;
const PLACEHOLDER: Notification = { presentityVersion: 0, contentType: 'multipart/related', body: [''] };

const state = (version: number): Notification => ({
  presentityVersion: version,
  contentType: 'application/dialog-info+xml',
  body: ['<d version="', `">v${version}</d>`],
});
const members = (...versions: readonly [string, number][]): ListState => ({
  uri: LIST,
  members: versions.map(([uri, version]) => {
    const { body, ...rest } = state(version);
    return { uri, state: 'active', notification: { ...rest, body: [...body] as [string, string] } };
  }),
});

class FakeStream extends Duplex {
  sent: ReceivedMessage[] = [];
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

const counts = (): Record<CounterName, number> =>
  Object.fromEntries(Object.keys(COUNTERS).map((name) => [name, 0])) as Record<CounterName, number>;

let now: number;
let delays: number[] = [];
let ended: string[];
let subscriptions: SubscriptionTable;
let outbox: Outbox;
let path: NotifyPath;
let flow: Flow;
let stream: FakeStream;
let list: Subscription;

function newFlow(): void {
  stream = new FakeStream();
  flow = new Flow({} as WebSocket, stream, 'WS', '127.0.0.1', 1, now);
}

/** What the request path does with an outcome of a list. */
function subscribed(told: ListState, overtook: readonly [string, Notification][] = []): void {
  takeList(list, told, overtook, subscriptions);
  list.expiresAtMs = now + 600_000;
  path.attach(list, flow);
  path.notifyRefreshed(list, internDocument(list.resource, PLACEHOLDER));
  outbox.flush();
}

function pass(ms: number): void {
  now += ms;
  vi.advanceTimersByTime(ms);
  outbox.flush();
}

function answer(index: number, status = 200, headers = ''): void {
  const via = stream.sent[index]?.header('via') ?? '';
  const branch = /branch=([^;]+)/.exec(via)?.[1] ?? '';
  const fields = `Via: ${via}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n`;
  const parsed = parseMessage(`SIP/2.0 ${status} X\r\n${fields}${headers}Content-Length: 0\r\n\r\n`);
  if (parsed.kind === 'response') path.takeAnswer(flow, branch, parsed);
  outbox.flush();
}

const sent = (): RlmiList[] => stream.sent.map((notify) => readRlmi(notify.header('content-type'), notify.body));
const told = (index: number): (string | undefined)[] =>
  (sent()[index]?.resources ?? []).map(({ uri, body }) => `${uri.slice(4, 8)} ${/v\d+/.exec(body ?? '')?.[0]}`);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  now = T0;
  ended = [];
  delays = [];
  subscriptions = new SubscriptionTable();
  outbox = new Outbox();
  path = new NotifyPath(
    { holdBackBytes: 1_000_000, parkingMs: 300_000, maxParked: 2, listWindowMs: WINDOW_MS },
    {
      ...{ subscriptions, outbox, counts: counts(), log: pino({ level: 'silent' }), nowMs: () => now },
      lampLatency: { observe: (ms) => delays.push(ms) },
      reportEnded: (subscription) => ended.push(subscription.id),
    },
  );
  newFlow();
  const resource = subscriptions.resourceOf(LIST, 'dialog');
  list = new Subscription(subscriptionIdOf('a'), resource, 'call-a', internDocument(resource, PLACEHOLDER), {
    cseq: 100,
    documentVersion: 0,
  });
  list.start = 'NOTIFY sip:w@x SIP/2.0\r\nVia: SIP/2.0/WS gw.invalid;branch=z9hG4bKa.';
  list.middle = '\r\nCall-ID: call-a\r\nCSeq: ';
  list.tail = ' NOTIFY\r\nEvent: dialog\r\nSubscription-State: ';
  subscriptions.add(list);
});
afterEach(() => vi.useRealTimers());

describe('NOTIFYs of an event list', () => {
  beforeEach(() => {
    subscribed(members([ANNE, 1], [BILL, 1], [CARL, 1]));
    answer(0);
  });

  test('the first names everybody; what changes within the window goes in one', () => {
    expect(sent()[0]).toMatchObject({ version: 0, isFull: true });
    expect(told(0)).toEqual(['1001 v1', '1002 v1', '1003 v1']);
    path.takeState([list], state(2), { presentity: ANNE });
    pass(60);
    path.takeState([list], state(2), { presentity: BILL });
    path.takeState([list], state(3), { presentity: ANNE });
    pass(39);
    expect(stream.sent).toHaveLength(1);
    pass(1);
    expect(stream.sent).toHaveLength(2);
    expect(sent()[1]).toMatchObject({ version: 1, isFull: false });
    expect(told(1)).toEqual(['1001 v3', '1002 v2']);
    expect(delays).toEqual([]);
    expect(stream.sent.map((notify) => notify.header('cseq'))).toEqual(['100 NOTIFY', '101 NOTIFY']);
  });

  test('the time since the first change of those that go together counts, and a repetition does not', () => {
    path.takeState([list], { ...state(2), changedAtMs: now - 30 }, { presentity: ANNE });
    pass(60);
    path.takeState([list], { ...state(2), changedAtMs: now - 30 }, { presentity: BILL });
    pass(40);
    expect([told(1), delays]).toEqual([['1001 v2', '1002 v2'], [130]]);
  });

  test('one is outstanding; what comes meanwhile follows it, not before its own window ends', () => {
    path.takeState([list], state(2), { presentity: ANNE });
    pass(WINDOW_MS);
    path.takeState([list], state(3), { presentity: ANNE });
    pass(50);
    answer(1);
    path.takeState([list], state(3), { presentity: BILL });
    expect(stream.sent).toHaveLength(2);
    pass(50);
    expect(told(2)).toEqual(['1001 v3', '1002 v3']);
    path.takeState([list], state(4), { presentity: CARL });
    pass(WINDOW_MS * 3);
    expect(stream.sent).toHaveLength(3);
    answer(2);
    expect(told(3)).toEqual(['1003 v4']);
  });

  test('states of strangers, without a name, or not newer make none', () => {
    path.takeState([list], state(9), { presentity: 'sip:9999@demo.example' });
    path.takeState([list], state(9));
    path.takeState([list], state(1), { presentity: ANNE });
    pass(WINDOW_MS * 2);
    expect(stream.sent).toHaveLength(1);
  });

  test.each([
    ['refused', () => answer(1, 500)],
    [
      'unanswered',
      () => {
        now += TIMER_F_MS + 1;
        path.advance(now);
      },
    ],
  ])('after one that is %s the next is full', (_how, fail) => {
    path.takeState([list], state(2), { presentity: ANNE });
    pass(WINDOW_MS);
    fail();
    path.takeState([list], state(2), { presentity: BILL });
    pass(WINDOW_MS);
    expect(sent()[2]).toMatchObject({ version: 2, isFull: true });
    expect(told(2)).toEqual(['1001 v2', '1002 v2', '1003 v1']);
  });

  test('Retry-After is waited for, then everything is sent', () => {
    path.takeState([list], state(2), { presentity: ANNE });
    pass(WINDOW_MS);
    answer(1, 503, 'Retry-After: 5\r\n');
    path.takeState([list], state(2), { presentity: BILL });
    pass(WINDOW_MS);
    expect(stream.sent).toHaveLength(2);
    now += 6_000;
    path.advance(now);
    outbox.flush();
    expect(sent()[2]?.isFull).toBe(true);
    expect(told(2)).toEqual(['1001 v2', '1002 v2', '1003 v1']);
  });

  test('a refresh sends everything as it is then, and what waited not twice', () => {
    path.takeState([list], state(5), { presentity: ANNE });
    subscribed(members([ANNE, 4], [BILL, 2]), [[BILL, state(3)]]);
    expect(sent()[1]).toMatchObject({ version: 1, isFull: true });
    expect(told(1)).toEqual(['1001 v5', '1002 v3']);
    answer(1);
    pass(WINDOW_MS * 2);
    expect(stream.sent).toHaveLength(2);
  });

  test('parked, it learns silently; taken over, it goes on where it was', () => {
    path.park(flow);
    path.takeState([list], state(2), { presentity: ANNE });
    pass(WINDOW_MS * 2);
    expect(stream.sent).toHaveLength(1);
    newFlow();
    subscribed(members([ANNE, 1], [BILL, 1], [CARL, 1]));
    expect(sent()[0]).toMatchObject({ version: 1, isFull: true });
    expect(told(0)).toEqual(['1001 v2', '1002 v1', '1003 v1']);
    expect(stream.sent[0]?.header('cseq')).toBe('101 NOTIFY');
  });

  test('it expires with a last full one, and holds nobody any more', () => {
    expect(subscriptions.resourceOf(ANNE, 'dialog').holders).toBe(1);
    now += 600_000;
    path.advance(now);
    outbox.flush();
    expect(stream.sent[1]?.header('subscription-state')).toBe('terminated;reason=timeout');
    expect(sent()[1]?.isFull).toBe(true);
    expect(sent()[1]?.resources.map(({ instance }) => instance.state)).toEqual(Array(3).fill('terminated'));
    expect(ended).toEqual(['a']);
    expect(subscriptions.resourceOf(ANNE, 'dialog').holders).toBe(0);
  });

  test('members share their documents with plain watchers', () => {
    const resource = subscriptions.resourceOf(ANNE, 'dialog');
    const document = internDocument(resource, state(1));
    const plain = new Subscription(subscriptionIdOf('b'), resource, 'call-b', document, {
      cseq: 1,
      documentVersion: 0,
    });
    plain.expiresAtMs = now + 600_000;
    plain.start = 'NOTIFY sip:w@x SIP/2.0\r\nVia: SIP/2.0/WS gw.invalid;branch=z9hG4bKb.';
    subscriptions.add(plain);
    path.attach(plain, flow);
    path.takeState([list, plain], state(2), { presentity: ANNE });
    outbox.flush();
    expect(stream.sent[1]?.body).toBe('<d version="0">v2</d>');
    pass(WINDOW_MS);
    const last = stream.sent.at(-1);
    expect(readRlmi(last?.header('content-type') ?? '', last?.body ?? '').resources[0]?.body).toBe(
      '<d version="1">v2</d>',
    );
    expect(plain.delivered).toBe(internDocument(resource, state(2)));
  });
});

test('too much for one NOTIFY follows in the next, once the first is answered', () => {
  const long = 'x'.repeat(40_000);
  const told40k: ListState = {
    uri: LIST,
    members: [ANNE, BILL].map((uri) => ({
      uri,
      state: 'active',
      notification: { presentityVersion: 1, contentType: 'text/plain', body: [long] },
    })),
  };
  subscribed(told40k);
  expect(stream.sent).toHaveLength(1);
  expect(sent()[0]?.resources.map(({ body }) => body?.length)).toEqual([long.length, undefined]);
  answer(0);
  expect(sent()[1]).toMatchObject({ version: 1, isFull: false });
  expect(sent()[1]?.resources.map(({ uri, body }) => [uri, body?.length])).toEqual([[BILL, long.length]]);
  answer(1);
  expect(stream.sent).toHaveLength(2);
});
