/** sip.js as a watcher: somebody else's RFC 6665 against ours. */
import { type Notification, Registerer, RegistererState, Subscriber, SubscriptionState, UserAgent } from 'sip.js';
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

const uriOf = (user: string, domain = 'demo.example') => {
  const uri = UserAgent.makeURI(`sip:${user}@${domain}`);
  if (uri === undefined) throw new Error('no URI');
  return uri;
};

async function userAgent(user: string): Promise<UserAgent> {
  const agent = new UserAgent({
    uri: uriOf(user),
    authorizationUsername: user,
    authorizationPassword: `demo-${user}`,
    transportOptions: { server: stack.url() },
    logLevel: 'error',
    gracefulShutdown: false,
  });
  await agent.start();
  onTestFinished(() => agent.stop());
  return agent;
}

interface Seen {
  readonly body: string;
  readonly state: string;
}

function watch(agent: UserAgent, user: string, expires = 600, domain = 'demo.example') {
  const seen = new Inbox<Seen>();
  const states = new Inbox<SubscriptionState>();
  const subscriber = new Subscriber(agent, uriOf(user, domain), 'dialog', {
    expires,
    extraHeaders: ['Accept: application/dialog-info+xml'],
    delegate: {
      onNotify(notification: Notification) {
        void notification.accept();
        const { body } = notification.request;
        seen.put({ body, state: notification.request.getHeader('Subscription-State') ?? '' });
      },
    },
  });
  subscriber.stateChange.addListener(states.put);
  return { subscriber, seen, states };
}

const shows = (state: string) => (seen: Seen) => seen.body.includes(`>${state}</state>`);

it('registers, subscribes and is notified through the other gateway', async () => {
  const agent = await userAgent('1001');
  const registrations = new Inbox<RegistererState>();
  const registerer = new Registerer(agent);
  registerer.stateChange.addListener(registrations.put);
  await registerer.register();
  await registrations.next((state) => state === RegistererState.Registered);
  const { subscriber, seen, states } = watch(agent, '1002');
  await subscriber.subscribe();
  await states.next((state) => state === SubscriptionState.Subscribed);
  await seen.next(shows('terminated'));
  let ifMatch: string | undefined;
  for (const state of ['early', 'confirmed']) {
    ifMatch = await publishState(pbx, '1002', state, ifMatch);
    await seen.next(shows(state));
  }
  const before = seen.size;
  await publishState(pbx, '1002', 'terminated', ifMatch);
  await seen.next(shows('terminated'), before);
});

it('refreshes by itself in the same subscription, and unsubscribes with a last NOTIFY', async () => {
  const { subscriber, seen, states } = watch(await userAgent('1001'), '1003', 20);
  await subscriber.subscribe();
  await seen.next(shows('terminated'));
  // At 90 % it sends a re-SUBSCRIBE, whose NOTIFY comes here: 2 s are left, so that a busy machine is in time.
  await seen.next(({ state }) => state.startsWith('active'), 1, 40_000);
  // sip.js hands nothing on after its un-SUBSCRIBE: the last NOTIFY shows on the wire only.
  const wire = new Inbox<string>();
  sockets.at(-1)?.on('message', (data) => wire.put(String(data)));
  await subscriber.unsubscribe();
  await states.next((state) => state === SubscriptionState.Terminated);
  const last = await wire.next((text) => text.startsWith('NOTIFY '));
  expect(last).toMatch(/Subscription-State: terminated;reason=timeout\r\n[\s\S]*<dialog-info/);
});

it('catches up after its connection is lost', async () => {
  const agent = await userAgent('1001');
  const first = watch(agent, '1004');
  await first.subscriber.subscribe();
  await first.seen.next(shows('terminated'));
  const lost = new Promise<void>((resolve) => agent.transport.stateChange.addListener(() => resolve()));
  sockets.at(-1)?.terminate();
  await lost;
  await publishState(pbx, '1004', 'confirmed');
  await agent.reconnect();
  const { subscriber, seen } = watch(agent, '1004');
  await subscriber.subscribe();
  await seen.next(shows('confirmed'));
});

it('is told when it may not watch', async () => {
  const { subscriber, states, seen } = watch(await userAgent('1001'), '1002', 600, 'acme.example');
  await subscriber.subscribe();
  await states.next((state) => state === SubscriptionState.Terminated);
  expect(seen.size).toBe(0);
});
