/** Lambda entry of the HTTP API (API Gateway, payload version 2.0). */
import { Problem } from '#core/problem.ts';
import { systemClock } from '#runtime/clock.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { createSecretReader } from '#runtime/secret.ts';
import { createTelemetry, errorFields } from '#runtime/telemetry.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { type ApiResponse, readRequest, refusal, requireKey } from './api-request.ts';
import { answerApi } from './api-routes.ts';

const environment = readEnvironment();
const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
const telemetry = createTelemetry(environment.logLevel);
const readKey = createSecretReader(environment.adminSecret);
const ports = {
  table,
  leases: openLeaseBook(table),
  loadTenant: (domain: string) => loadTenant(table, domain),
  gateways: createGatewayClient(createSecretReader(environment.instructionSecret)),
};

/** Never throws: an error becomes its answer. */
export async function handler(event: unknown): Promise<ApiResponse> {
  const startedMs = systemClock();
  let request: ReturnType<typeof readRequest> | undefined;
  let failure: unknown;
  let response: ApiResponse;
  try {
    request = readRequest(event);
    requireKey(request, await readKey());
    response = await answerApi(request, ports, startedMs);
  } catch (error) {
    failure = error;
    response = refusal(error);
  }
  const isDefect = failure !== undefined && !(failure instanceof Problem);
  telemetry.log(isDefect ? 'error' : 'info', 'api', {
    ...{ method: request?.method, path: request?.path.slice(0, 3).join('/'), outcome: response.statusCode },
    ...{ durationMs: systemClock() - startedMs, ...(isDefect && errorFields(failure)) },
  });
  return response;
}
