/** Lambda entry for deliveries: one invocation tells one webhook all that waits for it. */
import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { deliverNews, type Outcome } from '#roles/webhook-courier.ts';
import { systemClock } from '#runtime/clock.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createSecretReader } from '#runtime/secret.ts';
import { createTelemetry, errorFields } from '#runtime/telemetry.ts';
import { createVaultReader } from '#runtime/vault.ts';
import { openWebhookConnection } from '#runtime/webhook-client.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';

/** Receivers answer first and work then. */
const TIMEOUT_MS = 8_000;

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const telemetry = createTelemetry(environment.logLevel);
// Where the table is on this machine, a receiver may be so too.
const allowsLoopback = environment.dynamoDbEndpoint !== undefined;
const ports = {
  ...{ table, telemetry, clock: systemClock, chance: Math.random, random: randomBytes },
  vault: createVaultReader(createSecretReader(environment.vaultSecret)),
  connect: (url: string) => openWebhookConnection(url, { allowsLoopback, timeoutMs: TIMEOUT_MS }),
};

const started = v.object({ domain: v.string(), id: v.string() });

/** Never throws for what a receiver or the table does: what is not told stays due. */
export async function handler(event: unknown): Promise<{ outcome: Outcome | 'failed' }> {
  const name = v.parse(started, event);
  try {
    return { outcome: await deliverNews(name, ports) };
  } catch (error) {
    telemetry.log('error', 'webhook', { ...name, ...errorFields(error) });
    return { outcome: 'failed' };
  }
}
