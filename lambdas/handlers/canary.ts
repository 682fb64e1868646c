/** Lambda entry of the canary's schedule: signs in, watches itself, publishes, and says how long its lamp took. */
import { runCanary } from '#roles/canary.ts';
import { readCanaryEnvironment, readEnvironment } from '#runtime/environment.ts';
import { LampProbe } from '#runtime/lamp-probe.ts';
import { createSecretReader } from '#runtime/secret.ts';
import { createMetrics, createTelemetry } from '#runtime/telemetry.ts';
import { createVaultReader } from '#runtime/vault.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { putMissingAccount } from '#table/probe-account.ts';

const USER = 'canary';
/** Longer than this no lamp takes, and the next run comes. */
const PATIENCE_MS = 20_000;

const environment = readEnvironment();
const { gatewayUrl, domain } = readCanaryEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const readPassword = createSecretReader(environment.canarySecret);
const readVault = createVaultReader(createSecretReader(environment.vaultSecret));
const memory = { isSeeded: false };
const ports = {
  telemetry: createTelemetry(environment.logLevel),
  metrics: createMetrics(environment.metricsStage, 'canary'),
  seed: async () => putMissingAccount(table, await readVault(), await readAccount()),
  probe: async () => probe(await readAccount()),
};

export const handler = () => runCanary(memory, ports);

const readAccount = async () => ({ domain, user: USER, password: await readPassword() });

async function probe(account: Awaited<ReturnType<typeof readAccount>>): Promise<number> {
  const patience = Promise.withResolvers<never>();
  const timer = setTimeout(() => patience.reject(new Error(`no lamp within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  const way = goWay(account);
  try {
    return await Promise.race([way, patience.promise]);
  } finally {
    clearTimeout(timer);
    way.catch(() => undefined);
  }
}

async function goWay(account: Awaited<ReturnType<typeof readAccount>>): Promise<number> {
  const probe = await LampProbe.connect(gatewayUrl, account, 'lampfield canary');
  try {
    await probe.register();
    await probe.subscribe();
    await probe.firstNotify();
    await probe.publish();
    const lampMs = await probe.lampChange();
    await probe.tidyUp();
    return lampMs;
  } finally {
    probe.close();
  }
}
