/** JsSIP as a watcher: it builds its dialog from our 200, and checks Event, id, Contact and CSeq strictly. */
import JsSIP from 'jssip';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { SipClient } from '#test/support/sip-client.ts';
import { Inbox, installWebSocket, publishState, sockets } from './watcher.ts';

let stack: LocalStack;
let pbx: SipClient;
beforeAll(async () => {
  installWebSocket();
  stack = await startStack({ gateways: 2 });
  pbx = await SipClient.connect(stack.url(1), 'pbx');
}, 90_000);
afterAll(async () => {
  await pbx.close();
  await stack.stop();
});

type UA = InstanceType<typeof JsSIP.UA>;

async function userAgent(user: string): Promise<UA> {
  const agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(stack.url())],
    uri: `sip:${user}@demo.example`,
    password: `demo-${user}`,
    connection_recovery_min_interval: 1,
    connection_recovery_max_interval: 2,
  });
  const registered = new Promise<void>((resolve) => agent.once('registered', () => resolve()));
  agent.start();
  onTestFinished(() => agent.stop());
  await registered;
  return agent;
}

interface Seen {
  readonly body: string;
  readonly isFinal: boolean;
}

function watch(agent: UA, user: string, options: { expires?: number; event?: string; domain?: string } = {}) {
  const { expires = 600, event = 'dialog', domain = 'demo.example' } = options;
  const seen = new Inbox<Seen>();
  const ends = new Inbox<number>();
  const subscriber = agent.subscribe(`sip:${user}@${domain}`, event, 'application/dialog-info+xml', {
    expires,
    contentType: 'application/dialog-info+xml',
  });
  subscriber.on('notify', (isFinal, _request, body = '') => seen.put({ body, isFinal }));
  subscriber.on('terminated', (code) => ends.put(code));
  subscriber.subscribe();
  return { subscriber, seen, ends };
}

const shows = (state: string) => (seen: Seen) => seen.body.includes(`>${state}</state>`);

it.each(['dialog', 'dialog;id=7'])('subscribes to %s and is notified through the other gateway', async (event) => {
  const user = event === 'dialog' ? '1005' : '1006';
  const { seen, ends } = watch(await userAgent('1001'), user, { event });
  await seen.next(shows('terminated'));
  let ifMatch: string | undefined;
  for (const state of ['early', 'confirmed']) {
    ifMatch = await publishState(pbx, user, state, ifMatch);
    await seen.next(shows(state));
  }
  const before = seen.size;
  await publishState(pbx, user, 'terminated', ifMatch);
  await seen.next(shows('terminated'), before);
  expect(ends.size).toBe(0);
});

it('refreshes by itself, and unsubscribes with a last NOTIFY that has a body', async () => {
  const { subscriber, seen, ends } = watch(await userAgent('1001'), '1007', { expires: 6 });
  await seen.next(shows('terminated'));
  await seen.next(({ isFinal }) => !isFinal, 1); // the NOTIFY of the refresh, 5 s before the end
  subscriber.terminate();
  expect(await seen.next(({ isFinal }) => isFinal)).toMatchObject({ body: expect.stringContaining('dialog-info') });
  expect(await ends.next(() => true)).toBe(subscriber.C.FINAL_NOTIFY_RECEIVED);
});

it('comes back by itself after its connection is lost, and catches up', async () => {
  const agent = await userAgent('1001');
  const { seen } = watch(agent, '1008');
  await seen.next(shows('terminated'));
  const again = new Promise<void>((resolve) => agent.once('registered', () => resolve()));
  sockets.at(-1)?.terminate();
  await publishState(pbx, '1008', 'confirmed');
  await again;
  await watch(agent, '1008').seen.next(shows('confirmed'));
});

it('is told when it may not watch', async () => {
  const { subscriber, ends, seen } = watch(await userAgent('1001'), '1002', { domain: 'acme.example' });
  expect(await ends.next(() => true)).toBe(subscriber.C.SUBSCRIBE_NON_OK_RESPONSE);
  expect(seen.size).toBe(0);
});

it('sends a message that another JsSIP receives, and learns that nobody is there', async () => {
  const [alice, bob] = [await userAgent('1001'), await userAgent('1002')];
  const received = new Inbox<{ from: string; body: string }>();
  bob.on('newMessage', ({ originator, request }: { originator: string; request: { from: unknown; body: string } }) => {
    if (originator === 'remote') received.put({ from: String(request.from), body: request.body });
  });
  const send = (user: string): Promise<string> =>
    new Promise((resolve) => {
      alice.sendMessage(`sip:${user}@demo.example`, 'Grüße 👋', {
        eventHandlers: {
          succeeded: () => resolve('succeeded'),
          failed: ({ cause }: { cause?: string }) => resolve(String(cause)),
        },
      });
    });
  expect(await send('1002')).toBe('succeeded');
  expect(await received.next(() => true)).toMatchObject({
    body: 'Grüße 👋',
    from: expect.stringContaining('1001@demo'),
  });
  expect([await send('1009'), await send('4711')]).toEqual(['Unavailable', 'Not Found']);
});
