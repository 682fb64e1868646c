import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Connection, SIGNATURE_HEADER, SIGNED_AT_HEADER } from '#contract/instruction.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { signInstructions } from '#core/instruction-signature.ts';
import { readConfig } from '#gateway/config.ts';
import { type RunningGateway, startGateway } from '#gateway/gateway.ts';
import { FakeFunctions } from '#test/support/fake-functions.ts';
import { PATIENCE_MS } from '#test/support/patience.ts';
import { readRlmi } from '#test/support/rlmi.ts';
import { type ReceivedMessage, SipClient, token } from '#test/support/sip-client.ts';

const SECRET = 'a-secret-of-the-tests';
const ok: OutcomeInput = { response: { status: 200, reason: 'OK', headers: [] } };

let functions: FakeFunctions;
let gateway: RunningGateway;
let url: string;
const clients: SipClient[] = [];

function settings(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  process.env.AWS_REGION = 'local';
  process.env.AWS_ACCESS_KEY_ID = 'local';
  process.env.AWS_SECRET_ACCESS_KEY = 'local';
  return {
    PORT: '0',
    HOST: '127.0.0.1',
    INSTRUCTION_PORT: '0',
    FUNCTIONS: JSON.stringify({
      methods: { REGISTER: 'register', SUBSCRIBE: 'subscribe', PUBLISH: 'publish' },
      flowClosed: 'flow-closed',
      lease: 'lease',
    }),
    LAMBDA_ENDPOINT: functions.endpoint,
    INSTRUCTION_SECRET: SECRET,
    LOG_LEVEL: 'silent',
    FUNCTION_DEADLINE_MS: '800',
    MAX_INVOCATIONS_IN_FLIGHT: '1',
    MAX_REQUESTS_PER_SECOND_PER_FLOW: '50',
    MAX_SUBSCRIPTIONS_PER_FLOW: '5',
    DRAIN_SECONDS: '0',
    ...extra,
  };
}

beforeAll(async () => {
  functions = await FakeFunctions.start();
  gateway = await startGateway(readConfig(settings()), '127.0.0.1');
  url = `ws://127.0.0.1:${gateway.port}/`;
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  functions.answer = () => ok;
  functions.invocations.length = 0;
});
afterAll(async () => {
  await gateway.drain();
  functions.stop();
});

async function connect(): Promise<SipClient> {
  const client = await SipClient.connect(url, '1001');
  clients.push(client);
  return client;
}

const register = (client: SipClient, callId = token(), cseq = 1, branch = `z9hG4bK${token()}`): string =>
  client.compose({ method: 'REGISTER', uri: 'sip:demo.example', callId, cseq, branch });

const subscribed = (envelope: RequestEnvelope, version = 1): OutcomeInput => ({
  response: { status: 200, reason: 'OK', headers: [['Expires', '600']] },
  subscription: {
    kind: 'active',
    id: envelope.toTag as never,
    presentity: 'sip:1002@demo.example',
    event: 'dialog',
    createdAtMs: Date.now(),
    expiresAtMs: Date.now() + 600_000,
    notification: notification(version),
  },
});
const notification = (version: number) => ({
  presentityVersion: version,
  contentType: 'application/dialog-info+xml',
  body: ['<d version="', `">state ${version}</d>`] as [string, string],
});

function instruct(body: object, { secret = SECRET, at = Date.now() } = {}): Promise<Response> {
  const text = JSON.stringify(body);
  return fetch(`http://127.0.0.1:${gateway.instructionPort}/instructions`, {
    method: 'POST',
    headers: { [SIGNATURE_HEADER]: signInstructions(secret, at, text), [SIGNED_AT_HEADER]: String(at) },
    body: text,
  });
}
const batch = (...instructions: object[]): object => ({
  contractVersion: CONTRACT_VERSION,
  gatewayId: (functions.leases[0] as { gatewayId: string }).gatewayId,
  instructions,
});

describe('handshake (RFC 7118 section 4)', () => {
  const refused = (headers: Record<string, string>, protocols: string[]): Promise<number | undefined> =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, protocols, { headers });
      socket.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode);
        socket.terminate();
      });
      socket.on('open', () => resolve(undefined));
      socket.on('error', () => undefined);
    });

  test('without the subprotocol sip it is refused', async () => {
    expect(await refused({}, [])).toBe(400);
    expect(await refused({}, ['xmpp'])).toBe(400);
  });

  test('of several subprotocols sip is chosen', async () => {
    const socket = new WebSocket(url, ['xmpp', 'sip']);
    await new Promise((resolve) => socket.once('open', resolve));
    expect(socket.protocol).toBe('sip');
    socket.terminate();
  });

  test('an Origin that is not allowed, and too many connections of one address, are refused', async () => {
    const strict = settings({ ALLOWED_ORIGINS: 'https://phone.example', MAX_FLOWS_PER_ADDRESS: '1' });
    const guarded = await startGateway(readConfig(strict), '127.0.0.1');
    const before = url;
    url = `ws://127.0.0.1:${guarded.port}/`;
    expect(await refused({ origin: 'https://evil.example' }, ['sip'])).toBe(403);
    const allowed = new WebSocket(url, ['sip'], { origin: 'https://phone.example' });
    await new Promise((resolve) => allowed.once('open', resolve));
    expect(await refused({ origin: 'https://phone.example' }, ['sip'])).toBe(429);
    allowed.terminate();
    await guarded.drain();
    url = before;
  });
});

describe('messages', () => {
  test('a double CRLF is answered by a single one, in a text or a binary frame (RFC 5626 section 4.4.1)', async () => {
    const socket = new WebSocket(url, ['sip']);
    await new Promise((resolve) => socket.once('open', resolve));
    for (const frame of ['\r\n\r\n', Buffer.from('\r\n\r\n')]) {
      const answered = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
      socket.send(frame);
      expect(await answered).toBe('\r\n');
    }
    socket.terminate();
  });

  test('a binary frame is a message as well', async () => {
    const client = await connect();
    const text = client.compose({ method: 'OPTIONS', uri: 'sip:demo.example', callId: 'binary' });
    const answer = client.next((message) => message.header('call-id') === 'binary');
    client.raw(Buffer.from(text));
    expect((await answer).status).toBe(200);
  });

  test('a body that is not UTF-8 reaches the function as base64, byte for byte', async () => {
    const client = await connect();
    let seen: RequestEnvelope | undefined;
    functions.answer = (envelope) => {
      seen = envelope;
      return ok;
    };
    const head = client.compose({ method: 'PUBLISH', uri: 'sip:1001@demo.example', callId: 'bytes', body: 'xxx' });
    const answer = client.next((message) => message.header('call-id') === 'bytes');
    client.raw(Buffer.concat([Buffer.from(head.slice(0, -3)), Buffer.from([0xff, 0x00, 0x80])]));
    expect((await answer).status).toBe(200);
    expect(seen?.request.bodyEncoding).toBe('base64');
    expect(Buffer.from(seen?.request.body ?? '', 'base64')).toEqual(Buffer.from([0xff, 0x00, 0x80]));
  });

  test('a message over 64 KiB is answered 513, a frame far over it closes the flow', async () => {
    const client = await connect();
    const large = client.compose({ method: 'PUBLISH', uri: 'sip:1001@demo.example', body: 'x'.repeat(70_000) });
    expect((await client.exchange(large)).status).toBe(513);
    client.raw('x'.repeat(300_000));
    await expect.poll(() => client.closeCode).toBe(1009);
  });
});

describe('transactions', () => {
  test('a retransmitted request is processed once and gets the same answer', async () => {
    const client = await connect();
    const text = register(client);
    const first = await client.exchange(text);
    const second = await client.exchange(text);
    expect(second.text).toBe(first.text);
    expect(functions.invocations).toHaveLength(1);
  });

  test('a retransmitted request that is not well formed gets the same answer, To tag included', async () => {
    const client = await connect();
    const text = register(client).replace('SIP/2.0', 'SIP/3.0');
    const first = await client.exchange(text);
    expect(first.status).toBe(505);
    expect((await client.exchange(text)).text).toBe(first.text);
  });

  test('a retransmission while the function works is absorbed', async () => {
    const client = await connect();
    functions.answer = () => new Promise((resolve) => setTimeout(resolve, 100, ok));
    const text = register(client);
    const answer = client.exchange(text);
    client.raw(text);
    await answer;
    const probe = client.compose({ method: 'OPTIONS', uri: 'sip:demo.example' });
    await client.exchange(probe);
    expect(client.received.filter((message) => message.header('cseq') === '1 REGISTER')).toHaveLength(1);
  });

  test('requests of one Call-ID reach the function one after the other, in order', async () => {
    const client = await connect();
    let running = 0;
    const order: string[] = [];
    functions.answer = async (envelope) => {
      running++;
      expect(running).toBe(1);
      order.push(envelope.request.headers.find(([name]) => name === 'CSeq')?.[1] ?? '');
      await new Promise((resolve) => setTimeout(resolve, 10));
      running--;
      return ok;
    };
    await Promise.all([1, 2, 3, 4].map((cseq) => client.exchange(register(client, 'ordered', cseq))));
    expect(order).toEqual(['1 REGISTER', '2 REGISTER', '3 REGISTER', '4 REGISTER']);
  });

  test('requests that wait while an invocation is in flight leave together', async () => {
    const [early, client] = [await connect(), await connect()];
    // Until it is known how much the function takes, few leave at once.
    await Promise.all(Array.from({ length: 80 }, () => early.exchange(register(early))));
    functions.invocations.length = 0;
    functions.answer = () => new Promise((resolve) => setTimeout(resolve, 30, ok));
    await Promise.all(Array.from({ length: 10 }, () => client.exchange(register(client))));
    expect(functions.invocations.map(({ envelopes }) => envelopes.length)).toEqual([1, 9]);
  });
});

describe('overload and failure: never silence', () => {
  test('a function that misses the deadline: 503 with Retry-After', async () => {
    const client = await connect();
    functions.answer = () => new Promise((resolve) => setTimeout(resolve, 1_000, ok));
    const answer = await client.exchange(register(client));
    expect(answer.status).toBe(503);
    expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
  });

  test('a function that hangs: whatever waits behind it is refused soon after, in one Call-ID too', async () => {
    const client = await connect();
    functions.answer = () => new Promise((resolve) => setTimeout(resolve, 3_000, ok));
    const sentAtMs = performance.now();
    const inLine = [1, 2, 3, 4, 5].map((cseq) => client.exchange(register(client, 'one-line', cseq)));
    const others = [1, 2, 3].map(() => client.exchange(register(client)));
    for (const answer of await Promise.all([...inLine, ...others])) {
      expect([answer.status, answer.header('retry-after')]).toEqual([503, '5']);
      // One behind the other they would take 800 ms each.
      expect(answer.atMs - sentAtMs).toBeLessThan(5_000);
    }
  });

  test('a function that crashes: 500', async () => {
    const client = await connect();
    functions.answer = () => Promise.reject(new Error('defect'));
    expect((await client.exchange(register(client))).status).toBe(500);
  });

  test('more requests in a second than a flow may send: 503 with Retry-After, and others are not touched', async () => {
    const [noisy, quiet] = [await connect(), await connect()];
    const sinceMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 150 }, () => noisy.exchange(register(noisy))));
    const givenBack = Math.ceil((50 * (performance.now() - sinceMs)) / 1_000);
    const refused = answers.filter(({ status }) => status === 503);
    // The 50 beyond the burst, less what the time of sending them has given back.
    expect(refused.length).toBeGreaterThanOrEqual(50 - givenBack);
    expect(refused.length).toBeLessThanOrEqual(50);
    expect(refused.every((answer) => answer.header('retry-after') !== '')).toBe(true);
    expect((await quiet.exchange(register(quiet))).status).toBe(200);
  });

  test('more subscriptions than a flow may hold: 503', async () => {
    const client = await connect();
    functions.answer = (envelope) => subscribed(envelope);
    for (let index = 0; index < 5; index++) expect((await client.subscribe('1002')).answer.status).toBe(200);
    expect((await client.subscribe('1002')).answer.status).toBe(503);
  });
});

describe('subscriptions', () => {
  test('the answer leaves before the first NOTIFY, both with one tag and a Contact', async () => {
    const client = await connect();
    functions.answer = (envelope) => subscribed(envelope);
    const subscription = await client.subscribe('1002', { headers: ['Record-Route: <sip:bridge.example;lr>'] });
    const [answer, notify] = client.received;
    expect(answer?.status).toBe(200);
    expect(notify?.startLine).toBe(`NOTIFY ${client.contact.slice(1, -1)} SIP/2.0`);
    expect(notify?.header('from')).toBe(answer?.header('to'));
    expect(notify?.header('to')).toBe(answer?.header('from'));
    expect(answer?.header('contact')).toBe('<sip:1002@demo.example;transport=ws>');
    expect(answer?.header('record-route')).toBe('<sip:bridge.example;lr>');
    expect(notify?.header('route')).toBe('<sip:bridge.example;lr>');
    expect(notify?.header('subscription-state')).toMatch(/^active;expires=(599|600)$/);
    expect(subscription.notifies()[0]?.body).toBe('<d version="0">state 1</d>');
  });

  test('an instruction that overtakes the outcome waits for it', async () => {
    const client = await connect();
    functions.answer = async (envelope) => {
      const overtaking = { kind: 'notify', subscriptionIds: [envelope.toTag], notification: notification(9) };
      const response = await instruct(batch(overtaking));
      expect(await response.json()).toEqual({ unknown: [] });
      return subscribed(envelope, 8);
    };
    const subscription = await client.subscribe('1002');
    expect(subscription.notifies().map(({ body }) => body)).toEqual(['<d version="0">state 9</d>']);
  });

  test('an end that overtakes the outcome waits for it, and ends what that opens', async () => {
    const client = await connect();
    functions.answer = async (envelope) => {
      const overtaking = { kind: 'end', subscriptionIds: [envelope.toTag], reason: 'deactivated' };
      const response = await instruct(batch(overtaking));
      expect(await response.json()).toEqual({ unknown: [] });
      return subscribed(envelope, 8);
    };
    const subscription = await client.subscribe('1002');
    await expect.poll(() => subscription.notifies().length).toBe(2);
    expect(subscription.notifies().at(-1)?.header('subscription-state')).toBe('terminated;reason=deactivated');
  });

  test('back from another gateway, it is numbered above what that one can have sent, and up from there', async () => {
    const client = await connect();
    const createdAtMs = Date.now() - 20_000;
    let id: string | undefined;
    let isTakenOver: true | undefined;
    functions.answer = (envelope) => {
      id ??= envelope.toTag;
      const { subscription, response } = subscribed(envelope);
      if (subscription?.kind !== 'active') throw new Error('no subscription');
      return { response, subscription: { ...subscription, id: id as never, createdAtMs, isTakenOver } };
    };
    const subscription = await client.subscribe('1002');
    await subscription.refresh(600);
    isTakenOver = true;
    await subscription.refresh(600);
    isTakenOver = undefined;
    await subscription.refresh(600);
    await vi.waitFor(() => expect(subscription.notifies()).toHaveLength(4), PATIENCE_MS);
    const numbers = subscription.notifies().map((notify) => ({
      cseq: Number.parseInt(notify.header('cseq'), 10),
      version: Number(/version="(\d+)"/.exec(notify.body)?.[1]),
    }));
    const [first, second, third, fourth] = numbers;
    if (!first || !second || !third || !fourth) throw new Error('no NOTIFY');
    expect(first.version).toBe(0);
    expect(second).toEqual({ cseq: first.cseq + 1, version: 1 });
    // 20 s of the other gateway's NOTIFYs at one in 10 ms.
    expect(third.version).toBeGreaterThanOrEqual(2_000);
    expect(third.cseq).toBeGreaterThanOrEqual(first.cseq + 2_000);
    expect(fourth).toEqual({ cseq: third.cseq + 1, version: third.version + 1 });
    // What it remembers are the NOTIFYs since then, whose numbers it can tell.
    const remembered = [fourth, third].map(({ cseq, version }) => ({ cseq, documentVersion: version, answer: 200 }));
    await vi.waitFor(async () => {
      const inspected = await instruct(batch({ kind: 'inspect', subscriptionIds: [id, 'unheard-of'] }));
      const expected = { unknown: ['unheard-of'], inspected: [{ id, notifies: remembered }] };
      expect(await inspected.json()).toMatchObject(expected);
    }, PATIENCE_MS);
  });

  test('a list: states of members that overtake the outcome wait for it, later ones reach it', async () => {
    const client = await connect();
    const [anne, bill] = ['sip:1002@demo.example', 'sip:1003@demo.example'];
    functions.answer = async (envelope) => {
      const overtaking = {
        kind: 'notify',
        subscriptionIds: [envelope.toTag],
        presentity: bill,
        notification: notification(9),
      };
      expect(await (await instruct(batch(overtaking))).json()).toEqual({ unknown: [] });
      const plain = subscribed(envelope, 0);
      const members = [anne, bill].map((uri) => ({ uri, state: 'active' as const, notification: notification(8) }));
      const list = { uri: 'sip:all@demo.example', members };
      return { ...plain, subscription: plain.subscription && { ...plain.subscription, list } };
    };
    const subscription = await client.subscribe('all');
    const [first] = subscription.notifies();
    expect(first?.header('require')).toBe('eventlist');
    const bodies = (notify: ReceivedMessage | undefined) =>
      readRlmi(notify?.header('content-type') ?? '', notify?.body ?? '').resources.map(({ uri, body }) => [uri, body]);
    expect(bodies(first)).toEqual([
      [anne, '<d version="0">state 8</d>'],
      [bill, '<d version="0">state 9</d>'],
    ]);
    const next = subscription.nextNotify('state 10');
    const ids = [subscription.dialog.toTag];
    await instruct(batch({ kind: 'notify', subscriptionIds: ids, presentity: anne, notification: notification(10) }));
    expect(bodies(await next)).toEqual([[anne, '<d version="1">state 10</d>']]);
  });

  test('a state reaches its subscription; an id that is not held comes back as unknown', async () => {
    const client = await connect();
    functions.answer = (envelope) => subscribed(envelope);
    const subscription = await client.subscribe('1002');
    const ids = [subscription.dialog.toTag, 'nobody'];
    const next = subscription.nextNotify('state 2');
    const response = await instruct(batch({ kind: 'notify', subscriptionIds: ids, notification: notification(2) }));
    expect(await response.json()).toEqual({ unknown: ['nobody'] });
    expect((await next).body).toBe('<d version="1">state 2</d>');
  });

  test('an end instruction: one last NOTIFY terminated with the reason', async () => {
    const client = await connect();
    functions.answer = (envelope) => subscribed(envelope);
    const subscription = await client.subscribe('1002');
    const next = subscription.nextNotify('terminated');
    await instruct(batch({ kind: 'end', subscriptionIds: [subscription.dialog.toTag], reason: 'rejected' }));
    expect((await next).header('subscription-state')).toBe('terminated;reason=rejected');
  });

  test('a subscription that the watcher denies (481) is over at once, and reported to the functions', async () => {
    const client = await connect();
    client.answerNotify = () => 481;
    functions.answer = (envelope) => subscribed(envelope);
    const subscription = await client.subscribe('1002');
    const { dialog } = subscription;
    // The function would still know it.
    expect((await subscription.refresh(600)).status).toBe(481);
    const named = { id: dialog.toTag, presentity: 'sip:1002@demo.example', event: 'dialog' };
    const reported = expect.objectContaining({ subscriptions: [{ ...named, cseq: 1 }] });
    await expect.poll(() => functions.reports).toContainEqual(reported);
    await expect.poll(async () => (await subscription.refresh(600)).status).toBe(200);
  });

  test('the end of a registered flow is reported with its identity', async () => {
    const client = await connect();
    const identity = { domain: 'demo.example', user: '1001', role: 'user' as const };
    functions.answer = () => ({ ...ok, identity, registered: true });
    await client.exchange(register(client));
    client.cut();
    const flow = expect.objectContaining({ identity });
    await expect.poll(() => functions.reports).toContainEqual(expect.objectContaining({ flows: [flow] }));
  });
});

describe('a tenant that is closed', () => {
  const identity = (domain: string, user: string) => ({ domain, user, role: 'user' as const });

  test('loses subscriptions and flows, also those that only proved who they are; others keep theirs', async () => {
    const [watching, idle, other, stranger] = [await connect(), await connect(), await connect(), await connect()];
    const ofOther = (envelope: RequestEnvelope): OutcomeInput => ({
      ...ok,
      identity: identity('other.example', envelope.flowId),
    });
    functions.answer = ofOther;
    await other.exchange(register(other));
    functions.answer = (envelope) => ({ ...ok, identity: identity('demo.example', envelope.flowId) });
    await idle.exchange(register(idle));
    functions.answer = (envelope) => ({ ...subscribed(envelope), identity: identity('demo.example', '1001') });
    const subscription = await watching.subscribe('1002');
    const [id] = functions.invocations.at(-1)?.envelopes.map(({ toTag }) => toTag) ?? [];
    expect([watching, idle, other, stranger].map(({ closeCode }) => closeCode)).toEqual(Array(4).fill(undefined));

    expect(await (await instruct(batch({ kind: 'closeTenant', domain: 'demo.example' }))).json()).toEqual({
      unknown: [],
    });
    await vi.waitFor(
      () => expect([watching, idle].map(({ closeCode }) => closeCode)).toEqual([1008, 1008]),
      PATIENCE_MS,
    );
    expect(subscription.notifies().at(-1)?.header('subscription-state')).toBe('terminated;reason=noresource');
    functions.answer = ofOther;
    expect((await other.exchange(register(other))).status).toBe(200);
    expect(stranger.closeCode).toBeUndefined();
    await vi.waitFor(
      () => expect(JSON.stringify(functions.reports)).toContain(`"id":"${id}","presentity":"sip:1002@demo.example"`),
      PATIENCE_MS,
    );
    const after = await instruct(batch({ kind: 'inspect', subscriptionIds: [id] }));
    expect(await after.json()).toEqual({ unknown: [id] });
  });
});

describe('connections', () => {
  const proven = (user: string, tokenId: string): OutcomeInput => ({
    ...ok,
    identity: { domain: 'demo.example', user, role: 'user', proof: { way: 'token', tokenId } },
  });
  const ask = async (more: object = {}) => {
    const question = { kind: 'connections', tenant: 'demo.example', limit: 10, ...more };
    return ((await (await instruct(batch(question))).json()) as { connections: Connection[][] }).connections[0] ?? [];
  };

  test('are told of a tenant by flow, page by page; strangers and others are not', async () => {
    const [first, second] = [await connect(), await connect(), await connect()];
    functions.answer = () => proven('1001', 'one');
    await first.exchange(register(first));
    functions.answer = (envelope) => ({ ...subscribed(envelope), identity: proven('1002', 'two').identity });
    await second.subscribe('1002');
    const all = await ask();
    expect(all.map(({ identity }) => identity.user).toSorted()).toEqual(['1001', '1002']);
    expect(all.map(({ flowId }) => flowId)).toEqual(all.map(({ flowId }) => flowId).toSorted());
    expect(all.find(({ identity }) => identity.user === '1002')).toMatchObject({
      ...{ protocol: 'sip', transport: 'WS', sourceAddress: '127.0.0.1', subscriptions: 1, isRegistered: false },
      identity: { proof: { way: 'token', tokenId: 'two' } },
    });
    expect(await ask({ limit: 1 })).toEqual(all.slice(0, 1));
    expect(await ask({ after: all[0]?.flowId })).toEqual(all.slice(1));
    expect(await ask({ flowId: all[1]?.flowId })).toEqual(all.slice(1));
    expect(await ask({ tenant: 'other.example' })).toEqual([]);
  });

  test('end with the proof that they rest on, with their subscriptions; others stay', async () => {
    const [out, stays] = [await connect(), await connect()];
    functions.answer = (envelope) => ({ ...subscribed(envelope), identity: proven('1001', 'one').identity });
    const subscription = await out.subscribe('1002');
    functions.answer = () => proven('1001', 'two');
    await stays.exchange(register(stays));
    await instruct(batch({ kind: 'signOut', domain: 'demo.example', way: 'token', tokenId: 'one' }));
    await vi.waitFor(() => expect(out.closeCode).toBe(4401), PATIENCE_MS);
    expect(subscription.notifies().at(-1)?.header('subscription-state')).toBe('terminated;reason=deactivated');
    expect((await stays.exchange(register(stays))).status).toBe(200);
    functions.answer = () => proven('1001', 'one');
    const again = await connect();
    again.raw(register(again));
    await vi.waitFor(() => expect(again.closeCode).toBe(4401), PATIENCE_MS);
  });
});

describe('instruction intake', () => {
  test('a wrong secret, an old signature and an altered body are refused', async () => {
    expect((await instruct(batch(), { secret: 'another-secret-here' })).status).toBe(401);
    expect((await instruct(batch(), { at: Date.now() - 61_000 })).status).toBe(401);
    const at = Date.now();
    const altered = await fetch(`http://127.0.0.1:${gateway.instructionPort}/instructions`, {
      method: 'POST',
      headers: { [SIGNATURE_HEADER]: signInstructions(SECRET, at, '{}'), [SIGNED_AT_HEADER]: String(at) },
      body: '{ }',
    });
    expect(altered.status).toBe(401);
  });

  test('a batch for another gateway is misdirected: nothing is done', async () => {
    expect((await instruct({ ...batch(), gatewayId: 'another' })).status).toBe(421);
  });

  test('what does not fit the contract is refused; a kind that is newer than this gateway is passed over', async () => {
    expect((await instruct(batch({ kind: 'close' }))).status).toBe(400);
    expect((await instruct(batch({ dance: true }))).status).toBe(400);
    expect((await instruct(batch({ kind: 'dance' }))).status).toBe(200);
  });
});

describe('health', () => {
  test('healthz and readyz are 200, metrics are Prometheus text on both ports', async () => {
    const base = `http://127.0.0.1:${gateway.port}`;
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    expect((await fetch(`${base}/healthz/functions`)).status).toBe(200);
    const privateBase = `http://127.0.0.1:${gateway.instructionPort}`;
    expect(await (await fetch(`${privateBase}/metrics`)).text()).toContain('lampfield_flows');
    const metrics = await (await fetch(`${base}/metrics`)).text();
    expect(metrics).toMatch(/^lampfield_requests_received_total \d+$/m);
    expect(metrics).toMatch(/^lampfield_subscriptions \d+$/m);
  });

  test('the panel’s settings name the ICE servers, and nobody keeps them', async () => {
    const servers = [{ urls: 'turn:turn.example', username: 'u', credential: 'c' }];
    const named = await startGateway(readConfig(settings({ ICE_SERVERS: JSON.stringify(servers) })), '127.0.0.1');
    const answer = await fetch(`http://127.0.0.1:${named.port}/panel-config.json`);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({ iceServers: servers });
    await named.drain();
  });

  test('the panel’s settings name the HTTP API, when the gateway knows it', async () => {
    const apiUrl = 'https://api.example/v1';
    const told = await startGateway(readConfig(settings({ API_URL: apiUrl })), '127.0.0.1');
    expect(await (await fetch(`http://127.0.0.1:${told.port}/panel-config.json`)).json()).toEqual({
      iceServers: [],
      apiUrl,
    });
    await told.drain();
    // What ends up in a header field must not be able to end it.
    for (const wrong of ['ftp://api.example', "https://api.example/ 'unsafe-inline'", 'https://a.example;script-src *'])
      expect(() => readConfig(settings({ API_URL: wrong }))).toThrow('API_URL');
  });

  test('not ready while the functions do not answer', async () => {
    functions.leaseStatus = 500;
    const alone = await startGateway(readConfig(settings()), '127.0.0.1');
    expect((await fetch(`http://127.0.0.1:${alone.port}/readyz`)).status).toBe(503);
    // No function has answered yet: nor may it replace a gateway that works.
    expect((await fetch(`http://127.0.0.1:${alone.port}/healthz/functions`)).status).toBe(503);
    functions.leaseStatus = 200;
    await expect.poll(async () => (await fetch(`http://127.0.0.1:${alone.port}/readyz`)).status).toBe(200);
    await alone.drain();
  });
});

test('drain: flows are closed with 1012, the lease says so, new connections are refused', async () => {
  const other = await startGateway(readConfig(settings()), '127.0.0.1');
  const client = await SipClient.connect(`ws://127.0.0.1:${other.port}/`, '1001');
  await other.drain();
  expect(client.closeCode).toBe(1012);
  expect(functions.leases.at(-1)).toMatchObject({ draining: true });
});

test('settings that are wrong are all named', () => {
  expect(() => readConfig({ PORT: 'many', INSTRUCTION_SECRET: 'short' })).toThrow(
    /PORT[\s\S]*FUNCTIONS[\s\S]*INSTRUCTION_SECRET/,
  );
});
