/** sip.js as telephones: somebody else's RFC 3261 through our proxy, the lamps watched by a third of them. */
import {
  type Invitation,
  Inviter,
  type Notification,
  Registerer,
  type Session,
  type SessionDelegate,
  type SessionDescriptionHandler,
  SessionState,
  Subscriber,
  UserAgent,
  type UserAgentOptions,
} from 'sip.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { SDP } from '#test/support/phone.ts';
import { Inbox, installWebSocket, sockets } from './watcher.ts';

let stack: LocalStack;
beforeAll(async () => {
  installWebSocket();
  stack = await startStack({ gateways: 2 });
}, 120_000);
afterAll(() => stack.stop());

const LAMP_MS = 40_000;
const LONG = 90_000;

const uriOf = (user: string) => {
  const uri = UserAgent.makeURI(`sip:${user}@demo.example`);
  if (uri === undefined) throw new Error('no URI');
  return uri;
};

/** Node has no WebRTC: descriptions are texts, on hold they say so. */
class TextSession implements SessionDescriptionHandler {
  received = '';
  readonly close = (): void => {};
  readonly hasDescription = (type: string): boolean => type === 'application/sdp';
  readonly sendDtmf = (): boolean => false;
  readonly rollbackDescription = (): Promise<void> => Promise.resolve();
  getDescription(options?: object) {
    const direction = JSON.stringify(options ?? {}).includes('hold') ? 'a=sendonly\r\n' : '';
    return Promise.resolve({ body: `${SDP}${direction}`, contentType: 'application/sdp' });
  }
  setDescription(sdp: string): Promise<void> {
    this.received = sdp;
    return Promise.resolve();
  }
}

interface Telephone {
  readonly agent: UserAgent;
  readonly invitations: Inbox<Invitation>;
  /** The socket of its flow. */
  readonly socket: () => (typeof sockets)[number];
}

async function telephone(user: string, gateway = 0, more: UserAgentOptions = {}): Promise<Telephone> {
  const invitations = new Inbox<Invitation>();
  const agent = new UserAgent({
    ...{ uri: uriOf(user), authorizationUsername: user, authorizationPassword: `demo-${user}` },
    ...{ transportOptions: { server: stack.url(gateway) }, logLevel: 'error', gracefulShutdown: false },
    sessionDescriptionHandlerFactory: () => new TextSession(),
    delegate: { onInvite: invitations.put },
    ...more,
  });
  const before = sockets.length;
  await agent.start();
  onTestFinished(() => agent.stop().catch(() => {}));
  const registered = new Inbox<string>();
  const registerer = new Registerer(agent);
  registerer.stateChange.addListener(registered.put);
  await registerer.register();
  await registered.next((state) => state === 'Registered');
  return {
    agent,
    invitations,
    socket() {
      const socket = sockets[before];
      if (socket === undefined) throw new Error('no socket');
      return socket;
    },
  };
}

/** By the states of the dialogs that are not over. */
const SHOWS = {
  free: (states: readonly string[]) => states.length === 0,
  ringing: (states: readonly string[]) => states.length > 0 && states.every((state) => state === 'early'),
  busy: (states: readonly string[]) => states.join() === 'confirmed',
};

/** The lamp of a user as a third user sees it. */
class Lamp {
  readonly #bodies = new Inbox<string>();

  static async of(user: string): Promise<Lamp> {
    const lamp = new Lamp();
    const { agent } = await telephone('1009', 1);
    const subscriber = new Subscriber(agent, uriOf(user), 'dialog', {
      extraHeaders: ['Accept: application/dialog-info+xml'],
      delegate: {
        onNotify(notification: Notification) {
          void notification.accept();
          lamp.#bodies.put(notification.request.body);
        },
      },
    });
    await subscriber.subscribe();
    await lamp.is('free');
    return lamp;
  }

  /** Waits until it shows this and nothing else. */
  async is(wanted: keyof typeof SHOWS, since = 0): Promise<void> {
    await this.#bodies.next((body) => SHOWS[wanted](statesIn(body)), since, LAMP_MS);
  }

  get seen(): number {
    return this.#bodies.size;
  }
}

/** States of the dialogs that are not over. */
const statesIn = (body: string): string[] =>
  [...body.matchAll(/<state[^>]*>([a-z]+)<\/state>/g)]
    .map(([, state = '']) => state)
    .filter((state) => state !== 'terminated');

interface Call {
  readonly inviter: Inviter;
  readonly states: Inbox<SessionState>;
  /** Status of each answer. */
  readonly answers: Inbox<number>;
}

async function call(from: Telephone, user: string, delegate: SessionDelegate = {}): Promise<Call> {
  const inviter = new Inviter(from.agent, uriOf(user), { earlyMedia: false });
  const [states, answers] = [new Inbox<SessionState>(), new Inbox<number>()];
  inviter.delegate = delegate;
  inviter.stateChange.addListener(states.put);
  const take = ({ message }: { message: { statusCode?: number } }): void => answers.put(message.statusCode ?? 0);
  await inviter.invite({
    requestDelegate: { onTrying: take, onProgress: take, onAccept: take, onReject: take },
  });
  return { inviter, states, answers };
}

const received = (phone: Telephone, since = 0): Promise<Invitation> => phone.invitations.next(() => true, since);
const statesOf = (session: Session): Inbox<SessionState> => {
  const states = new Inbox<SessionState>();
  session.stateChange.addListener(states.put);
  return states;
};
const over = (state: SessionState): boolean => state === SessionState.Terminated;
const up = (state: SessionState): boolean => state === SessionState.Established;

/** Two telephones in a call, on a gateway each, and the lamps of both. */
async function talking(one: string, other: string) {
  const [caller, callee] = [await telephone(one), await telephone(other, 1)];
  const lamps = [await Lamp.of(one), await Lamp.of(other)];
  const made = await call(caller, other);
  const taken = await received(callee);
  const takenStates = statesOf(taken);
  await taken.accept();
  await made.states.next(up);
  await Promise.all(lamps.map((lamp) => lamp.is('busy')));
  const free = async (): Promise<void> => {
    const since = lamps.map(({ seen }) => seen);
    await Promise.all(lamps.map((lamp, i) => lamp.is('free', (since[i] ?? 1) - 1)));
  };
  return { caller, callee, ...made, taken, takenStates, lamps, free };
}

describe('a call', () => {
  it(
    'rings, is answered, and ended by the callee',
    async () => {
      const [caller, callee] = [await telephone('1001'), await telephone('1002', 1)];
      const lamps = [await Lamp.of('1001'), await Lamp.of('1002')];
      const { states, answers } = await call(caller, '1002');
      const invitation = await received(callee);
      await invitation.progress();
      await answers.next((status) => status === 180);
      await Promise.all(lamps.map((lamp) => lamp.is('ringing')));
      await invitation.accept();
      await states.next(up);
      await Promise.all(lamps.map((lamp) => lamp.is('busy')));
      const since = lamps.map(({ seen }) => seen);
      await invitation.bye();
      await states.next(over);
      await Promise.all(lamps.map((lamp, i) => lamp.is('free', since[i])));
    },
    LONG,
  );

  it(
    'is cancelled by the caller',
    async () => {
      const [caller, callee] = [await telephone('1001'), await telephone('1002', 1)];
      const lamp = await Lamp.of('1002');
      const { inviter, states, answers } = await call(caller, '1002');
      const invitation = await received(callee);
      const calleeStates = statesOf(invitation);
      await lamp.is('ringing');
      const since = lamp.seen;
      await inviter.cancel();
      await Promise.all([states.next(over), calleeStates.next(over), lamp.is('free', since)]);
      await answers.next((status) => status === 487);
    },
    LONG,
  );

  it(
    'is busy',
    async () => {
      const [caller, callee] = [await telephone('1001'), await telephone('1002', 1)];
      const lamp = await Lamp.of('1001');
      const { states, answers } = await call(caller, '1002');
      const invitation = await received(callee);
      await lamp.is('ringing');
      const since = lamp.seen;
      await invitation.reject({ statusCode: 486 });
      await Promise.all([answers.next((status) => status === 486), states.next(over)]);
      await lamp.is('free', since);
    },
    LONG,
  );

  it(
    'goes to two devices: one answers, the other stops ringing, the lamp is busy once',
    async () => {
      const [caller, one, other] = [await telephone('1001'), await telephone('1002'), await telephone('1002', 1)];
      const lamp = await Lamp.of('1002');
      const { inviter, states } = await call(caller, '1002');
      const [ringing, answering] = [await received(one), await received(other)];
      const ringingStates = statesOf(ringing);
      await answering.accept();
      await Promise.all([states.next(up), ringingStates.next(over)]);
      await lamp.is('busy');
      const since = lamp.seen;
      await inviter.bye();
      await lamp.is('free', since);
    },
    LONG,
  );

  it(
    'goes to two devices, and both decline: the best answer',
    async () => {
      const [caller, one, other] = [await telephone('1001'), await telephone('1002'), await telephone('1002', 1)];
      const lamp = await Lamp.of('1002');
      const { states, answers } = await call(caller, '1002');
      const [first, second] = [await received(one), await received(other)];
      await lamp.is('ringing');
      const since = lamp.seen;
      await first.reject({ statusCode: 486 });
      await second.reject({ statusCode: 480 });
      await states.next(over);
      await answers.next((status) => status === 486 || status === 480);
      await lamp.is('free', since);
    },
    LONG,
  );
});

it('a CANCEL and the answer to the call cross: in the end nobody is in a call', async () => {
  const [caller, callee] = [await telephone('1001'), await telephone('1002', 1)];
  const lamps = [await Lamp.of('1001'), await Lamp.of('1002')];
  const { inviter, states } = await call(caller, '1002');
  const invitation = await received(callee);
  const calleeStates = statesOf(invitation);
  const since = lamps.map(({ seen }) => seen);
  await Promise.all([invitation.accept().catch(() => {}), inviter.cancel()]);
  await Promise.all([states.next(over), calleeStates.next(over)]);
  await Promise.all(lamps.map((lamp, i) => lamp.is('free', since[i])));
}, 90_000);

describe('a call that stands', () => {
  it(
    'is put on hold by a re-INVITE, and the lamp stays',
    async () => {
      const { inviter, taken, free } = await talking('1001', '1002');
      inviter.sessionDescriptionHandlerOptionsReInvite = { constraints: { hold: true } };
      const accepted = Promise.withResolvers<void>();
      await inviter.invite({ requestDelegate: { onAccept: () => accepted.resolve() } });
      await accepted.promise;
      expect((taken.sessionDescriptionHandler as TextSession).received).toContain('a=sendonly');
      const freed = free();
      await taken.bye();
      await freed;
    },
    LONG,
  );

  it(
    'survives a glare: both re-INVITE at once, one or both are told to wait (491)',
    async () => {
      const { inviter, taken, states, free } = await talking('1001', '1002');
      const outcome = (session: Session): Promise<number> =>
        new Promise((resolve) => {
          const take = ({ message }: { message: { statusCode?: number } }): void => resolve(message.statusCode ?? 0);
          void session.invite({ requestDelegate: { onAccept: take, onReject: take } }).catch(() => resolve(0));
        });
      const glare = () => Promise.all([outcome(inviter), outcome(taken)]);
      let statuses = await glare();
      // Who hears the other side before it has sent its own does not send it: then they did not meet.
      for (let again = 0; again < 20 && statuses.includes(0); again += 1) statuses = await glare();
      expect(
        statuses.every((status) => [200, 491, 500].includes(status)),
        statuses.join(),
      ).toBe(true);
      expect(statuses).toContain(491);
      const freed = free();
      await inviter.bye();
      await Promise.all([states.next(over), freed]);
    },
    LONG,
  );

  it(
    'is transferred: REFER, a new call, NOTIFYs in the dialog, then BYE',
    async () => {
      const target = await telephone('1003', 1);
      const { inviter, taken, lamps } = await talking('1001', '1002');
      const notified = new Inbox<string>();
      taken.delegate = {
        onRefer: (referral) => {
          void referral.accept().then(() => referral.makeInviter().invite());
        },
      };
      const lamp = await Lamp.of('1003');
      const referred = Promise.withResolvers<number>();
      await inviter.refer(uriOf('1003'), {
        onNotify: (notification: Notification) =>
          void notification.accept().then(() => notified.put(notification.request.body)),
        requestDelegate: {
          onAccept: ({ message }) => referred.resolve(message.statusCode ?? 0),
          onReject: ({ message }) => referred.resolve(message.statusCode ?? 0),
        },
      });
      expect(await referred.promise).toBe(202);
      const passedOn = await received(target);
      await passedOn.accept();
      await lamp.is('busy');
      await notified.next((body) => body.includes('200'));
      const [since, sinceOwn] = [lamp.seen, lamps[0]?.seen];
      await inviter.bye();
      await lamps[0]?.is('free', sinceOwn);
      await passedOn.bye();
      await lamp.is('free', since);
    },
    LONG,
  );

  it(
    'ends when the socket of a party is cut: the other side gets a BYE, both lamps go out',
    async () => {
      const { callee, states, free } = await talking('1001', '1002');
      const freed = free();
      await callee.agent.stop().catch(() => {});
      callee.socket().terminate();
      const beganMs = performance.now();
      await Promise.all([states.next(over, 0, LAMP_MS), freed]);
      expect(performance.now() - beganMs).toBeLessThan(LAMP_MS);
    },
    LONG,
  );

  it(
    'is over for the lamps when the gateway that keeps it is killed',
    async () => {
      const { free } = await talking('1001', '1002');
      const freed = free();
      stack.kill('gateway-1');
      await Promise.all([freed, stack.restarted('gateway-1')]);
    },
    LONG,
  );
});
