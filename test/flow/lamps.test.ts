/** The JSON stream of lamps over the whole local stack, with plain WebSockets. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { queryWatchers } from '#test/support/watchers.ts';

let stack: LocalStack;
let table: DynamoDbTable;
let count = Date.now();
beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
  table = openDynamoDbTable({ tableName: 'lampfield', endpoint: stack.dynamoDbEndpoint });
}, 90_000);
afterAll(async () => {
  table.close();
  await stack.stop();
});

interface Said {
  readonly type: string;
  readonly user?: string;
  readonly state?: string;
  readonly sequence?: number;
  readonly cursor?: string;
  readonly reason?: string;
  readonly status?: number;
  readonly dialogs?: readonly Record<string, unknown>[];
}

/** A client of the stream; what it is told is kept in order. */
class LampClient {
  readonly socket: WebSocket;
  readonly told: Said[] = [];
  #wake = (): void => undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.told.push(JSON.parse(String(data)));
      this.#wake();
    });
  }

  static async connect(user: string, gateway = 0): Promise<LampClient> {
    const token = await tokenOf(user);
    const socket = new WebSocket(lampsUrl(gateway), ['lampfield.lamps.v1', `lampfield.token.${token}`]);
    const client = new LampClient(socket);
    await once(socket, 'open');
    onTestFinished(() => socket.terminate());
    expect(socket.protocol).toBe('lampfield.lamps.v1');
    return client;
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message from `since` on that matches. */
  async next(matches: (said: Said) => boolean, since = this.told.length, withinMs = 15_000): Promise<Said> {
    const endMs = Date.now() + withinMs;
    for (;;) {
      const found = this.told.slice(since).find(matches);
      if (found !== undefined) return found;
      const left = endMs - Date.now();
      if (left <= 0) throw new Error(`not told; since then: ${JSON.stringify(this.told.slice(since))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async watch(...users: string[]): Promise<Said> {
    const since = this.told.length;
    this.say({ type: 'watch', users });
    return this.next(({ type }) => type === 'caughtUp', since, 60_000);
  }
}

const lampsUrl = (gateway = 0): string => `${stack.url(gateway)}lamps`;

async function ask(method: string, path: string, body?: object) {
  const response = await fetch(`${stack.apiUrl}/tenants/demo.example${path}`, {
    method,
    headers: { authorization: 'Bearer local-admin-key', 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}
async function tokenOf(user: string, expiresSeconds = 600): Promise<string> {
  const { token } = await ask('POST', '/tokens', { user, expiresSeconds });
  return token;
}
const put = (user: string, state: string) =>
  ask('PUT', `/presentities/${user}/dialogs/a`, {
    ...{ state, sequence: ++count, leaseSeconds: 300, direction: 'recipient' },
    remote: { uri: 'sip:ann@example.com', displayName: 'Ann' },
  });
const isLamp = (user: string, state?: string) => (said: Said) =>
  said.type === 'lamp' && said.user === user && (state === undefined || said.state === state);

describe('a stream of lamps', () => {
  it('tells first states, changes in order, and no more after unwatch', async () => {
    const client = await LampClient.connect('1001');
    await client.watch('1002', 'sip:1003@demo.example');
    expect(client.told.map(({ type, user, state }) => `${type} ${user} ${state}`).toSorted()).toEqual([
      ...['caughtUp undefined undefined', 'lamp 1002 idle', 'lamp sip:1003@demo.example idle'],
    ]);
    await put('1002', 'early');
    const ringing = await client.next(isLamp('1002', 'ringing'), 0);
    expect(ringing.dialogs).toMatchObject([
      { id: 'a', state: 'early', direction: 'recipient', remote: { uri: 'sip:ann@example.com', displayName: 'Ann' } },
    ]);
    await put('1002', 'confirmed');
    await client.next(isLamp('1002', 'busy'), 0);
    await put('1002', 'terminated');
    const since = client.told.findIndex(isLamp('1002', 'busy'));
    expect((await client.next(isLamp('1002', 'idle'), since)).dialogs).toEqual([]);
    const sequences = client.told.filter(isLamp('1002')).map(({ sequence = 0 }) => sequence);
    expect(sequences).toEqual([...new Set(sequences)].toSorted((left, right) => left - right));
    expect(sequences).toHaveLength(4);
    client.say({ type: 'unwatch', users: ['1002'] });
    await client.next(({ type }) => type === 'caughtUp');
    const before = client.told.length;
    await put('1002', 'confirmed');
    await put('1003', 'confirmed');
    await client.next(isLamp('sip:1003@demo.example', 'busy'), before);
    expect(client.told.slice(before).filter(isLamp('1002'))).toEqual([]);
    await put('1002', 'terminated');
    await put('1003', 'terminated');
  });

  it('resumes on another gateway with only what has changed', async () => {
    const first = await LampClient.connect('1001');
    const { cursor } = await first.watch('1004', '1005', '1006');
    const lastSequence = first.told.find(isLamp('1005'))?.sequence ?? 0;
    first.socket.terminate();
    await put('1005', 'confirmed');
    const second = await LampClient.connect('1001', 1);
    second.say({ type: 'resume', cursor });
    await second.next(({ type }) => type === 'caughtUp', 0);
    const lamps = second.told.filter(({ type }) => type === 'lamp');
    expect(lamps.map(({ user, state }) => `${user} ${state}`)).toEqual(['1005 busy']);
    expect(lamps[0]?.sequence).toBeGreaterThan(lastSequence);
    await put('1004', 'early');
    await second.next(isLamp('1004', 'ringing'), 0);
    for (const user of ['1004', '1005']) await put(user, 'terminated');
  });

  it('resumes on the same gateway, in the very same subscriptions', async () => {
    const first = await LampClient.connect('1001');
    await first.watch('1007');
    const presentity = { domain: 'demo.example', user: '1007' };
    const countSubscriptions = async () => (await queryWatchers(table, presentity, 'dialog', Date.now())).length;
    expect(await countSubscriptions()).toBe(1);
    const { cursor } = first.told.findLast(({ type }) => type === 'caughtUp') ?? {};
    first.socket.terminate();
    const second = await LampClient.connect('1001');
    second.say({ type: 'resume', cursor });
    await second.next(({ type }) => type === 'caughtUp', 0);
    expect([second.told.filter(({ type }) => type === 'lamp'), await countSubscriptions()]).toEqual([[], 1]);
    await put('1007', 'confirmed');
    await second.next(isLamp('1007', 'busy'), 0);
    await put('1007', 'terminated');
  });

  it('refuses other tenants and what is no name, each alone', async () => {
    const client = await LampClient.connect('1001');
    await client.watch('1001@acme.example', 'no name <>', '1008');
    const refused = client.told.filter(({ type }) => type === 'refused');
    expect(refused.map(({ user, status }) => [user, status]).toSorted()).toEqual([
      ['1001@acme.example', 403],
      ['no name <>', 400],
    ]);
    expect(client.told.some(isLamp('1008', 'idle'))).toBe(true);
  });

  it('says what it does not understand, and closes on who goes on', async () => {
    const client = await LampClient.connect('1001');
    client.socket.send('what');
    client.say({ type: 'resume', cursor: 'nothing' });
    client.say({ type: 'dance' });
    await client.next(() => client.told.filter(({ type }) => type === 'error').length === 3, 0);
    for (let n = 0; n < 7; n += 1) client.socket.send('[');
    const [code] = await once(client.socket, 'close');
    expect(code).toBe(1008);
  });

  it('needs a token, and its own subprotocol', async () => {
    const refusalOf = async (protocols: string[]): Promise<[number, string | undefined]> => {
      const socket = new WebSocket(lampsUrl(), protocols);
      socket.on('error', () => undefined);
      const [, response] = await once(socket, 'unexpected-response');
      return [response.statusCode, response.headers['www-authenticate']];
    };
    expect(await refusalOf(['lampfield.lamps.v1'])).toEqual([401, 'Bearer']);
    expect(await refusalOf(['lampfield.lamps.v1', 'lampfield.token.wrong'])).toEqual([
      ...[401, 'Bearer error="invalid_token"'],
    ]);
    expect((await refusalOf(['sip']))[0]).toBe(400);
  });

  it('of many users is told all of them', async () => {
    const client = await LampClient.connect('1001');
    const users = Array.from({ length: 100 }, (_, n) => `x${n}`);
    await client.watch(...users);
    expect(client.told.filter(({ type }) => type === 'lamp')).toHaveLength(100);
  });
});
