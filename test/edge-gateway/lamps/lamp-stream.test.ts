/** One stream of lamps against a scripted gateway: what it says in SIP, and what its client is told. */
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { LAMP_TYPE } from '#core/lamp-document.ts';
import { parseMessage, type SipRequest } from '#core/sip/message.ts';
import { Flow } from '#gateway/flow-table.ts';
import { LampStream } from '#gateway/lamps/lamp-stream.ts';

const T0 = 1_700_000_000_000;
const CLOSED = { ping: () => undefined, terminate: () => undefined, close: () => undefined };

let now: number;
let flow: Flow;
let stream: LampStream;
let told: Record<string, unknown>[];
let closed: [number, string][];
/** SIP that the stream has sent, and has not been answered. */
let asked: SipRequest[];
/** Statuses of its answers. */
let answers: number[];

beforeEach(() => open());

function open(): void {
  now = T0;
  [told, closed, asked, answers] = [[], [], [], []];
  flow = new Flow(CLOSED, new PassThrough(), 'WS', '192.0.2.7', 5060, T0);
  flow.identity = { domain: 'demo.example', user: '1001', role: 'user' };
  stream = new LampStream(flow, {
    receive(of, data) {
      of.heardSincePing = true;
      const parsed = parseMessage(data.toString());
      if (parsed.kind === 'request') asked.push(parsed);
      else if (parsed.kind === 'response') answers.push(parsed.status);
      else throw new Error(`no SIP: ${data}`);
    },
    send: (text) => told.push(JSON.parse(text)),
    close: (...given) => closed.push(given),
    nowMs: () => now,
    randomText: () => 'seed',
    maxMessagesPerSecond: 100,
  });
}

const say = (message: object) => stream.take(Buffer.from(JSON.stringify(message)), false);
const watch = (...users: string[]) => say({ type: 'watch', users });
function takeAsked(): SipRequest {
  const request = asked.shift();
  if (request === undefined) throw new Error('nothing was asked');
  return request;
}
const echoed = (request: SipRequest, toTag: string) => {
  const to = request.get('to') ?? '';
  return [
    `Via: ${request.get('via')}`,
    `From: ${request.get('from')}`,
    `To: ${to.includes(';tag=') ? to : `${to};tag=${toTag}`}`,
    `Call-ID: ${request.get('call-id')}`,
    `CSeq: ${request.get('cseq')}`,
  ];
};
function answer(request: SipRequest, status: number, headers: readonly string[] = [], reason = 'Answer'): void {
  const lines = [
    `SIP/2.0 ${status} ${reason}`,
    ...echoed(request, `to-${request.get('call-id')?.replace('.', '-')}`),
    ...headers,
  ];
  stream.deliver([`${[...lines, 'Content-Length: 0'].join('\r\n')}\r\n\r\n`]);
}
let branch = 0;
function notify(of: SipRequest, sequence: number | undefined, how: { state?: string; tag?: string } = {}): void {
  const { state = 'active;expires=3600', tag = `tag-${sequence}` } = how;
  const body = sequence === undefined ? '' : JSON.stringify({ state: 'busy', dialogs: [], sequence });
  const lines = [
    'NOTIFY sip:lamps@lamps.invalid SIP/2.0',
    `Via: SIP/2.0/WS gateway.invalid;branch=z9hG4bK${++branch}`,
    'Max-Forwards: 70',
    `From: ${of.get('to')?.split(';')[0]};tag=to-${of.get('call-id')?.replace('.', '-')}`,
    `To: ${of.get('from')}`,
    `Call-ID: ${of.get('call-id')}`,
    `CSeq: ${branch} NOTIFY`,
    'Event: dialog',
    `Subscription-State: ${state}`,
    `SIP-ETag: ${tag}`,
    ...(body === '' ? [] : [`Content-Type: ${LAMP_TYPE}`]),
    `Content-Length: ${body.length}`,
  ];
  stream.deliver([`${lines.join('\r\n')}\r\n\r\n${body}`]);
}
/** Watches a user and gets its first state. */
function watched(user: string, sequence = 1): SipRequest {
  watch(user);
  const request = takeAsked();
  answer(request, 200, ['Expires: 1000']);
  notify(request, sequence);
  return request;
}
const types = () => told.map(({ type }) => type);
const lamps = () => told.filter(({ type }) => type === 'lamp').map(({ user, sequence }) => `${user} ${sequence}`);
const cursor = () => told.findLast(({ cursor }) => cursor !== undefined)?.cursor;

describe('a watched user', () => {
  it('is an ordinary subscription that wants JSON', () => {
    watch('1002');
    const request = takeAsked();
    expect([request.method, request.requestUri]).toEqual(['SUBSCRIBE', 'sip:1002@demo.example']);
    expect([request.get('accept'), request.get('event'), request.get('from')]).toEqual([
      ...[LAMP_TYPE, 'dialog', '<sip:1001@demo.example>;tag=seed'],
    ]);
    expect(told).toEqual([]);
    answer(request, 200, ['Expires: 1000']);
    expect(told).toEqual([]);
    notify(request, 7);
    expect(told[0]).toEqual({ type: 'lamp', user: '1002', state: 'busy', dialogs: [], sequence: 7 });
    expect([types(), answers]).toEqual([['lamp', 'caughtUp'], [200]]);
  });

  it('is told in a sequence that only goes up', () => {
    const request = watched('1002', 5);
    for (const sequence of [5, 4, 9, 8]) notify(request, sequence);
    expect(lamps()).toEqual(['1002 5', '1002 9']);
    expect(answers).toEqual([200, 200, 200, 200, 200]);
  });

  it('is refreshed before its time, and told nothing when nothing has changed', () => {
    watched('1002');
    stream.advance(now + 799_000);
    expect(asked).toEqual([]);
    now += 800_000;
    stream.advance(now);
    const refresh = takeAsked();
    expect([refresh.get('suppress-if-match'), refresh.get('to')]).toEqual([
      ...['tag-1', '<sip:1002@demo.example>;tag=to-seed-1'],
    ]);
    answer(refresh, 204, ['Expires: 1000', 'SIP-ETag: tag-1']);
    expect(lamps()).toEqual(['1002 1']);
    now += 800_000;
    stream.advance(now);
    expect(asked).toHaveLength(1);
  });

  it('is asked for anew when its subscription is gone, and later when the gateway is busy', () => {
    watched('1002');
    now += 800_000;
    stream.advance(now);
    answer(takeAsked(), 481);
    const anew = takeAsked();
    expect([anew.get('call-id'), anew.get('to')]).toEqual(['seed.2', '<sip:1002@demo.example>']);
    answer(anew, 503, ['Retry-After: 7']);
    stream.advance(now + 6_000);
    expect(asked).toEqual([]);
    stream.advance(now + 7_000);
    expect(takeAsked().get('call-id')).toBe('seed.2');
  });

  it('that is refused is told so, and the others are told of', () => {
    watch('1002', '1003');
    const [first, second] = [takeAsked(), takeAsked()];
    answer(first, 403, [], 'Forbidden');
    expect(told).toEqual([{ type: 'refused', user: '1002', status: 403, reason: 'Forbidden' }]);
    answer(second, 200, ['Expires: 1000']);
    notify(second, 1);
    expect(types()).toEqual(['refused', 'lamp', 'caughtUp']);
  });

  it('whose watch has ended for good is told so; any other end is asked for again', () => {
    const request = watched('1002');
    notify(request, undefined, { state: 'terminated;reason=deactivated' });
    stream.advance(now);
    const again = takeAsked();
    expect(again.get('call-id')).toBe('seed.2');
    answer(again, 200, ['Expires: 1000']);
    notify(again, 3);
    notify(again, undefined, { state: 'terminated;reason=rejected' });
    expect(told.at(-1)).toEqual({ type: 'ended', user: '1002', reason: 'rejected' });
    now += 4_000_000;
    stream.advance(now);
    expect(asked).toEqual([]);
  });

  it('that somebody must allow first is pending, then told', () => {
    watch('1002');
    const request = takeAsked();
    answer(request, 200, ['Expires: 1000']);
    notify(request, undefined, { state: 'pending;expires=1000' });
    expect(types()).toEqual(['pending', 'caughtUp']);
    notify(request, 4);
    expect(lamps()).toEqual(['1002 4']);
  });

  it('that is watched no more is unsubscribed, also when its answer was still to come', () => {
    const request = watched('1002');
    say({ type: 'unwatch', users: ['1002'] });
    expect(takeAsked().get('expires')).toBe('0');
    notify(request, 9);
    watch('1003');
    const late = takeAsked();
    say({ type: 'unwatch', users: ['1003'] });
    expect(asked).toEqual([]);
    answer(late, 200, ['Expires: 1000']);
    const end = takeAsked();
    expect([end.get('expires'), end.get('to')]).toEqual(['0', '<sip:1003@demo.example>;tag=to-seed-2']);
    expect(lamps()).toEqual(['1002 1']);
  });
});

describe('a connection', () => {
  it('asks for some at a time', () => {
    watch(...Array.from({ length: 100 }, (_, n) => `u${n}`));
    expect(asked).toHaveLength(32);
    answer(takeAsked(), 200, ['Expires: 1000']);
    expect(asked).toHaveLength(32);
  });

  it('watches 500 users at most', () => {
    watch(...Array.from({ length: 500 }, (_, n) => `u${n}`));
    expect(told).toEqual([]);
    watch('one-more');
    expect(told).toEqual([{ type: 'refused', user: 'one-more', status: 503, reason: 'Too Many Users' }]);
  });

  it('goes on where another one ended', () => {
    watched('1002', 1);
    watch('1003');
    const unanswered = takeAsked();
    answer(unanswered, 200, ['Expires: 1000']);
    notify(unanswered, 5);
    const given = cursor();
    open();
    now += 60_000;
    say({ type: 'resume', cursor: given });
    const [first, second] = [takeAsked(), takeAsked()];
    expect([first.get('call-id'), first.get('to'), first.get('suppress-if-match')]).toEqual([
      ...['seed.1', '<sip:1002@demo.example>;tag=to-seed-1', 'tag-1'],
    ]);
    expect(Number.parseInt(first.get('cseq') ?? '', 10)).toBe(Math.floor(now / 1_000));
    answer(first, 204, ['Expires: 1000']);
    answer(second, 200, ['Expires: 1000']);
    notify(second, 6);
    expect([lamps(), types().at(-1)]).toEqual([['1003 6'], 'caughtUp']);
  });

  it('begins anew with a cursor that is too old', () => {
    watched('1002');
    const given = cursor();
    open();
    now += 300_001;
    say({ type: 'resume', cursor: given });
    const request = takeAsked();
    expect([request.get('suppress-if-match'), request.get('to')]).toEqual([undefined, '<sip:1002@demo.example>']);
  });

  it('gets a new cursor now and then, while there is news', () => {
    const request = watched('1002');
    stream.advance(now + 60_000);
    notify(request, 2, { tag: 'newer' });
    stream.advance(now + 9_999);
    expect(types()).toEqual(['lamp', 'caughtUp', 'lamp']);
    stream.advance(now + 10_000);
    stream.advance(now + 60_000);
    expect(types()).toEqual(['lamp', 'caughtUp', 'lamp', 'cursor']);
    expect(cursor()).toContain('newer');
  });

  it('proves itself anew with a fresh token, and is closed without one', () => {
    watched('1002');
    say({ type: 'token', token: 'fresh.token' });
    const renewal = takeAsked();
    expect(renewal.get('authorization')).toBe('Bearer fresh.token');
    answer(renewal, 204, ['Expires: 1000']);
    flow.identity = undefined;
    now += 800_000;
    stream.advance(now);
    answer(takeAsked(), 401);
    expect(closed).toEqual([[4401, 'unauthorized']]);
  });

  it('is no sign of life by what the gateway says in its name', () => {
    flow.heardSincePing = false;
    notify(watched('1002'), 5);
    // The client itself has spoken once.
    expect(flow.heardSincePing).toBe(true);
    flow.heardSincePing = false;
    now += 800_000;
    stream.advance(now);
    expect([asked.length, flow.heardSincePing]).toEqual([1, false]);
  });

  it('that sends too much is closed', () => {
    for (let n = 0; n < 201; n += 1) say({ type: 'unwatch', users: ['1'] });
    expect(closed).toEqual([[1008, 'too many messages']]);
  });
});
