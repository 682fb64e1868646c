/** Lambda entry of the schedule: sweeps, and loops inside so that expiry is prompt. */
import { setTimeout as pause } from 'node:timers/promises';
import * as v from 'valibot';
import { type SweepResult, sweep } from '#roles/sweeper.ts';
import { systemClock } from '#runtime/clock.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry, errorFields } from '#runtime/telemetry.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';

const PASS_EVERY_MS = 2_000;

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const telemetry = createTelemetry(environment.logLevel);

const schedule = v.object({ loopSeconds: v.optional(v.number()) });

/** @param event `loopSeconds` overrules the environment; 0 makes a single pass */
export async function handler(event: unknown): Promise<{ passes: number }> {
  const given = v.safeParse(schedule, event);
  const loopSeconds = (given.success ? given.output.loopSeconds : undefined) ?? environment.expireLoopSeconds;
  const endMs = systemClock() + loopSeconds * 1_000;
  let passes = 0;
  for (;;) {
    const startedMs = systemClock();
    await pass(startedMs);
    passes += 1;
    const nextMs = startedMs + PASS_EVERY_MS;
    if (nextMs >= endMs) return { passes };
    await pause(Math.max(0, nextMs - systemClock()));
  }
}

// A pass that fails as a whole (the table is away) is not the end of the loop.
async function pass(startedMs: number): Promise<void> {
  try {
    const result = await sweep({ table, telemetry }, startedMs, environment.expireLagSeconds * 1_000);
    const level = isQuiet(result) ? 'debug' : 'info';
    telemetry.log(level, 'expire', { ...result, durationMs: systemClock() - startedMs });
  } catch (error) {
    telemetry.log('warn', 'expire', errorFields(error));
  }
}

const isQuiet = ({ publications, gateways, bindings, calls, removed, failures }: SweepResult): boolean =>
  publications + gateways + bindings + calls + removed + failures === 0;
