/** A herd comes back at once, as after a gateway was lost: every subscription is taken over, and every lamp is right. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import {
  dialogInfo,
  dialogStates,
  type ReceivedMessage,
  SipClient,
  type TestSubscription,
} from '#test/support/sip-client.ts';

const SUBSCRIPTIONS = Number(process.env.STORM_SUBSCRIPTIONS ?? 300);
const PER_FLOW = SUBSCRIPTIONS > 1_000 ? 20 : 1;
const FLOWS = SUBSCRIPTIONS / PER_FLOW;
/** The time in which they all come back. */
const WITHIN_MS = SUBSCRIPTIONS;
const PATIENT = { timeoutMs: 25_000 + SUBSCRIPTIONS * 10, since: 0 };
const PUBLISHED = Array.from({ length: PER_FLOW }, (_, index) => String(1001 + index));

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
}, 90_000);
afterAll(() => stack.stop());

it(
  `${SUBSCRIPTIONS} subscriptions are taken over at once: each lamp is right, then follows a change`,
  async () => {
    const pbx = await SipClient.connect(stack.url(1), 'pbx');
    const tags: string[] = [];
    for (const user of PUBLISHED) tags.push(await publish(pbx, user, 'early'));
    const flows = await inTurns(FLOWS, (n) => open(n));
    for (const { client } of flows) client.cut();

    const refusals = { count: 0 };
    const beganMs = performance.now();
    const back = await Promise.all(flows.map(({ subscriptions }, n) => comeBack(subscriptions, n, refusals)));
    const tookMs = Math.round(performance.now() - beganMs);
    console.log(
      `${SUBSCRIPTIONS} came back within ${WITHIN_MS} ms, all served after ${tookMs} ms, ${refusals.count} times 503`,
    );
    expect(back.flatMap(lamps).filter((state) => state !== 'early')).toEqual([]);

    await Promise.all(PUBLISHED.map((user, index) => publish(pbx, user, 'confirmed', tags[index])));
    await Promise.all(
      back.flatMap(({ client, subscriptions }) =>
        subscriptions.map((one) => one.nextNotify('>confirmed</state>', { ...PATIENT, client })),
      ),
    );
    expect(back.flatMap(lamps).filter((state) => state !== 'confirmed')).toEqual([]);
    expect(back.flatMap(numbers).filter((rises) => !rises)).toEqual([]);
    await Promise.all([pbx, ...back.map(({ client }) => client)].map((client) => client.close()));
  },
  60_000 + SUBSCRIPTIONS * 30,
);

interface Flow {
  readonly client: SipClient;
  readonly subscriptions: readonly TestSubscription[];
}

async function publish(pbx: SipClient, user: string, state: string, ifMatch?: string): Promise<string> {
  const body = dialogInfo(`sip:${user}@demo.example`, { state });
  const answer = await pbx.publish(user, body, ifMatch === undefined ? {} : { ifMatch });
  expect(answer.status).toBe(200);
  return answer.header('sip-etag');
}

const connect = (gateway: number, n: number): Promise<SipClient> =>
  SipClient.connect(stack.url(gateway), String(1002 + (n % 19)));

async function open(n: number): Promise<Flow> {
  const client = await connect(0, n);
  const subscriptions: TestSubscription[] = [];
  for (const user of PUBLISHED) subscriptions.push(await openOne(client, user));
  return { client, subscriptions };
}

/** On a machine that is busy with other work it may be told to come again. */
async function openOne(client: SipClient, user: string): Promise<TestSubscription> {
  for (;;) {
    const one = await client.subscribe(user);
    if (one.answer.status === 200) return one;
    expect(one.answer.status, one.answer.text).toBe(503);
    await sleep(Number(one.answer.header('retry-after')) * 1_000);
  }
}

/** Connects to the other gateway and refreshes there, all at once; refused for overload, it waits as it is told. */
async function comeBack(
  subscriptions: readonly TestSubscription[],
  n: number,
  refusals: { count: number },
): Promise<Flow> {
  await sleep((n * WITHIN_MS) / FLOWS);
  const client = await connect(1, n);
  const [first, ...others] = subscriptions;
  // The first one proves who the flow is.
  if (first !== undefined) await takeOver(first, client, refusals);
  await Promise.all(others.map((one) => takeOver(one, client, refusals)));
  return { client, subscriptions };
}

async function takeOver(one: TestSubscription, client: SipClient, refusals: { count: number }): Promise<void> {
  for (;;) {
    const since = client.received.length;
    const answer = await one.refresh(600, { client });
    if (answer.status === 200) {
      await one.nextNotify('', { ...PATIENT, client, since });
      return;
    }
    expect(answer.status, answer.text).toBe(503);
    refusals.count++;
    await sleep(Number(answer.header('retry-after')) * 1_000);
  }
}

const lamps = ({ client, subscriptions }: Flow): (string | undefined)[] =>
  subscriptions.map((one) => {
    const last = one.notifies(client).at(-1);
    return last === undefined ? undefined : dialogStates(last)[0];
  });

const cseqOf = (notify: ReceivedMessage): number => Number.parseInt(notify.header('cseq'), 10);

/** Whether CSeq only went up over both connections. */
const numbers = ({ client, subscriptions }: Flow): boolean[] =>
  subscriptions.map((one) => {
    const all = [...one.notifies(), ...one.notifies(client)].map(cseqOf);
    return all.every((cseq, index) => index === 0 || cseq > (all[index - 1] ?? 0));
  });

/** A few at a time. */
async function inTurns<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (next < count) {
        const index = next++;
        results[index] = await work(index);
      }
    }),
  );
  return results;
}
