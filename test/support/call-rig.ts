/** Gateways whose functions are told by the test where calls go; phones that register with them. */
import type { CallRoute, CallSnapshot, CallTarget } from '#contract/call.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { readConfig } from '#gateway/config.ts';
import { type RunningGateway, startGateway } from '#gateway/gateway.ts';
import { FakeFunctions } from './fake-functions.ts';
import { PATIENCE_MS } from './patience.ts';
import { type Outgoing, Phone, type PhoneDialog, SDP } from './phone.ts';
import type { ReceivedMessage } from './sip-client.ts';

export const SECRET = 'a-secret-of-the-tests';

interface Lease {
  readonly gatewayId: string;
  readonly address: string;
}

interface Registration {
  readonly user: string;
  readonly contactUri: string;
  readonly gatewayId: string;
  readonly flowId: string;
  readonly instance: string | undefined;
  readonly q: number;
}

/** A call that stands: both phones, and their dialogs. */
export interface Conversation {
  readonly caller: Phone;
  readonly callee: Phone;
  readonly invite: ReceivedMessage;
  readonly ours: PhoneDialog;
  readonly theirs: PhoneDialog;
}

export class CallRig {
  readonly functions: FakeFunctions;
  readonly gateways: RunningGateway[] = [];
  readonly #phones: Phone[] = [];
  #registrations: Registration[] = [];
  /** What a route says apart from its targets. */
  policy: Partial<CallRoute> = {};
  /** Another answer than a route. */
  decide: ((envelope: RequestEnvelope) => OutcomeInput | Promise<OutcomeInput> | undefined) | undefined;
  #calls = 0;

  private constructor(functions: FakeFunctions) {
    this.functions = functions;
    functions.answer = (envelope) => this.#answer(envelope);
  }

  static async start(count = 1, extra: NodeJS.ProcessEnv = {}): Promise<CallRig> {
    const rig = new CallRig(await FakeFunctions.start());
    for (let i = 0; i < count; i++) await rig.addGateway(extra);
    return rig;
  }

  async addGateway(extra: NodeJS.ProcessEnv = {}): Promise<RunningGateway> {
    Object.assign(process.env, { AWS_REGION: 'local', AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' });
    const config = readConfig({
      ...{ PORT: '0', HOST: '127.0.0.1', INSTRUCTION_PORT: '0', LOG_LEVEL: 'silent', DRAIN_SECONDS: '0' },
      FUNCTIONS: JSON.stringify({
        methods: { REGISTER: 'register', SUBSCRIBE: 'subscribe', INVITE: 'call' },
        ...{ flowClosed: 'flow-closed', lease: 'lease', callReport: 'call-report' },
      }),
      ...{ LAMBDA_ENDPOINT: this.functions.endpoint, INSTRUCTION_SECRET: SECRET, CALL_GRACE_SECONDS: '1' },
      ...extra,
    });
    const gateway = await startGateway(config, '127.0.0.1');
    this.gateways.push(gateway);
    return gateway;
  }

  urlOf(index = 0): string {
    return `ws://127.0.0.1:${this.gateways[index]?.port}/`;
  }

  leaseOf(gatewayId: string): Lease {
    const leases = this.functions.leases as Lease[];
    const lease = leases.find((each) => each.gatewayId === gatewayId);
    if (lease === undefined) throw new Error(`no lease of ${gatewayId}`);
    return lease;
  }

  /** A phone that is registered: `user` is proven for its flow. */
  async phone(user: string, { gateway = 0, instance = '', q = 1 } = {}): Promise<Phone> {
    const phone = await Phone.connect(this.urlOf(gateway), user);
    this.#phones.push(phone);
    if (instance !== '') phone.contactParams = `;+sip.instance="${instance}"`;
    const answer = await phone.client.exchange(
      phone.client.compose({
        ...{ method: 'REGISTER', uri: 'sip:demo.example', to: `<${phone.client.aor}>` },
        headers: [`Contact: ${phone.client.contact}${phone.contactParams};q=${q}`, 'Expires: 600'],
      }),
    );
    if (answer.status !== 200) throw new Error(`REGISTER was answered ${answer.status}`);
    return phone;
  }

  /** A phone on a flow that has proven nothing. */
  async stranger(user: string, gateway = 0): Promise<Phone> {
    const phone = await Phone.connect(this.urlOf(gateway), user);
    this.#phones.push(phone);
    return phone;
  }

  #answer(envelope: RequestEnvelope): OutcomeInput | Promise<OutcomeInput> {
    const { method } = envelope.request;
    if (method === 'REGISTER') return this.#register(envelope);
    const decided = this.decide?.(envelope);
    if (decided !== undefined) return decided;
    if (envelope.party !== undefined) return this.#locate(envelope.party);
    if (envelope.identity === undefined) return { response: answerOf(407, [['Proxy-Authenticate', 'Digest']]) };
    return { response: answerOf(480), route: this.routeOf(envelope) };
  }

  #register({ request, gatewayId, flowId }: RequestEnvelope): OutcomeInput {
    const contact = request.headers.find(([name]) => name === 'Contact')?.[1] ?? '';
    const user = /sip:([^@]+)@/.exec(request.headers.find(([name]) => name === 'To')?.[1] ?? '')?.[1] ?? '';
    const instance = /\+sip\.instance="([^"]*)"/.exec(contact)?.[1];
    const contactUri = /<([^>]+)>/.exec(contact)?.[1] ?? '';
    const q = Number(/;q=([0-9.]+)/.exec(contact)?.[1] ?? 1);
    this.#registrations = this.#registrations.filter((each) => instance === undefined || each.instance !== instance);
    this.#registrations.push({ user, contactUri, gatewayId, flowId, instance, q });
    return { response: answerOf(200), identity: { domain: 'demo.example', user, role: 'user' }, registered: true };
  }

  #locate({ instance, contactUri }: { instance?: string | undefined; contactUri: string }): OutcomeInput {
    const found = this.#registrations.findLast((each) =>
      instance === undefined ? each.contactUri === contactUri : each.instance === instance,
    );
    const route = { ...this.#routeTo([]), targets: found === undefined ? [] : [this.#targetOf(found)] };
    return found === undefined ? { response: answerOf(480) } : { response: answerOf(480), route };
  }

  /** All contacts of the user whom the Request-URI names. */
  routeOf({ request, identity }: RequestEnvelope): CallRoute {
    const user = /^sip:([^@]+)@/.exec(request.requestUri)?.[1] ?? '';
    const route = this.#routeTo(this.#registrations.filter((each) => each.user === user));
    return {
      ...route,
      caller: `sip:${identity?.user}@demo.example`,
      callee: `sip:${user}@demo.example`,
      ...this.policy,
    };
  }

  #routeTo(registrations: readonly Registration[]): CallRoute {
    return {
      ...{ domain: 'demo.example', callKey: `key-${++this.#calls}`, caller: '', callee: '', headers: [] },
      ...{ noAnswerMs: 20_000, noAnswerStatus: 480, maxDurationMs: 3_600_000 },
      targets: registrations.map((each) => this.#targetOf(each)),
    };
  }

  #targetOf({ contactUri, gatewayId, flowId, instance, q }: Registration): CallTarget {
    const { address } = this.leaseOf(gatewayId);
    return {
      ...{ kind: 'flow', flow: { gatewayId, address, flowId } as CallTarget['flow'], contactUri, q },
      ...(instance === undefined ? {} : { instance }),
    };
  }

  /** Two phones in a call, the callee with this tag. */
  async converse(caller: Phone, callee: Phone, headers: readonly string[] = []): Promise<Conversation> {
    const since = callee.client.received.length;
    const outgoing = caller.invite(callee.client.user);
    const invite = await callee.request('INVITE', since);
    callee.answer(invite, 180);
    callee.answer(invite, 200, { body: SDP, headers: ['Content-Type: application/sdp', ...headers] });
    const accepted = await caller.response(200, 'INVITE', outgoing.since);
    const ours = caller.dialogOf(accepted);
    caller.sendIn(ours, 'ACK');
    await callee.request('ACK', since);
    return { caller, callee, invite, ours, theirs: callee.calleeDialogOf(invite) };
  }

  /** Snapshots of one call, in the order of their coming. */
  snapshotsOf(callId: string): CallSnapshot[] {
    return this.functions.snapshots.filter((snapshot) => snapshot.callId === callId);
  }

  /** The last snapshot of a call, once it has this state. */
  async untilState(callId: string, state: CallSnapshot['state'], timeoutMs = PATIENCE_MS): Promise<CallSnapshot> {
    const untilMs = Date.now() + timeoutMs;
    for (;;) {
      const last = this.snapshotsOf(callId).at(-1);
      if (last?.state === state) return last;
      if (Date.now() > untilMs) throw new Error(`the call is ${JSON.stringify(last)}, not ${state}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** What functions were asked about one call: those of earlier tests may still be ending. */
  asked(callId: string): RequestEnvelope[] {
    const isOfCall = ([name, value]: readonly [string, string]): boolean =>
      name.toLowerCase() === 'call-id' && value === callId;
    return this.functions.invocations
      .flatMap(({ envelopes }) => envelopes)
      .filter(({ request }) => request.headers.some(isOfCall));
  }

  async clear(): Promise<void> {
    await Promise.all(this.#phones.splice(0).map((phone) => phone.client.close()));
    this.#registrations = [];
    this.policy = {};
    this.decide = undefined;
    this.functions.snapshots.length = 0;
    this.functions.invocations.length = 0;
    this.functions.refusedCallReports = 0;
  }

  async stop(): Promise<void> {
    await this.clear();
    await Promise.all(this.gateways.map((gateway) => gateway.drain()));
    this.functions.stop();
  }
}

export const answerOf = (status: number, headers: [string, string][] = []) => ({ status, reason: 'Answer', headers });

/** Refuses the caller's INVITE as far as the transaction goes: the caller acknowledges. */
export async function acknowledgeRefusal(caller: Phone, outgoing: Outgoing, status: number): Promise<ReceivedMessage> {
  const refused = await caller.response(status, 'INVITE', outgoing.since);
  caller.hopByHop('ACK', outgoing, refused.header('to'));
  return refused;
}
