/** Process `lampfield` (npm start): the whole system on one machine. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GATEWAY_BUNDLE } from '#cdk/dist.ts';
import { announceReady, portClash, portTaken, portUses } from './announcement.ts';
import { ensureTable, localClient, untilReady } from './dynamodb-local.ts';
import { javaProblem } from './java.ts';
import { isPortTaken } from './ports.ts';
import {
  apiProcess,
  demoProcess,
  dynamoDbEndpoint,
  dynamoDbProcess,
  functionsProcess,
  gatewayPorts,
  gatewayProcesses,
  lambdaEndpoint,
  type StackFacts,
  schedulerProcess,
  streamsProcess,
  TABLE_NAME,
} from './processes.ts';
import { openRunFolder, type RunFolder } from './run-folder.ts';
import { seedTable } from './seed.ts';
import { type LocalSettings, readSettings } from './settings.ts';
import { Supervisor } from './supervisor.ts';
import { readVaultKey } from './vault-key.ts';

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 5_000;

async function main(): Promise<void> {
  process.title = 'lampfield';
  const settings = await withFreeApiPort(readSettings(process.argv.slice(2)));
  const problem = await findProblem(settings);
  if (problem !== undefined) throw new Error(problem);
  const runFolder = openRunFolder(settings.data);
  const supervisor = new Supervisor({
    logFolder: runFolder.logFolder,
    stopWithinMs: STOP_WITHIN_MS + settings.drainSeconds * 1_000,
    started: (name, pid) => process.send?.({ kind: 'started', name, pid }),
    say: (text) => console.log(text),
  });
  const stop = stopper(supervisor, settings, runFolder);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0));
  try {
    await supervisor.untilUp(startAll(supervisor, settings, runFolder));
  } catch (error) {
    console.error(`Lampfield could not start: ${messageOf(error)}`);
    await stop(1);
  }
}

/** A port that nobody chose may be another one: a second stack on this machine has its own. */
async function withFreeApiPort(settings: LocalSettings): Promise<LocalSettings> {
  if (settings.isApiPortChosen) return settings;
  const wanted = new Set(portUses(settings).map(({ port }) => port));
  let { apiPort } = settings;
  while (apiPort < 65_535 && (await isPortTaken(apiPort)))
    do apiPort++;
    while (wanted.has(apiPort));
  return { ...settings, apiPort };
}

/** What keeps the stack from starting, in words for the person who starts it. */
async function findProblem(settings: LocalSettings): Promise<string | undefined> {
  if (!existsSync(GATEWAY_BUNDLE)) return 'The bundles are missing: run npm run build first (npm start does it).';
  const uses = portUses(settings);
  const clash = portClash(uses);
  if (clash !== undefined) return clash;
  const taken = await Promise.all(uses.map(async (use) => ((await isPortTaken(use.port)) ? [portTaken(use)] : [])));
  const lines = taken.flat();
  return lines.length > 0 ? lines.join('\n') : javaProblem();
}

async function startAll(supervisor: Supervisor, settings: LocalSettings, runFolder: RunFolder): Promise<void> {
  const { folder, databaseFolder } = runFolder;
  const secrets = {
    ...{ nonce: randomBytes(32).toString('hex'), instruction: randomBytes(32).toString('hex') },
    canary: randomBytes(32).toString('hex'),
    vault: readVaultKey(folder, settings.vaultKey),
  };
  const facts: StackFacts = { settings, runFolder: folder, databaseFolder, secrets };
  supervisor.start(dynamoDbProcess(facts));
  supervisor.start(functionsProcess(facts));
  const streamArn = await prepareTable(settings, secrets.vault);
  await untilOk(`${lambdaEndpoint(settings)}/healthz`);
  supervisor.start(streamsProcess(facts, streamArn));
  supervisor.start(schedulerProcess(facts));
  supervisor.start(apiProcess(facts));
  for (const gateway of gatewayProcesses(facts)) supervisor.start(gateway);
  const apiHealth = `http://127.0.0.1:${settings.apiPort}/healthz`;
  await Promise.all(
    [apiHealth, ...gatewayPorts(settings).map((port) => `http://127.0.0.1:${port}/readyz`)].map(untilOk),
  );
  console.log(announceReady(settings, runFolder, performance.now()));
  process.send?.({ kind: 'ready' });
  if (settings.demo) supervisor.start(demoProcess(facts));
}

/** @returns the ARN of the table's stream */
async function prepareTable(settings: LocalSettings, vaultKey: string): Promise<string> {
  const endpoint = dynamoDbEndpoint(settings);
  await untilReady(endpoint);
  const client = localClient(endpoint);
  const { created, streamArn } = await ensureTable(client, TABLE_NAME);
  await seedTable(client, TABLE_NAME, { ...settings, vaultKey }, created);
  client.destroy();
  return streamArn;
}

async function untilOk(url: string): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const answer = await fetch(url).then(
      (response) => (response.ok ? undefined : `${response.status}`),
      (error: unknown) => messageOf(error),
    );
    if (answer === undefined) return;
    if (performance.now() > deadlineMs) throw new Error(`${url} does not become ready: ${answer}`);
    await sleep(30);
  }
}

/** A function that stops everything once; asked again, it waits for nothing. */
function stopper(supervisor: Supervisor, settings: LocalSettings, runFolder: RunFolder) {
  let stopping = false;
  return async (exitCode: number): Promise<void> => {
    if (stopping) process.exit(130); // The guard kills what is left.
    stopping = true;
    const gateways = gatewayPorts(settings).map((_, index) => `gateway-${index + 1}`);
    await supervisor.stop([['demo'], [...gateways, 'scheduler', 'api'], ['streams'], ['functions'], ['dynamodb']]);
    runFolder.close();
    process.exit(exitCode);
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

main().catch((error: unknown) => {
  console.error(messageOf(error));
  process.exit(1);
});
