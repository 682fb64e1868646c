/** Calls between sip.js and JsSIP through two gateways: both build their dialogs, and hang up on what is not right. */
import JsSIP from 'jssip';
import { type Invitation, Inviter, Registerer, RegistererState, type Session, SessionState, UserAgent } from 'sip.js';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { dialogStates, SipClient } from '#test/support/sip-client.ts';
import { installMedia, sessionDescriptions, silence } from './media.ts';
import { Inbox, installWebSocket } from './watcher.ts';

let stack: LocalStack;
beforeAll(async () => {
  installWebSocket();
  installMedia();
  stack = await startStack({ gateways: 2 });
}, 90_000);
afterAll(() => stack.stop());

const uriOf = (user: string) => {
  const uri = UserAgent.makeURI(`sip:${user}@demo.example`);
  if (uri === undefined) throw new Error('no URI');
  return uri;
};

async function sipJs(user: string, gateway: number) {
  const invitations = new Inbox<Invitation>();
  const agent = new UserAgent({
    ...{ uri: uriOf(user), authorizationUsername: user, authorizationPassword: `demo-${user}` },
    ...{ transportOptions: { server: stack.url(gateway) }, logLevel: 'error', gracefulShutdown: false },
    ...{ sessionDescriptionHandlerFactory: sessionDescriptions, delegate: { onInvite: invitations.put } },
  });
  await agent.start();
  onTestFinished(() => agent.stop());
  const registerer = new Registerer(agent);
  const registered = new Promise<void>((resolve) =>
    registerer.stateChange.addListener((state) => state === RegistererState.Registered && resolve()),
  );
  await registerer.register();
  await registered;
  return { agent, invitations };
}

type JsSession = ReturnType<InstanceType<typeof JsSIP.UA>['call']>;

async function jsSip(user: string, gateway: number) {
  const sessions = new Inbox<JsSession>();
  const agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(stack.url(gateway))],
    ...{ uri: `sip:${user}@demo.example`, password: `demo-${user}` },
  });
  agent.on('newRTCSession', ({ session, originator }: { session: JsSession; originator: string }) => {
    if (originator === 'remote') sessions.put(session);
  });
  const registered = new Promise<void>((resolve) => agent.once('registered', () => resolve()));
  agent.start();
  onTestFinished(() => agent.stop());
  await registered;
  return { agent, sessions };
}

function statesOf(session: Session): Inbox<SessionState> {
  const states = new Inbox<SessionState>();
  session.stateChange.addListener(states.put);
  return states;
}

/** The names of what a JsSIP session goes through, in order. */
function eventsOf(session: JsSession): Inbox<string> {
  const events = new Inbox<string>();
  for (const name of ['progress', 'accepted', 'confirmed', 'hold', 'unhold', 'ended', 'failed'] as const)
    session.on(name, () => events.put(name));
  return events;
}

const is = (wanted: string) => (value: string) => value === wanted;

async function lampOf(user: string) {
  const watcher = await SipClient.connect(stack.url(1), '1015');
  onTestFinished(() => watcher.close());
  const lamp = await watcher.subscribe(user);
  return async (state: string, since = 0): Promise<void> => {
    await watcher.next((message) => lamp.owns(message) && dialogStates(message).includes(state), {
      ...{ since, timeoutMs: 20_000 },
    });
  };
}

it.each([0, 1])('sip.js calls JsSIP (gateway %i): ring, answer, hold, hang up', async (gateway) => {
  const [caller, callee] = [await sipJs('1001', 0), await jsSip('1002', gateway)];
  const lamp = await lampOf('1002');
  const inviter = new Inviter(caller.agent, uriOf('1002'));
  const states = statesOf(inviter);
  await inviter.invite();
  const session = await callee.sessions.next(() => true);
  const events = eventsOf(session);
  await lamp('early');
  session.answer({ mediaStream: silence });
  await states.next(is(SessionState.Established));
  await events.next(is('confirmed'));
  await lamp('confirmed');
  const held = Promise.withResolvers<number>();
  await inviter.invite({
    sessionDescriptionHandlerOptions: { hold: true } as never,
    requestDelegate: {
      onAccept: ({ message }) => held.resolve(message.statusCode ?? 0),
      onReject: ({ message }) => held.resolve(message.statusCode ?? 0),
    },
  });
  expect(await held.promise).toBe(200);
  await events.next(is('hold'));
  await inviter.bye();
  await events.next(is('ended'));
  await lamp('terminated');
});

it('JsSIP calls sip.js and hangs up; sip.js hangs up', async () => {
  const [caller, callee] = [await jsSip('1003', 1), await sipJs('1004', 0)];
  for (const who of ['caller', 'callee']) {
    const before = callee.invitations.size;
    const session = caller.agent.call('sip:1004@demo.example', { mediaStream: silence });
    const events = eventsOf(session);
    const invitation = await callee.invitations.next(() => true, before);
    const states = statesOf(invitation);
    await events.next(is('progress'));
    await invitation.accept();
    await events.next(is('confirmed'));
    if (who === 'caller') session.terminate();
    else await invitation.bye();
    await states.next(is(SessionState.Terminated));
    await events.next(is('ended'));
  }
});

it('a call is cancelled, and one is declined', async () => {
  const [caller, callee] = [await sipJs('1005', 0), await jsSip('1006', 1)];
  const cancelled = new Inviter(caller.agent, uriOf('1006'));
  const states = statesOf(cancelled);
  await cancelled.invite();
  const first = await callee.sessions.next(() => true);
  const events = eventsOf(first);
  await states.next(is(SessionState.Establishing));
  await cancelled.cancel();
  await events.next(is('failed'));
  await states.next(is(SessionState.Terminated));

  const declined = new Inviter(caller.agent, uriOf('1006'));
  const refusal = Promise.withResolvers<number>();
  await declined.invite({
    requestDelegate: { onReject: ({ message }) => refusal.resolve(message.statusCode ?? 0) },
  });
  const second = await callee.sessions.next(() => true, 1);
  second.terminate({ status_code: 603 });
  expect(await refusal.promise).toBe(603);
});

it('a blind transfer: REFER and its NOTIFYs pass, and the third party gets the call', async () => {
  const [caller, callee, third] = [await sipJs('1007', 0), await jsSip('1008', 1), await sipJs('1011', 1)];
  const inviter = new Inviter(caller.agent, uriOf('1008'));
  const states = statesOf(inviter);
  await inviter.invite();
  const session = await callee.sessions.next(() => true);
  session.on('refer', ({ accept }) => void accept(undefined, { mediaStream: silence }));
  session.answer({ mediaStream: silence });
  await states.next(is(SessionState.Established));
  const notified = new Inbox<string>();
  await inviter.refer(uriOf('1011'), {
    onNotify: (notification) => {
      void notification.accept();
      notified.put(notification.request.body);
    },
  });
  const invitation = await third.invitations.next(() => true);
  expect(invitation.remoteIdentity.uri.user).toBe('1008');
  await invitation.accept();
  await notified.next((body) => body.includes('200'));
  await inviter.bye();
  await states.next(is(SessionState.Terminated));
  expect(invitation.state).toBe(SessionState.Established);
});
