/** What is lost when a part dies: nothing that was accepted. Each fault, then the lamp. */
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import {
  dialogInfo,
  dialogStates,
  type ReceivedMessage,
  SipClient,
  type TestSubscription,
} from '#test/support/sip-client.ts';

const SOON = { timeoutMs: 30_000 };
const STOPPED_MS = 10_000;

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
}, 90_000);
afterAll(() => stack.stop());

async function connect(user: string, gateway = 0): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(gateway), user);
  onTestFinished(() => client.close());
  return client;
}

/** Connects as soon as the gateway takes connections and its functions answer. */
async function reconnect(user: string, gateway = 0): Promise<SipClient> {
  await vi.waitFor(async () => expect((await fetch(`${stack.httpUrl(gateway)}readyz`)).status).toBe(200), {
    timeout: 30_000,
    interval: 100,
  });
  return connect(user, gateway);
}

function publish(pbx: SipClient, user: string, state: string, ifMatch?: string): Promise<ReceivedMessage> {
  const body = dialogInfo(`sip:${user}@demo.example`, { state });
  return pbx.publish(user, body, ifMatch === undefined ? {} : { ifMatch });
}

/** Publishes until it is accepted, and gives the entity-tag. */
async function publishUntilDone(pbx: SipClient, user: string, state: string, ifMatch?: string): Promise<string> {
  return vi.waitFor(
    async () => {
      const answer = await publish(pbx, user, state, ifMatch);
      expect(answer.status).toBe(200);
      return answer.header('sip-etag');
    },
    { timeout: 30_000, interval: 200 },
  );
}

const lamp = (subscription: TestSubscription, state: string, client = subscription.client): Promise<ReceivedMessage> =>
  subscription.nextNotify(`>${state}</state>`, { ...SOON, since: 0, client });

function requireCounting(subscription: TestSubscription): void {
  const cseqs = subscription.notifies().map((notify) => Number.parseInt(notify.header('cseq'), 10));
  expect(cseqs).toEqual(cseqs.map((_, i) => (cseqs[0] ?? 0) + i));
}

it('a gateway is killed: its watchers go on in the same dialog on the other one and on the restarted one', async () => {
  const [first, second, pbx] = [await connect('1001'), await connect('1002'), await connect('pbx', 1)];
  const [toOther, toSame] = [await first.subscribe('1003'), await second.subscribe('1003')];
  const early = (await publish(pbx, '1003', 'early')).header('sip-etag');
  const before = await lamp(toOther, 'early');
  await lamp(toSame, 'early');
  const restarted = stack.restarted('gateway-1');
  stack.kill('gateway-1');
  await vi.waitFor(() => expect([first.closeCode, second.closeCode]).not.toContain(undefined), { timeout: 30_000 });
  const ifMatch = await publishUntilDone(pbx, '1003', 'confirmed', early);

  const other = await connect('1001', 1);
  expect((await toOther.refresh(600, { client: other })).status).toBe(200);
  const after = await lamp(toOther, 'confirmed', other);
  expect(Number.parseInt(after.header('cseq'), 10)).toBeGreaterThan(Number.parseInt(before.header('cseq'), 10));
  await restarted;
  const same = await reconnect('1002');
  expect((await toSame.refresh(600, { client: same })).status).toBe(200);
  await lamp(toSame, 'confirmed', same);
  await publish(pbx, '1003', 'trying', ifMatch);
  await Promise.all([lamp(toOther, 'trying', other), lamp(toSame, 'trying', same)]);
}, 60_000);

it('the streams poller is killed in the middle: every lamp ends right, none is told twice', async () => {
  const [watcher, pbx] = [await connect('1001'), await connect('pbx', 1)];
  const subscription = await watcher.subscribe('1004');
  let ifMatch = await publishUntilDone(pbx, '1004', 'trying');
  for (let round = 0; round < 2; round++) {
    const restarted = stack.restarted('streams');
    ifMatch = await publishUntilDone(pbx, '1004', 'early', ifMatch);
    stack.kill('streams');
    ifMatch = await publishUntilDone(pbx, '1004', 'confirmed', ifMatch);
    await restarted;
  }
  await publishUntilDone(pbx, '1004', 'proceeding', ifMatch);
  const last = await lamp(subscription, 'proceeding');
  expect(subscription.notifies().at(-1)).toBe(last);
  const shown = subscription.notifies().flatMap(dialogStates);
  expect(shown.filter((state, i) => state === shown[i - 1])).toEqual([]);
  requireCounting(subscription);
}, 60_000);

it('the functions are killed: requests get an answer, and later ones succeed', async () => {
  const [watcher, pbx] = [await connect('1001'), await connect('pbx', 1)];
  const subscription = await watcher.subscribe('1005');
  const etag = (await publish(pbx, '1005', 'early')).header('sip-etag');
  await lamp(subscription, 'early');
  const restarted = stack.restarted('functions');
  stack.kill('functions');
  const answer = await publish(pbx, '1005', 'confirmed', etag);
  if (answer.status === 503) expect(answer.header('retry-after')).toMatch(/^\d+$/);
  else expect(answer.status).toBe(200);
  await restarted;
  // What was answered 503 may have been done all the same: then the old entity-tag is unknown (412) and the client begins anew.
  if (answer.status === 503) await publishUntilDone(pbx, '1005', 'confirmed');
  await lamp(subscription, 'confirmed');
}, 60_000);

it('DynamoDB stands still for 10 s: 503 with Retry-After, then recovery, and nothing accepted is lost', async () => {
  const [watcher, pbx] = [await connect('1001'), await connect('pbx', 1)];
  const subscription = await watcher.subscribe('1006');
  await publish(pbx, '1006', 'early');
  await lamp(subscription, 'early');
  const resumeAt = performance.now() + STOPPED_MS;
  stack.kill('dynamodb', 'SIGSTOP');
  try {
    const answers = await Promise.all([publish(pbx, '1006', 'confirmed'), watcher.request(refreshOf(watcher))]);
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
    }
    expect(performance.now()).toBeLessThan(resumeAt);
    await new Promise((resolve) => setTimeout(resolve, resumeAt - performance.now())); // the outage has a length
  } finally {
    stack.kill('dynamodb', 'SIGCONT');
  }
  const since = watcher.received.length;
  const ifMatch = await publishUntilDone(pbx, '1006', 'confirmed');
  await lamp(subscription, 'confirmed');
  await publishUntilDone(pbx, '1006', 'terminated', ifMatch);
  const last = await subscription.nextNotify('>terminated</state>', { ...SOON, since });
  expect(dialogStates(last)).toEqual(['terminated']);
  expect((await subscription.refresh(600)).status).toBe(200);
  requireCounting(subscription);
}, 90_000);

const refreshOf = (client: SipClient) => ({
  ...{ method: 'SUBSCRIBE', uri: 'sip:1007@demo.example' },
  headers: ['Event: dialog', `Contact: ${client.contact}`],
});

it('a socket is cut in mid-NOTIFY: the client comes back to the state that it missed', async () => {
  const [watcher, pbx] = [await connect('1001'), await connect('pbx', 1)];
  const subscription = await watcher.subscribe('1008');
  watcher.answerNotify = () => {
    watcher.cut();
    return undefined;
  };
  const early = (await publish(pbx, '1008', 'early')).header('sip-etag');
  const cut = await lamp(subscription, 'early');
  await publish(pbx, '1008', 'confirmed', early);
  const back = await connect('1001');
  expect((await subscription.refresh(600, { client: back })).status).toBe(200);
  const after = await lamp(subscription, 'confirmed', back);
  expect(Number.parseInt(after.header('cseq'), 10)).toBeGreaterThan(Number.parseInt(cut.header('cseq'), 10));
});

it('Ctrl-C leaves no process', async () => {
  const own = await startStack({ gateways: 2 });
  const pids = [own.supervisorPid, ...Object.values(own.pids)];
  expect(pids.filter(isAlive)).toEqual(pids);
  process.kill(own.supervisorPid, 'SIGINT');
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 30_000, interval: 100 });
}, 90_000);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
