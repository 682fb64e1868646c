/** Lambda entry of the HTTP API (a REST API of API Gateway, payload version 1.0). */
import { randomBytes } from 'node:crypto';
import { ApiRates } from '#core/api-rate.ts';
import { Problem } from '#core/problem.ts';
import { identifyCaller } from '#roles/key-authenticator.ts';
import { createCache } from '#runtime/cache.ts';
import { systemClock } from '#runtime/clock.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { refusalOf } from '#runtime/guarded-connection.ts';
import { createKeysReader, createSecretReader } from '#runtime/secret.ts';
import { createTelemetry, errorFields } from '#runtime/telemetry.ts';
import { createVaultReader } from '#runtime/vault.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { DEFAULT_QUOTAS } from '#table/tenant-quotas.ts';
import { preflightAnswer, readableBy } from './http/cors.ts';
import type { ApiPorts } from './http/ports.ts';
import { type ApiRequest, type ApiResponse, readRequest, refusal, requestIdOf } from './http/request.ts';
import { answerApi } from './http/router.ts';

/** A changed quota acts within this. */
const KEEP_TENANTS_MS = 5_000;

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const telemetry = createTelemetry(environment.logLevel);
const adminKey = createSecretReader(environment.adminSecret);
const tenants = createCache((domain) => loadTenant(table, domain), { keepMs: KEEP_TENANTS_MS, maxEntries: 10_000 });
const rates = new ApiRates('tenant');
const changes = new ApiRates('changes');
const ports: ApiPorts = {
  table,
  leases: openLeaseBook(table),
  // What was written a moment ago is there: the one who wrote it goes on with it.
  loadTenant: (domain) => loadTenant(table, domain, { consistent: true }),
  gateways: createGatewayClient(createKeysReader(environment.instructionSecret)),
  vault: createVaultReader(createSecretReader(environment.vaultSecret)),
  random: randomBytes,
  refusedTarget: (url) => refusalOf(url, environment.dynamoDbEndpoint !== undefined),
  takeRequest: async (tenant, nowMs) => {
    const { apiRequestsPerSecond } = (await tenants(tenant))?.quotas ?? DEFAULT_QUOTAS;
    return rates.take(tenant, apiRequestsPerSecond, nowMs);
  },
  takeChanges: ({ domain, quotas }, count, nowMs) => {
    changes.take(domain, quotas.publicationsPerSecond, nowMs, count);
  },
};

/** Never throws: an error becomes its answer. */
export async function handler(event: unknown): Promise<ApiResponse> {
  const startedMs = systemClock();
  const requestId = requestIdOf(event);
  let request: ApiRequest | undefined;
  let failure: unknown;
  let response: ApiResponse;
  try {
    const read = readRequest(event);
    request = read;
    const identify = () => identifyCaller({ table, adminKey }, read.headers.authorization, startedMs);
    response = preflightAnswer(read, environment.apiOrigins) ?? (await answerApi(read, ports, startedMs, identify));
  } catch (error) {
    failure = error;
    response = refusal(error, requestId);
  }
  const isDefect = failure !== undefined && !(failure instanceof Problem);
  telemetry.log(isDefect ? 'error' : 'info', 'api', {
    ...{ method: request?.method, path: request?.path.slice(0, 3).join('/'), outcome: response.statusCode },
    ...{ requestId, durationMs: systemClock() - startedMs, ...(isDefect && errorFields(failure)) },
  });
  return readableBy(request, environment.apiOrigins, response);
}
