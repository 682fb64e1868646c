/** Lambda entry of INVITE, and of requests in a call whose sender or target a gateway does not know. */
import { randomBytes } from 'node:crypto';
import { routeCall } from '#roles/call-router.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRequestPorts, createTrunkLoader } from './request-ports.ts';
import { withQuotas } from './with-quotas.ts';

const environment = readEnvironment();
const telemetry = createTelemetry(environment.logLevel);
const requestPorts = createRequestPorts(environment);
const { table } = requestPorts;
const ports = {
  ...{ ...requestPorts, leases: openLeaseBook(table), telemetry },
  ...{ loadTrunk: createTrunkLoader(requestPorts), randomBytes },
};

export const handler = withQuotas(
  createRequestHandler('call', (envelope, nowMs) => routeCall(envelope, ports, nowMs), telemetry),
  ports,
);
