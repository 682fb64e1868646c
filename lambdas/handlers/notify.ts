/**
 * Lambda entry of the table's stream: bindings change states, changed states go to the gateways of their watchers,
 * subscriptions that were replaced on another gateway end, changed policies decide anew who may watch, connections end whose
 * proof was taken back, and users who were removed lose what they held. At last the history of lamps is written.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { MetricSample } from '#core/metric.ts';
import { chronicle } from '#roles/chronicler.ts';
import { fanOut } from '#roles/fan-out.ts';
import { monitorRegistrations } from '#roles/registration-monitor.ts';
import { endReplaced } from '#roles/replacement-monitor.ts';
import { monitorSignOuts } from '#roles/sign-out-monitor.ts';
import { closeRemovedTenants } from '#roles/tenant-remover.ts';
import { removeUsers } from '#roles/user-remover.ts';
import { monitorWatching } from '#roles/watch-monitor.ts';
import { systemClock } from '#runtime/clock.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { createKeysReader } from '#runtime/secret.ts';
import { createMetrics, createTelemetry } from '#runtime/telemetry.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { recordsOf } from '#table/stream-record.ts';
import { createTenantCheck } from './request-ports.ts';

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const telemetry = createTelemetry(environment.logLevel);
const metrics = createMetrics(environment.metricsStage, 'notify');
const latencies = new MetricSample(Math.random);
const ports = {
  table,
  leases: openLeaseBook(table),
  gateways: createGatewayClient(createKeysReader(environment.instructionSecret)),
  telemetry,
  accepted: (changedAtMs: number): void => latencies.add(Math.max(0, systemClock() - changedAtMs)),
  isServed: createTenantCheck(table),
  historyHours: environment.historyHours,
  isReplicated: environment.regionRole !== 'only',
  ownRegion: environment.regionRole === 'only' ? undefined : environment.region,
  pause: (ms: number): Promise<void> => pause(ms, undefined, { ref: false }),
};

/** Every region's stream has every record: what all would write alike, one of them writes. */
const isDecider = environment.regionRole !== 'further';

/** The event source mapping hands the records over again from the first failure on. */
export async function handler(event: unknown): Promise<{ batchItemFailures: { itemIdentifier: string }[] }> {
  const startedMs = systemClock();
  const records = recordsOf(event);
  // Lamps first: a herd that registers, or loses its gateway, must not hold them up.
  const failed = await fanOut(records, ports, startedMs);
  failed.push(...(await endReplaced(records, ports, startedMs)));
  if (isDecider) failed.push(...(await monitorWatching(records, { ...ports, clock: systemClock }, startedMs)));
  failed.push(...(await monitorRegistrations(records, ports, startedMs)));
  failed.push(...(await monitorSignOuts(records, ports, startedMs)));
  failed.push(...(await removeUsers(records, ports, startedMs)));
  failed.push(...(await closeRemovedTenants(records, ports, startedMs)));
  if (isDecider) await chronicle(records, ports);
  const durationMs = systemClock() - startedMs;
  const counted = { StreamRecords: records.length, StreamRecordsFailed: failed.length };
  metrics({ ...counted, LampAcceptedMs: latencies.take() });
  telemetry.log(failed.length > 0 ? 'warn' : 'debug', 'notify', {
    records: records.length,
    failed: failed.length,
    durationMs,
  });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}
