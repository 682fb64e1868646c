/** Lambda entry of MESSAGE. */
import { DependencyUnavailable } from '#core/error.ts';
import { message } from '#roles/messenger.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { createKeysReader } from '#runtime/secret.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRequestPorts } from './request-ports.ts';
import { withQuotas } from './with-quotas.ts';

const environment = readEnvironment();
const telemetry = createTelemetry(environment.logLevel);
const requestPorts = createRequestPorts(environment);
const ports = {
  ...requestPorts,
  leases: openLeaseBook(requestPorts.table),
  gateways: createGatewayClient(createKeysReader(environment.instructionSecret)),
  telemetry,
  // It stands among the gateways, without a way to issuers: who brings a token of theirs has proven it on this flow before.
  loadKeySet: () => Promise.reject(new DependencyUnavailable('No way to the issuers of tokens')),
};

export const handler = withQuotas(
  createRequestHandler('message', (envelope, nowMs) => message(envelope, ports, nowMs), telemetry),
  ports,
);
