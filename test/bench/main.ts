/** `npm run bench -- [name …]`: measures the system as it runs here and prints what it found. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { Command } from 'commander';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { measureCallRequests, measureCalls } from './calls.ts';
import { measureColdStarts } from './cold.ts';
import { type FanoutCase, measureFanout } from './fanout.ts';
import { measureFunctions } from './functions.ts';
import { measureLatency } from './latency.ts';
import { keepMeasured } from './measured-file.ts';
import { measureMemory } from './memory.ts';
import { measureNeighbour, STATED_FACTOR, STORMS } from './neighbour.ts';
import { measureRefusals } from './refusals.ts';
import { measureRequests } from './requests.ts';
import { measureSignIn } from './sign-in.ts';
import type { StormKind } from './storm.ts';
import { measureUnits } from './units.ts';

const print = (text: string): boolean => process.stdout.write(`${text}\n`);

const FANOUTS: readonly FanoutCase[] = [
  { watchers: 1_000, flows: 1_000, rounds: 60 },
  { watchers: 1_000, flows: 50, rounds: 100 },
  { watchers: 100, flows: 100, rounds: 300 },
  { watchers: 3_000, flows: 3_000, rounds: 20 },
];

/** Goals and peers, microseconds of server CPU per NOTIFY, as measured on the same kind of machine when it is quiet. */
const PEERS = 'goal 32 (own flows), 16 (50 flows); Kamailio 5.6: 48, 45; bare Node server: 26, 13';

async function fanout(stack: LocalStack, wanted: FanoutCase): Promise<void> {
  print(`\nFan-out of one change: gateway CPU per NOTIFY, its 200 OK handled (${PEERS})`);
  const { gatewayMicrosPerNotify, toLastWatcherMs, notifies, wrongOrder, wrongAtEnd } = await measureFanout(
    stack,
    wanted,
  );
  print(
    `  ${wanted.watchers} watchers on ${wanted.flows} flows: ${gatewayMicrosPerNotify.toFixed(1)} us per NOTIFY (${notifies} sent), PUBLISH to last watcher p50 ${toLastWatcherMs.p50.toFixed(0)} ms p99 ${toLastWatcherMs.p99.toFixed(0)} ms, out of order ${wrongOrder}, wrong at end ${wrongAtEnd}`,
  );
}

async function race(stack: LocalStack): Promise<void> {
  print(
    '\nTwo publishers change one presentity at once, 100 watchers, 100 rounds (Kamailio with 4 workers: 40 to 79 wrong)',
  );
  const result = await measureFanout(stack, { watchers: 100, flows: 100, rounds: 100, publishers: 2 });
  print(`  watchers that went back: ${result.wrongOrder}, wrong at the end: ${result.wrongAtEnd}`);
}

async function latency(stack: LocalStack): Promise<void> {
  const { p50, p99, max } = await measureLatency(stack, 300);
  print('\nPUBLISH to NOTIFY through the local stack, one watcher');
  print(`  p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`);
}

async function memory(stack: LocalStack): Promise<void> {
  const { bytesPerIdleFlow, bytesPerSubscription } = await measureMemory(stack, USERS, 2_000, 10_000);
  print('\nMemory of the gateway (proportional set; goal 20 KiB and 2 KiB; Kamailio 71 KiB and 1.7 KiB)');
  print(`  idle registered flow ${(bytesPerIdleFlow / 1024).toFixed(1)} KiB`);
  print(`  subscription ${(bytesPerSubscription / 1024).toFixed(2)} KiB`);
}

async function requests(stack: LocalStack): Promise<void> {
  print('\nDynamoDB requests per operation');
  for (const [operation, counts] of Object.entries(await measureRequests(stack.dynamoDbEndpoint)))
    print(`  ${operation.padEnd(44)}${counts}`);
}

async function units(stack: LocalStack, isKept: boolean): Promise<void> {
  const measured = await measureUnits(stack.dynamoDbEndpoint);
  print('\nDynamoDB request units per operation, caches empty: read, write, write of indexes; stream records; notify');
  for (const [name, one] of Object.entries(measured.operations)) {
    const indexes = Object.entries(one.indexWriteUnits).map(([index, number]) => `${index} ${number}`);
    const own = `${one.readUnits}, ${one.writeUnits}, ${indexes.join(' ') || 0}; ${one.records}`;
    print(`  ${name.padEnd(20)}${own}; ${one.notify.invocations} (${one.notify.readUnits}, ${one.notify.writeUnits})`);
  }
  if (isKept) keepMeasured('units', measured);
}

async function functions(stack: LocalStack, isKept: boolean): Promise<void> {
  const measured = await measureFunctions(stack.dynamoDbEndpoint);
  print('\nCPU of one warm invocation of each function, one request or record');
  for (const [name, ms] of Object.entries(measured.cpuMs)) print(`  ${name.padEnd(20)}${ms.toFixed(2)} ms`);
  if (isKept) keepMeasured('functions', measured);
}

async function calls(stack: LocalStack): Promise<void> {
  print('\nCalls through the local stack: INVITE, 180, 200, ACK, BYE');
  for (const [atOnce, number] of [
    [1, 100],
    [20, 400],
  ] as const) {
    const { callsPerSecond, gatewayMicrosPerCall, inviteMs, refused } = await measureCalls(stack, atOnce, number);
    print(
      `  ${atOnce} at once: ${callsPerSecond.toFixed(1)} calls a second, gateway CPU ${(gatewayMicrosPerCall / 1000).toFixed(2)} ms per call, INVITE to INVITE p50 ${inviteMs.p50.toFixed(1)} ms p99 ${inviteMs.p99.toFixed(1)} ms, refused ${refused} of ${number}`,
    );
  }
  print('  DynamoDB requests');
  for (const [step, counts] of Object.entries(await measureCallRequests(stack.dynamoDbEndpoint)))
    print(`    ${step.padEnd(32)}${counts}`);
}

async function neighbour(stack: LocalStack, kind: StormKind): Promise<void> {
  const { quiet, stormy, ratios, failed, storm } = await measureNeighbour(stack, kind, { rounds: 5, changes: 40 });
  const perSecond = (count: number): string => `${(count / storm.seconds).toFixed(0)}/s`;
  const times = ({ answered, told }: typeof quiet): string =>
    `p50 ${told.p50.toFixed(0)} ms, p99 ${told.p99.toFixed(0)} ms (answered: ${answered.p50.toFixed(0)}, ${answered.p99.toFixed(0)})`;
  print(`\nNoisy neighbour: PUBLISH to NOTIFY of one tenant while another one storms with ${kind}`);
  print(`  quiet ${times(quiet)}`);
  print(
    `  storm ${times(stormy)}; medians of the rounds: p50 ${ratios.p50.toFixed(2)} times, p99 ${ratios.p99.toFixed(2)} times (stated: at most ${STATED_FACTOR}${ratios.p99 <= STATED_FACTOR ? '' : ', NOT kept'}); ${failed} lost`,
  );
  print(
    `  sent ${perSecond(storm.sent)}, accepted ${perSecond(storm.accepted)}, refused ${perSecond(storm.refused)} in time`,
  );
}

function parse(): void {
  spawnSync(process.execPath, [path.join(import.meta.dirname, 'parse.ts')], { stdio: 'inherit' });
}

async function signIn(): Promise<void> {
  const { wrongPasswordMicros, unknownUserMicros, openMicros } = await measureSignIn();
  print('\nA refused sign-in: function CPU and time, table in memory');
  print(
    `  wrong password ${wrongPasswordMicros.toFixed(0)} us, unknown user ${unknownUserMicros.toFixed(0)} us, ratio ${(unknownUserMicros / wrongPasswordMicros).toFixed(3)}; opening sealed credentials ${openMicros.toFixed(1)} us`,
  );
}

async function refusals(stack: LocalStack): Promise<void> {
  print('\nRefusals over HTTP, for a name that somebody has and for one that nobody has: medians');
  for (const { what, status, existingMs, missingMs } of await measureRefusals(stack))
    print(
      `  ${what}: ${status}, ${existingMs.toFixed(2)} ms and ${missingMs.toFixed(2)} ms, ratio ${(existingMs / missingMs).toFixed(3)}`,
    );
}

function cold(): void {
  print('\nStart of the functions: loading of the bundle in a new Node process, medians of 11');
  for (const { name, bytes, loadMs, cpuMs, residentMb } of measureColdStarts())
    print(
      `  ${name.padEnd(12)} ${(bytes / 1000).toFixed(0).padStart(4)} KB  ${loadMs.toFixed(0)} ms, CPU ${cpuMs.toFixed(0)} ms, ${residentMb.toFixed(0)} MB`,
    );
}

/** Seeded in each tenant, so that a flow of a crowd has a user of its own. */
const USERS = 2_100;

/** @param isKept the result is written where the cost model reads it */
type Bench = (stack: LocalStack, isKept: boolean) => Promise<void>;

/** Each case gets a stack of its own: what one leaves behind, parked watchers say, is no load for the next. */
const WITH_STACK: Readonly<Record<string, readonly Bench[]>> = {
  latency: [latency],
  fanout: FANOUTS.map(
    (wanted): Bench =>
      (stack) =>
        fanout(stack, wanted),
  ),
  race: [race],
  memory: [memory],
  requests: [requests],
  units: [units],
  functions: [functions],
  calls: [calls],
  refusals: [refusals],
  neighbour: (Object.keys(STORMS) as StormKind[]).map(
    (kind): Bench =>
      (stack) =>
        neighbour(stack, kind),
  ),
};

/** Cases that need no stack. */
const ALONE: Readonly<Record<string, () => void | Promise<void>>> = { parse, cold, 'sign-in': signIn };
const NAMES = [...Object.keys(ALONE), ...Object.keys(WITH_STACK)];

async function run(names: readonly string[], { write = false }: { readonly write?: boolean }): Promise<void> {
  const wanted = names.length > 0 ? names : NAMES;
  const unknown = wanted.filter((name) => !NAMES.includes(name));
  if (unknown.length > 0) throw new Error(`no bench ${unknown.join(', ')}; there are ${NAMES.join(', ')}`);
  for (const name of wanted) await ALONE[name]?.();
  for (const measure of wanted.flatMap((name) => WITH_STACK[name] ?? [])) {
    const stack = await startStack({ env: { LOG_LEVEL: 'warn', LOCAL_USERS: String(USERS) } });
    try {
      await measure(stack, write);
    } finally {
      await stack.stop();
    }
  }
}

await new Command('bench')
  .description('Measures the local stack. CPU figures are of the gateway process; compare ratios, not seconds.')
  .argument('[names...]', `${NAMES.join(', ')}; all when none is given`)
  .option('--write', 'keeps what the cost model reads (cdk/cost/measured.json): of units and functions')
  .action(run)
  .parseAsync();
