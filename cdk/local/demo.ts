/**
 * Plays the lively day of a small company into a running Lampfield, through real PUBLISHes:
 * `node cdk/local/demo.ts --url ws://127.0.0.1:8080/`
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { nextCall, type PlannedCall } from '#cdk/local/demo-day.ts';
import { Office } from '#cdk/local/demo-office.ts';
import { DAY, PEOPLE } from '#cdk/local/demo-people.ts';
import { DemoPublisher, type PublisherOptions, type PublishRefused } from '#cdk/local/demo-publisher.ts';

export interface DemoOptions extends PublisherOptions {
  /** 2 plays twice as fast. */
  readonly speed: number;
}

export const DEMO_DEFAULTS: DemoOptions = {
  url: 'ws://127.0.0.1:8080/',
  domain: 'demo.example',
  user: 'pbx',
  password: 'demo-pbx',
  speed: 1,
};

const HELP = `Plays a small company's day on the lamps of 1001 to 1010.

  --url URL         gateway (default GATEWAY_URL, or ${DEMO_DEFAULTS.url})
  --domain DOMAIN   tenant (default ${DEMO_DEFAULTS.domain})
  --user USER       publisher (default ${DEMO_DEFAULTS.user})
  --password TEXT   (default ${DEMO_DEFAULTS.password})
  --speed FACTOR    2 is twice as fast (default 1)
`;

/**
 * Runs until the signal fires, then removes every publication.
 * @throws {PublishRefused} when the server does not accept this publisher
 */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  let refusal: PublishRefused | undefined;
  const publisher = new DemoPublisher(options, {
    onReachable: (reachable) => tell(reachable ? `plays on ${options.url}` : `waits for ${options.url}`),
    onRefused: (error) => {
      refusal = error;
      stop.abort();
    },
  });
  const office = new Office(options.domain, PEOPLE, () => Date.now());
  publisher.start();
  await playDays(office, publisher, options.speed, ended);
  await publisher.close();
  if (refusal !== undefined) throw refusal;
}

async function playDays(office: Office, publisher: DemoPublisher, speed: number, signal: AbortSignal): Promise<void> {
  const engaged = new Set<string>();
  const publishChanges = () => {
    const changed = new Set(office.takeChanged());
    for (const person of PEOPLE.filter(({ extension }) => changed.has(extension)))
      publisher.publish(person.extension, office.document(person));
  };
  /** Ends early when the demo does. */
  const wait = (seconds: number) => sleep((seconds * 1000) / speed, undefined, { signal }).catch(() => undefined);
  const play = async ({ script, people }: PlannedCall) => {
    for (const { extension } of people) engaged.add(extension);
    for (const seconds of script) {
      publishChanges();
      await wait(seconds);
      if (signal.aborted) return;
    }
    publishChanges();
    for (const { extension } of people) engaged.delete(extension);
  };

  publishChanges();
  for (let part = 0; !signal.aborted; part = (part + 1) % DAY.length) {
    const { seconds: length = 60, busyShare = 0.5 } = DAY[part] ?? {};
    for (let passed = 0; passed < length && !signal.aborted; ) {
      const planned = nextCall(office, Math.random, busyShare, engaged);
      if (planned !== undefined) void play(planned);
      const pause = 0.6 + Math.random() * 2.4;
      passed += pause;
      await wait(pause);
    }
  }
}

function readOptions(): DemoOptions | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { url: text, domain: text, user: text, password: text, speed: text, help: { type: 'boolean' } },
  });
  if (values.help) return undefined;
  const speed = Number(values.speed ?? DEMO_DEFAULTS.speed);
  if (!(speed > 0 && speed <= 100)) throw new Error('--speed must be a number above 0 and at most 100');
  const fallbacks = { ...DEMO_DEFAULTS, url: process.env.GATEWAY_URL ?? DEMO_DEFAULTS.url };
  const { url, domain, user, password } = { ...fallbacks, ...values };
  return { url, domain, user, password, speed };
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) {
    process.stdout.write(HELP);
    return;
  }
  process.title = 'lampfield-demo';
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  await runDemo(options, stop.signal);
}

function tell(what: string): void {
  process.stdout.write(`The demo ${what}\n`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`The demo has stopped: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
